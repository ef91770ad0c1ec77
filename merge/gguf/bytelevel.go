package gguf

import (
	"encoding/json"
	"fmt"
	"strings"
)

// preTokenizer is a way to cut text into words that llama.cpp knows by a name.
type preTokenizer struct {
	name         string
	steps        []string // as describe writes them
	ignoreMerges bool     // a word that is in the vocabulary is taken whole
}

const (
	llama3Words = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	qwen2Words  = `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
	tekkenWords = `[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`
)

var preTokenizers = []preTokenizer{
	{"llama-bpe", []string{"Split " + llama3Words, "ByteLevel"}, true},
	{"qwen2", []string{"Split " + qwen2Words, "ByteLevel"}, false},
	{"tekken", []string{"Split " + tekkenWords, "ByteLevel"}, true},
	{"gpt-2", []string{"ByteLevel with words"}, false},
	{"smollm", []string{"Digits one by one", "ByteLevel with words"}, false},
}

// readByteLevel reads byte-level BPE.
func (v *vocabulary) readByteLevel(f *tokenizerFile, merges [][2]string) error {
	v.kind = "gpt2"
	normalizers, err := components(f.Normalizer, "normalizer", "normalizers")
	if err != nil {
		return err
	}
	for _, n := range normalizers {
		if n.Type != "NFC" {
			return problem("normalizer", "%.40q cannot be written as GGUF with a byte-level vocabulary", n.Type)
		}
	}
	steps, err := components(f.PreTokenizer, "pre_tokenizer", "pretokenizers")
	if err != nil {
		return err
	}
	var described []string
	for _, s := range steps {
		d, err := s.describe()
		if err != nil {
			return err
		}
		described = append(described, d)
	}
	if v.pre = recognise(described, f.Model.IgnoreMerges); v.pre == "" {
		return problem("pre_tokenizer", "its rules (%.200q, ignore_merges %v) are none that GGUF has a name for", described, f.Model.IgnoreMerges)
	}
	for i, m := range merges {
		if strings.Contains(m[0]+m[1], " ") {
			return problem(fmt.Sprintf("model.merges[%d]", i), "has a space inside a token")
		}
		v.merges = append(v.merges, m[0]+" "+m[1])
	}
	return nil
}

func recognise(steps []string, ignoreMerges bool) string {
	for _, p := range preTokenizers {
		if strings.Join(p.steps, "\n") == strings.Join(steps, "\n") && p.ignoreMerges == ignoreMerges {
			return p.name
		}
	}
	return ""
}

// component is one step of a normalizer, pre-tokenizer or post-processor, with
// the settings of all kinds.
type component struct {
	Type             string
	Pattern          struct{ String, Regex *string }
	Behavior         string
	Invert           bool
	IndividualDigits bool    `json:"individual_digits"`
	AddPrefixSpace   *bool   `json:"add_prefix_space"`
	UseRegex         *bool   `json:"use_regex"`
	Replacement      string  // Metaspace
	PrependScheme    *string `json:"prepend_scheme"`
	Split            *bool
	Content, Prepend string
	Single           []templatePart
	SpecialTokens    map[string]struct{ IDs []int } `json:"special_tokens"`
}

// components unfolds sequences, whose members stand under the key list.
func components(raw json.RawMessage, field, list string) ([]component, error) {
	if len(raw) == 0 || string(raw) == "null" {
		return nil, nil
	}
	var c component
	var inner map[string]json.RawMessage
	if json.Unmarshal(raw, &c) != nil || json.Unmarshal(raw, &inner) != nil || c.Type == "" {
		return nil, problem(field, "cannot be read: %.80s", raw)
	}
	if c.Type != "Sequence" {
		return []component{c}, nil
	}
	var parts []json.RawMessage
	if json.Unmarshal(inner[list], &parts) != nil {
		return nil, problem(field, "a sequence without %s", list)
	}
	var out []component
	for _, p := range parts {
		if err := json.Unmarshal(p, &c); err == nil && c.Type == "Sequence" {
			return nil, problem(field, "a sequence within a sequence cannot be written as GGUF")
		}
		more, err := components(p, field, list)
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	return out, nil
}

// describe writes a step of a pre-tokenizer as one line. Isolated matches, and
// what lies between the matches of a pattern that leaves nothing out, are the
// same words.
func (c component) describe() (string, error) {
	switch c.Type {
	case "Split":
		isolated := c.Behavior == "Isolated" && !c.Invert || c.Behavior == "Removed" && c.Invert
		if c.Pattern.Regex == nil || !isolated {
			return "", problem("pre_tokenizer", "Split with behavior %.20q, invert %v cannot be written as GGUF", c.Behavior, c.Invert)
		}
		return "Split " + *c.Pattern.Regex, nil
	case "ByteLevel":
		if c.AddPrefixSpace != nil && *c.AddPrefixSpace {
			return "", problem("pre_tokenizer", "ByteLevel with add_prefix_space cannot be written as GGUF")
		}
		if c.UseRegex == nil || *c.UseRegex {
			return "ByteLevel with words", nil
		}
		return "ByteLevel", nil
	case "Digits":
		if c.IndividualDigits {
			return "Digits one by one", nil
		}
		return "Digits", nil
	}
	return "", problem("pre_tokenizer", "%.40q cannot be written as GGUF with a byte-level vocabulary", c.Type)
}
