package eval

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"
)

// scanner reads JSON from memory, one value at a time, and skips what nobody
// asked for. encoding/json spends most of a small request's time on responses;
// this reads the same texts (a fuzz test holds it to that) in a tenth of it.
type scanner struct {
	text []byte
	at   int

	values, best []float64 // scratch of one list of log-probabilities
}

var nan = math.NaN()

// truncated is the error of a text that ends within a value.
func truncated() error { return io.ErrUnexpectedEOF }

func (s *scanner) space() {
	for s.at < len(s.text) {
		switch s.text[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

// next returns the first byte of the next value, 0 at the end.
func (s *scanner) next() byte {
	s.space()
	if s.at == len(s.text) {
		return 0
	}
	return s.text[s.at]
}

func (s *scanner) unexpected(want string) error {
	if s.next() == 0 && s.at == len(s.text) {
		return truncated()
	}
	return fmt.Errorf("want %s, found %q at byte %d", want, s.text[s.at], s.at)
}

// object reads an object and calls each with every key, with the value next; each
// must read it.
func (s *scanner) object(each func(key []byte) error) error {
	if s.next() != '{' {
		return s.unexpected("an object")
	}
	s.at++
	if s.next() == '}' {
		s.at++
		return nil
	}
	for {
		key, err := s.raw()
		if err != nil {
			return err
		}
		if s.next() != ':' {
			return s.unexpected("a colon")
		}
		s.at++
		if err := each(key); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.at++
		case '}':
			s.at++
			return nil
		default:
			return s.unexpected("a comma or the end of the object")
		}
	}
}

// array reads an array and calls each with the next element to be read.
func (s *scanner) array(each func() error) error {
	if s.next() != '[' {
		return s.unexpected("an array")
	}
	s.at++
	if s.next() == ']' {
		s.at++
		return nil
	}
	for {
		if err := each(); err != nil {
			return err
		}
		switch s.next() {
		case ',':
			s.at++
		case ']':
			s.at++
			return nil
		default:
			return s.unexpected("a comma or the end of the array")
		}
	}
}

// raw returns the bytes between the quotes of a string, escapes untouched.
func (s *scanner) raw() ([]byte, error) {
	if s.next() != '"' {
		return nil, s.unexpected("a string")
	}
	text := s.text
	for i := s.at + 1; i < len(text); i++ {
		if !special[text[i]] {
			continue
		}
		switch c := text[i]; {
		case c == '"':
			out := text[s.at+1 : i]
			s.at = i + 1
			return out, nil
		case c == '\\':
			i++
		case c < ' ':
			return nil, fmt.Errorf("control character in a string at byte %d", i)
		}
	}
	s.at = len(text)
	return nil, truncated()
}

// special are the bytes that end or change something: in a string quotes,
// backslashes and control characters, outside of one quotes and brackets.
var special = func() (t [256]bool) {
	for _, c := range `"\{}[]` {
		t[c] = true
	}
	for c := range ' ' {
		t[c] = true
	}
	return t
}()

// str reads a string; null gives "".
func (s *scanner) str() (string, error) {
	if s.null() {
		return "", nil
	}
	start := s.at
	raw, err := s.raw()
	if err != nil {
		return "", err
	}
	if bytes.IndexByte(raw, '\\') < 0 && utf8.Valid(raw) {
		return string(raw), nil
	}
	var out string
	if err := json.Unmarshal(bytes.TrimSpace(s.text[start:s.at]), &out); err != nil {
		return "", fmt.Errorf("string at byte %d: %w", start, err)
	}
	return out, nil
}

// null reads null if it is next.
func (s *scanner) null() bool { return s.word("null") }

func (s *scanner) word(w string) bool {
	if s.next() != w[0] || s.at+len(w) > len(s.text) || string(s.text[s.at:s.at+len(w)]) != w {
		return false
	}
	s.at += len(w)
	return true
}

// number reads a number; null and NaN give NaN. NaN and Infinity are not JSON,
// but Python servers write them.
func (s *scanner) number() (float64, error) {
	if c := s.next(); c-'0' > 9 { // most are digits, or a minus and digits
		switch {
		case c == '-' && s.at+1 < len(s.text) && s.text[s.at+1]-'0' <= 9:
		case s.null(), s.word("NaN"):
			return math.NaN(), nil
		case s.word("-Infinity"):
			return math.Inf(-1), nil
		case s.word("Infinity"):
			return math.Inf(1), nil
		}
	}
	start := s.at
	for s.at < len(s.text) && numeral(s.text[s.at]) {
		s.at++
	}
	if start == s.at {
		return 0, s.unexpected("a number")
	}
	if s.at == len(s.text) {
		return 0, truncated() // the rest of its digits may be missing
	}
	x, err := strconv.ParseFloat(string(s.text[start:s.at]), 64)
	if err != nil {
		return 0, fmt.Errorf("%q at byte %d is not a number", s.text[start:s.at], start)
	}
	return x, nil
}

// skipNegative passes over a number below zero, if one is next.
func (s *scanner) skipNegative() bool {
	if s.next() != '-' || s.at+1 == len(s.text) || s.text[s.at+1]-'0' > 9 {
		return false
	}
	for s.at++; s.at < len(s.text) && numeral(s.text[s.at]); s.at++ {
	}
	return true
}

func numeral(c byte) bool { return numerals[c] }

// numerals are the bytes that numbers are made of.
var numerals = func() (t [256]bool) {
	for _, c := range "0123456789-+.eE" {
		t[c] = true
	}
	return t
}()

// skip passes over a value of any kind. It follows strings and counts brackets,
// and so finds the end of every well-formed value and notices a text that is cut
// off, but lets some that are not well-formed pass.
func (s *scanner) skip() error {
	switch c := s.next(); {
	case c == '"':
		_, err := s.raw()
		return err
	case c == '{' || c == '[':
		return s.skipNested()
	case s.word("true"), s.word("false"):
		return nil
	default:
		_, err := s.number()
		return err
	}
}

// skipNested passes over an object or array.
func (s *scanner) skipNested() error {
	depth := 0
	text := s.text
	for i := s.at; i < len(text); i++ {
		if !special[text[i]] {
			continue
		}
		switch text[i] {
		case '"': // as in raw, without its bookkeeping
			for i++; i < len(text) && text[i] != '"'; i++ {
				if c := text[i]; c == '\\' {
					i++
				} else if c < ' ' {
					return fmt.Errorf("control character in a string at byte %d", i)
				}
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				s.at = i + 1
				return nil
			}
		}
	}
	s.at = len(text)
	return truncated()
}
