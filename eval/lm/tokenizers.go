package lm

import (
	"fmt"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/zeebo/xxh3"

	"mergesearch"
	"mergesearch/eval/lm/tokenizer"
)

// parsed keeps the last tokenizers by the hash of their file: the candidates of
// a search share one, and parsing a large one takes longer than everything else
// that a swap does.
var parsed struct {
	sync.Mutex
	entries []parsedEntry // latest first
}

type parsedEntry struct {
	hash  xxh3.Uint128
	vocab *vocabulary
}

// vocabulary is a tokenizer with the texts of its tokens as answers hold them.
type vocabulary struct {
	*tokenizer.Tokenizer
	texts []atomic.Pointer[tokenText] // by id, made when first asked for
}

// tokenText is how an answer names a token: what it adds to a text, or, when
// that is no whole number of characters, "bytes:\xe2\x80".
type tokenText struct {
	quoted     string // as JSON
	characters int    // that it adds
}

func (v *vocabulary) text(id int32) *tokenText {
	if id < 0 || int(id) >= len(v.texts) { // a logit without a token
		return &tokenText{quoted: `""`}
	}
	if t := v.texts[id].Load(); t != nil {
		return t
	}
	piece := v.Piece(id)
	t := &tokenText{characters: utf8.RuneCount(piece)}
	if utf8.Valid(piece) {
		t.quoted = string(appendQuoted(nil, string(piece)))
	} else {
		name := "bytes:"
		for _, b := range piece {
			name += fmt.Sprintf(`\x%02x`, b)
		}
		t.quoted = string(appendQuoted(nil, name))
	}
	v.texts[id].Store(t)
	return t
}

const parsedKept = 4

func parsedTokenizer(data []byte) (*vocabulary, error) {
	if len(data) == 0 {
		return nil, &mergesearch.InputError{
			File: "tokenizer.json", Problem: "missing or empty",
			Hint: "the embedded engine reads the format of Hugging Face tokenizers; save the tokenizer with use_fast=True",
		}
	}
	hash := xxh3.Hash128(data)
	parsed.Lock()
	defer parsed.Unlock()
	for _, e := range parsed.entries {
		if e.hash == hash {
			return e.vocab, nil
		}
	}
	tok, err := tokenizer.Parse(data)
	if err != nil {
		return nil, mergesearch.InFile(err, "tokenizer.json")
	}
	v := &vocabulary{Tokenizer: tok, texts: make([]atomic.Pointer[tokenText], tok.Size())}
	parsed.entries = append([]parsedEntry{{hash, v}}, parsed.entries[:min(len(parsed.entries), parsedKept-1)]...)
	return v, nil
}
