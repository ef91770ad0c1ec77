package eval

import (
	"slices"
	"strings"
	"testing"
)

// letters has a token for each letter, its code, and one for each special token. It
// puts nothing around a text, or its begin token.
type letters struct{ begins bool }

const (
	lettersBegin = 1000
	lettersEnd   = 1001
)

func (l letters) Encode(text string, addSpecial bool) []int32 {
	var ids []int32
	if addSpecial && l.begins {
		ids = append(ids, lettersBegin)
	}
	for text != "" {
		switch {
		case strings.HasPrefix(text, "<s>"):
			ids, text = append(ids, lettersBegin), text[3:]
		case strings.HasPrefix(text, "</s>"):
			ids, text = append(ids, lettersEnd), text[4:]
		default:
			ids, text = append(ids, int32(text[0])), text[1:]
		}
	}
	return ids
}

// The token before a text without context is the begin-of-sequence token, else the
// end-of-sequence token, wherever the model's files name it.
func TestPrefixToken(t *testing.T) {
	for name, c := range map[string]struct {
		begins          bool
		tokens, numbers string // tokenizer_config.json and config.json
		want            int32
	}{
		"the tokenizer's own":   {true, `{"bos_token": "</s>"}`, `{"bos_token_id": 5}`, lettersBegin},
		"by name":               {false, `{"bos_token": "<s>", "eos_token": "</s>"}`, `{"bos_token_id": 5}`, lettersBegin},
		"as an object":          {false, `{"bos_token": {"content": "<s>", "lstrip": false}}`, `{}`, lettersBegin},
		"end for begin":         {false, `{"bos_token": null, "eos_token": "</s>"}`, `{"bos_token_id": 5}`, lettersEnd},
		"by number":             {false, `{}`, `{"bos_token_id": 5, "eos_token_id": 6}`, 5},
		"end by number":         {false, ``, `{"bos_token_id": null, "eos_token_id": 6}`, 6},
		"several ends":          {false, ``, `{"eos_token_id": [7, 8]}`, 7},
		"a name that is a text": {false, `{"bos_token": "begin"}`, `{"eos_token_id": 6}`, 6},
		"none":                  {false, `{"bos_token": 3}`, `{"bos_token_id": "x"}`, -1},
		"no JSON":               {false, `{`, `[`, -1},
	} {
		e := newEncoder(letters{c.begins})
		e.usePrefix(endsOf(map[string][]byte{"tokenizer_config.json": []byte(c.tokens), "config.json": []byte(c.numbers)}))
		if e.prefix != c.want {
			t.Errorf("%s: %d, want %d", name, e.prefix, c.want)
			continue
		}
		ids, ctx, err := e.pair("", "ab")
		if c.want < 0 {
			if err == nil {
				t.Errorf("%s: %v without a prefix token", name, ids)
			}
			continue
		}
		if err != nil || ctx != 1 || !slices.Equal(ids, []int32{c.want, 'a', 'b'}) {
			t.Errorf("%s: %v from %d on, %v", name, ids, ctx, err)
		}
	}
	// A text that begins with the token itself gets no second one.
	e := newEncoder(letters{})
	e.usePrefix(ends{names: [2]string{"<s>", ""}})
	if ids, ctx, err := e.pair("", "<s>ab"); err != nil || ctx != 1 || !slices.Equal(ids, []int32{lettersBegin, 'a', 'b'}) {
		t.Errorf("%v from %d on, %v", ids, ctx, err)
	}
	if seqs, err := e.rolling("abcde", 5); err != nil || len(seqs) != 2 || seqs[0].ids[0] != lettersBegin || len(seqs[0].ids) != 4 {
		t.Errorf("%v, %v", seqs, err)
	}
}
