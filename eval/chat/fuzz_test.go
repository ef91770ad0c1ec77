package chat_test

import (
	"testing"

	"mergesearch/eval/chat"
)

// FuzzTemplate: any template and tokenizer_config.json of a model is refused, fails, or
// renders to text of bounded length.
func FuzzTemplate(f *testing.F) {
	f.Add("{% for m in messages %}{{ m.role }}: {{ m['content'] }}\n{% endfor %}{{ eos_token }}", `{"eos_token": "</s>"}`)
	f.Add("{{ messages[0].__class__.__mro__ }}", `{"eos_token": {"content": "x"}}`)
	f.Add("{% for i in range(1000000000) %}x{% endfor %}", `{"chat_template": [{"name": "default", "template": "a"}]}`)
	f.Add("{{ raise_exception('no') }}{{ strftime_now('%Y') }}", `{}`)
	f.Add("{{ 'x' * 1000000000 }}", `[]`)
	f.Fuzz(func(t *testing.T, source, config string) {
		files := map[string][]byte{"tokenizer_config.json": []byte(config)}
		_, _ = chat.Of(files)
		template, err := chat.For(files, source, "chat_template.jinja")
		if err != nil {
			return
		}
		text, err := template.Render(chat.Conversation{Messages: talk("user", "a", "assistant", "b"), Generate: true})
		if err == nil && len(text) > 64<<20 {
			t.Errorf("%d bytes of text", len(text))
		}
	})
}
