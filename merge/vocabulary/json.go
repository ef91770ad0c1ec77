package vocabulary

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON token by token. Strings without escapes are parts of the
// text, so that a vocabulary costs no copy, and what nobody asks for is checked
// but not kept. The standard decoder takes keys twice and repairs broken UTF-8.
type scanner struct {
	text  string
	at    int
	depth int
}

const maxDepth = 64

func (s *scanner) fail(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %s", s.at, fmt.Sprintf(format, args...))
}

// peek skips space and returns the next byte, 0 at the end.
func (s *scanner) peek() byte {
	for s.at < len(s.text) {
		switch c := s.text[s.at]; c {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return c
		}
	}
	return 0
}

func (s *scanner) take(c byte) bool {
	if s.peek() != c || s.at >= len(s.text) {
		return false
	}
	s.at++
	return true
}

func (s *scanner) want(c byte) error {
	switch {
	case s.take(c):
		return nil
	case s.at >= len(s.text):
		return s.fail("want %q, have the end", c)
	}
	return s.fail("want %q, have %q", c, s.text[s.at])
}

func (s *scanner) end() error {
	if s.peek(); s.at < len(s.text) {
		return s.fail("text after the end of the document")
	}
	return nil
}

// object calls member for each key, positioned at its value. Keys may repeat:
// whoever reads the object decides.
func (s *scanner) object(member func(key string) error) error {
	return s.list('{', '}', func(int) error {
		s.peek()
		key, err := s.string()
		if err == nil {
			err = s.want(':')
		}
		if err == nil {
			err = member(key)
		}
		return err
	})
}

func (s *scanner) array(item func(i int) error) error { return s.list('[', ']', item) }

func (s *scanner) list(open, closing byte, item func(i int) error) error {
	if err := s.want(open); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.take(closing) {
		return nil
	}
	for i := 0; ; i++ {
		if err := item(i); err != nil {
			return err
		}
		if s.take(closing) {
			return nil
		}
		if err := s.want(','); err != nil {
			return err
		}
	}
}

// id reads a whole number from 0 to maxID.
func (s *scanner) id() (int32, error) {
	s.peek()
	from := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	digits := s.text[from:s.at]
	if digits == "" || len(digits) > 1 && digits[0] == '0' || s.at < len(s.text) && strings.IndexByte(".eE", s.text[s.at]) >= 0 {
		return 0, s.fail("want a whole number")
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil || n > maxID {
		return 0, s.fail("id %.20s is more than the limit of %d", digits, maxID)
	}
	return int32(n), nil
}

func (s *scanner) string() (string, error) {
	if err := s.want('"'); err != nil {
		return "", err
	}
	from := s.at
	for s.at < len(s.text) {
		switch c := s.text[s.at]; {
		case c == '"':
			raw := s.text[from:s.at]
			s.at++
			if !utf8.ValidString(raw) {
				return "", s.fail("string is not valid UTF-8")
			}
			return raw, nil
		case c == '\\':
			return s.escaped(from)
		case c < 0x20:
			return "", s.fail("control character in a string")
		}
		s.at++
	}
	return "", s.fail("string without end")
}

// escaped reads on in a string that began at from and has a backslash next.
func (s *scanner) escaped(from int) (string, error) {
	out := []byte(s.text[from:s.at])
	for s.at < len(s.text) {
		c := s.text[s.at]
		switch {
		case c == '"':
			s.at++
			if !utf8.Valid(out) {
				return "", s.fail("string is not valid UTF-8")
			}
			return string(out), nil
		case c < 0x20:
			return "", s.fail("control character in a string")
		case c != '\\':
			out = append(out, c)
			s.at++
			continue
		}
		r, err := s.escape()
		if err != nil {
			return "", err
		}
		out = utf8.AppendRune(out, r)
	}
	return "", s.fail("string without end")
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads one escape sequence; of a surrogate pair both halves.
func (s *scanner) escape() (rune, error) {
	if s.at+1 >= len(s.text) {
		return 0, s.fail("string without end")
	}
	c := s.text[s.at+1]
	if r, ok := escapes[c]; ok {
		s.at += 2
		return r, nil
	}
	if c != 'u' {
		return 0, s.fail("unknown escape")
	}
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if s.at+1 >= len(s.text) || s.text[s.at] != '\\' || s.text[s.at+1] != 'u' {
		return 0, s.fail("half of a surrogate pair")
	}
	low, err := s.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, s.fail("half of a surrogate pair")
	}
	return r, nil
}

func (s *scanner) hex4() (rune, error) {
	if s.at+6 > len(s.text) {
		return 0, s.fail("string without end")
	}
	n, err := strconv.ParseUint(s.text[s.at+2:s.at+6], 16, 16)
	if err != nil {
		return 0, s.fail("want four hexadecimal digits")
	}
	s.at += 6
	return rune(n), nil
}

// skip reads any value and returns where it stands.
func (s *scanner) skip() (span, error) {
	c := s.peek()
	from := s.at
	var err error
	switch c {
	case '{':
		err = s.object(func(string) error { _, err := s.skip(); return err })
	case '[':
		err = s.array(func(int) error { _, err := s.skip(); return err })
	case '"':
		_, err = s.string()
	default:
		err = s.scalar()
	}
	return span{from, s.at}, err
}

// scalar reads a number, true, false or null.
func (s *scanner) scalar() error {
	from := s.at
	for s.at < len(s.text) && strings.IndexByte(" \t\n\r,]}:{[\"", s.text[s.at]) < 0 {
		s.at++
	}
	// What is no object, array or string is read by the standard decoder's rules.
	if word := s.text[from:s.at]; len(word) > 400 || !json.Valid([]byte(word)) {
		s.at = from
		return s.fail("want a value, have %.20q", word)
	}
	return nil
}

// span is where a value stands in a text.
type span struct{ begin, end int }

func (p span) of(text string) string { return text[p.begin:p.end] }

// member is a key of an object with the place of its value.
type member struct {
	key   string
	value span
}

// maxMembers is the largest number of keys of an object that is edited.
const maxMembers = 100_000

// members reads an object and refuses a key that comes twice.
func (s *scanner) members() ([]member, error) {
	var out []member
	seen := map[string]struct{}{}
	err := s.object(func(key string) error {
		if _, twice := seen[key]; twice {
			return s.fail("key %.80q comes twice", key)
		}
		if len(out) >= maxMembers {
			return s.fail("more than %d keys", maxMembers)
		}
		seen[key] = struct{}{}
		value, err := s.skip()
		out = append(out, member{key, value})
		return err
	})
	return out, err
}

// document reads a text that is one object.
func document(text string) ([]member, error) {
	s := &scanner{text: text}
	out, err := s.members()
	if err == nil {
		err = s.end()
	}
	return out, err
}

// quote writes a string as JSON without escaping what need not be.
func quote(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic("vocabulary: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
