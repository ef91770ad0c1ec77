package eval

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mergesearch/eval/chat"
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
	prefix    int32   // stands before a text without context; -1 when there is none
}

// newEncoder finds out what the tokenizer puts in front of a text. What it puts
// behind (an end-of-sequence token, in some) is dropped: the text is to go on.
func newEncoder(t Tokenizer) encoder {
	plain, special := t.Encode("a", false), t.Encode("a", true)
	for i := 0; i+len(plain) <= len(special); i++ {
		if slices.Equal(special[i:i+len(plain)], plain) {
			e := encoder{tokenizer: t, begin: slices.Clone(special[:i]), prefix: -1}
			if i > 0 {
				e.prefix = special[i-1]
			}
			return e
		}
	}
	return encoder{tokenizer: t, prefix: -1}
}

// ends are the tokens before and after a text, as the model's files name them.
type ends struct {
	names [2]string // begin-of-sequence and end-of-sequence, of tokenizer_config.json
	ids   string    // of config.json, as they stand there
}

// endsOf reads them; what is not there, or not as expected, is not known.
func endsOf(files map[string][]byte) (e ends) {
	var names struct {
		BOS json.RawMessage `json:"bos_token"`
		EOS json.RawMessage `json:"eos_token"`
	}
	if json.Unmarshal(files["tokenizer_config.json"], &names) == nil {
		e.names[0], _ = chat.TokenText(names.BOS)
		e.names[1], _ = chat.TokenText(names.EOS)
	}
	var ids struct {
		BOS json.RawMessage `json:"bos_token_id"`
		EOS json.RawMessage `json:"eos_token_id"`
	}
	if json.Unmarshal(files["config.json"], &ids) == nil {
		e.ids = "[" + string(orNull(ids.BOS)) + "," + string(orNull(ids.EOS)) + "]"
	}
	return e
}

func orNull(raw json.RawMessage) json.RawMessage {
	if raw == nil {
		return json.RawMessage("null")
	}
	return raw
}

// usePrefix settles which token stands before a text without context: the
// begin-of-sequence token, else the end-of-sequence token.
func (e *encoder) usePrefix(of ends) {
	if e.prefix >= 0 {
		return
	}
	for _, name := range of.names {
		if name == "" {
			continue
		}
		if ids := e.tokenizer.Encode(name, false); len(ids) == 1 {
			e.prefix = ids[0]
			return
		}
	}
	var ids []tokenIDs
	if json.Unmarshal([]byte(of.ids), &ids) == nil {
		for _, list := range ids {
			if len(list) > 0 {
				e.prefix = list[0]
				return
			}
		}
	}
}

// tokenIDs is an id in config.json, or a list of them, or null.
type tokenIDs []int32

func (t *tokenIDs) UnmarshalJSON(raw []byte) error {
	var one *int32
	if json.Unmarshal(raw, &one) == nil {
		if one != nil {
			*t = tokenIDs{*one}
		}
		return nil
	}
	_ = json.Unmarshal(raw, (*[]int32)(t)) // of another shape: not known
	return nil
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

var errNoPrefix = errors.New("a text without context needs a tokenizer with a begin-of-sequence or end-of-sequence token")

// rolling returns the windows that score all of a text; context is the most tokens
// that the model reads, 0 when unknown. Windows leave room for a token that some
// servers have to generate, on all of them, so that every route gives one value.
func (e encoder) rolling(text string, context int) ([]sequence, error) {
	ids := e.tokenizer.Encode(text, false)
	switch {
	case e.prefix < 0:
		return nil, errNoPrefix
	case len(ids) == 0:
		return nil, errors.New("the text has no token")
	case context > 0 && context < 3:
		return nil, fmt.Errorf("the model reads %d tokens", context)
	}
	return windows(e.prefix, ids, max(0, context-2)), nil
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
		if ctx = len(e.begin); ctx == 0 {
			if e.prefix < 0 {
				return nil, 0, errNoPrefix
			}
			if ctx = 1; len(ids) == 0 || ids[0] != e.prefix {
				ids = append([]int32{e.prefix}, ids...)
			}
		}
	} else {
		ctx = len(e.prompt(context))
	}
	if ctx >= len(ids) {
		return nil, 0, fmt.Errorf("the continuation %q has no token of its own", continuation)
	}
	return ids, ctx, nil
}
