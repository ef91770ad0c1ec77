package lm

import (
	"math"
	"strconv"
	"unicode/utf8"
)

// The answer of POST /v1/completions is written by hand: it is most of what a
// small request costs beside the forward pass.

// answerWriter appends one answer.
type answerWriter struct {
	b     []byte
	vocab *vocabulary
	asIDs bool // tokens are named by their id
	form  form
}

// choice is what one prompt is answered with.
type choice struct {
	index    int
	text     string
	logProbs []TokenLogProb // written when withLogs
	withLogs bool
	withTop  bool   // and the likeliest tokens
	first    bool   // begins a streamed message
	offset   int    // characters before the first token of logProbs
	finish   Finish // empty while a stream goes on
	stop     string // the stop string that ended the text
}

// open writes everything before the choices.
func (a *answerWriter) open(id int64, created int64, model, fingerprint string) {
	if a.form == textForm {
		a.raw(`{"id":"cmpl-`)
	} else {
		a.raw(`{"id":"chatcmpl-`)
	}
	a.b = strconv.AppendInt(a.b, id, 10)
	a.raw(a.form.head())
	a.b = strconv.AppendInt(a.b, created, 10)
	a.raw(`,"model":`)
	a.b = appendQuoted(a.b, model)
	a.raw(`,"system_fingerprint":`)
	a.b = appendQuoted(a.b, fingerprint)
	a.raw(`,"choices":[`)
}

func (a *answerWriter) raw(s string) { a.b = append(a.b, s...) }

func (a *answerWriter) choice(c choice) {
	if a.b[len(a.b)-1] != '[' {
		a.raw(",")
	}
	a.raw(`{"index":`)
	a.b = strconv.AppendInt(a.b, int64(c.index), 10)
	a.said(c)
	a.raw(`,"logprobs":`)
	switch {
	case !c.withLogs:
		a.raw("null")
	case a.form == textForm:
		a.logProbs(c)
	default:
		a.contentLogProbs(c)
	}
	a.raw(`,"finish_reason":`)
	if c.finish == "" {
		a.raw("null")
	} else {
		a.b = appendQuoted(a.b, string(c.finish))
	}
	a.raw(`,"stop_reason":`)
	if c.stop == "" {
		a.raw("null}")
	} else {
		a.b = append(appendQuoted(a.b, c.stop), '}')
	}
}

// close writes what follows the choices; usage is left out when total is negative.
func (a *answerWriter) close(promptTokens, completionTokens int) {
	a.raw("]")
	if promptTokens >= 0 {
		a.raw(`,"usage":{"prompt_tokens":`)
		a.b = strconv.AppendInt(a.b, int64(promptTokens), 10)
		a.raw(`,"completion_tokens":`)
		a.b = strconv.AppendInt(a.b, int64(completionTokens), 10)
		a.raw(`,"total_tokens":`)
		a.b = strconv.AppendInt(a.b, int64(promptTokens+completionTokens), 10)
		a.raw("}")
	}
	a.raw("}")
}

// logProbs writes the parallel lists of the completions API. The likeliest tokens
// are null where none were asked for.
func (a *answerWriter) logProbs(c choice) {
	tokens, offset := c.logProbs, c.offset
	a.raw(`{"tokens":[`)
	for i, t := range tokens {
		a.comma(i)
		a.token(t.Token)
	}
	a.raw(`],"token_logprobs":[`)
	for i, t := range tokens {
		a.comma(i)
		a.number(t.LogProb)
	}
	if c.withTop {
		a.raw(`],"top_logprobs":[`)
		for i, t := range tokens {
			a.comma(i)
			a.top(t)
		}
		a.raw(`],"text_offset":[`)
	} else {
		a.raw(`],"top_logprobs":null,"text_offset":[`)
	}
	for i, t := range tokens {
		a.comma(i)
		a.b = strconv.AppendInt(a.b, int64(offset), 10)
		offset += a.vocab.text(t.Token).characters
	}
	a.raw("]}")
}

func (a *answerWriter) comma(i int) {
	if i > 0 {
		a.b = append(a.b, ',')
	}
}

func (a *answerWriter) token(id int32) {
	if !a.asIDs {
		a.raw(a.vocab.text(id).quoted)
		return
	}
	a.raw(`"token_id:`)
	a.b = strconv.AppendInt(a.b, int64(id), 10)
	a.raw(`"`)
}

// number writes all digits; null for the first token of a prompt, which nothing predicts.
func (a *answerWriter) number(x float64) {
	switch {
	case math.IsNaN(x):
		a.raw("null")
	case math.IsInf(x, -1):
		a.raw("-9999")
	default:
		a.b = strconv.AppendFloat(a.b, x, 'g', -1, 64)
	}
}

// top writes the alternatives of a token by their text, the token itself always
// among them. Of ids with one text the likeliest stands for all.
func (a *answerWriter) top(t TokenLogProb) {
	if math.IsNaN(t.LogProb) {
		a.raw("null")
		return
	}
	a.raw("{")
	n, listed := 0, false
	for i, alt := range t.Top {
		if alt.Token == t.Token {
			listed = true
		} else if a.sameText(alt.Token, t.Token) || a.named(t.Top[:i], alt.Token) {
			continue
		}
		a.comma(n)
		a.entry(alt.Token, alt.LogProb)
		n++
	}
	if !listed {
		a.comma(n)
		a.entry(t.Token, t.LogProb)
	}
	a.raw("}")
}

func (a *answerWriter) entry(id int32, logProb float64) {
	a.token(id)
	a.raw(":")
	a.number(logProb)
}

func (a *answerWriter) sameText(x, y int32) bool {
	return x == y || !a.asIDs && a.vocab.text(x).quoted == a.vocab.text(y).quoted
}

// named reports whether one of the alternatives has the text of a token.
func (a *answerWriter) named(alternatives []Alternative, id int32) bool {
	for _, alt := range alternatives {
		if a.sameText(alt.Token, id) {
			return true
		}
	}
	return false
}

const hexDigits = "0123456789abcdef"

// appendQuoted appends s as a JSON string. Bytes that are no characters become U+FFFD.
func appendQuoted(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c < ' ':
			b = append(b, `\u00`...)
			b = append(b, hexDigits[c>>4], hexDigits[c&15])
		case c < utf8.RuneSelf:
			b = append(b, c)
		default:
			r, n := utf8.DecodeRuneInString(s[i:])
			b = utf8.AppendRune(b, r)
			i += n
			continue
		}
		i++
	}
	return append(b, '"')
}
