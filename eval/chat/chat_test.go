package chat_test

import (
	"errors"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/eval/chat"
	"mergesearch/eval/jinja"
)

func talk(turns ...string) (out []*jinja.Dict) {
	for i := 0; i < len(turns); i += 2 {
		out = append(out, chat.Message(turns[i], turns[i+1]))
	}
	return out
}

// The template of a model is found where transformers looks, with its special tokens.
func TestOf(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"config":         {map[string]string{"tokenizer_config.json": `{"chat_template": "{{ bos_token }}a", "bos_token": "<s>"}`}, "<s>a"},
		"token object":   {map[string]string{"tokenizer_config.json": `{"chat_template": "{{ bos_token }}a", "bos_token": {"content": "<b>"}}`}, "<b>a"},
		"list":           {map[string]string{"tokenizer_config.json": `{"chat_template": [{"name": "tool_use", "template": "t"}, {"name": "default", "template": "d"}]}`}, "d"},
		"file":           {map[string]string{"tokenizer_config.json": `{"chat_template": "a"}`, "chat_template.jinja": "{{ eos_token }}f", "special_tokens_map.json": `{"eos_token": "</s>"}`}, "</s>f"},
		"both maps":      {map[string]string{"tokenizer_config.json": `{"chat_template": "{{ bos_token }}", "bos_token": "1"}`, "special_tokens_map.json": `{"bos_token": "2"}`}, "1"},
		"none":           {map[string]string{"tokenizer_config.json": `{"bos_token": "<s>"}`}, ""},
		"no such number": {map[string]string{"tokenizer_config.json": `{"model_max_length": 1000000000000000019884624838656, "x": 1e999, "chat_template": "{{ bos_token }}a", "bos_token": "<s>"}`, "special_tokens_map.json": `{"x": 1000000000000000019884624838656}`}, "<s>a"},
		"null":           {map[string]string{"tokenizer_config.json": `{"chat_template": null}`}, ""},
		"no files":       {nil, ""},
		"date":           {map[string]string{"chat_template.jinja": "{{ strftime_now('%d %b %Y') }}"}, "26 Jul 2024"},
		"no null tokens": {map[string]string{"tokenizer_config.json": `{"chat_template": "{{ bos_token is defined }}", "bos_token": null}`}, "False"},
	} {
		files := map[string][]byte{}
		for k, v := range c.files {
			files[k] = []byte(v)
		}
		got, err := chat.Of(files)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if (got == nil) != (c.want == "") {
			t.Errorf("%s: %v", name, got)
		} else if got != nil {
			if text, err := got.Render(chat.Conversation{Messages: talk("user", "x")}); err != nil || text != c.want {
				t.Errorf("%s: %q, %v, want %q", name, text, err, c.want)
			}
		}
	}
	for config, problem := range map[string]string{
		`{"chat_template": 3}`: "neither a text nor a list", `{"chat_template": [{"name": "rag", "template": "x"}]}`: "none of the templates is named default: rag",
		`{"chat_template": "{% if %}"}`: "an expression is missing", `[`: "not JSON", `[]`: "want an object", `null`: "want an object",
		`{"chat_template": []}`: "is empty", strings.Repeat("[", 20<<20): "not JSON", `{"a":` + strings.Repeat("[", 20<<20): "not JSON",
	} {
		_, err := chat.Of(map[string][]byte{"tokenizer_config.json": []byte(config)})
		if in := (*mergesearch.InputError)(nil); !errors.As(err, &in) || in.File != "tokenizer_config.json" || !strings.Contains(in.Problem, problem) {
			t.Errorf("%.80s: %v, want %q", config, err, problem)
		}
	}
}

// Variables stand beside the conversation and never in its place.
func TestVariables(t *testing.T) {
	if got, err := chat.Variables([]byte(`{"enable_thinking": false}`)); err != nil || len(got) != 1 || got["enable_thinking"] != false {
		t.Errorf("%v, %v", got, err)
	}
	for text, problem := range map[string]string{
		`{"messages": []}`: "messages is not a variable", `{"tools": null}`: "tools is not a variable", `{"documents": 1}`: "documents is not a variable",
		`{"a": 1, "add_generation_prompt": true}`: "add_generation_prompt is not a variable", `[]`: "want an object", `{} {}`: "more than one value",
		`{"a": ` + strings.Repeat("[", 20<<20): "200 deep",
	} {
		if _, err := chat.Variables([]byte(text)); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%.80s: %v, want %q", text, err, problem)
		}
	}
}

// A special token is a text, or an object with it.
func TestTokenText(t *testing.T) {
	for raw, want := range map[string]string{`"<s>"`: "<s>", `{"content": "<b>", "lstrip": false}`: "<b>", `""`: ""} {
		if got, ok := chat.TokenText([]byte(raw)); got != want || !ok {
			t.Errorf("%s: %q, %t", raw, got, ok)
		}
	}
	for _, raw := range []string{"", "null", "3", "[]", "{}", `{"content": null}`, `{"content": 3}`} {
		if got, ok := chat.TokenText([]byte(raw)); got != "" || ok {
			t.Errorf("%s: %q, %t", raw, got, ok)
		}
	}
}

// A conversation that a template does not take is refused in the template's words, and
// one that misses a special token by its name.
func TestRefusals(t *testing.T) {
	for source, problem := range map[string]string{
		"{{ raise_exception('System role not supported') }}": "the chat template refuses the conversation: System role not supported",
		"{{ bos_token + 'x' }}":                              "wants bos_token, which the model's files do not name",
		"{{ messages[7].content.x }}":                        "chat template: ",
	} {
		parsed, err := chat.Parse(source)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parsed.Render(chat.Conversation{Messages: talk("user", "x")}); err == nil || !strings.Contains(err.Error(), problem) {
			t.Errorf("%s: %v, want %q", source, err, problem)
		}
	}
}

// Rendering changes neither the messages nor what they hold.
func TestMessagesStay(t *testing.T) {
	parsed, err := chat.Parse("{% for m in messages %}{{ m.content }}{% endfor %}")
	if err != nil {
		t.Fatal(err)
	}
	c := chat.Conversation{Messages: talk("user", "a ", "assistant", "b"), Continue: true}
	for range 2 {
		if text, err := parsed.Render(c); err != nil || text != "a b" {
			t.Errorf("%q, %v", text, err)
		}
	}
}
