package jsonscan

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// Scanner reads JSON token by token. Strings without escapes are parts of the
// text, so that a vocabulary costs no copy, and what nobody asks for is checked
// but not kept. The standard decoder takes keys twice and repairs broken UTF-8.
type Scanner struct {
	Source string
	At     int // the next byte

	depth int
}

// MaxDepth is how deep objects and arrays may be nested.
const MaxDepth = 64

// Fail returns an error that names the place.
func (s *Scanner) Fail(format string, args ...any) error {
	return fmt.Errorf("at byte %d: %s", s.At, fmt.Sprintf(format, args...))
}

// Peek skips space and returns the next byte, 0 at the end.
func (s *Scanner) Peek() byte {
	for s.At < len(s.Source) {
		switch c := s.Source[s.At]; c {
		case ' ', '\t', '\n', '\r':
			s.At++
		default:
			return c
		}
	}
	return 0
}

// Take skips space and consumes c, if it comes next.
func (s *Scanner) Take(c byte) bool {
	if s.Peek() != c || s.At >= len(s.Source) {
		return false
	}
	s.At++
	return true
}

// Want does the same, or fails.
func (s *Scanner) Want(c byte) error {
	switch {
	case s.Take(c):
		return nil
	case s.At >= len(s.Source):
		return s.Fail("want %q, have the end", c)
	}
	return s.Fail("want %q, have %q", c, s.Source[s.At])
}

// End fails unless nothing but space is left.
func (s *Scanner) End() error {
	if s.Peek(); s.At < len(s.Source) {
		return s.Fail("text after the end of the document")
	}
	return nil
}

// Object calls member for each key, positioned at its value. Keys may repeat:
// whoever reads the object decides (see Once).
func (s *Scanner) Object(member func(key string) error) error {
	return s.List('{', '}', func(int) error {
		s.Peek()
		key, err := s.Text()
		if err == nil {
			err = s.Want(':')
		}
		if err == nil {
			err = member(key)
		}
		return err
	})
}

// Once returns a member for Object that refuses a key which comes twice.
func (s *Scanner) Once(member func(key string) error) func(key string) error {
	return s.OnceOf(0, member)
}

// OnceOf is Once with a guess at the number of keys.
func (s *Scanner) OnceOf(n int, member func(key string) error) func(key string) error {
	var seen keys
	if n > len(seen.few) {
		seen.many = newNameSet(n)
	}
	return func(key string) error {
		if !seen.add(key) {
			return s.Fail("key %.80q comes twice", key)
		}
		return member(key)
	}
}

// keys are those of an object that were read; a set only where they are many.
type keys struct {
	few  [4]string
	n    int
	many *nameSet
}

// add reports whether the key is new.
func (k *keys) add(key string) bool {
	if k.many == nil {
		if slices.Contains(k.few[:k.n], key) {
			return false
		}
		if k.n < len(k.few) {
			k.few[k.n] = key
			k.n++
			return true
		}
		k.many = newNameSet(2 * len(k.few))
		for _, f := range k.few {
			k.many.add(f)
		}
	}
	return k.many.add(key)
}

// Array calls item for each element, positioned at it.
func (s *Scanner) Array(item func(i int) error) error { return s.List('[', ']', item) }

// List calls item for each element between two brackets, for who reads keys itself.
func (s *Scanner) List(open, closing byte, item func(i int) error) error {
	if err := s.Want(open); err != nil {
		return err
	}
	if s.depth++; s.depth > MaxDepth {
		return s.Fail("nested deeper than %d", MaxDepth)
	}
	defer func() { s.depth-- }()
	if s.Take(closing) {
		return nil
	}
	for i := 0; ; i++ {
		if err := item(i); err != nil {
			return err
		}
		if s.Take(closing) {
			return nil
		}
		if err := s.Want(','); err != nil {
			return err
		}
	}
}

// Uint reads a whole number that is not negative, written without sign, fraction or
// exponent.
func (s *Scanner) Uint() (uint64, error) {
	s.Peek()
	from, n := s.At, uint64(0)
	for s.At < len(s.Source) && s.Source[s.At] >= '0' && s.Source[s.At] <= '9' {
		n = 10*n + uint64(s.Source[s.At]-'0')
		s.At++
	}
	digits := s.Source[from:s.At]
	if digits == "" || s.At < len(s.Source) && strings.IndexByte(".eE", s.Source[s.At]) >= 0 {
		return 0, s.Fail("want a whole number")
	}
	if len(digits) > 1 && digits[0] == '0' {
		return 0, s.Fail("number with a leading zero")
	}
	if len(digits) < 20 {
		return n, nil
	}
	n, err := strconv.ParseUint(digits, 10, 64)
	if err != nil {
		return 0, s.Fail("number %.40s is too large for the limit of 64 bits", digits)
	}
	return n, nil
}

// Text reads a string.
func (s *Scanner) Text() (string, error) {
	if err := s.Want('"'); err != nil {
		return "", err
	}
	from := s.At
	if n := strings.IndexByte(s.Source[from:], '"'); n >= 0 && isPlain(s.Source[from:from+n]) {
		s.At += n + 1
		return s.Source[from : from+n], nil
	}
	for s.At < len(s.Source) {
		switch c := s.Source[s.At]; {
		case c == '"':
			raw := s.Source[from:s.At]
			s.At++
			if !utf8.ValidString(raw) {
				return "", s.Fail("string is not valid UTF-8")
			}
			return raw, nil
		case c == '\\':
			return s.escaped(from)
		case c < 0x20:
			return "", s.Fail("control character in a string")
		}
		s.At++
	}
	return "", s.Fail("string without end")
}

// isPlain reports whether a text is ASCII without control characters and backslashes.
// It looks at eight bytes at once, in the manner of S. E. Anderson, Bit Twiddling
// Hacks, "Determine if a word has a byte less than n".
func isPlain(s string) bool {
	const ones, high = 0x0101_0101_0101_0101, 0x8080_8080_8080_8080
	for ; len(s) >= 8; s = s[8:] {
		w := binary.LittleEndian.Uint64([]byte(s[:8]))
		slash := w ^ '\\'*ones
		if (w|(w-' '*ones)|(slash-ones))&high != 0 {
			return false
		}
	}
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x80 || s[i] == '\\' {
			return false
		}
	}
	return true
}

// escaped reads on in a string that began at from and has a backslash next.
func (s *Scanner) escaped(from int) (string, error) {
	out := []byte(s.Source[from:s.At])
	for s.At < len(s.Source) {
		c := s.Source[s.At]
		switch {
		case c == '"':
			s.At++
			if !utf8.Valid(out) {
				return "", s.Fail("string is not valid UTF-8")
			}
			return string(out), nil
		case c < 0x20:
			return "", s.Fail("control character in a string")
		case c != '\\':
			out = append(out, c)
			s.At++
			continue
		}
		r, err := s.escape()
		if err != nil {
			return "", err
		}
		out = utf8.AppendRune(out, r)
	}
	return "", s.Fail("string without end")
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

// escape reads one escape sequence; of a surrogate pair both halves.
func (s *Scanner) escape() (rune, error) {
	if s.At+1 >= len(s.Source) {
		return 0, s.Fail("string without end")
	}
	c := s.Source[s.At+1]
	if r, ok := escapes[c]; ok {
		s.At += 2
		return r, nil
	}
	if c != 'u' {
		return 0, s.Fail("unknown escape")
	}
	r, err := s.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if s.At+1 >= len(s.Source) || s.Source[s.At] != '\\' || s.Source[s.At+1] != 'u' {
		return 0, s.Fail("half of a surrogate pair")
	}
	low, err := s.hex4()
	if err != nil {
		return 0, err
	}
	if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
		return 0, s.Fail("half of a surrogate pair")
	}
	return r, nil
}

func (s *Scanner) hex4() (rune, error) {
	if s.At+6 > len(s.Source) {
		return 0, s.Fail("string without end")
	}
	n, err := strconv.ParseUint(s.Source[s.At+2:s.At+6], 16, 16)
	if err != nil {
		return 0, s.Fail("want four hexadecimal digits")
	}
	s.At += 6
	return rune(n), nil
}

// Skip reads any value and returns where it stands.
func (s *Scanner) Skip() (Span, error) {
	c := s.Peek()
	from := s.At
	var err error
	switch c {
	case '{':
		err = s.Object(func(string) error { _, err := s.Skip(); return err })
	case '[':
		err = s.Array(func(int) error { _, err := s.Skip(); return err })
	case '"':
		_, err = s.Text()
	default:
		err = s.scalar()
	}
	return Span{from, s.At}, err
}

// scalar reads a number, true, false or null.
func (s *Scanner) scalar() error {
	from := s.At
	for s.At < len(s.Source) && strings.IndexByte(" \t\n\r,]}:{[\"", s.Source[s.At]) < 0 {
		s.At++
	}
	// What is no object, array or string is read by the standard decoder's rules.
	if word := s.Source[from:s.At]; len(word) > 400 || !json.Valid([]byte(word)) {
		s.At = from
		return s.Fail("want a value, have %.20q", word)
	}
	return nil
}

// Span is where a value stands in a text.
type Span struct{ Begin, End int }

// Of returns the text of the value.
func (p Span) Of(source string) string { return source[p.Begin:p.End] }

// Member is a key of an object with the place of its value.
type Member struct {
	Key string
	Span
}

// maxMembers is the largest number of keys of an object that Members keeps.
const maxMembers = 100_000

// Members reads an object and refuses a key that comes twice.
func (s *Scanner) Members() ([]Member, error) {
	var out []Member
	err := s.Object(s.Once(func(key string) error {
		if len(out) >= maxMembers {
			return s.Fail("more than %d keys", maxMembers)
		}
		value, err := s.Skip()
		out = append(out, Member{key, value})
		return err
	}))
	return out, err
}

// Document reads a text that is one object. With the places of its values one can
// be replaced without writing the rest anew.
func Document(text string) ([]Member, error) {
	s := &Scanner{Source: text}
	out, err := s.Members()
	if err == nil {
		err = s.End()
	}
	return out, err
}
