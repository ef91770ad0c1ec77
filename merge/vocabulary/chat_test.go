package vocabulary

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"mergesearch"
)

// The formats, written down a second time.
var formats = map[string]func(c goldenChat) string{
	"chatml": func(c goldenChat) string {
		var b strings.Builder
		for _, m := range c.Messages {
			b.WriteString("<|im_start|>" + m.Role + "\n" + m.Content + "<|im_end|>\n")
		}
		return prompted(c, b.String(), "<|im_start|>assistant\n")
	},
	"llama3": func(c goldenChat) string {
		out := "<s>" // the token for the beginning of a text
		for _, m := range c.Messages {
			out += "<|start_header_id|>" + m.Role + "<|end_header_id|>\n\n" + strings.TrimSpace(m.Content) + "<|eot_id|>"
		}
		return prompted(c, out, "<|start_header_id|>assistant<|end_header_id|>\n\n")
	},
	"mistral": func(c goldenChat) string {
		out, system := "<s>", ""
		for _, m := range c.Messages {
			switch m.Role {
			case "system":
				system = m.Content + "\n\n"
			case "user":
				out += "[INST] " + system + m.Content + " [/INST]"
				system = ""
			case "assistant":
				out += " " + m.Content + "</s>"
			}
		}
		return out
	},
	"alpaca": func(c goldenChat) string {
		out := ""
		for _, m := range c.Messages {
			out += map[string]string{"user": "### Instruction:\n", "assistant": "### Response:\n"}[m.Role] + m.Content + "\n\n"
		}
		return prompted(c, out, "### Response:\n")
	},
	"exaone": func(c goldenChat) string {
		out := ""
		if c.Messages[0].Role != "system" {
			out = "[|system|][|endofturn|]\n"
		}
		for _, m := range c.Messages {
			end := "[|endofturn|]\n"
			if m.Role == "user" {
				end = "\n"
			}
			out += "[|" + m.Role + "|]" + m.Content + end
		}
		return prompted(c, out, "[|assistant|]")
	},
}

func prompted(c goldenChat, text, prompt string) string {
	if c.Prompt {
		return text + prompt
	}
	return text
}

// What transformers renders with a built-in template is what its format says.
func TestTemplates(t *testing.T) {
	seen := map[string]int{}
	for _, c := range readGolden(t).Chats {
		text, err := ChatTemplate(c.Name, nil)
		if err != nil || text != c.Template {
			t.Fatalf("%s: the goldens were made with another template (%v)", c.Name, err)
		}
		if want := formats[c.Name](c); c.Text != want {
			t.Errorf("%s renders %q, want %q", c.Name, c.Text, want)
		}
		seen[c.Name]++
	}
	for _, name := range Templates() {
		if seen[name] < 8 {
			t.Errorf("%s: %d conversations", name, seen[name])
		}
	}
	if want := []string{"alpaca", "chatml", "exaone", "llama3", "mistral"}; !slices.Equal(Templates(), want) {
		t.Errorf("templates %v, want %v", Templates(), want)
	}
}

func TestChatTemplateAuto(t *testing.T) {
	with := func(name, text string) Model {
		return Model{Name: name, Files: map[string][]byte{name: []byte(text)}}
	}
	config := func(text string) Model { return with(configFile, text) }
	for _, c := range []struct {
		want   string
		models []Model
	}{
		{"", nil},
		{"", []Model{{}, config(`{}`), config(`{"chat_template": null}`), with(templateFile, " \n")}},
		{"b", []Model{config(`{"chat_template": "a"}`), with(templateFile, "b\n"), config(`{"chat_template": " b"}`)}},
		{"a", []Model{config(`{"chat_template": "a"}`), with(templateFile, "b")}},
		{"b", []Model{with(templateFile, "b"), config(`{"chat_template": "a"}`)}},
		{"d", []Model{config(`{"chat_template": [3, {"name": "tool", "template": "t"}, {"name": "default", "template": "d"}]}`)}},
		{"d", []Model{config(`{"chat_template": {"default": "d", "rag": "r"}}`)}},
		{"p", []Model{{Files: map[string][]byte{configFile: []byte(`{}`), templatesFile: []byte(`{"chat_template": "p"}`)}}}},
		{"j", []Model{{Files: map[string][]byte{configFile: []byte(`{"chat_template": "c"}`), templateFile: []byte(`j`)}}}},
	} {
		if got, err := ChatTemplate("auto", c.models); err != nil || got != c.want {
			t.Errorf("%v: %q, %v, want %q", c.models, got, err, c.want)
		}
	}
	var in *mergesearch.InputError
	if _, err := ChatTemplate("auto", []Model{{Name: "m", Files: map[string][]byte{configFile: []byte(`{`)}}}); !errors.As(err, &in) || in.File != "m/"+configFile {
		t.Errorf("a damaged file: %v", err)
	}
}

func TestChatTemplateLiteral(t *testing.T) {
	literal := "{% for m in messages %}{{ m }}{% endfor %}"
	if got, err := ChatTemplate(literal, nil); got != literal || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := ChatTemplate("", nil); got != "" || err != nil {
		t.Errorf("%q, %v", got, err)
	}
	for spec, hint := range map[string]string{"chatlm": `did you mean "chatml"?`, "{{ short }}": "known: auto, alpaca", strings.Repeat("long", 10): "known"} {
		var in *mergesearch.InputError
		_, err := ChatTemplate(spec, nil)
		if !errors.As(err, &in) || in.Field != "chat_template" || !strings.Contains(in.Hint, hint) {
			t.Errorf("%q: %v, hint %q", spec, err, in.Hint)
		}
	}
}

func TestWithChatTemplate(t *testing.T) {
	const text = "{{ \"a\" }}<b>\n"
	const quoted = `"{{ \"a\" }}<b>\n"`
	for _, c := range []struct{ name, before, after string }{
		{templateFile, "old", text},
		{configFile, `{"a": 1e30, "chat_template":"old" , "z": [ ]}`, `{"a": 1e30, "chat_template":` + quoted + ` , "z": [ ]}`},
		{configFile, `{"chat_template": [{"name": "x"}]}`, `{"chat_template": ` + quoted + `}`},
		{configFile, "{\n  \"a\": 1\n}\n", "{\n  \"chat_template\": " + quoted + ",\n  \"a\": 1\n}\n"},
		{configFile, `{}`, "{\n  \"chat_template\": " + quoted + "}"},
	} {
		files := map[string][]byte{c.name: []byte(c.before), "other": []byte("o")}
		got := WithChatTemplate(files, text)
		if string(got[c.name]) != c.after || string(got["other"]) != "o" || len(got) != 2 {
			t.Errorf("%s: %q, want %q", c.before, got, c.after)
		}
		if string(files[c.name]) != c.before {
			t.Errorf("%s: the caller's files changed", c.before)
		}
		if back, err := templateOf(got); err != nil || back != text {
			t.Errorf("%s: read back as %q, %v", c.before, back, err)
		}
	}
	both := WithChatTemplate(map[string][]byte{configFile: []byte(`{"chat_template": "c"}`), templateFile: []byte("j")}, text)
	if string(both[configFile]) != `{"chat_template": "c"}` || string(both[templateFile]) != text {
		t.Errorf("%q", both)
	}
	if got := WithChatTemplate(nil, text); string(got[templateFile]) != text || len(got) != 1 {
		t.Errorf("%q", got)
	}
}
