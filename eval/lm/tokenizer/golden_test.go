package tokenizer_test

import (
	"compress/gzip"
	"encoding/json"
	"os"
	"slices"
	"testing"

	"mergesearch/eval/lm/tokenizer"
)

// golden is what testdata/make.py got from the Python package.
type golden struct {
	Version    string
	Texts      []string
	Tokenizers map[string]struct {
		File    json.RawMessage
		Plain   [][]int32 // of all texts
		Special [][]int32 // of the first texts, with the post-processor
		Decoded []string  // of all texts, without special tokens
		IDs     [][]int32 // random
		Text    []string  // of them
		Skipped []string  // of them, without special tokens
	}
}

func readGolden(tb testing.TB) (g golden) {
	tb.Helper()
	f, err := os.Open("testdata/tokenizers.json.gz")
	if err != nil {
		tb.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		tb.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&g); err != nil {
		tb.Fatal(err)
	}
	if len(g.Tokenizers) < 20 || len(g.Texts) < 150 {
		tb.Fatalf("%d tokenizers and %d texts in the golden file", len(g.Tokenizers), len(g.Texts))
	}
	return g
}

// TestGolden compares ids and texts with the Python package, token by token.
func TestGolden(t *testing.T) {
	g := readGolden(t)
	for name, want := range g.Tokenizers {
		t.Run(name, func(t *testing.T) {
			tok, err := tokenizer.Parse(want.File)
			if err != nil {
				t.Fatal(err)
			}
			for i, text := range g.Texts {
				got := tok.Encode(text, false)
				if !slices.Equal(got, want.Plain[i]) {
					t.Errorf("encode %q:\ngot  %v\nwant %v", text, got, want.Plain[i])
				}
				if i < len(want.Special) && !slices.Equal(tok.Encode(text, true), want.Special[i]) {
					t.Errorf("encode %q with special tokens: %v, want %v", text, tok.Encode(text, true), want.Special[i])
				}
				if got := tok.Decode(tok.Encode(text, true), true); got != want.Decoded[i] {
					t.Errorf("round trip of %q: %q, want %q", text, got, want.Decoded[i])
				}
			}
			for i, ids := range want.IDs {
				if got := tok.Decode(ids, false); got != want.Text[i] {
					t.Errorf("decode %v: %q, want %q", ids, got, want.Text[i])
				}
				if got := tok.Decode(ids, true); got != want.Skipped[i] {
					t.Errorf("decode %v without special tokens: %q, want %q", ids, got, want.Skipped[i])
				}
			}
		})
	}
}
