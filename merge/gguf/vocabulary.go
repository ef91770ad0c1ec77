package gguf

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"mergesearch"
)

// The kinds of token, as GGUF numbers them.
const (
	normalToken  = 1
	unknownToken = 2
	controlToken = 3
	addedToken   = 4 // found in the text before anything else, but no control token
	unusedToken  = 5 // a row of the embedding without a token
	byteToken    = 6
)

// vocabulary is a tokenizer in GGUF's words.
type vocabulary struct {
	kind   string // "gpt2": byte-level BPE, "llama": scores and byte fallback
	pre    string // gpt2: the name of its pre-tokenizer
	tokens []string
	types  []int32
	scores []float32 // llama
	merges []string  // gpt2

	special        map[string]int // "bos", "eos", "unknown", "padding", "eot" to id
	addBOS, addEOS bool
	spacePrefix    bool
	templates      []template
}

// template is a chat template; the default one has no name.
type template struct{ name, text string }

// tokenizerFile is a tokenizer.json, its parts still unread.
type tokenizerFile struct {
	Added         []added         `json:"added_tokens"`
	Normalizer    json.RawMessage `json:"normalizer"`
	PreTokenizer  json.RawMessage `json:"pre_tokenizer"`
	PostProcessor json.RawMessage `json:"post_processor"`
	Model         modelFile       `json:"model"`
}

type added struct {
	ID         int    `json:"id"`
	Content    string `json:"content"`
	Special    bool   `json:"special"`
	LStrip     bool   `json:"lstrip"`
	RStrip     bool   `json:"rstrip"`
	SingleWord bool   `json:"single_word"`
}

type modelFile struct {
	Type         *string         `json:"type"`
	Dropout      *float64        `json:"dropout"`
	Prefix       *string         `json:"continuing_subword_prefix"`
	Suffix       *string         `json:"end_of_word_suffix"`
	Unk          *string         `json:"unk_token"`
	ByteFallback bool            `json:"byte_fallback"`
	IgnoreMerges bool            `json:"ignore_merges"`
	Vocab        map[string]int  `json:"vocab"`
	Merges       json.RawMessage `json:"merges"`
}

// problem returns the refusal of a part of tokenizer.json.
func problem(field, format string, args ...any) error {
	return &mergesearch.InputError{
		File: "tokenizer.json", Field: field, Problem: fmt.Sprintf(format, args...),
		Hint: "a GGUF file would read texts as other tokens; export the model as a Hugging Face directory instead",
	}
}

// readVocabulary reads the tokenizer for an embedding of so many rows.
func readVocabulary(files map[string][]byte, rows int) (*vocabulary, error) {
	data := files["tokenizer.json"]
	if len(data) == 0 {
		return nil, &mergesearch.InputError{File: "tokenizer.json", Problem: "missing or empty", Hint: "a GGUF file needs config.json and tokenizer.json beside the weights"}
	}
	var f tokenizerFile
	if err := json.Unmarshal(data, &f); err != nil {
		return nil, problem("", "not a tokenizer file: %v", err)
	}
	if err := f.Model.check(); err != nil {
		return nil, err
	}
	v := &vocabulary{special: map[string]int{}}
	if err := v.list(&f, rows); err != nil {
		return nil, err
	}
	merges, err := f.Model.merges()
	if err != nil {
		return nil, err
	}
	if f.Model.ByteFallback {
		err = v.readScored(&f, merges)
	} else {
		err = v.readByteLevel(&f, merges)
	}
	if err != nil {
		return nil, err
	}
	if err := v.readSpecials(files, &f); err != nil {
		return nil, err
	}
	v.templates, err = readTemplates(files)
	return v, err
}

func (m *modelFile) check() error {
	set := func(s *string) bool { return s != nil && *s != "" }
	switch {
	case m.Type != nil && *m.Type != "BPE":
		return problem("model.type", "%.40q cannot be written as GGUF, only BPE", *m.Type)
	case len(m.Vocab) == 0:
		return problem("model.vocab", "missing or empty")
	case m.Dropout != nil && *m.Dropout != 0:
		return problem("model.dropout", "random merges cannot be written as GGUF")
	case set(m.Prefix):
		return problem("model.continuing_subword_prefix", "cannot be written as GGUF")
	case set(m.Suffix):
		return problem("model.end_of_word_suffix", "cannot be written as GGUF")
	}
	return nil
}

// list fills tokens and types by id. Rows of the embedding that no token has get
// a name of their own.
func (v *vocabulary) list(f *tokenizerFile, rows int) error {
	v.tokens, v.types = make([]string, rows), make([]int32, rows)
	taken := map[string]int{}
	place := func(field, token string, id int, kind int32) error {
		switch other, twice := taken[token]; {
		case id < 0 || id >= rows:
			return problem(field, "%.40q has id %d, the model has %d rows for tokens", token, id, rows)
		case twice && other != id:
			return problem(field, "%.40q has the ids %d and %d", token, other, id)
		case v.types[id] != 0 && v.tokens[id] != token:
			return problem(field, "%.40q and %.40q have the same id %d", v.tokens[id], token, id)
		}
		v.tokens[id], v.types[id], taken[token] = token, kind, id
		return nil
	}
	for _, token := range slices.Sorted(maps.Keys(f.Model.Vocab)) { // so that of several faults one is named
		id := f.Model.Vocab[token]
		if err := place("model.vocab", token, id, normalToken); err != nil {
			return err
		}
	}
	for i, a := range f.Added {
		field, kind := fmt.Sprintf("added_tokens[%d]", i), int32(addedToken)
		if a.Special {
			kind = controlToken
		}
		if a.LStrip || a.RStrip || a.SingleWord {
			return problem(field, "%.40q with lstrip, rstrip or single_word cannot be written as GGUF", a.Content)
		}
		if err := place(field, a.Content, a.ID, kind); err != nil {
			return err
		}
	}
	for id := range v.tokens {
		if v.types[id] != 0 {
			continue
		}
		token := fmt.Sprintf("[PAD%d]", id)
		if _, twice := taken[token]; twice {
			token = fmt.Sprintf("[UNUSED%d]", id)
		}
		v.tokens[id], v.types[id] = token, unusedToken
	}
	return nil
}

// merges reads "a b" strings, as files had them first, or ["a", "b"] pairs.
func (m *modelFile) merges() ([][2]string, error) {
	var pairs [][2]string
	if len(m.Merges) == 0 {
		return nil, nil
	}
	var lines []string
	if json.Unmarshal(m.Merges, &lines) == nil {
		for i, l := range lines {
			a, b, ok := cutOnce(l)
			if !ok {
				return nil, problem(fmt.Sprintf("model.merges[%d]", i), "%.40q is not two tokens with a space between", l)
			}
			pairs = append(pairs, [2]string{a, b})
		}
		return pairs, m.checkMerges(pairs)
	}
	var lists [][]string
	if err := json.Unmarshal(m.Merges, &lists); err != nil {
		return nil, problem("model.merges", "is neither a list of strings nor of pairs")
	}
	for i, l := range lists {
		if len(l) != 2 {
			return nil, problem(fmt.Sprintf("model.merges[%d]", i), "is not a pair")
		}
		pairs = append(pairs, [2]string(l))
	}
	return pairs, m.checkMerges(pairs)
}

func (m *modelFile) checkMerges(pairs [][2]string) error {
	for i, p := range pairs {
		for _, token := range []string{p[0], p[1], p[0] + p[1]} {
			if _, ok := m.Vocab[token]; !ok {
				return problem(fmt.Sprintf("model.merges[%d]", i), "%.40q is not in the vocabulary", token)
			}
		}
	}
	return nil
}

// metadata returns the keys that describe the tokenizer.
func (v *vocabulary) metadata() []entry {
	const ggml = "tokenizer.ggml."
	m := []entry{{ggml + "model", v.kind}}
	if v.pre != "" {
		m = append(m, entry{ggml + "pre", v.pre})
	}
	m = append(m, entry{ggml + "tokens", v.tokens}, entry{ggml + "token_type", v.types})
	if v.kind == "llama" {
		m = append(m, entry{ggml + "scores", v.scores}, entry{ggml + "add_space_prefix", v.spacePrefix})
	} else {
		m = append(m, entry{ggml + "merges", v.merges})
	}
	for _, name := range []string{"bos", "eos", "eot", "unknown", "padding"} {
		if id, ok := v.special[name]; ok {
			m = append(m, entry{ggml + name + "_token_id", uint32(id)})
		}
	}
	m = append(m, entry{ggml + "add_bos_token", v.addBOS}, entry{ggml + "add_eos_token", v.addEOS})
	var names []string
	for _, t := range v.templates {
		if t.name == "" {
			m = append(m, entry{"tokenizer.chat_template", t.text})
		} else {
			names = append(names, t.name)
			m = append(m, entry{"tokenizer.chat_template." + t.name, t.text})
		}
	}
	if names != nil {
		m = append(m, entry{"tokenizer.chat_templates", names})
	}
	return m
}

// id returns the number of a token.
func (v *vocabulary) id(token string) (int, bool) {
	id := slices.Index(v.tokens, token)
	return id, id >= 0
}
