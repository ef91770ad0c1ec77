package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

type kind byte

const (
	endOfSource kind = iota
	data
	beginPrint
	endPrint
	beginTag
	endTag
	name
	quoted
	integer
	float
	operator
)

// token is a piece of a template. Its text is unescaped for a quoted string.
type token struct {
	kind   kind
	text   string
	number any // int64 or float64
	at     int // 1-based, in code points
}

func (t token) is(op string) bool    { return t.kind == operator && t.text == op }
func (t token) isName(w string) bool { return t.kind == name && t.text == w }
func (t token) isWord(w ...string) bool {
	for _, x := range w {
		if t.isName(x) {
			return true
		}
	}
	return false
}

// operators, longer ones first.
var operators = []string{
	"//", "**", "==", "!=", ">=", "<=",
	"+", "-", "/", "*", "%", "~", "[", "]", "(", ")", "{", "}", ">", "<", "=", ".", ":", "|", ",", ";",
}

var closing = map[string]string{"(": ")", "[": "]", "{": "}"}

// scanner cuts a template into tokens.
type scanner struct {
	source string
	at     int // byte
	column int // code points before at
	tokens []token
	open   []string // the brackets that wait to be closed

	blocks bool // trim_blocks and lstrip_blocks are set
}

// scan cuts the source, whose lines end in "\n", into tokens. With blocks a line
// that holds a statement or comment alone leaves nothing behind.
func scan(source string, blocks bool) ([]token, error) {
	s := &scanner{source: source, blocks: blocks}
	for s.at < len(source) {
		i := nextTag(source[s.at:])
		if i < 0 {
			s.text(source[s.at:])
			s.skip(len(source) - s.at)
			break
		}
		s.text(s.before(source[s.at:s.at+i], source[s.at+i+1] == '{', source[s.at+i+2:]))
		s.skip(i)
		if err := s.tag(); err != nil {
			return nil, err
		}
	}
	s.add(token{kind: endOfSource})
	return s.tokens, nil
}

// before is the text in front of a tag, which goes on with rest.
func (s *scanner) before(text string, prints bool, rest string) string {
	switch {
	case strings.HasPrefix(rest, "-"):
		return strings.TrimRightFunc(text, IsSpace)
	case prints || !s.blocks || strings.HasPrefix(rest, "+"):
		return text
	}
	line := strings.LastIndexByte(text, '\n') + 1
	if line == 0 && s.at > 0 && s.source[s.at-1] != '\n' || strings.TrimLeftFunc(text[line:], IsSpace) != "" {
		return text
	}
	return text[:line]
}

// endLine takes the end of the line after a statement or comment.
func (s *scanner) endLine() {
	if s.blocks && strings.HasPrefix(s.rest(), "\n") {
		s.skip(1)
	}
}

func nextTag(s string) int {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '{' && (s[i+1] == '{' || s[i+1] == '%' || s[i+1] == '#') {
			return i
		}
	}
	return -1
}

func (s *scanner) text(t string) {
	if t != "" {
		s.add(token{kind: data, text: t})
	}
}

func (s *scanner) add(t token) {
	t.at = s.column + 1
	s.tokens = append(s.tokens, t)
}

func (s *scanner) skip(n int) {
	s.column += utf8.RuneCountInString(s.source[s.at : s.at+n])
	s.at += n
}

func (s *scanner) rest() string { return s.source[s.at:] }

func (s *scanner) skipSpace() {
	s.skip(len(s.rest()) - len(strings.TrimLeftFunc(s.rest(), IsSpace)))
}

// tag scans what starts with {{, {% or {#, and white space after a closing with -.
func (s *scanner) tag() error {
	start := s.column + 1
	opening := s.rest()[:2]
	s.skip(2)
	if sign := s.rest(); strings.HasPrefix(sign, "-") || strings.HasPrefix(sign, "+") {
		s.skip(1)
	}
	switch {
	case opening == "{#":
		i := strings.Index(s.rest(), "#}")
		if s.rest() == "" { // Jinja takes an opening at the very end
			return nil
		}
		if i < 0 {
			return fault(start, "comment without its closing #}")
		}
		sign := byte(0)
		if i > 0 {
			sign = s.rest()[i-1]
		}
		s.skip(i + 2)
		s.after(sign)
		return nil
	case opening == "{%" && s.raw("raw"):
		return s.rawText(start)
	}
	kind, end, closer := beginPrint, endPrint, "}}"
	if opening == "{%" {
		kind, end, closer = beginTag, endTag, "%}"
	}
	s.tokens = append(s.tokens, token{kind: kind, text: opening, at: start})
	s.open = nil
	for {
		s.skipSpace()
		rest := s.rest()
		if len(s.open) == 0 {
			sign := len(rest) > 0 && (rest[0] == '-' || rest[0] == '+' && end == endTag)
			switch {
			case strings.HasPrefix(rest, closer):
				s.add(token{kind: end, text: closer})
				s.skip(2)
				if end == endTag {
					s.after(0)
				}
				return nil
			case sign && strings.HasPrefix(rest[1:], closer):
				s.add(token{kind: end, text: closer})
				s.skip(3)
				s.after(rest[0])
				return nil
			}
		}
		if rest == "" {
			return fault(start, opening+" without its closing "+closer)
		}
		if err := s.token(); err != nil {
			return err
		}
	}
}

// after takes what belongs to the closing of a statement or comment with a sign.
func (s *scanner) after(sign byte) {
	switch sign {
	case '-':
		s.skipSpace()
	case '+':
	default:
		s.endLine()
	}
}

// raw takes the rest of {% raw %} or {% endraw %}, whose sign is already taken.
func (s *scanner) raw(word string) bool {
	rest := strings.TrimLeftFunc(s.rest(), IsSpace)
	if !strings.HasPrefix(rest, word) {
		return false
	}
	rest = strings.TrimLeftFunc(rest[len(word):], IsSpace)
	sign := len(rest) > 0 && (rest[0] == '-' || rest[0] == '+' && word == "endraw")
	strip := sign && rest[0] == '-'
	if sign {
		rest = rest[1:]
	}
	if !strings.HasPrefix(rest, "%}") {
		return false
	}
	s.skip(len(s.rest()) - len(rest) + 2)
	switch {
	case strip:
		s.skipSpace()
	case !sign && word == "endraw":
		s.endLine()
	}
	return true
}

// rawText takes the text up to {% endraw %} as it is.
func (s *scanner) rawText(start int) error {
	for i := 0; s.rest() != ""; {
		j := strings.Index(s.rest()[i:], "{%")
		if j < 0 {
			return fault(start, "{% raw %} without its {% endraw %}")
		}
		i += j
		end := scanner{source: s.source, at: s.at + i + 2, blocks: s.blocks}
		rest := end.rest()
		if strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, "+") {
			end.skip(1)
		}
		if !end.raw("endraw") {
			i += 2
			continue
		}
		s.text(s.before(s.rest()[:i], false, rest))
		s.skip(end.at - s.at)
		return nil
	}
	return nil // Jinja takes an opening at the very end
}

// token scans one token inside a tag.
func (s *scanner) token() error {
	rest := s.rest()
	switch c := rest[0]; {
	case isDigit(c):
		return s.numeral()
	case c == '"' || c == '\'':
		return s.quoted()
	}
	if n := wordLength(rest); n > 0 {
		s.add(token{kind: name, text: rest[:n]})
		s.skip(n)
		return nil
	}
	for _, op := range operators {
		if !strings.HasPrefix(rest, op) {
			continue
		}
		if c := closing[op]; c != "" {
			s.open = append(s.open, c)
		}
		if op == ")" || op == "]" || op == "}" {
			if len(s.open) == 0 || s.open[len(s.open)-1] != op {
				return fault(s.column+1, fmt.Sprintf("%q closes nothing", op))
			}
			s.open = s.open[:len(s.open)-1]
		}
		s.add(token{kind: operator, text: op})
		s.skip(len(op))
		return nil
	}
	r, _ := utf8.DecodeRuneInString(rest)
	return fault(s.column+1, fmt.Sprintf("%q has no meaning here", r))
}

// wordLength is the length in bytes of the name that s starts with.
func wordLength(s string) int {
	for i, r := range s {
		letter := r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r)
		if !letter && (i == 0 || !unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc)) {
			return i
		}
	}
	return len(s)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// numeral scans a number: digits with single underscores between them, a fraction
// or exponent, or a prefix 0x, 0o, 0b.
func (s *scanner) numeral() error {
	afterDot := s.at > 0 && s.source[s.at-1] == '.'
	n, whole := numeralLength(s.rest(), !afterDot)
	if n == 0 {
		return fault(s.column+1, "a whole number cannot start with 0")
	}
	text := s.rest()[:n]
	v, ok := parseNumeral(text, whole)
	if !ok {
		return unsupported(s.column+1, "the number "+text+", which does not fit 64 bits,")
	}
	kind := float
	if whole {
		kind = integer
	}
	s.add(token{kind: kind, text: text, number: v})
	s.skip(n)
	return nil
}

// numeralLength is the length of the number that s starts with and whether it is
// whole; 0 if there is none.
func numeralLength(s string, mayBeFloat bool) (n int, whole bool) {
	digits := func(from int, ok func(byte) bool) int {
		i := from
		for i < len(s) && ok(s[i]) || i > from && i+1 < len(s) && s[i] == '_' && ok(s[i+1]) {
			i++
		}
		return i
	}
	n = digits(0, isDigit)
	if mayBeFloat && n > 0 {
		end := n
		if end+1 < len(s) && s[end] == '.' && isDigit(s[end+1]) {
			end = digits(end+1, isDigit)
		}
		if end < len(s) && s[end]|0x20 == 'e' {
			i := end + 1
			if i < len(s) && (s[i] == '+' || s[i] == '-') {
				i++
			}
			if i < len(s) && isDigit(s[i]) {
				end = digits(i, isDigit)
			}
		}
		if end > n {
			return end, false
		}
	}
	if len(s) > 2 && s[0] == '0' {
		base := map[byte]func(byte) bool{
			'b': func(c byte) bool { return c == '0' || c == '1' },
			'o': func(c byte) bool { return c >= '0' && c <= '7' },
			'x': func(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'f' },
		}[s[1]|0x20]
		if base != nil {
			from := 2
			if s[2] == '_' {
				from = 3
			}
			if end := digits(from, base); end > from {
				return end, true
			}
		}
	}
	if n > 1 && s[0] == '0' && strings.Trim(s[:n], "0_") != "" {
		return 0, true
	}
	return n, true
}

// parseNumeral reads what numeralLength found; ok is false for a whole number that
// does not fit.
func parseNumeral(text string, whole bool) (v any, ok bool) {
	text = strings.ReplaceAll(text, "_", "")
	if !whole {
		x, err := strconv.ParseFloat(text, 64)
		return x, err == nil || math.IsInf(x, 0)
	}
	base := 10
	if len(text) > 2 {
		if b := map[byte]int{'b': 2, 'o': 8, 'x': 16}[text[1]|0x20]; b > 0 {
			text, base = text[2:], b
		}
	}
	n, err := strconv.ParseInt(text, base, 64)
	return n, err == nil
}

// quoted scans a string. Jinja hands its inside to Python's unicode-escape, whose
// escapes are then those of a Python string.
func (s *scanner) quoted() error {
	rest := s.rest()
	for i := 1; i < len(rest); i++ {
		switch rest[i] {
		case '\\':
			i++
		case rest[0]:
			text, err := unescape(asciiEscapes(rest[1:i]))
			if err != nil {
				return place(err, s.column+1)
			}
			s.add(token{kind: quoted, text: text})
			s.skip(i + 1)
			return nil
		}
	}
	return fault(s.column+1, "text without its closing quote")
}

// asciiEscapes writes what is not ASCII as an escape, so that a backslash in front
// of it acts on the escape's own backslash, as it does in Jinja.
func asciiEscapes(s string) string {
	if !strings.Contains(s, "\\") {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r < 0x80:
			b.WriteRune(r)
		case r <= 0xff:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r <= 0xffff:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
	}
	return b.String()
}

var simpleEscapes = map[byte]string{
	'\n': "", '\\': "\\", '\'': "'", '"': "\"", 'a': "\a", 'b': "\b", 'f': "\f", 'n': "\n", 'r': "\r", 't': "\t", 'v': "\v",
}

// notInName tells what the name of a character cannot hold.
func notInName(r rune) bool {
	return r != ' ' && r != '-' && (r >= utf8.RuneSelf || !unicode.IsLetter(r) && !unicode.IsDigit(r))
}

// unescape replaces the escapes of a Python string; an unknown one stays as it is.
func unescape(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			i++
			continue
		}
		if i+1 == len(s) {
			return "", errors.New("a backslash at the end of a string")
		}
		c := s[i+1]
		i += 2
		if x, ok := simpleEscapes[c]; ok {
			b.WriteString(x)
			continue
		}
		digits, base := map[byte]int{'x': 2, 'u': 4, 'U': 8}[c], 16
		switch {
		case c == 'N':
			name, _, closed := strings.Cut(s[i:], "}")
			if !closed || len(name) < 2 || name[0] != '{' || strings.IndexFunc(name[1:], notInName) >= 0 {
				return "", errors.New(`the escape \N lacks the name of a character`)
			}
			return "", refuse(`the escape \N`)
		case c >= '0' && c <= '7':
			i--
			base = 8
			for digits < 3 && i+digits < len(s) && s[i+digits] >= '0' && s[i+digits] <= '7' {
				digits++
			}
		case digits == 0:
			b.WriteByte('\\')
			b.WriteByte(c)
			continue
		}
		if i+digits > len(s) {
			return "", fmt.Errorf(`the escape \%c lacks digits`, c)
		}
		n, err := strconv.ParseUint(s[i:i+digits], base, 32)
		if err == nil && n >= 0xd800 && n < 0xe000 {
			return "", refuse(`half a character, \%c%s,`, c, s[i:i+digits])
		}
		if err != nil || n > utf8.MaxRune {
			return "", fmt.Errorf(`the escape \%c%s is no character`, c, s[i:i+digits])
		}
		b.WriteRune(rune(n))
		i += digits
	}
	return b.String(), nil
}
