package lm

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// Bodies of completions requests are read here where they are plain: known fields
// by their exact names, each once, numbers, flags, token ids and strings without
// \u escapes. encoding/json takes most of a small request's time and reads the
// body three times; this reads it once. Everything else, faults included, is left to
// encoding/json, so that this decides nothing but speed; a fuzz test compares.

// plainValues holds what pointers of a completionRequest point to.
type plainValues struct {
	maxTokens, logProbs, n, bestOf       int
	seed                                 int64
	temperature, topP, repetitionPenalty float64
	addSpecialTokens                     bool
}

// plainScanner reads one body. Every method reports whether the value was plain;
// after false the scanner and the request are of no use.
type plainScanner struct {
	text []byte
	at   int
	v    *plainValues
	seen uint32 // fields, by their bit
}

// scanCompletion reads a plain body into c, which is empty. After false c is
// undefined.
func scanCompletion(body []byte, c *completionRequest) bool {
	s := &plainScanner{text: body, v: new(plainValues)}
	return s.object(c) && s.next() == 0 && s.at == len(body)
}

func (s *plainScanner) object(c *completionRequest) bool {
	if !s.take('{') {
		return false
	}
	for {
		key, ok := s.raw()
		if !ok || !s.take(':') || !s.field(key, c) {
			return false
		}
		if !s.take(',') {
			return s.take('}')
		}
	}
}

// once reports whether a field comes for the first time.
func (s *plainScanner) once(bit int) bool {
	first := s.seen&(1<<bit) == 0
	s.seen |= 1 << bit
	return first
}

func (s *plainScanner) field(key []byte, c *completionRequest) bool {
	switch string(key) {
	case "model":
		return s.once(0) && s.str(&c.Model)
	case "prompt":
		return s.once(1) && s.prompt(&c.Prompt)
	case "max_tokens":
		c.MaxTokens = &s.v.maxTokens
		return s.once(2) && s.integer(c.MaxTokens)
	case "temperature":
		c.Temperature = &s.v.temperature
		return s.once(3) && s.number(c.Temperature)
	case "top_p":
		c.TopP = &s.v.topP
		return s.once(4) && s.number(c.TopP)
	case "seed":
		c.Seed = &s.v.seed
		return s.once(5) && s.long(c.Seed)
	case "stop":
		return s.once(6) && s.stop(&c.Stop)
	case "logprobs":
		c.LogProbs = &s.v.logProbs
		return s.once(7) && s.integer(c.LogProbs)
	case "echo":
		return s.once(8) && s.flag(&c.Echo)
	case "stream":
		return s.once(9) && s.flag(&c.Stream)
	}
	return s.rareField(key, c)
}

func (s *plainScanner) rareField(key []byte, c *completionRequest) bool {
	switch string(key) {
	case "add_special_tokens":
		c.AddSpecialTokens = &s.v.addSpecialTokens
		return s.once(10) && s.flag(c.AddSpecialTokens)
	case "ignore_eos":
		return s.once(11) && s.flag(&c.IgnoreEOS)
	case "return_tokens_as_token_ids":
		return s.once(12) && s.flag(&c.TokensAsIDs)
	case "n":
		c.N = &s.v.n
		return s.once(13) && s.integer(c.N)
	case "best_of":
		c.BestOf = &s.v.bestOf
		return s.once(14) && s.integer(c.BestOf)
	case "presence_penalty":
		return s.once(15) && s.number(&c.PresencePenalty)
	case "frequency_penalty":
		return s.once(16) && s.number(&c.FrequencyPenalty)
	case "repetition_penalty":
		c.RepetitionPenalty = &s.v.repetitionPenalty
		return s.once(17) && s.number(c.RepetitionPenalty)
	case "top_k":
		return s.once(18) && s.integer(&c.TopK)
	case "min_p":
		return s.once(19) && s.number(&c.MinP)
	}
	return false
}

// next returns the first byte of the next token, 0 at the end.
func (s *plainScanner) next() byte {
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

func (s *plainScanner) take(c byte) bool {
	if s.next() != c {
		return false
	}
	s.at++
	return true
}

// raw returns what stands between the quotes of a string without escapes.
func (s *plainScanner) raw() ([]byte, bool) {
	if !s.take('"') {
		return nil, false
	}
	for i := s.at; i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c == '"':
			out := s.text[s.at:i]
			s.at = i + 1
			return out, true
		case c == '\\' || c < ' ':
			return nil, false
		}
	}
	return nil, false
}

func (s *plainScanner) str(into *string) bool {
	start := s.at
	if raw, ok := s.raw(); ok {
		*into = string(raw)
		return utf8.Valid(raw)
	}
	s.at = start
	return s.escaped(into)
}

// escapes are the letters after a backslash and what they stand for.
const (
	escapes  = `"\/bfnrt`
	escapeds = "\"\\/\b\f\n\r\t"
)

// escaped reads a string with escapes of two characters.
func (s *plainScanner) escaped(into *string) bool {
	if !s.take('"') {
		return false
	}
	var b []byte
	for ; s.at < len(s.text); s.at++ {
		switch c := s.text[s.at]; {
		case c == '"':
			s.at++
			*into = string(b)
			return utf8.Valid(b)
		case c < ' ':
			return false
		case c == '\\':
			s.at++
			if s.at == len(s.text) {
				return false
			}
			i := strings.IndexByte(escapes, s.text[s.at])
			if i < 0 {
				return false
			}
			b = append(b, escapeds[i])
		default:
			b = append(b, c)
		}
	}
	return false
}

func (s *plainScanner) flag(into *bool) bool {
	s.next()
	rest := s.text[s.at:]
	switch {
	case len(rest) >= 4 && string(rest[:4]) == "true":
		*into = true
		s.at += 4
	case len(rest) >= 5 && string(rest[:5]) == "false":
		s.at += 5
	default:
		return false
	}
	return true
}

// long reads an integer of at most nine digits.
func (s *plainScanner) long(into *int64) bool {
	negative := s.take('-')
	start, x := s.at, int64(0)
	for ; s.at < len(s.text) && s.text[s.at]-'0' <= 9; s.at++ {
		if s.at-start == 9 {
			return false
		}
		x = 10*x + int64(s.text[s.at]-'0')
	}
	if negative {
		x = -x
	}
	*into = x
	return s.digits(start) && s.ended()
}

func (s *plainScanner) integer(into *int) bool {
	var x int64
	ok := s.long(&x)
	*into = int(x)
	return ok
}

// digits reports whether what was read since start is an integer as JSON has it.
func (s *plainScanner) digits(start int) bool {
	return s.at > start && s.text[start] != ' ' && (s.text[start] != '0' || s.at == start+1)
}

// ended reports whether a number is over.
func (s *plainScanner) ended() bool {
	if s.at == len(s.text) {
		return true
	}
	c := s.text[s.at]
	return c != '.' && c != 'e' && c != 'E'
}

// number reads digits with or without a fraction.
func (s *plainScanner) number(into *float64) bool {
	s.next()
	start := s.at
	if s.at < len(s.text) && s.text[s.at] == '-' {
		s.at++
	}
	from := s.at
	s.skipDigits()
	if !s.digits(from) {
		return false
	}
	if s.at == from+1 && from == start && s.ended() {
		*into = float64(s.text[from] - '0')
		return true
	}
	if s.at < len(s.text) && s.text[s.at] == '.' {
		s.at++
		if before := s.at; s.skipDigits() == before {
			return false
		}
	}
	x, err := strconv.ParseFloat(string(s.text[start:s.at]), 64)
	*into = x
	return err == nil && s.ended()
}

func (s *plainScanner) skipDigits() int {
	for s.at < len(s.text) && s.text[s.at]-'0' <= 9 {
		s.at++
	}
	return s.at
}

// stop reads a string or a list of strings that is not empty.
func (s *plainScanner) stop(into *stopField) bool {
	if s.next() == '"' {
		*into = make(stopField, 1)
		return s.str(&(*into)[0])
	}
	if !s.take('[') {
		return false
	}
	for {
		var one string
		if !s.str(&one) {
			return false
		}
		*into = append(*into, one)
		if !s.take(',') {
			return s.take(']')
		}
	}
}

// prompt reads a string, token ids, or lists of token ids.
func (s *plainScanner) prompt(into *promptField) bool {
	if s.next() == '"' {
		*into = make(promptField, 1)
		return s.str(&(*into)[0].text)
	}
	if !s.take('[') {
		return false
	}
	ids := make([]int32, 0, s.count())
	if s.next() != '[' {
		ids, ok := s.ids(ids)
		*into = promptField{{ids: ids}}
		return ok
	}
	*into = make(promptField, 0, 4)
	for s.take('[') {
		from := len(ids)
		var ok bool
		if ids, ok = s.ids(ids); !ok {
			return false
		}
		*into = append(*into, prompt{ids: ids[from:len(ids):len(ids)]})
		if !s.take(',') {
			return s.take(']')
		}
	}
	return false
}

// count returns how many ids there may be before the next text.
func (s *plainScanner) count() int {
	n := 1
	for _, c := range s.text[s.at:] {
		if c == ',' {
			n++
		} else if c == '"' {
			break
		}
	}
	return n
}

// ids reads at least one id and the closing bracket.
func (s *plainScanner) ids(out []int32) ([]int32, bool) {
	for {
		var x int64
		if !s.long(&x) {
			return out, false
		}
		out = append(out, int32(x))
		if !s.take(',') {
			return out, s.take(']')
		}
	}
}
