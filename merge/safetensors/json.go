package safetensors

import (
	"fmt"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// scanner reads JSON token by token. The standard decoder is too forgiving for
// hostile input: it takes keys twice, in any case, ignores surplus items and
// repairs broken UTF-8.
type scanner struct {
	text  []byte
	at    int
	depth int
}

const maxDepth = 64

func (s *scanner) fail(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %s", s.at, fmt.Sprintf(format, args...))
}

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

// take skips space and consumes c, if it comes next.
func (s *scanner) take(c byte) bool {
	s.space()
	if s.at < len(s.text) && s.text[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) want(c byte) error {
	if s.take(c) {
		return nil
	}
	if s.at >= len(s.text) {
		return s.fail("want %q, have the end", c)
	}
	return s.fail("want %q, have %q", c, s.text[s.at])
}

// end fails unless nothing but space is left.
func (s *scanner) end() error {
	s.space()
	if s.at < len(s.text) {
		return s.fail("text after the end of the document")
	}
	return nil
}

// object reads an object and calls member for each key, positioned at its value.
// A key that comes twice is refused.
func (s *scanner) object(member func(key string) error) error {
	if err := s.want('{'); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.take('}') {
		return nil
	}
	seen := map[string]struct{}{}
	for {
		key, err := s.string()
		if err != nil {
			return err
		}
		if _, twice := seen[key]; twice {
			return s.fail("key %.80q comes twice", key)
		}
		seen[key] = struct{}{}
		if err := s.want(':'); err != nil {
			return err
		}
		if err := member(key); err != nil {
			return err
		}
		if s.take('}') {
			return nil
		}
		if err := s.want(','); err != nil {
			return err
		}
	}
}

// array reads an array and calls item for each element, positioned at it.
func (s *scanner) array(item func(i int) error) error {
	if err := s.want('['); err != nil {
		return err
	}
	if s.depth++; s.depth > maxDepth {
		return s.fail("nested deeper than %d", maxDepth)
	}
	defer func() { s.depth-- }()
	if s.take(']') {
		return nil
	}
	for i := 0; ; i++ {
		if err := item(i); err != nil {
			return err
		}
		if s.take(']') {
			return nil
		}
		if err := s.want(','); err != nil {
			return err
		}
	}
}

// uint reads a whole number that is not negative, written without sign, fraction
// or exponent.
func (s *scanner) uint() (uint64, error) {
	s.space()
	from := s.at
	for s.at < len(s.text) && s.text[s.at] >= '0' && s.text[s.at] <= '9' {
		s.at++
	}
	digits := s.text[from:s.at]
	if len(digits) == 0 {
		return 0, s.fail("want a whole number")
	}
	if len(digits) > 1 && digits[0] == '0' {
		return 0, s.fail("number with a leading zero")
	}
	if s.at < len(s.text) && (s.text[s.at] == '.' || s.text[s.at] == 'e' || s.text[s.at] == 'E') {
		return 0, s.fail("want a whole number")
	}
	n, err := strconv.ParseUint(string(digits), 10, 64)
	if err != nil {
		return 0, s.fail("number %.40s is too large", digits)
	}
	return n, nil
}

// string reads a string.
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
			if !utf8.Valid(raw) {
				return "", s.fail("string is not valid UTF-8")
			}
			return string(raw), nil
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
	out := append([]byte(nil), s.text[from:s.at]...)
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
	n, err := strconv.ParseUint(string(s.text[s.at+2:s.at+6]), 16, 16)
	if err != nil {
		return 0, s.fail("want four hexadecimal digits")
	}
	s.at += 6
	return rune(n), nil
}

// skip reads any value and returns its text.
func (s *scanner) skip() ([]byte, error) {
	s.space()
	from := s.at
	if s.at >= len(s.text) {
		return nil, s.fail("want a value, have the end")
	}
	var err error
	switch c := s.text[s.at]; {
	case c == '{':
		err = s.object(func(string) error { _, err := s.skip(); return err })
	case c == '[':
		err = s.array(func(int) error { _, err := s.skip(); return err })
	case c == '"':
		_, err = s.string()
	default:
		err = s.scalar()
	}
	return s.text[from:s.at], err
}

// scalar reads a number, true, false or null.
func (s *scanner) scalar() error {
	from := s.at
	for s.at < len(s.text) && !isDelimiter(s.text[s.at]) {
		s.at++
	}
	word := string(s.text[from:s.at])
	switch word {
	case "true", "false", "null":
		return nil
	}
	if !validNumber(word) {
		s.at = from
		return s.fail("want a value, have %.20q", word)
	}
	return nil
}

func isDelimiter(c byte) bool {
	switch c {
	case ' ', '\t', '\n', '\r', ',', ']', '}', ':', '{', '[', '"':
		return true
	}
	return false
}

// validNumber follows the grammar of RFC 8259, section 6.
func validNumber(w string) bool {
	digits := func() bool {
		n := 0
		for n < len(w) && w[n] >= '0' && w[n] <= '9' {
			n++
		}
		w = w[n:]
		return n > 0
	}
	if len(w) > 0 && w[0] == '-' {
		w = w[1:]
	}
	if len(w) > 1 && w[0] == '0' && w[1] >= '0' && w[1] <= '9' || !digits() {
		return false
	}
	if len(w) > 0 && w[0] == '.' {
		if w = w[1:]; !digits() {
			return false
		}
	}
	if len(w) > 0 && (w[0] == 'e' || w[0] == 'E') {
		if w = w[1:]; len(w) > 0 && (w[0] == '+' || w[0] == '-') {
			w = w[1:]
		}
		return digits() && w == ""
	}
	return w == ""
}

// Span is where the value of a key stands in the text of a JSON object.
type Span struct {
	Key        string
	Begin, End int
}

// ObjectSpans checks that text is one JSON object without repeated keys and
// returns where the values at its top level stand. It lets a value be replaced
// without writing the rest anew.
func ObjectSpans(text []byte) ([]Span, error) {
	s := &scanner{text: text}
	var spans []Span
	err := s.object(func(key string) error {
		s.space()
		begin := s.at
		_, err := s.skip()
		spans = append(spans, Span{Key: key, Begin: begin, End: s.at})
		return err
	})
	if err == nil {
		err = s.end()
	}
	return spans, err
}
