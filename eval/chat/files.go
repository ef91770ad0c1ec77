package chat

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"mergesearch"
	"mergesearch/eval/jinja"
)

// Names of the files of a model that hold templates and special tokens.
const (
	templateFile = "chat_template.jinja"
	configFile   = "tokenizer_config.json"
	specialsFile = "special_tokens_map.json"
)

// Of returns the template of a model by its files: chat_template.jinja, else
// chat_template of tokenizer_config.json, which is a text, or a list of which the one
// named "default" counts. It returns nil where there is none, and an
// *mergesearch.InputError for one that cannot be read.
func Of(files map[string][]byte) (*Template, error) {
	source, file, err := sourceOf(files)
	if source == "" || err != nil {
		return nil, err
	}
	return parseFor(files, source, file)
}

// For parses the text of a template from a file for a model, whose special tokens it
// gets. Files may be nil.
func For(files map[string][]byte, source, file string) (*Template, error) {
	if strings.TrimSpace(source) == "" {
		return nil, &mergesearch.InputError{File: file, Problem: "empty: there is no chat template in it"}
	}
	return parseFor(files, source, file)
}

func parseFor(files map[string][]byte, source, file string) (*Template, error) {
	t, err := Parse(source)
	if err != nil {
		return nil, &mergesearch.InputError{File: file, Field: "chat_template", Problem: err.Error()}
	}
	t.specials, err = specialsOf(files)
	return t, err
}

func sourceOf(files map[string][]byte) (source, file string, err error) {
	if text := files[templateFile]; len(text) > 0 {
		return string(text), templateFile, nil
	}
	config, err := object(files, configFile)
	if err != nil {
		return "", "", err
	}
	v, _ := config.Get("chat_template")
	switch v := v.(type) {
	case nil:
		return "", "", nil
	case string:
		return v, configFile, nil
	case []any:
		var names []string
		for _, x := range v {
			if d, ok := x.(*jinja.Dict); ok {
				name, _ := d.Get("name")
				text, _ := d.Get("template")
				if s, ok := text.(string); ok && name == "default" {
					return s, configFile, nil
				}
				names = append(names, fmt.Sprint(name))
			}
		}
		return "", "", &mergesearch.InputError{File: configFile, Field: "chat_template", Problem: "none of the templates is named default: " + strings.Join(names, ", ")}
	}
	return "", "", &mergesearch.InputError{File: configFile, Field: "chat_template", Problem: "is neither a text nor a list of names and templates"}
}

// specialNames are the special tokens that a template can read, each as its text.
var specialNames = []string{"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}

func specialsOf(files map[string][]byte) (map[string]any, error) {
	out := map[string]any{}
	for _, file := range []string{specialsFile, configFile} { // the second one counts
		o, err := object(files, file)
		if err != nil {
			return nil, err
		}
		for _, name := range specialNames {
			v, _ := o.Get(name)
			if d, ok := v.(*jinja.Dict); ok {
				v, _ = d.Get("content")
			}
			if text, ok := v.(string); ok {
				out[name] = text
			}
		}
	}
	return out, nil
}

// object reads one of the files, which is empty when it is not there.
func object(files map[string][]byte, name string) (*jinja.Dict, error) {
	text := files[name]
	if len(text) == 0 {
		return jinja.NewDict(), nil
	}
	v, err := Value(text)
	if d, ok := v.(*jinja.Dict); ok && err == nil {
		return d, nil
	}
	if err == nil {
		err = fmt.Errorf("want an object")
	}
	return nil, &mergesearch.InputError{File: name, Problem: "not JSON as it should be: " + err.Error()}
}

// Value reads one JSON value as a template sees it.
func Value(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := jinja.ReadJSON(d)
	if err == nil && d.More() {
		err = fmt.Errorf("more than one value")
	}
	return v, err
}

// Variables reads the names that templates get beside the usual ones: a JSON object.
func Variables(text []byte) (map[string]any, error) {
	v, err := Value(text)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*jinja.Dict)
	if !ok {
		return nil, fmt.Errorf("want an object")
	}
	out := map[string]any{}
	for k, x := range d.All() {
		out[k.(string)] = x
	}
	return out, nil
}
