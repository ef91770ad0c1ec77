package lm

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"

	"mergesearch/eval/chat"
	"mergesearch/eval/jinja"
)

// chatRequest is the body of POST /v1/chat/completions: OpenAI's fields, and of vLLM's
// add_generation_prompt, continue_final_message, chat_template_kwargs, ignore_eos and
// return_tokens_as_token_ids.
type chatRequest struct {
	Model               string          `json:"model"`
	Messages            json.RawMessage `json:"messages"`
	MaxTokens           *int            `json:"max_tokens"`
	MaxCompletionTokens *int            `json:"max_completion_tokens"`
	Temperature         *float64        `json:"temperature"`
	TopP                *float64        `json:"top_p"`
	Seed                *int64          `json:"seed"`
	Stop                stopField       `json:"stop"`
	LogProbs            bool            `json:"logprobs"`
	TopLogProbs         int             `json:"top_logprobs"`
	Stream              bool            `json:"stream"`
	StreamOpts          streamOptions   `json:"stream_options"`

	Generate  *bool           `json:"add_generation_prompt"`
	Continue  bool            `json:"continue_final_message"`
	Variables json.RawMessage `json:"chat_template_kwargs"`

	IgnoreEOS   bool `json:"ignore_eos"`
	TokensAsIDs bool `json:"return_tokens_as_token_ids"`

	Tools          []json.RawMessage `json:"tools"`
	ResponseFormat *struct {
		Type string `json:"type"`
	} `json:"response_format"`
	Template *string `json:"chat_template"`

	unsupported
}

// maxAnswers bounds n.
const maxAnswers = 128

// template holds what a model's chat template is made of, until it is asked for.
type template struct {
	files map[string][]byte
	once  sync.Once
	t     *chat.Template
	err   error
}

func newTemplate(files map[string][]byte) *template {
	t := &template{files: map[string][]byte{}}
	for _, name := range chat.Files {
		t.files[name] = files[name]
	}
	return t
}

func (t *template) get() (*chat.Template, error) {
	t.once.Do(func() {
		if t.t, t.err = chat.Of(t.files); t.t == nil && t.err == nil {
			t.err = badRequest("", "the model has no chat template, neither in tokenizer_config.json nor in chat_template.jinja; send the rendered prompt to /v1/completions")
		}
		t.files = nil
	})
	return t.t, t.err
}

// chats answers POST /v1/chat/completions: the messages are rendered by the model's
// template, and the prompt goes the way of completions.
func (s *Server) chats(w http.ResponseWriter, r *http.Request) {
	var c chatRequest
	if err := s.readBody(w, r, &c); err != nil {
		writeError(w, asAPIError(err))
		return
	}
	m, missing := s.find(c.Model)
	if missing != nil {
		writeError(w, missing)
		return
	}
	defer m.users.Done()
	asked, err := c.completion(m.model)
	if err != nil {
		writeError(w, asAPIError(err))
		return
	}
	s.answer(w, r, m, asked)
}

// completion is the completions request that a chat stands for.
func (c *chatRequest) completion(m *Model) (*completionRequest, error) {
	answers := 1
	set(&answers, c.N)
	c.N = nil
	switch {
	case answers < 1 || answers > maxAnswers:
		return nil, badRequest("n", fmt.Sprintf("n: must be between 1 and %d", maxAnswers))
	case len(c.Tools) > 0:
		return nil, badRequest("tools", "tools are not supported by the embedded engine")
	case c.ResponseFormat != nil && c.ResponseFormat.Type != "text":
		return nil, badRequest("response_format", "response_format is not supported by the embedded engine")
	case c.Template != nil:
		return nil, badRequest("chat_template", "chat_template: only the model's own template is used")
	case c.TopLogProbs != 0 && !c.LogProbs:
		return nil, badRequest("top_logprobs", "top_logprobs needs logprobs: true")
	case c.Continue && c.Generate != nil && *c.Generate:
		return nil, badRequest("continue_final_message", "continue_final_message and add_generation_prompt exclude each other")
	}
	ids, err := c.prompt(m)
	if err != nil {
		return nil, err
	}
	out := &completionRequest{
		chat: true, Model: c.Model, MaxTokens: c.MaxTokens, Temperature: c.Temperature, TopP: c.TopP, Seed: c.Seed, Stop: c.Stop,
		Stream: c.Stream, StreamOpts: c.StreamOpts, IgnoreEOS: c.IgnoreEOS, TokensAsIDs: c.TokensAsIDs, unsupported: c.unsupported,
	}
	if c.MaxCompletionTokens != nil {
		out.MaxTokens = c.MaxCompletionTokens
	}
	if out.MaxTokens == nil { // as long as the model can
		rest := max(0, m.MaxPositions()-len(ids))
		out.MaxTokens = &rest
	}
	if c.LogProbs {
		out.LogProbs = &c.TopLogProbs
	}
	for range answers {
		out.Prompt = append(out.Prompt, prompt{ids: ids})
	}
	return out, nil
}

// prompt renders the messages. The template writes every special token.
func (c *chatRequest) prompt(m *Model) ([]int32, error) {
	t, err := m.template.get()
	if err != nil {
		return nil, err
	}
	talk := chat.Conversation{Generate: !c.Continue, Continue: c.Continue}
	set(&talk.Generate, c.Generate)
	if talk.Messages, err = messages(c.Messages); err != nil {
		return nil, err
	}
	if len(c.Variables) > 0 && string(c.Variables) != "null" {
		if talk.Variables, err = chat.Variables(c.Variables); err != nil {
			return nil, badRequest("chat_template_kwargs", "chat_template_kwargs: "+err.Error())
		}
	}
	text, err := t.Render(talk)
	if err != nil {
		return nil, badRequest("messages", err.Error())
	}
	return m.tokenizer.Encode(text, false), nil
}

// messages reads the messages of a body.
func messages(raw json.RawMessage) ([]*jinja.Dict, error) {
	wrong := badRequest("messages", "messages: must be a list of objects with role and content")
	v, err := chat.Value(raw)
	list, ok := v.([]any)
	if err != nil || !ok || len(list) == 0 {
		return nil, wrong
	}
	var out []*jinja.Dict
	for _, x := range list {
		d, ok := x.(*jinja.Dict)
		if !ok {
			return nil, wrong
		}
		if role, _ := d.Get("role"); role != nil {
			_, ok = role.(string)
		} else {
			ok = false
		}
		if !ok {
			return nil, wrong
		}
		content, _ := d.Get("content")
		switch content := content.(type) {
		case nil, string:
		case []any:
			text, ok := joinedParts(content)
			if !ok {
				return nil, badRequest("messages", "messages: the embedded engine reads parts of type text only")
			}
			d.Set("content", text)
		default:
			return nil, wrong
		}
		out = append(out, d)
	}
	return out, nil
}

// joinedParts is content that comes in parts, line by line as vLLM joins it.
func joinedParts(parts []any) (text string, ok bool) {
	var lines []string
	for _, x := range parts {
		d, isDict := x.(*jinja.Dict)
		if !isDict {
			return "", false
		}
		kind, _ := d.Get("type")
		v, _ := d.Get("text")
		line, isText := v.(string)
		if kind != "text" || !isText {
			return "", false
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), true
}

// form is the shape of an answer.
type form byte

// The forms: of completions, of chat completions, and of their chunks in a stream.
const (
	textForm form = iota
	messageForm
	deltaForm
)

// head names the kind of answer.
func (f form) head() string {
	switch f {
	case messageForm:
		return `","object":"chat.completion","created":`
	case deltaForm:
		return `","object":"chat.completion.chunk","created":`
	}
	return `","object":"text_completion","created":`
}

// said writes the text of a choice.
func (a *answerWriter) said(c choice) {
	switch a.form {
	case textForm:
		a.raw(`,"text":`)
		a.b = appendQuoted(a.b, c.text)
		return
	case messageForm:
		a.raw(`,"message":{"role":"assistant","content":`)
	case deltaForm:
		switch {
		case c.finish != "":
			a.raw(`,"delta":{}`)
			return
		case c.first:
			a.raw(`,"delta":{"role":"assistant","content":`)
		default:
			a.raw(`,"delta":{"content":`)
		}
	}
	a.b = append(appendQuoted(a.b, c.text), '}')
}

// contentLogProbs writes log-probabilities as chats have them.
func (a *answerWriter) contentLogProbs(c choice) {
	a.raw(`{"content":[`)
	for i, t := range c.logProbs {
		a.comma(i)
		a.contentToken(t.Token, t.LogProb)
		a.raw(`,"top_logprobs":[`)
		if c.withTop {
			for k, alt := range t.Top {
				a.comma(k)
				a.contentToken(alt.Token, alt.LogProb)
				a.raw("}")
			}
		}
		a.raw("]}")
	}
	a.raw("]}")
}

// contentToken writes a token without the closing bracket.
func (a *answerWriter) contentToken(id int32, logProb float64) {
	a.raw(`{"token":`)
	a.token(id)
	a.raw(`,"logprob":`)
	a.number(logProb)
	a.raw(`,"bytes":[`)
	if id >= 0 && int(id) < len(a.vocab.texts) {
		for i, x := range a.vocab.Piece(id) {
			a.comma(i)
			a.b = fmt.Append(a.b, x)
		}
	}
	a.raw("]")
}
