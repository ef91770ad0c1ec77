package vocabulary

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// with returns the model with one more file.
func (m Model) with(name, text string) Model {
	files := map[string][]byte{name: []byte(text)}
	for k, v := range m.Files {
		if k != name {
			files[k] = v
		}
	}
	m.Files = files
	return m
}

func mustAlign(t *testing.T, spec mergesearch.Tokenizer, base string, models ...Model) *Alignment {
	t.Helper()
	a, err := Align(spec, base, models)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// A vocabulary that needs no change keeps the bytes of every file.
func TestUnchanged(t *testing.T) {
	m := words("A", 3, "a", "b").with(configFile, `{ "eos_token":"b" }`).with("vocab.txt", "a\nb").with(templateFile, "t").with("config.json", "{}")
	for _, spec := range []mergesearch.Tokenizer{{}, {Source: "base"}, {Source: "A"}, {PadToMultipleOf: 8}} {
		a := mustAlign(t, spec, "A", m, words("B", 2, "b", "a"))
		if len(a.Files()) != 4 {
			t.Errorf("%v: %d files", spec, len(a.Files()))
		}
		for name, data := range a.Files() {
			if !bytes.Equal(data, m.Files[name]) {
				t.Errorf("%v: %s changed: %s", spec, name, data)
			}
		}
		if want := max(2, spec.PadToMultipleOf); a.VocabSize() != 2 || a.Rows() != want {
			t.Errorf("%v: %d of %d rows", spec, a.VocabSize(), a.Rows())
		}
	}
}

// Tokens without a row go, with what names them; older formats would contradict.
func TestCut(t *testing.T) {
	m := Model{Name: "A", Rows: 4, Files: map[string][]byte{
		tokenizerFile: []byte(`{
  "added_tokens": [{"id": 6, "content": "<x>", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}],
  "normalizer": {"type":  "NFC"},
  "model": {
    "type": "BPE",
    "vocab": {
      "a": 0,
      "b": 1,
      "ab": 2,
      "abc": 4,
      "c": 3,
      "abd": 5
    },
    "merges": [
      "a b",
      "ab c",
      "abc abd"
    ]
  }
}
`),
		configFile:   []byte(`{"pad_token": "<x>", "eos_token": {"content": "c"}, "added_tokens_decoder": {"3": {"content": "c"}, "6": {"content": "<x>"}}, "extra_special_tokens": ["<x>", "a"], "other": "<x>"}`),
		addedFile:    []byte(`{"<x>": 6}`),
		"vocab.json": []byte(`{}`),
	}}
	a := mustAlign(t, mergesearch.Tokenizer{}, "", m)
	want := map[string]string{
		tokenizerFile: `{
  "added_tokens": [
    {"id":3,"content":"c","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}
  ],
  "normalizer": {"type":  "NFC"},
  "model": {
    "type": "BPE",
    "vocab": {
      "a": 0,
      "b": 1,
      "ab": 2,
      "c": 3
    },
    "merges": [
      "a b"
    ]
  }
}
`,
		configFile: `{"pad_token": null, "eos_token": {"content": "c"}, "added_tokens_decoder": {"3": {"content": "c"}}, "extra_special_tokens": ["a"], "other": "<x>"}`,
	}
	for name, data := range a.Files() {
		have := string(data)
		if name == tokenizerFile { // roles are among the added tokens of every model
			have = strings.Replace(have, "    {\"id\":0,\"content\":\"a\",\"single_word\":false,\"lstrip\":false,\"rstrip\":false,\"normalized\":false,\"special\":true},\n", "", 1)
		}
		if have != want[name] {
			t.Errorf("%s:\n%s\nwant\n%s", name, data, want[name])
		}
	}
	if len(a.Files()) != len(want) {
		t.Errorf("%d files", len(a.Files()))
	}
	if !slices.Equal(a.tokens, []string{"a", "b", "ab", "c"}) {
		t.Errorf("%q", a.tokens)
	}
}

// Tokens that only the files beside tokenizer.json name have the numbers that
// transformers gives them, and stand in the result's file.
func TestNamedTokens(t *testing.T) {
	m := words("A", 9, "a", "b").with(configFile, `{"pad_token": "<pad>", "bos_token": {"content": "<bos>"}, "eos_token": "b", "mask_token": null, "additional_special_tokens": ["<add>", "<pad>"],
		"added_tokens_decoder": {"10": {"content": "<far>"}, "2": {"content": "<near>", "special": true, "rstrip": true}}}`)
	a := mustAlign(t, mergesearch.Tokenizer{}, "A", m)
	if want := []string{"a", "b", "<near>", "<far>", "<bos>", "<pad>", "<add>"}; !slices.Equal(a.tokens, want) {
		t.Errorf("%q, want %q", a.tokens, want)
	}
	for _, part := range []string{
		`{"id":2,"content":"<near>","single_word":false,"lstrip":false,"rstrip":true,"normalized":false,"special":true}`,
		`{"id":3,"content":"<far>","single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false}`,
		`{"id":5,"content":"<pad>","single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true}`,
	} {
		if text := string(a.Files()[tokenizerFile]); !strings.Contains(text, part) {
			t.Errorf("%s is not in %s", part, text)
		}
	}
	old := words("A", 9, "a", "b").with(configFile, `{"bos_token": "b"}`).with(specialFile, `{"bos_token": "<s>"}`).with(addedFile, `{"z": 3, "y": 2}`)
	a = mustAlign(t, mergesearch.Tokenizer{}, "A", old)
	if want := []string{"a", "b", "y", "z", "<s>"}; !slices.Equal(a.tokens, want) {
		t.Errorf("%q, want %q", a.tokens, want)
	}
}

// A model without tokenizer has the base's, if its matrix is as long.
func TestWithoutTokenizer(t *testing.T) {
	bare := Model{Name: "B", Rows: 3}
	a := mustAlign(t, mergesearch.Tokenizer{Source: "B", PadToMultipleOf: 4}, "A", bare, words("A", 3, "a", "b", "c"))
	out, err := a.Matrices(1, map[string]kernel.Source{"A": floats("F32", []float32{1, 2, 3}), "B": floats("F32", []float32{7, 8, 9})})
	if err != nil {
		t.Fatal(err)
	}
	if got := kernel.Load(out["B"].Slice(0, 4)); !slices.Equal(got, []float32{7, 8, 9, 8}) {
		t.Errorf("%v", got)
	}
}

func TestAlignRefused(t *testing.T) {
	a, b := words("dir/A", 2, "a", "b"), words("dir/B", 2, "b", "c")
	rule := func(token string, s mergesearch.TokenSource) mergesearch.Tokenizer {
		return mergesearch.Tokenizer{Tokens: []mergesearch.TokenRule{{Token: token, Source: s}}}
	}
	id := 2
	for i, c := range []struct {
		spec   mergesearch.Tokenizer
		base   string
		models []Model
		want   string
	}{
		{mergesearch.Tokenizer{}, "dir/C", []Model{a, b}, `base_model: "dir/C" is no model of the merge`},
		{mergesearch.Tokenizer{Source: "dir/AB"}, "", []Model{a, b}, `tokenizer.source: "dir/AB" is no model`},
		{mergesearch.Tokenizer{PadToMultipleOf: -1}, "", []Model{a}, "tokenizer.pad_to_multiple_of: -1 is not between"},
		{mergesearch.Tokenizer{PadToMultipleOf: 1 << 30}, "", []Model{a}, "tokenizer.pad_to_multiple_of"},
		{mergesearch.Tokenizer{}, "", []Model{a, {Name: "C"}}, "C: vocab_size: 0 rows"},
		{mergesearch.Tokenizer{}, "", []Model{{Name: "C", Rows: 2}}, "C: tokenizer.json: missing"},
		{mergesearch.Tokenizer{}, "", []Model{a, {Name: "C", Rows: 3}}, "C: tokenizer.json: missing, and 3 rows are not the 2 of dir/A"},
		{mergesearch.Tokenizer{}, "", []Model{a, Model{Name: "C", Rows: 2}.with("tokenizer.model", "x")}, "C: tokenizer.json: missing; tokenizer.model is not read"},
		{mergesearch.Tokenizer{}, "", []Model{a.with(tokenizerFile, "{")}, "dir/A/tokenizer.json: not a tokenizer file"},
		{mergesearch.Tokenizer{}, "", []Model{a.with(configFile, "{")}, "dir/A/tokenizer_config.json: at byte 1"},
		{mergesearch.Tokenizer{}, "", []Model{a.with(specialFile, "[")}, "dir/A/special_tokens_map.json: at byte 0"},
		{mergesearch.Tokenizer{}, "", []Model{a.with(addedFile, `{"x": -1}`)}, "dir/A/added_tokens.json: x: at byte"},
		{mergesearch.Tokenizer{}, "", []Model{a.with(addedFile, `{`)}, "dir/A/added_tokens.json: at byte"},
		{mergesearch.Tokenizer{}, "", []Model{a.with(configFile, `{"added_tokens_decoder": {"x": {}}}`)}, `added_tokens_decoder: at byte 30: "x" is not the id`},
		{mergesearch.Tokenizer{}, "", []Model{a.with(configFile, `{"added_tokens_decoder": {"5": "x"}}`)}, "want a token with its content"},
		{mergesearch.Tokenizer{}, "", []Model{words("dir/A", 3).with(tokenizerFile, `{"model": {"vocab": {"a": 0, "b": 2}}}`)}, "dir/A/tokenizer.json: no token has number 1"},
		{mergesearch.Tokenizer{}, "", []Model{a.with(tokenizerFile, `{"model": {"vocab": {}}}`)}, "no token has number 0"},
		{mergesearch.Tokenizer{}, "", []Model{a.with(tokenizerFile, `{"model": {"vocab": {"a": 0, "b": 2}}}`).with(configFile, `{"pad_token": "p"}`), b}, `"p" have the same`},
		{mergesearch.Tokenizer{}, "", []Model{{Name: "U", Rows: 1, Files: map[string][]byte{tokenizerFile: []byte(`{"model": {"unk_id": 1, "vocab": [["a", 0], ["b", 0]]}}`)}}}, "U/tokenizer.json: model.unk_id: the unknown token 1 has no row"},
		{rule("a", mergesearch.TokenSource{Model: "C"}), "", []Model{a, b}, `tokenizer.tokens."a".source: "C" is no model`},
		{rule("a", mergesearch.TokenSource{Model: "dir/B"}), "", []Model{a, b}, `dir/B has no row for token "a"`},
		{rule("n", mergesearch.TokenSource{Model: "dir/B", Token: "a"}), "", []Model{a, b}, `dir/B has no row for token "a"`},
		{rule("n", mergesearch.TokenSource{Model: "dir/B", ID: &id}), "", []Model{a, b}, "token_id 2, but dir/B has 2 rows"},
		{rule("n", mergesearch.TokenSource{}), "", []Model{a, b}, "no model has this token and no source is named"},
		{rule("n", mergesearch.TokenSource{Token: "a"}), "", []Model{a, b}, "the source is not clear"},
		{rule("n", mergesearch.TokenSource{Zero: true, Model: "dir/A"}), "", []Model{a, b}, "the source is not clear"},
		{rule("", mergesearch.TokenSource{Zero: true}), "", []Model{a, b}, "a token of 0 bytes"},
		{mergesearch.Tokenizer{Tokens: []mergesearch.TokenRule{{Token: "a"}, {Token: "a"}}}, "", []Model{a}, "two rules for one token"},
	} {
		_, err := Align(c.spec, c.base, c.models)
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) || in.Hint == "" {
			t.Errorf("%d: %v, want %q and a hint", i, err, c.want)
		}
	}
}

// Zeros are a source, and a rule does not take what a token is from it.
func TestRules(t *testing.T) {
	chat := words("A", 3, "a", "b").with(tokenizerFile, string(tokenizer(`{"id": 2, "content": "<end>", `+noFlags, `{"type": "WordLevel", "vocab": {"a": 0, "b": 1}}`)))
	spec := mergesearch.Tokenizer{Tokens: []mergesearch.TokenRule{
		{Token: "<end>", Source: mergesearch.TokenSource{Zero: true}, Force: true},
		{Token: "<new>", Source: mergesearch.TokenSource{Zero: true}},
		{Token: "a", Force: true}, // the usual source, for every model
	}}
	a := mustAlign(t, spec, "", chat, words("B", 1, "a"))
	out, err := a.Matrices(1, map[string]kernel.Source{"A": floats("F32", []float32{1, 2, 3}), "B": floats("F32", []float32{8})})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"A", "B"} {
		if got := kernel.Load(out[name].Slice(0, 4)); !slices.Equal(got, []float32{4.5, 2, 0, 0}) {
			t.Errorf("%s: %v", name, got)
		}
	}
	if text := string(a.Files()[tokenizerFile]); !strings.Contains(text, `{"id": 2, "content": "<end>", `+noFlags) || !strings.Contains(text, `"content":"<new>"`) {
		t.Error(text)
	}
}

func TestCheck(t *testing.T) {
	a := words("A", 3, "a", "b", "c")
	for i, same := range [][]Model{
		nil,
		{a},
		{a, words("B", 3, "a", "b", "c")},
		{a, words("B", 3, "a", "b", "c", "d")}, // d has no row
		{a, {Name: "B", Rows: 3}},
		{{Name: "A"}, {Name: "B"}},
		{a.with("vocab.txt", "1"), words("B", 3, "a", "b", "c").with("vocab.txt", "2")},
		{Model{Name: "A"}.with("vocab.txt", "1"), Model{Name: "B"}.with("vocab.txt", "1")},
		// Tokens in the padding of others, in any order.
		{a, words("B", 3, "a", "b")},
		{words("A", 4, "a", "b"), words("B", 4, "a", "b", "c"), words("C", 4, "a", "b", "c", "d")},
		{words("A", 4, "a", "b", "c", "d"), words("B", 4, "a", "b"), words("C", 4, "a", "b", "c")},
	} {
		if err := Check(same); err != nil {
			t.Errorf("%d: %v", i, err)
		}
	}
	for _, c := range []struct {
		other Model
		want  string
	}{
		{words("B", 3, "a", "x", "c"), `B/tokenizer.json: vocabulary: token 1 is "x" here, but "b" in A`},
		{words("B", 4, "a", "b"), `token 2 is nothing here, but "c" in A`},
		{words("B", 4, "a", "b", "c", "d"), `token 3 is "d" here, but nothing in A`},
		{words("B", 2, "a", "b", "c"), `token 2 is nothing here, but "c" in A`},
		{words("B", 4, "b", "a").with(configFile, `{"pad_token": "<pad>"}`), `token 0 is "b" here, but "a" in A`},
		{words("B", 3, "a").with(tokenizerFile, "x"), "B/tokenizer.json: not a tokenizer file"},
		{words("B", 4, "a", "b").with(tokenizerFile, `{"model": {"vocab": {"a": 0, "b": 1, "c": 3}}}`), `token 2 is nothing here, but "c" in A`},
	} {
		err := Check([]Model{a, c.other})
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) || in.Hint == "" {
			t.Errorf("%v, want %q", err, c.want)
		}
		if strings.Contains(c.want, "token ") && c.want[:2] != "B/" && !strings.Contains(in.Hint, "tokenizer: {source: union}") {
			t.Errorf("hint %q", in.Hint)
		}
	}
	err := Check([]Model{Model{Name: "A"}.with("vocab.txt", "1"), words("B", 3, "a").with("vocab.txt", "2")})
	if fmt.Sprint(err) != "A/vocab.txt: differs from that of B" {
		t.Errorf("%v", err)
	}
	for want, models := range map[string][]Model{
		`C/tokenizer.json: vocabulary: token 2 is "d" here, but "c" in B`:     {words("A", 3, "a", "b"), words("B", 3, "a", "b", "c"), words("C", 3, "a", "b", "d")},
		`C/tokenizer.json: vocabulary: token 2 is nothing here, but "c" in B`: {words("A", 4, "a", "b"), words("B", 4, "a", "b", "c"), words("C", 4).with(tokenizerFile, `{"model": {"vocab": {"a": 0, "b": 1, "d": 3}}}`)},
		`C/tokenizer.json: vocabulary: token 2 is "c" here, but nothing in A`: {words("A", 3, "a", "b"), words("B", 3, "a", "b"), words("C", 4, "a", "b", "c")},
	} {
		if err := Check(models); fmt.Sprint(err) != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	hole := Check([]Model{words("B", 4).with(tokenizerFile, `{"model": {"vocab": {"a": 0, "b": 1, "c": 3}}}`), a})
	if fmt.Sprint(hole) != `A/tokenizer.json: vocabulary: token 2 is "c" here, but nothing in B` {
		t.Errorf("%v", hole)
	}
}
