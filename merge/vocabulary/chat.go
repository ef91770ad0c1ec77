package vocabulary

import (
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"

	"mergesearch"
)

//go:embed templates/*.jinja
var templates embed.FS

// Templates lists the names of the built-in chat templates.
func Templates() []string {
	entries, err := templates.ReadDir("templates")
	if err != nil {
		panic("vocabulary: " + err.Error())
	}
	var out []string
	for _, e := range entries {
		out = append(out, strings.TrimSuffix(e.Name(), ".jinja"))
	}
	return out
}

// minTemplate is the length from which a text is a template and no name.
const minTemplate = 20

// ChatTemplate returns the template that spec asks for: "auto" is the one that
// most models have, the first of them on a tie, empty when none has one; the
// names of Templates are built-in; anything else is a template itself. Errors are
// *mergesearch.InputError.
func ChatTemplate(spec string, models []Model) (string, error) {
	switch {
	case spec == "":
		return "", nil
	case spec == "auto":
		return commonTemplate(models)
	case slices.Contains(Templates(), spec):
		text, err := templates.ReadFile("templates/" + spec + ".jinja")
		return string(text), err
	case len(spec) < minTemplate || !strings.Contains(spec, "{"):
		e := mergesearch.UnknownWord("chat template", spec, append([]string{"auto"}, Templates()...))
		e.Field, e.Problem = "chat_template", fmt.Sprintf("%q is no name of a template and no template", shown(spec))
		return "", e
	}
	return spec, nil
}

func commonTemplate(models []Model) (string, error) {
	best, count := "", map[string]int{}
	var found []string
	for _, m := range models {
		text, err := templateOf(m.Files)
		if err != nil {
			return "", mergesearch.InDir(err, m.Name)
		}
		if text = strings.TrimSpace(text); text != "" {
			found = append(found, text)
			count[text]++
		}
	}
	for _, text := range found {
		if count[text] > count[best] {
			best = text
		}
	}
	return best, nil
}

// templateOf returns the chat template of a model, "" when it has none.
func templateOf(files map[string][]byte) (string, error) {
	if text, ok := files[templateFile]; ok {
		return string(text), nil
	}
	for _, name := range []string{configFile, templatesFile} {
		o, err := readObject(files, name)
		if err != nil {
			return "", err
		}
		if at, ok := find(o.members, "chat_template"); ok {
			if text := o.template(at); text != "" {
				return text, nil
			}
		}
	}
	return "", nil
}

// template reads "text", [{"name": "default", "template": "text"}, ...] or
// {"default": "text"}.
func (o object) template(at span) string {
	s := scan(o.text, at)
	out := ""
	switch s.Peek() {
	case '"':
		out, _ = s.Text()
	case '{':
		members, _ := s.Members()
		if v, ok := find(members, "default"); ok && o.text[v.Begin] == '"' {
			out = o.template(v)
		}
	case '[':
		_ = s.Array(func(int) error {
			item, err := s.Skip()
			if o.text[item.Begin] != '{' {
				return err
			}
			members, _ := scan(o.text, item).Members()
			name, named := find(members, "name")
			text, ok := find(members, "template")
			if named && ok && name.Of(o.text) == `"default"` && o.text[text.Begin] == '"' {
				out = o.template(text)
			}
			return err
		})
	}
	return out
}

// WithChatTemplate returns files with the template set where transformers looks
// for it, in chat_template.jinja if there is one, else in tokenizer_config.json,
// and nothing else changed. Without either, chat_template.jinja is made.
func WithChatTemplate(files map[string][]byte, template string) map[string][]byte {
	out := maps.Clone(files)
	if out == nil {
		out = map[string][]byte{}
	}
	o, err := readObject(files, configFile)
	if _, ok := files[templateFile]; ok || err != nil || o.text == "" {
		out[templateFile] = []byte(template)
		return out
	}
	text := quote(template)
	if at, ok := find(o.members, "chat_template"); ok {
		out[configFile] = apply(o.text, []edit{{at, text}})
		return out
	}
	open := strings.IndexByte(o.text, '{') + 1
	insert := "\n  \"chat_template\": " + text
	if len(o.members) > 0 {
		insert += ","
	}
	out[configFile] = apply(o.text, []edit{{span{Begin: open, End: open}, insert}})
	return out
}
