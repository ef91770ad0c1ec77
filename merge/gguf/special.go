package gguf

import (
	"encoding/json"
	"fmt"
	"strings"
)

// templatePart is a part of a post-processor's template.
type templatePart struct {
	SpecialToken *struct{ ID string }
	Sequence     *struct{ ID string }
}

// readSpecials finds the tokens that begin, end and fill a text. What the
// post-processor puts around a text comes first, then tokenizer_config.json,
// which names tokens, then the numbers of generation_config.json and config.json.
func (v *vocabulary) readSpecials(files map[string][]byte, f *tokenizerFile) error {
	if err := v.readPostProcessor(f); err != nil {
		return err
	}
	if err := v.readNamed(files["tokenizer_config.json"]); err != nil {
		return err
	}
	for _, name := range []string{"generation_config.json", "config.json"} {
		if len(files[name]) == 0 {
			continue
		}
		g, err := readFields(name, files[name])
		if err != nil {
			return err
		}
		if err := v.readNumbers(g); err != nil {
			return err
		}
	}
	return nil
}

// set notes a special token unless one is known.
func (v *vocabulary) set(name string, id int) {
	if _, ok := v.special[name]; !ok {
		v.special[name] = id
	}
}

func (v *vocabulary) readPostProcessor(f *tokenizerFile) error {
	const field = "post_processor"
	steps, err := components(f.PostProcessor, field, "processors")
	if err != nil {
		return err
	}
	for _, s := range steps {
		if s.Type == "ByteLevel" {
			continue // moves offsets only
		}
		if s.Type != "TemplateProcessing" {
			return problem(field, "%.40q cannot be written as GGUF", s.Type)
		}
		before, after := 0, 0
		text := false
		for _, p := range s.Single {
			if p.Sequence != nil {
				if text {
					return problem(field, "a template with the text twice cannot be written as GGUF")
				}
				text = true
				continue
			}
			if p.SpecialToken == nil || len(s.SpecialTokens[p.SpecialToken.ID].IDs) != 1 {
				return problem(field, "a template that cannot be read")
			}
			id := s.SpecialTokens[p.SpecialToken.ID].IDs[0]
			if id < 0 || id >= len(v.tokens) {
				return problem(field, "token %d is not in the vocabulary", id)
			}
			if text {
				after++
				v.addEOS = true
				v.set("eos", id)
			} else {
				before++
				v.addBOS = true
				v.set("bos", id)
			}
		}
		if before > 1 || after > 1 || !text {
			return problem(field, "a template with more than one token before or after the text cannot be written as GGUF")
		}
	}
	return nil
}

// readNamed reads bos_token and its like: a string, or an object with content.
func (v *vocabulary) readNamed(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	f, err := readFields("tokenizer_config.json", data)
	if err != nil {
		return err
	}
	for key, name := range map[string]string{"bos_token": "bos", "eos_token": "eos", "pad_token": "padding"} {
		var token string
		if raw := f.raw[key]; len(raw) > 0 && raw[0] == '{' {
			var o struct{ Content string }
			f.decode(key, &o)
			token = o.Content
		} else {
			f.decode(key, &token)
		}
		if id, ok := v.id(token); ok && token != "" {
			v.set(name, id)
		}
	}
	return f.err
}

func (v *vocabulary) readNumbers(f *fields) error {
	for key, name := range map[string]string{"bos_token_id": "bos", "eos_token_id": "eos", "pad_token_id": "padding"} {
		for _, id := range f.tokenIDs(key) {
			if id < 0 || id >= len(v.tokens) {
				if name == "padding" { // -1 stands for none in old files
					continue
				}
				f.fail(key, fmt.Sprintf("%d is not in the vocabulary of %d", id, len(v.tokens)))
				return f.err
			}
			v.set(name, id)
			if name == "eos" && id != v.special["eos"] {
				v.set("eot", id) // chat models end a turn with another token than a text
			}
		}
	}
	return f.err
}

// readTemplates returns the chat templates: chat_template.jinja, else those of
// tokenizer_config.json, which is one text or a list with names.
func readTemplates(files map[string][]byte) ([]template, error) {
	if text := files["chat_template.jinja"]; len(text) > 0 {
		return []template{{text: string(text)}}, nil
	}
	if len(files["tokenizer_config.json"]) == 0 {
		return nil, nil
	}
	f, err := readFields("tokenizer_config.json", files["tokenizer_config.json"])
	if err != nil {
		return nil, err
	}
	raw := f.raw["chat_template"]
	if len(raw) == 0 || raw[0] != '[' {
		text := f.text("chat_template", "")
		if text == "" {
			return nil, f.err
		}
		return []template{{text: text}}, f.err
	}
	var list []struct{ Name, Template string }
	if err := json.Unmarshal(raw, &list); err != nil {
		f.fail("chat_template", "is neither a text nor a list of names and templates")
	}
	var out []template
	for _, t := range list {
		name := strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' {
				return r
			}
			return '_'
		}, t.Name)
		if name == "default" {
			name = ""
		}
		out = append(out, template{name: name, text: t.Template})
	}
	return out, f.err
}

// cutOnce splits at the only space.
func cutOnce(s string) (a, b string, ok bool) {
	a, b, ok = strings.Cut(s, " ")
	return a, b, ok && !strings.Contains(b, " ")
}
