package merge_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
	"mergesearch/merge/safetensors"
)

// speakers writes models of one shape but for their vocabularies, one word each
// token, and returns their directories.
func speakers(t *testing.T, words map[string][]string) map[string]string {
	t.Helper()
	dirs := map[string]string{}
	for i, name := range slices.Sorted(keys(words)) {
		dirs[name] = filepath.Join(t.TempDir(), name)
		if err := (mergetest.Checkpoint{Seed: uint64(i), Vocab: len(words[name]), Untied: true, DType: mergesearch.F32}).Write(dirs[name]); err != nil {
			t.Fatal(err)
		}
		vocab := map[string]int{}
		for id, w := range words[name] {
			if w != "" { // a row without a token
				vocab[w] = id
			}
		}
		text, err := json.Marshal(map[string]any{
			"version": "1.0", "added_tokens": []any{}, "pre_tokenizer": map[string]any{"type": "Whitespace"},
			"model": map[string]any{"type": "WordLevel", "vocab": vocab, "unk_token": words[name][0]},
		})
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dirs[name], "tokenizer.json"), text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	return dirs
}

func keys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// A token that one model has gets that model's row; tokens of both are merged.
func TestUnionOfVocabularies(t *testing.T) {
	words := map[string][]string{"a": {"<unk>", "one", "two"}, "b": {"<unk>", "three", "one", "four"}}
	e := open(t, speakers(t, words))
	r := weighted("linear", "a", "a", "b")
	wantInputError(t, e.Check(r), "vocab_size")
	r.Tokenizer = &mergesearch.Tokenizer{Source: "union"}
	c := build(t, e, r)
	row := func(from mergesearch.Tensors, tensor string, i int) []byte {
		return data(t, from, tensor)[i*32*4 : (i+1)*32*4]
	}
	a, _ := e.Model("a")
	b, _ := e.Model("b")
	for _, tensor := range []string{"model.embed_tokens.weight", "lm_head.weight"} {
		x, err := c.Tensors.Tensor(tensor)
		if err != nil || fmt.Sprint(x.Shape) != "[5 32]" {
			t.Fatalf("%v, %v", x, err)
		}
		for out, in := range map[int][]byte{2: row(a, tensor, 2), 3: row(b, tensor, 1), 4: row(b, tensor, 3)} {
			if !bytes.Equal(row(c.Tensors, tensor, out), in) {
				t.Errorf("%s: row %d is not that of the one model that has the token", tensor, out)
			}
		}
		if bytes.Equal(row(c.Tensors, tensor, 1), row(a, tensor, 1)) || bytes.Equal(row(c.Tensors, tensor, 1), row(b, tensor, 2)) {
			t.Errorf("%s: a token of both models was not merged", tensor)
		}
	}
	if !bytes.Contains(c.Files["config.json"], []byte(`"vocab_size": 5`)) || !bytes.Contains(c.Files["tokenizer.json"], []byte(`"four"`)) {
		t.Errorf("config.json %s\ntokenizer.json %s", c.Files["config.json"], c.Files["tokenizer.json"])
	}
	out := filepath.Join(t.TempDir(), "out")
	if report, err := e.Write(t.Context(), r, out, merge.WriteOptions{}); err != nil || report.SHA256 != c.Fingerprint {
		t.Errorf("written %s, built %s, %v", report.SHA256, c.Fingerprint, err)
	}
	if m, err := safetensors.Open(out); err != nil {
		t.Error(err)
	} else {
		m.Release()
	}
}

// Models without config.json get the aligned tokenizer too, and no config.json.
func TestUnionWithoutConfig(t *testing.T) {
	dirs := speakers(t, map[string][]string{"a": {"<unk>", "one", "two"}, "b": {"<unk>", "three", "one", "four"}})
	for _, dir := range dirs {
		if err := os.Remove(filepath.Join(dir, "config.json")); err != nil {
			t.Fatal(err)
		}
	}
	r := weighted("linear", "a", "a", "b")
	r.Tokenizer = &mergesearch.Tokenizer{Source: "union"}
	c := build(t, open(t, dirs), r)
	x, err := c.Tensors.Tensor("model.embed_tokens.weight")
	if err != nil || x.Shape[0] != 5 {
		t.Fatalf("%v, %v", x, err)
	}
	if !strings.Contains(string(c.Files["tokenizer.json"]), "four") {
		t.Errorf("five rows of embeddings, tokenizer %s", c.Files["tokenizer.json"])
	}
	if _, has := c.Files["config.json"]; has {
		t.Error("a config.json from nowhere")
	}
}

// Two models of one shape whose ids stand for other words are not mixed.
func TestDifferentWordsAreRefused(t *testing.T) {
	e := open(t, speakers(t, map[string][]string{"a": {"<unk>", "one", "two"}, "b": {"<unk>", "two", "one"}}))
	r := weighted("linear", "", "a", "b")
	wantInputError(t, e.CheckVocabulary(r), "tokenizer")
	r.Tokenizer = &mergesearch.Tokenizer{Source: "a"}
	if err := e.CheckVocabulary(r); err != nil {
		t.Error(err)
	}
	// The result speaks with the ids of the model that the recipe names.
	c := build(t, e, r)
	if !bytes.Contains(c.Files["tokenizer.json"], []byte(`"one":1`)) {
		t.Errorf("tokenizer.json %s", c.Files["tokenizer.json"])
	}
}

// A fine-tune may have put its tokens into the padding of its base; two may not
// have put different ones there.
func TestTokensInThePadding(t *testing.T) {
	e := open(t, speakers(t, map[string][]string{
		"base": {"<unk>", "one", "", ""}, "chat": {"<unk>", "one", "<chat>", ""}, "tool": {"<unk>", "one", "<tool>", ""}, "more": {"<unk>", "one", "<chat>", "<more>"},
	}))
	r := weighted("task_arithmetic", "base", "more", "chat")
	if err := e.CheckVocabulary(r); err != nil {
		t.Error(err)
	}
	if c := build(t, e, r); bytes.Contains(c.Files["tokenizer.json"], []byte("<chat>")) {
		t.Errorf("tokenizer.json is not the donor's: %s", c.Files["tokenizer.json"])
	}
	wantInputError(t, e.CheckVocabulary(weighted("task_arithmetic", "base", "tool", "chat")), "tokenizer", `token 2 is "<tool>" here, but "<chat>" in chat`)
}
