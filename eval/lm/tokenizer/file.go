package tokenizer

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mergesearch"
)

// Limits of a file.
const (
	maxFile  = 256 << 20 // bytes
	maxVocab = 1 << 22   // ids
	maxDepth = 8         // of sequences within sequences
)

// file is a tokenizer.json, its parts still unread.
type file struct {
	AddedTokens   []addedToken    `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Decoder       json.RawMessage `json:"decoder"`
	Model         json.RawMessage `json:"model"`
}

// Parse reads a tokenizer.json. The error is a *mergesearch.InputError that names
// the part that is wrong or unsupported.
func Parse(data []byte) (*Tokenizer, error) {
	if len(data) > maxFile {
		return nil, problem("", fmt.Sprintf("%d bytes, at most %d are read", len(data), maxFile))
	}
	var f file
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, problem("", "not a tokenizer file: "+err.Error())
	}
	t := &Tokenizer{}
	var err error
	if t.model, err = newBPE(f.Model); err != nil {
		return nil, err
	}
	if t.normalize, err = newNormalizer(f.Normalizer, "normalizer", 0); err != nil {
		return nil, err
	}
	if t.split, err = newPreTokenizer(f.PreTokenizer, "pre_tokenizer", 0); err != nil {
		return nil, err
	}
	if t.added, err = newAddedTokens(f.AddedTokens, t.normalize); err != nil {
		return nil, err
	}
	if err = t.index(f.AddedTokens); err != nil {
		return nil, err
	}
	if t.template, err = t.readTemplate(f.PostProcessor, "post_processor", 0); err != nil {
		return nil, err
	}
	t.decoder, err = newDecoder(f.Decoder)
	return t, err
}

// index fills the tables by id. An id has one token.
func (t *Tokenizer) index(added []addedToken) error {
	size := int32(0)
	for _, id := range t.model.vocab {
		size = max(size, id+1)
	}
	for _, a := range added {
		size = max(size, a.ID+1)
	}
	t.tokens, t.known = make([]string, size), make([]bool, size)
	twice := size // the smallest id that two tokens have
	for token, id := range t.model.vocab {
		if t.known[id] {
			twice = min(twice, id)
		}
		t.tokens[id], t.known[id] = token, true
	}
	if twice < size {
		var same []string
		for token, id := range t.model.vocab {
			if id == twice {
				same = append(same, token)
			}
		}
		slices.Sort(same)
		return problem("model.vocab", fmt.Sprintf("%q and %q have the same id %d", same[0], same[1], twice))
	}
	for i, a := range added {
		if id, ok := t.model.vocab[a.Content]; ok && id != a.ID || t.known[a.ID] && t.tokens[a.ID] != a.Content {
			return problem(fmt.Sprintf("added_tokens[%d]", i), fmt.Sprintf("%q with id %d contradicts the vocabulary", a.Content, a.ID))
		}
		t.tokens[a.ID], t.known[a.ID] = a.Content, true
	}
	return nil
}

// component reads the type of a part; "" where the part is absent or null.
func component(raw json.RawMessage, field string) (kind string, err error) {
	if len(raw) == 0 || string(raw) == "null" {
		return "", nil
	}
	var head struct {
		Type string `json:"type"`
	}
	if err := json.Unmarshal(raw, &head); err != nil || head.Type == "" {
		return "", problem(field, "is not an object with a type")
	}
	return head.Type, nil
}

// strict decodes a part whose every key must be known: a setting that nothing
// looks at would change the ids in silence.
func strict(raw json.RawMessage, field string, into any) error {
	if len(raw) == 0 {
		return problem(field, "missing")
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field != "" {
			return problem(field+"."+wrong.Field, "has the wrong type: "+wrong.Value)
		}
		return problem(field, strings.TrimPrefix(err.Error(), "json: "))
	}
	return nil
}

func problem(field, text string) error {
	return &mergesearch.InputError{Field: field, Problem: text, Hint: "tokenizer.json comes with the model, as the tokenizers library writes it; copy or download it again"}
}

func unknown(field, kind string) error {
	return &mergesearch.InputError{
		Field: field, Problem: fmt.Sprintf("type %q is not supported by the embedded engine", kind),
		Hint: "merging the model is fine; evaluate it through another endpoint",
	}
}

func tooDeep(field string) error { return problem(field, "sequences are nested too deeply") }
