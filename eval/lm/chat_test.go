package lm_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	openai "github.com/sashabaranov/go-openai"

	"mergesearch/eval/lm"
	"mergesearch/eval/lm/lmtest"
)

// chatTemplate is one that the base model's tokens can spell.
const chatTemplate = `{{ bos_token }}{% for m in messages %}{% if m.role == 'system' and not loop.first %}{{ raise_exception('the system speaks first') }}{% endif %}{{ m.content }}{{ '=' if m.role == 'user' else ' ' }}{% endfor %}{% if add_generation_prompt and tone is defined %}{{ tone }}{% endif %}`

// chatServer serves the base model with a chat template as "m", and without as "plain".
func chatServer(t *testing.T) (*lm.Server, string) {
	t.Helper()
	s, url := start(t, lm.ServerOptions{})
	files, tensors, err := lmtest.Open(filepath.Join(familyDir, "models", "base"))
	if err != nil {
		t.Fatal(err)
	}
	files["chat_template.jinja"] = []byte(chatTemplate)
	m, err := lm.Load(files, tensors)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Add("chatty", m); err != nil {
		t.Fatal(err)
	}
	return s, url
}

func client(url string) *openai.Client {
	c := openai.DefaultConfig("")
	c.BaseURL = url + "/v1"
	return openai.NewClientWithConfig(c)
}

// TestChat: a chat is the completion of its rendered prompt, for an OpenAI client.
func TestChat(t *testing.T) {
	_, url := chatServer(t)
	ctx, c := context.Background(), client(url)
	var want completion
	post(t, url+"/v1/completions", `{"model":"chatty","prompt":"<s>79+75=","add_special_tokens":false,"max_tokens":8,"temperature":0,"logprobs":3}`, &want)
	r := openai.ChatCompletionRequest{
		Model: "chatty", Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "79+75"}},
		MaxCompletionTokens: 8, Temperature: 1e-9, LogProbs: true, TopLogProbs: 3, N: 2,
	}
	got, err := c.CreateChatCompletion(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Choices) != 2 || got.Object != "chat.completion" || got.SystemFingerprint != want.SystemFingerprint {
		t.Fatalf("%+v", got)
	}
	for i, choice := range got.Choices {
		if choice.Index != i || choice.Message.Role != "assistant" || choice.Message.Content != want.Choices[0].Text || string(choice.FinishReason) != *want.Choices[0].FinishReason {
			t.Errorf("%+v, want %+v", choice, want.Choices[0])
		}
		logs := want.Choices[0].LogProbs
		if choice.LogProbs == nil || len(choice.LogProbs.Content) != len(logs.Tokens) {
			t.Fatalf("log-probabilities %+v, want %+v", choice.LogProbs, logs)
		}
		for k, x := range choice.LogProbs.Content {
			if x.Token != logs.Tokens[k] || x.LogProb != *logs.TokenLogProbs[k] || len(x.TopLogProbs) != 3 || len(x.Bytes) == 0 {
				t.Errorf("token %d: %+v, want %q %v", k, x, logs.Tokens[k], *logs.TokenLogProbs[k])
			}
		}
	}
	if u := got.Usage; u.PromptTokens != want.Usage.PromptTokens || u.CompletionTokens != 2*want.Usage.CompletionTokens {
		t.Errorf("usage %+v, of the completion %+v", u, want.Usage)
	}

	r.N, r.Stream, r.StreamOptions = 1, true, &openai.StreamOptions{IncludeUsage: true}
	stream, err := c.CreateChatCompletionStream(ctx, r)
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	text, role, finish, tokens, usage := "", "", "", 0, openai.Usage{}
	for {
		chunk, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if chunk.Usage != nil {
			usage = *chunk.Usage
		}
		for _, choice := range chunk.Choices {
			text, role, finish = text+choice.Delta.Content, role+choice.Delta.Role, finish+string(choice.FinishReason)
			if choice.Logprobs != nil {
				tokens += len(choice.Logprobs.Content)
			}
		}
	}
	if text != want.Choices[0].Text || role != "assistant" || finish != *want.Choices[0].FinishReason || tokens != len(want.Choices[0].LogProbs.Tokens) || usage.PromptTokens != want.Usage.PromptTokens {
		t.Errorf("streams %q by %q, ends %q, %d tokens, %+v", text, role, finish, tokens, usage)
	}
}

// TestChatFields: what OpenAI's and vLLM's other fields do, and what is refused.
func TestChatFields(t *testing.T) {
	_, url := chatServer(t)
	const user = `{"role":"user","content":"79+75"}`
	for body, prompt := range map[string]string{
		`"messages":[` + user + `]`: "<s>79+75=",
		`"messages":[{"role":"user","content":[{"type":"text","text":"79+75"}]}]`:                     "<s>79+75=",
		`"messages":[{"role":"system","content":"add"},` + user + `]`:                                 "<s>add 79+75=",
		`"messages":[` + user + `],"chat_template_kwargs":{"tone":"1"}`:                               "<s>79+75=1",
		`"messages":[` + user + `],"add_generation_prompt":false`:                                     "<s>79+75=",
		`"messages":[` + user + `,{"role":"assistant","content":"15","tool_calls":null}]`:             "<s>79+75=15 ",
		`"continue_final_message":true,"messages":[` + user + `,{"role":"assistant","content":"15"}]`: "<s>79+75=15",
		`"stop":["9"],"messages":[` + user + `]`:                                                      "<s>79+75=",
		`"max_completion_tokens":3,"messages":[` + user + `]`:                                         "<s>79+75=",
	} {
		var got struct {
			Choices []struct{ Message struct{ Content string } }
			Error   any
		}
		var want completion
		extra := `,"temperature":0,"max_tokens":6`
		if strings.Contains(body, "max_completion") {
			extra = `,"temperature":0`
		}
		if status := post(t, url+"/v1/chat/completions", `{"model":"chatty",`+body+extra+`}`, &got); status != 200 {
			t.Errorf("%s: status %d, %+v", body, status, got.Error)
			continue
		}
		options := `"add_special_tokens":false,"temperature":0,"max_tokens":6`
		switch {
		case strings.Contains(body, "max_completion"):
			options = strings.Replace(options, "6", "3", 1)
		case strings.Contains(body, "stop"):
			options += `,"stop":["9"]`
		}
		post(t, url+"/v1/completions", `{"model":"chatty","prompt":"`+prompt+`",`+options+`}`, &want)
		if got.Choices[0].Message.Content != want.Choices[0].Text {
			t.Errorf("%s: %q, want %q", body, got.Choices[0].Message.Content, want.Choices[0].Text)
		}
		var ids struct{ Tokens []int32 }
		var wantIDs struct{ Tokens []int32 }
		post(t, url+"/tokenize", `{"model":"chatty",`+body+`}`, &ids)
		post(t, url+"/tokenize", `{"model":"chatty","prompt":"`+prompt+`","add_special_tokens":false}`, &wantIDs)
		if len(ids.Tokens) == 0 || len(ids.Tokens) != len(wantIDs.Tokens) {
			t.Errorf("%s: tokens %v, want %v", body, ids.Tokens, wantIDs.Tokens)
		}
	}
	for body, problem := range map[string]string{
		`"messages":[]`:                "messages: must be a list",
		`"messages":[{"content":"x"}]`: "messages: must be a list",
		`"messages":[{"role":"user","content":[{"type":"image_url"}]}]`:                        "parts of type text only",
		`"messages":[` + user + `,{"role":"system","content":"x"}]`:                            "refuses the conversation: the system speaks first",
		`"messages":[` + user + `],"tools":[{}]`:                                               "tools",
		`"messages":[` + user + `],"n":0`:                                                      "n: must be",
		`"messages":[` + user + `],"top_logprobs":2`:                                           "top_logprobs needs",
		`"messages":[` + user + `],"presence_penalty":1`:                                       "presence_penalty",
		`"messages":[` + user + `],"response_format":{"type":"json_object"}`:                   "response_format",
		`"messages":[` + user + `],"max_tokens":100000`:                                        "exceed the model's",
		`"messages":[` + user + `],"continue_final_message":true,"add_generation_prompt":true`: "exclude each other",
		`"messages":[` + user + `],"chat_template":"x"`:                                        "only the model's own",
		`"messages":[` + user + `],"chat_template_kwargs":[]`:                                  "want an object",
	} {
		var c completion
		if status := post(t, url+"/v1/chat/completions", `{"model":"chatty",`+body+`}`, &c); status != http.StatusBadRequest || c.Error == nil || !strings.Contains(c.Error.Message, problem) {
			t.Errorf("%s: status %d, %+v, want %q", body, status, c.Error, problem)
		}
	}
	var c completion
	if status := post(t, url+"/v1/chat/completions", `{"model":"m","messages":[`+user+`]}`, &c); status != http.StatusBadRequest || c.Error == nil || !strings.Contains(c.Error.Message, "the model has no chat template") {
		t.Errorf("without a template: status %d, %+v", status, c.Error)
	}
}
