package vocabulary

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/merge/attacktest"
)

// tokenizer is a tokenizer.json of these parts.
func tokenizer(added, model string) []byte {
	return []byte(`{"version": "1.0", "added_tokens": [` + added + `], "model": ` + model + `}`)
}

const (
	twoTokens = `{"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}`
	noFlags   = `"single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}`
)

// attacks are files that are refused, with a part of the reason.
var attacks = []struct {
	reason string
	file   []byte
}{
	{"have the end", nil},
	{"want '{'", []byte(`[]`)},
	{"want '{'", []byte("\xef\xbb\xbf{}")},
	{"model: missing", []byte(`{}`)},
	{"after the end", []byte(`{"model": ` + twoTokens + `} {}`)},
	{"twice", []byte(`{"model": ` + twoTokens + `, "model": ` + twoTokens + `}`)},
	{"deeper", []byte(`{"x": ` + strings.Repeat("[", 1e6))},
	{"deeper", []byte(`{"x": ` + strings.Repeat(`{"":`, 1e6))},
	{"want a value", []byte(`{"x": 01}`)},
	{"want a value", []byte(`{"x": NaN}`)},
	{"want a value", []byte(`{"x": ` + strings.Repeat("1", 1e6) + `}`)},
	{"want a value", []byte(`{"x": `)},
	{"UTF-8", []byte("{\"x\": \"\xff\"}")},
	{"UTF-8", []byte("{\"x\": \"\\n\xff\"}")},
	{"surrogate", []byte(`{"x": "\ud800"}`)},
	{"surrogate", []byte(`{"x": "\ud800\u0041"}`)},
	{"hexadecimal", []byte(`{"x": "\ud800\uzzzz"}`)},
	{"hexadecimal", []byte(`{"x": "\u12g4"}`)},
	{"unknown escape", []byte(`{"x": "\x41"}`)},
	{"control", []byte("{\"x\": \"\n\"}")},
	{"control", []byte("{\"x\": \"\\n\n\"}")},
	{"without end", []byte(`{"x": "\u12`)},
	{"without end", []byte(`{"x": "\`)},
	{"without end", []byte(`{"x": "\n`)},
	{"without end", []byte(`{"x": "`)},
	{"model: at byte", tokenizer("", `3`)},
	{"model.vocab: missing", tokenizer("", `{"type": "BPE"}`)},
	{"model.type", tokenizer("", `{"type": 3, "vocab": {}}`)},
	{`"Tiktoken" is not known`, tokenizer("", `{"type": "Tiktoken", "vocab": {}}`)},
	{"not what a BPE model has", tokenizer("", `{"type": "BPE", "vocab": []}`)},
	{"not what a Unigram model has", tokenizer("", `{"type": "Unigram", "vocab": {}}`)},
	{"model.vocab: at byte", tokenizer("", `{"type": "BPE", "vocab": 3}`)},
	{"same id 1", tokenizer("", `{"type": "BPE", "vocab": {"a": 1, "b": 1}}`)},
	{`"a" comes twice`, tokenizer("", `{"type": "BPE", "vocab": {"a": 0, "\u0061": 1}}`)},
	{"whole number", tokenizer("", `{"type": "BPE", "vocab": {"a": -1}}`)},
	{"whole number", tokenizer("", `{"type": "BPE", "vocab": {"a": 1.0}}`)},
	{"whole number", tokenizer("", `{"type": "BPE", "vocab": {"a": null}}`)},
	{"limit", tokenizer("", `{"type": "BPE", "vocab": {"a": 99999999999999999999}}`)},
	{"limit", tokenizer("", `{"type": "BPE", "vocab": {"a": 16777216}}`)},
	{"limit", tokenizer("", `{"type": "BPE", "vocab": {"`+strings.Repeat("a", maxToken+1)+`": 0}}`)},
	{"limit", tokenizer("", `{"type": "Unigram", "vocab": [["`+strings.Repeat("a", maxToken+1)+`", 0]]}`)},
	{"limit", tokenizer(`{"id": 2, "content": "`+strings.Repeat("a", maxToken+1)+`", `+noFlags, twoTokens)},
	{"two tokens", tokenizer("", `{"type": "BPE", "vocab": {"a": 0}, "merges": ["a"]}`)},
	{"two tokens", tokenizer("", `{"type": "BPE", "vocab": {"a": 0}, "merges": ["a b c"]}`)},
	{"two tokens", tokenizer("", `{"type": "BPE", "vocab": {"a": 0}, "merges": [["a"]]}`)},
	{"two tokens", tokenizer("", `{"type": "BPE", "vocab": {"a": 0}, "merges": [["a", "b", "c"]]}`)},
	{"merges: at byte", tokenizer("", `{"type": "BPE", "vocab": {"a": 0}, "merges": [3]}`)},
	{"merges: at byte", tokenizer("", `{"type": "BPE", "vocab": {"a": 0}, "merges": null}`)},
	{"token and a number", tokenizer("", `{"type": "Unigram", "vocab": [["a"]]}`)},
	{"token and a number", tokenizer("", `{"type": "Unigram", "vocab": [["a", 0, 0]]}`)},
	{"want a number", tokenizer("", `{"type": "Unigram", "vocab": [["a", "b"]]}`)},
	{`"a" comes twice`, tokenizer("", `{"type": "Unigram", "vocab": [["a", 0], ["a", 0]]}`)},
	{"unk_id", tokenizer("", `{"type": "Unigram", "unk_id": 1, "vocab": [["a", 0]]}`)},
	{"unk_id", tokenizer("", `{"type": "Unigram", "unk_id": "a", "vocab": [["a", 0]]}`)},
	{"added_tokens: at byte", []byte(`{"model": ` + twoTokens + `, "added_tokens": null}`)},
	{"added_tokens[0]", tokenizer(`3`, twoTokens)},
	{"special is missing", tokenizer(`{"id": 2, "content": "c", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false}`, twoTokens)},
	{"true or false", tokenizer(`{"id": 2, "content": "c", "special": 1}`, twoTokens)},
	{"true or false", tokenizer(`{"id": 2, "content": "c", "lstrip": true, `+noFlags, twoTokens)},
	{"id and content", tokenizer(`{"id": 2, `+noFlags, twoTokens)},
	{"id and content", tokenizer(`{"id": 2, "id": 3, "content": "c", `+noFlags, twoTokens)},
	{"twice or is empty", tokenizer(`{"id": 2, "content": "", `+noFlags, twoTokens)},
	{"twice or is empty", tokenizer(`{"id": 2, "content": "c", `+noFlags+`, {"id": 3, "content": "c", `+noFlags, twoTokens)},
	{"has id 1, but it is number 0", tokenizer(`{"id": 1, "content": "a", `+noFlags, twoTokens)},
	{"has id 1, but it is number 2", tokenizer(`{"id": 1, "content": "c", `+noFlags, twoTokens)},
	{"has id 9, but it is number 2", tokenizer(`{"id": 9, "content": "c", `+noFlags, twoTokens)},
	{`which is that of "b"`, tokenizer(`{"id": 2, "content": "c", `+noFlags, `{"type": "BPE", "vocab": {"a": 0, "b": 2}}`)},
}

func TestAttacks(t *testing.T) {
	for _, c := range attacks {
		attacktest.Tokenizer(t, c.reason, c.file)
		start := time.Now()
		f, err := parseFile(c.file)
		if f != nil && err == nil {
			t.Errorf("%.80s: read", c.file)
			continue
		}
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !strings.Contains(err.Error(), c.reason) || in.Hint == "" || strings.Contains(err.Error(), "\n") {
			t.Errorf("%.80s: %v, want %q", c.file, err, c.reason)
		}
		if d := time.Since(start); len(err.Error()) > 300 || d > 5*time.Second {
			t.Errorf("%.80s: took %v, error of %d bytes", c.file, d, len(err.Error()))
		}
	}
}

// Spellings of old files, and keys that nobody knows.
func TestAccepted(t *testing.T) {
	for _, c := range []struct {
		kind string
		file []byte
	}{
		{bpe, tokenizer("", `{"vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b"]}`)},
		{wordPiece, tokenizer("", `{"vocab": {"a": 0}, "continuing_subword_prefix": "##"}`)},
		{wordLevel, tokenizer("", `{"vocab": {"a": 0}}`)},
		{unigram, tokenizer("", `{"vocab": [["a", -1.5e-3], ["b", 0]], "unk_id": null}`)},
		{bpe, []byte(" {\"model\" :\n" + twoTokens + "\t, \"new\": {\"a\": [1, true, null, \"\\u00e9\\ud83d\\ude00\"]}}\n")},
		{bpe, tokenizer(`{"id": 2, "content": "c", "other": [], `+noFlags, twoTokens)},
	} {
		f, err := parseFile(c.file)
		if err != nil || f.kind != c.kind {
			t.Errorf("%s: %v", c.file, err)
		}
	}
}

// rewritten checks the file after a change and returns it read again.
func rewritten(t testing.TB, f *file, gone table, tokens []added) *file {
	t.Helper()
	text, err := f.rewrite(gone, tokens)
	if err != nil {
		t.Fatal(err)
	}
	again, err := parseFile(text)
	if err != nil {
		t.Fatalf("refused after rewriting: %v\n%s\n%s", err, f.text, text)
	}
	same := slices.EqualFunc(f.top, again.top, func(a, b member) bool {
		return a.Key == b.Key && (a.Key == "model" || a.Key == "added_tokens" || a.Span.Of(f.text) == b.Span.Of(again.text))
	})
	if f.addedAt != (span{}) && !same {
		t.Fatalf("rewriting changed other keys: %s\n%s", f.text, text)
	}
	return again
}

// FuzzTokenizerFile: a file is refused, or survives that tokens are added and
// taken away.
func FuzzTokenizerFile(f *testing.F) {
	for _, fam := range readGolden(f).Families {
		for _, m := range fam.models(f) {
			if len(m.Files[tokenizerFile]) < 8<<10 {
				f.Add(m.Files[tokenizerFile], 3)
			}
		}
	}
	for _, c := range attacks {
		if len(c.file) < 1<<10 {
			f.Add(c.file, 1)
		}
	}
	f.Add(tokenizer("", `{"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "c": 3}, "merges": ["a b"]}`), 2)
	f.Add(tokenizer("", `{"type": "BPE", "continuing_subword_prefix": "##", "vocab": {"a": 0, "##b": 1, "ab": 2}, "merges": [["a", "##b"]]}`), 2)
	f.Add(tokenizer("", `{"type": "Unigram", "unk_id": 1, "vocab": [["a", 0], ["b", -1]]}`), 1)
	f.Add([]byte(`{"model": `+twoTokens+`}`), 1)
	f.Fuzz(func(t *testing.T, b []byte, keep int) {
		file, err := parseFile(b)
		if err != nil {
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("refused with %T: %v", err, err)
			}
			return
		}
		again := rewritten(t, file, table{}, file.added)
		if !slices.Equal(again.tokens.byID, file.tokens.byID) || !slices.Equal(again.added, file.added) {
			t.Fatalf("%s read again: %v %v", b, again.tokens, again.added)
		}
		last := int32(-1)
		for _, a := range file.added {
			last = max(last, a.id)
		}
		text := "\x00new"
		if _, known := file.tokens.id(text); known || slices.ContainsFunc(file.added, func(a added) bool { return a.text == text }) {
			return
		}
		id := nextID(len(file.tokens.byID), last)
		if _, taken := file.tokens.at(id); !taken {
			more := newAdded(token{text, id}, plain)
			if again = rewritten(t, file, table{}, append(slices.Clone(file.added), more)); again.added[len(again.added)-1] != more {
				t.Fatalf("%s: added %v", b, again.added)
			}
		}
		mustStrip(t, b, keep)
	})
}

// mustStrip demands that a file whose numbers have no gap can lose those from
// keep on.
func mustStrip(t *testing.T, b []byte, keep int) {
	v, err := read(Model{Name: "m", Files: map[string][]byte{tokenizerFile: b}, Rows: keep})
	if err != nil {
		return // an added token that lands on a taken number
	}
	if v.tokens.contiguous() >= 0 || len(v.tokens.byID) == 0 {
		return
	}
	a, err := Align(mergesearch.Tokenizer{Source: "base"}, "m", []Model{v.model})
	if err != nil {
		var in *mergesearch.InputError
		if !errors.As(err, &in) || in.Field != "model.unk_id" {
			t.Fatalf("%s cut to %d: %v", b, keep, err)
		}
		return
	}
	again, err := read(Model{Files: a.Files(), Rows: maxTokens})
	if err != nil || !slices.Equal(again.tokens.byID, v.tokens.byID) {
		t.Fatalf("%s cut to %d: %v, %v", b, keep, again, err)
	}
	if v.file.kind == bpe && v.file.merges != (span{}) {
		_ = again.file.eachMerge(func(left, right string, _ span) error {
			for _, part := range []string{left, right} {
				if _, lost := v.lost.id(part); lost {
					t.Fatalf("merge of %q, which is gone", part)
				}
			}
			return nil
		})
	}
}

// large is a file of the size and shape of those that models come with.
func large(tokens int) []byte {
	var b bytes.Buffer
	b.WriteString("{\n  \"version\": \"1.0\",\n  \"added_tokens\": [],\n  \"model\": {\n    \"type\": \"BPE\",\n    \"vocab\": {")
	for i := range tokens {
		fmt.Fprintf(&b, "%s\n      \"tok%07d\": %d", [2]string{"", ","}[min(i, 1)], i*7919%tokens, i)
	}
	b.WriteString("\n    },\n    \"merges\": [")
	for i := range tokens {
		fmt.Fprintf(&b, "%s\n      [\n        \"tok%07d\",\n        \"tok%07d\"\n      ]", [2]string{"", ","}[min(i, 1)], i*7919%tokens, i)
	}
	b.WriteString("\n    ]\n  }\n}\n")
	return b.Bytes()
}

// Reading costs less than twice the file beside the file.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector's build puts more on the heap")
	}
	minimal := strings.Repeat(" ", 1<<20)
	for name, b := range map[string][]byte{
		"usual":  large(50_000),
		"spaces": []byte(`{"model":` + minimal + twoTokens + `}`),
		"nested": []byte(`{"model": ` + twoTokens + `, "x": [` + strings.Repeat(`[[]],`, 1<<18) + `1]}`),
		"added":  []byte(`{"model": ` + twoTokens + `, "added_tokens": [` + strings.Repeat(` `, 1<<20) + `]}`),
		"scores": []byte(`{"model": {"type": "Unigram", "vocab": [["a", 0]` + strings.Repeat(`,["a",0]`, 1<<17) + `]}}`),
	} {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := parseFile(b)
		runtime.ReadMemStats(&after)
		var in *mergesearch.InputError
		if err != nil && !errors.As(err, &in) {
			t.Error(err)
		}
		factor := 2
		if name == "scores" {
			factor = 5 // tokens of one letter: their places take more than their text
		}
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(factor*len(b)+1<<16) {
			t.Errorf("%s: %d bytes for a file of %d", name, used, len(b))
		}
	}
}

func BenchmarkRead(b *testing.B) {
	text := large(150_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		if _, err := parseFile(text); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAlign(b *testing.B) {
	files := map[string][]byte{tokenizerFile: large(150_000)}
	models := []Model{{Name: "a", Files: files, Rows: 150_000}, {Name: "b", Files: maps.Clone(files), Rows: 150_000}, {Name: "c", Files: files, Rows: 140_000}}
	for b.Loop() {
		if _, err := Align(mergesearch.Tokenizer{}, "c", models); err != nil {
			b.Fatal(err)
		}
	}
}
