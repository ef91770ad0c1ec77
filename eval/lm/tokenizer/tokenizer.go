package tokenizer

import (
	"sync"
)

// Tokenizer is one parsed tokenizer.json.
type Tokenizer struct {
	added     addedTokens
	normalize func(string) string // nil for none
	split     preTokenizer        // nil for none
	model     *bpe
	template  []templatePiece // nil: the sequence alone
	decoder   decoder

	tokens []string // by id; "" where no token has the id
	known  []bool   // by id
}

// Encode returns the ids of text. addSpecial puts in what the post-processor
// adds, typically the token that begins a text. Added tokens that are spelt out
// in the text are found in either case.
func (t *Tokenizer) Encode(text string, addSpecial bool) []int32 {
	body := make([]int32, 0, len(text)/3+4)
	scratch := mergers.Get().(*merger)
	defer mergers.Put(scratch)
	t.added.split(text, t.normalize, func(piece string, id int32, first bool) {
		if id >= 0 {
			body = append(body, id)
			return
		}
		if t.split == nil {
			body = t.model.encode(body, piece, scratch)
			return
		}
		for _, word := range t.split.split([]string{piece}, first) {
			body = t.model.encode(body, word, scratch)
		}
	})
	if !addSpecial || t.template == nil {
		return body
	}
	ids := make([]int32, 0, len(body)+len(t.template))
	for _, p := range t.template {
		if p.sequence {
			ids = append(ids, body...)
		} else {
			ids = append(ids, p.ids...)
		}
	}
	return ids
}

var mergers = sync.Pool{New: func() any { return new(merger) }}

// Size is one more than the largest id.
func (t *Tokenizer) Size() int { return len(t.tokens) }

// Token returns the entry of the vocabulary for an id, as the file spells it.
func (t *Tokenizer) Token(id int32) (token string, ok bool) {
	if id < 0 || int(id) >= len(t.tokens) || !t.known[id] {
		return "", false
	}
	return t.tokens[id], true
}

// ID returns the id of a token as the file spells it.
func (t *Tokenizer) ID(token string) (id int32, ok bool) {
	if a, ok := t.added.byContent[token]; ok {
		return a.ID, true
	}
	id, ok = t.model.vocab[token]
	return id, ok
}

// Special reports whether an id is a special token, which Decode leaves out on demand.
func (t *Tokenizer) Special(id int32) bool { return t.added.special[id] }
