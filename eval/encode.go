package eval

import (
	"fmt"
	"slices"
	"strings"

	"mergesearch/eval/jinja"
	"mergesearch/eval/lm/tokenizer"
)

// Tokenizer turns text into token ids. That of mergesearch/eval/lm/tokenizer is
// one. Encode is safe for concurrent use; with addSpecial it adds what the
// tokenizer puts around a text, usually a begin-of-sequence token in front.
//
// One that can fail, because it asks a server, also has a method Err() error with
// its first fault. Tokenizers are compared by identity and must be comparable.
type Tokenizer interface {
	Encode(text string, addSpecial bool) []int32
}

// parseTokenizer reads a tokenizer.json for the embedded engine's tokenizer.
func parseTokenizer(json []byte) (Tokenizer, error) {
	t, err := tokenizer.Parse(json)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// encoder applies one tokenizer with one decision about the begin-of-sequence
// token: it is put in front of every prompt exactly if the tokenizer itself does
// so, once, and never left to the server.
type encoder struct {
	tokenizer Tokenizer
	begin     []int32 // what the tokenizer puts in front; usually one token or none
}

// newEncoder finds out what the tokenizer puts in front of a text. What it puts
// behind (an end-of-sequence token, in some) is dropped: the text is to go on.
func newEncoder(t Tokenizer) encoder {
	plain, special := t.Encode("a", false), t.Encode("a", true)
	for i := 0; i+len(plain) <= len(special); i++ {
		if slices.Equal(special[i:i+len(plain)], plain) {
			return encoder{t, slices.Clone(special[:i])}
		}
	}
	return encoder{t, nil}
}

// err returns the first fault of a tokenizer that can fail.
func (e *encoder) err() error {
	if e != nil {
		if t, can := e.tokenizer.(interface{ Err() error }); can {
			return t.Err()
		}
	}
	return nil
}

// prompt returns the ids of a text with the begin-of-sequence token in front,
// unless the text itself starts with it.
func (e encoder) prompt(text string) []int32 {
	ids := e.tokenizer.Encode(text, false)
	if len(e.begin) > 0 && len(ids) >= len(e.begin) && slices.Equal(ids[:len(e.begin)], e.begin) {
		return ids
	}
	return append(slices.Clone(e.begin), ids...)
}

// pair returns the ids of a context and its continuation in one list, and how
// many of them are context, by the harness's rule: white space at the end of the
// context goes to the continuation, both are encoded in one piece, and the
// context is cut off by the length of its own encoding. Where a token spans the
// joint, that length decides.
func (e encoder) pair(context, continuation string) (ids []int32, ctx int, err error) {
	if trimmed := strings.TrimRightFunc(context, jinja.IsSpace); len(trimmed) < len(context) {
		context, continuation = trimmed, context[len(trimmed):]+continuation
	}
	ids = e.prompt(context + continuation)
	if context == "" {
		ctx = len(e.begin)
		if ctx == 0 {
			return nil, 0, fmt.Errorf("an empty question needs a tokenizer with a begin-of-sequence token")
		}
	} else {
		ctx = len(e.prompt(context))
	}
	if ctx >= len(ids) {
		return nil, 0, fmt.Errorf("the continuation %q has no token of its own", continuation)
	}
	return ids, ctx, nil
}
