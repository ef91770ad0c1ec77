package lm

import (
	"sync"

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
	hash xxh3.Uint128
	tok  *tokenizer.Tokenizer
}

const parsedKept = 4

func parsedTokenizer(data []byte) (*tokenizer.Tokenizer, error) {
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
			return e.tok, nil
		}
	}
	tok, err := tokenizer.Parse(data)
	if err != nil {
		return nil, mergesearch.InFile(err, "tokenizer.json")
	}
	parsed.entries = append([]parsedEntry{{hash, tok}}, parsed.entries[:min(len(parsed.entries), parsedKept-1)]...)
	return tok, nil
}
