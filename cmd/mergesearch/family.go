package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"reflect"

	"mergesearch"
	"mergesearch/eval/lm"
)

// Every parent is asked with its own tokenizer and config, every merge with those
// of the base. What would make the merge another model than its tensors say is
// refused here; what may be meant is a note, which the run prints.

// meaningKeys are the entries of config.json that change what weights compute
// without changing a shape.
var meaningKeys = []string{
	"architectures", "hidden_act", "rms_norm_eps", "rope_theta", "rope_scaling", "sliding_window", "use_sliding_window",
	"tie_word_embeddings", "eos_token_id",
}

// checkFamily demands that the endpoint's engine runs every model of the family
// and that the experts share the base model's vocabulary.
func (s *session) checkFamily() error {
	base, err := s.baseFiles()
	if err != nil {
		return err
	}
	baseDir := s.models[s.baseName()]
	if s.ownEngine() {
		if err := checkRunnable(base, baseDir); err != nil {
			return err
		}
	}
	byDigest := map[string]string{}
	for _, name := range append([]string{s.baseName()}, s.expertNames()...) {
		if s.headers {
			break
		}
		checkpoint, _ := s.engine.Model(name)
		if twin, same := byDigest[checkpoint.Digest()]; same {
			s.note("%s holds the same weights as %s", name, twin)
		}
		byDigest[checkpoint.Digest()] = name
	}
	for _, name := range s.expertNames() {
		checkpoint, _ := s.engine.Model(name)
		files, err := checkpoint.Files()
		if err != nil {
			return err
		}
		if s.ownEngine() {
			if err := checkRunnable(files, s.models[name]); err != nil {
				return err
			}
		}
		if err := s.compareTokenizers(name, base["tokenizer.json"], files["tokenizer.json"]); err != nil {
			return err
		}
		s.compareMeaning(name, base["config.json"], files["config.json"])
	}
	return nil
}

// ownEngine reports whether the engine of this program runs the candidates.
func (s *session) ownEngine() bool {
	return s.file.Endpoint.Kind == "embedded" || s.file.Endpoint.Kind == "mergesearch"
}

func (s *session) note(format string, args ...any) {
	s.notes = append(s.notes, fmt.Sprintf(format, args...))
}

func checkRunnable(files map[string][]byte, dir string) error {
	err := lm.CheckConfig(files)
	if in, ok := err.(*mergesearch.InputError); ok && in.Hint == "" {
		hinted := *in
		hinted.Hint = "a search asks every model with the embedded engine; merge and export need no engine"
		err = &hinted
	}
	return mergesearch.InDir(err, dir)
}

// compareMeaning notes where an expert's config.json differs from the base model's
// in a way that shapes do not show.
func (s *session) compareMeaning(name string, base, expert []byte) {
	var a, b map[string]any
	if json.Unmarshal(base, &a) != nil || json.Unmarshal(expert, &b) != nil {
		return // refused when the models were opened
	}
	for _, key := range meaningKeys {
		if !reflect.DeepEqual(a[key], b[key]) {
			s.note("%s has %s %s in config.json, merges take the base model's %s", name, key, asJSON(b[key]), asJSON(a[key]))
		}
	}
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil || len(text) > 60 {
		return "another value"
	}
	return string(text)
}

// tokenizerFile is what decides which token an id stands for, and how text is cut.
type tokenizerFile struct {
	Model map[string]any `json:"model"`
	Added []struct {
		ID      int    `json:"id"`
		Content string `json:"content"`
	} `json:"added_tokens"`
	Normalizer   any `json:"normalizer"`
	PreTokenizer any `json:"pre_tokenizer"`
	Post         any `json:"post_processor"`
	Decoder      any `json:"decoder"`
}

// compareTokenizers refuses an expert whose token ids stand for other texts than
// the base model's, because rows of the embedding would then be mixed with
// strangers. Other differences are notes.
func (s *session) compareTokenizers(name string, base, expert []byte) error {
	if string(base) == string(expert) {
		return nil
	}
	var a, b tokenizerFile
	if err := json.Unmarshal(base, &a); err != nil {
		return &mergesearch.InputError{File: filepath.Join(s.models[s.baseName()], "tokenizer.json"), Problem: err.Error(), Cause: err}
	}
	file := filepath.Join(s.models[name], "tokenizer.json")
	if err := json.Unmarshal(expert, &b); err != nil {
		return &mergesearch.InputError{File: file, Problem: err.Error(), Cause: err}
	}
	if field := foreignTokens(a, b); field != "" {
		return &mergesearch.InputError{
			File: file, Field: field, Problem: "differs from the base model's, so the same token id stands for another text",
			Hint: "only models of one vocabulary can be merged; if the expert was trained with the base model's tokenizer, copy that file over this one",
		}
	}
	for _, part := range []struct {
		name string
		a, b any
	}{
		{"added_tokens", a.Added, b.Added},
		{"normalizer", a.Normalizer, b.Normalizer},
		{"pre_tokenizer", a.PreTokenizer, b.PreTokenizer},
		{"post_processor", a.Post, b.Post},
		{"decoder", a.Decoder, b.Decoder},
	} {
		if !reflect.DeepEqual(part.a, part.b) {
			s.note("%s has another %s in tokenizer.json, merges take the base model's", name, part.name)
		}
	}
	return nil
}

// foreignTokens names the part by which two tokenizers give one id two meanings,
// or "" when there is none. A token that only one of them has added is no conflict.
func foreignTokens(a, b tokenizerFile) string {
	if !reflect.DeepEqual(a.Model["vocab"], b.Model["vocab"]) {
		return "model.vocab"
	}
	if !reflect.DeepEqual(joinedMerges(a.Model["merges"]), joinedMerges(b.Model["merges"])) {
		return "model.merges"
	}
	text := map[int]string{}
	for _, t := range a.Added {
		text[t.ID] = t.Content
	}
	for _, t := range b.Added {
		if have, both := text[t.ID]; both && have != t.Content {
			return "added_tokens"
		}
	}
	return ""
}

// joinedMerges brings the two spellings of a merge, "a b" and ["a", "b"], into one.
func joinedMerges(merges any) []string {
	var out []string
	list, _ := merges.([]any)
	for _, m := range list {
		if pair, ok := m.([]any); ok && len(pair) == 2 {
			out = append(out, fmt.Sprint(pair[0], " ", pair[1]))
		} else {
			out = append(out, fmt.Sprint(m))
		}
	}
	return out
}
