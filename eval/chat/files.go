package chat

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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

// Files lists the files of a model that decide how conversations are rendered.
var Files = []string{templateFile, configFile, specialsFile}

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
	source, err = chosen(config["chat_template"])
	if err != nil {
		return "", "", &mergesearch.InputError{File: configFile, Field: "chat_template", Problem: err.Error()}
	}
	return source, configFile, nil
}

// chosen is the text of chat_template, of a list the one named "default"; "" where
// there is none.
func chosen(raw json.RawMessage) (source string, err error) {
	if len(raw) == 0 || json.Unmarshal(raw, &source) == nil {
		return source, nil
	}
	var list []json.RawMessage
	if json.Unmarshal(raw, &list) != nil {
		return "", errors.New("is neither a text nor a list of names and templates")
	}
	if len(list) == 0 {
		return "", errors.New("is empty")
	}
	var names []string
	for _, x := range list {
		var one struct {
			Name     string  `json:"name"`
			Template *string `json:"template"`
		}
		if json.Unmarshal(x, &one) == nil && one.Name == "default" && one.Template != nil {
			return *one.Template, nil
		}
		names = append(names, one.Name)
	}
	return "", errors.New("none of the templates is named default: " + strings.Join(names, ", "))
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
			if text, ok := TokenText(o[name]); ok {
				out[name] = text
			}
		}
	}
	return out, nil
}

// TokenText reads a special token of tokenizer_config.json: its text, or an object with
// it. It is not ok where the file names none.
func TokenText(raw json.RawMessage) (text string, ok bool) {
	var own *string
	if json.Unmarshal(raw, &own) != nil {
		var object struct {
			Content *string `json:"content"`
		}
		if json.Unmarshal(raw, &object) != nil {
			return "", false
		}
		own = object.Content
	}
	if own == nil {
		return "", false
	}
	return *own, true
}

// object reads the keys of one of the files, which has none when it is not there. The
// values stay as they are: few of them are read, and some fit no number.
func object(files map[string][]byte, name string) (map[string]json.RawMessage, error) {
	text := files[name]
	if len(text) == 0 {
		return nil, nil
	}
	var out map[string]json.RawMessage
	err := json.Unmarshal(text, &out)
	if shape := (*json.UnmarshalTypeError)(nil); errors.As(err, &shape) || err == nil && out == nil {
		err = errors.New("want an object")
	}
	if err != nil {
		return nil, &mergesearch.InputError{File: name, Problem: "not JSON as it should be: " + err.Error()}
	}
	return out, nil
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

// usualNames are what every template gets of a conversation.
var usualNames = []string{"messages", "tools", "documents", "add_generation_prompt"}

// Variables reads the names that templates get beside the usual ones: a JSON object.
// The usual ones are refused: they would replace the conversation.
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
		name := k.(string)
		if slices.Contains(usualNames, name) {
			return nil, fmt.Errorf("%s is not a variable: it is the conversation's own", name)
		}
		out[name] = x
	}
	return out, nil
}
