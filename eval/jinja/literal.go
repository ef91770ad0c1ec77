package jinja

import (
	"errors"
	"math"
	"strings"
	"unicode/utf8"
)

// Literal reads a Python literal as the harness reads rendered text with
// ast.literal_eval: numbers, strings with their escapes, lists, tuples, dicts,
// None, True and False. The values are those of Template.Value.
//
// An *Error with Unsupported set means that Python may read the text and this
// package does not: bytes, sets, complex numbers, whole numbers beyond 64 bits.
// Any other *Error means that it is no literal; its offset counts from the start
// of the text.
func Literal(text string) (any, error) {
	if !utf8.ValidString(text) {
		return nil, &Error{Offset: 1, Problem: "the text is not valid UTF-8", literal: true}
	}
	l := &literalReader{source: newlines(strings.TrimLeft(text, " \t"))}
	l.start = len(newlines(text)) - len(l.source)
	v, err := l.top()
	if err == nil && l.beyond != nil {
		return nil, l.beyond
	}
	return v, err
}

type literalReader struct {
	source string
	at     int
	start  int    // bytes cut off in front
	depth  int    // of brackets
	beyond *Error // the first thing that Python reads and we do not
}

func (l *literalReader) fail(problem string) *Error {
	e := fault(l.start+utf8.RuneCountInString(l.source[:l.at])+1, problem)
	e.literal = true
	return e
}

// skip notes what Python reads and we do not. Reading goes on, since a text that is
// no literal at all must not be taken for one that is beyond us.
func (l *literalReader) skip(what string) {
	if l.beyond == nil {
		l.beyond = l.fail(what + " is not supported")
		l.beyond.Unsupported = true
	}
}

func (l *literalReader) rest() string { return l.source[l.at:] }

// space skips white space; a line may end only inside brackets, and a comment with it.
func (l *literalReader) space() {
	for l.at < len(l.source) {
		c := l.source[l.at]
		switch {
		case c == ' ' || c == '\t' || c == '\f', c == '\n' && l.depth > 0:
			l.at++
		case strings.HasPrefix(l.rest(), "\\\n"):
			l.at += 2
		case c == '#':
			if i := strings.IndexByte(l.rest(), '\n'); i >= 0 {
				l.at += i
			} else {
				l.at = len(l.source)
			}
			if l.depth == 0 {
				return
			}
		default:
			return
		}
	}
}

func (l *literalReader) take(s string) bool {
	l.space()
	if !strings.HasPrefix(l.rest(), s) {
		return false
	}
	l.at += len(s)
	return true
}

// top reads a value, or a tuple without parentheses, up to the end of the text.
func (l *literalReader) top() (any, error) {
	for l.space(); strings.HasPrefix(l.rest(), "\n"); l.space() {
		l.at++
		if c := l.rest(); c != "" && (c[0] == ' ' || c[0] == '\t') && strings.Trim(c[:lineLength(c)], " \t\f") != "" {
			return nil, l.fail("a line starts with white space")
		}
	}
	if l.rest() == "" {
		return nil, l.fail("there is no value")
	}
	v, err := l.value()
	if err != nil {
		return nil, err
	}
	if l.take(",") {
		items := Tuple{v}
		for l.space(); l.rest() != "" && l.source[l.at] != '\n'; l.space() {
			if v, err = l.value(); err != nil {
				return nil, err
			}
			items = append(items, v)
			if !l.take(",") {
				break
			}
		}
		v = items
	}
	l.space()
	for strings.HasPrefix(l.rest(), "\n") {
		l.at++
		l.space()
	}
	if l.rest() != "" {
		return nil, l.fail("something follows the value")
	}
	return v, nil
}

func lineLength(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

func (l *literalReader) value() (any, error) {
	if l.depth > maxDepth {
		e := l.fail("such deep nesting is not supported")
		e.Unsupported = true
		return nil, e
	}
	l.space()
	rest := l.rest()
	if rest == "" {
		return nil, l.fail("it ends too early")
	}
	switch c := rest[0]; {
	case c == '[':
		items, _, err := l.items("]")
		return items, err
	case c == '(':
		items, comma, err := l.items(")")
		if err != nil || len(items) == 1 && !comma {
			return first(items), err
		}
		return Tuple(items), nil
	case c == '{':
		return l.dict()
	case strings.HasPrefix(rest, "..."):
		l.skip("an ellipsis")
		l.at += len("...")
		return nil, nil
	case strings.HasPrefix(rest, "set()"):
		l.skip("a set")
		l.at += len("set()")
		return nil, nil
	case c == '+' || c == '-' || c == '.' || isDigit(c):
		return l.number()
	}
	if n := stringPrefix(rest); n >= 0 {
		return l.strings()
	}
	n := wordLength(rest)
	word := rest[:n]
	for name, v := range map[string]any{"None": nil, "True": true, "False": false} {
		if word == name {
			l.at += n
			return v, nil
		}
	}
	return nil, l.fail("no literal starts here")
}

func first(items []any) any {
	if len(items) == 0 {
		return nil
	}
	return items[0]
}

// items reads the elements between brackets; comma says whether one stood behind
// the last.
func (l *literalReader) items(closing string) (items []any, comma bool, err error) {
	l.at++
	l.depth++
	defer func() { l.depth-- }()
	items = []any{}
	for !l.take(closing) {
		if len(items) > 0 && !comma {
			return nil, false, l.unclosed(closing)
		}
		v, err := l.value()
		if err != nil {
			return nil, false, err
		}
		items = append(items, v)
		comma = l.take(",")
	}
	return items, comma, nil
}

func (l *literalReader) unclosed(closing string) *Error {
	if l.space(); l.rest() != "" {
		return l.fail("something follows the value")
	}
	return l.fail("it ends without " + closing)
}

// dict reads a mapping, or a set, which is skipped.
func (l *literalReader) dict() (any, error) {
	l.at++
	l.depth++
	defer func() { l.depth-- }()
	d, set := NewDict(), false
	for first := true; !l.take("}"); first = false {
		if !first && !l.take(",") {
			return nil, l.unclosed("}")
		}
		if !first && l.take("}") {
			break
		}
		key, err := l.value()
		if err != nil {
			return nil, err
		}
		if first {
			set = !strings.HasPrefix(l.after(), ":")
		}
		hash, unhashable := newRendering(nil).hash(key)
		if unhashable != nil { // a TypeError, which the harness does not catch
			l.skip(unhashable.Error() + ", which")
		}
		if set {
			l.skip("a set")
			continue
		}
		if !l.take(":") {
			return nil, l.fail("a key without its value")
		}
		value, err := l.value()
		if err != nil {
			return nil, err
		}
		if unhashable == nil {
			d.set(hash, key, value)
		}
	}
	return d, nil
}

// after is what comes after white space.
func (l *literalReader) after() string {
	l.space()
	return l.rest()
}

// number reads a number with its sign. Only a complex number may be a sum.
func (l *literalReader) number() (any, error) {
	var v any
	var err error
	if c := l.source[l.at]; c == '+' || c == '-' {
		v, err = l.signed(c == '-')
	} else {
		v, err = l.numeral()
	}
	if err != nil {
		return nil, err
	}
	if rest := l.after(); rest == "" || rest[0] != '+' && rest[0] != '-' {
		return v, nil
	}
	l.at++
	imaginary := l.beyond
	l.beyond = nil
	if rest := l.after(); rest == "" || rest[0] != '.' && !isDigit(rest[0]) {
		return nil, l.fail("a sum is no literal")
	}
	if _, err = l.numeral(); err != nil {
		return nil, err
	}
	if l.beyond == nil || !strings.HasPrefix(l.beyond.Problem, complexNumber) {
		return nil, l.fail("a sum is no literal")
	}
	if imaginary != nil {
		l.beyond = imaginary
	}
	return v, nil
}

const complexNumber = "a complex number"

func (l *literalReader) signed(minus bool) (any, error) {
	l.at++
	l.space()
	if rest := l.rest(); rest == "" || !isDigit(rest[0]) && rest[0] != '.' {
		return nil, l.fail("a sign without a number")
	}
	if minus && strings.HasPrefix(l.rest(), "9223372036854775808") {
		if n, isWhole := numeralLength(l.rest(), true); isWhole && n == 19 {
			l.at += n
			return int64(math.MinInt64), nil
		}
	}
	v, err := l.numeral()
	if err != nil {
		return nil, err
	}
	return sign(v, minus)
}

// numeral reads a number, which in Python may also start or end with the point.
func (l *literalReader) numeral() (any, error) {
	rest := l.rest()
	text, isWhole := pythonNumeral(rest)
	if text == "" {
		return nil, l.fail("no number that Python reads")
	}
	next := rest[len(text):]
	if next != "" && next[0]|0x20 == 'j' {
		l.skip(complexNumber)
		next = next[1:]
	}
	if next != "" && (wordLength(next) > 0 || isDigit(next[0])) {
		return nil, l.fail("something follows the number")
	}
	v, ok := parseNumeral(text, isWhole)
	if !ok {
		l.skip("the number " + text + ", which does not fit 64 bits,")
		v = int64(0)
	}
	l.at = len(l.source) - len(next)
	return v, nil
}

func pythonNumeral(s string) (text string, isWhole bool) {
	if strings.HasPrefix(s, ".") { // read behind a digit that changes nothing
		n, isWhole := numeralLength("0"+s, true)
		if isWhole || n < 3 {
			return "", false
		}
		return s[:n-1], false
	}
	n, isWhole := numeralLength(s, true)
	if n == 0 { // 012 is no number, 012. and 012j are
		n = len(s) - len(strings.TrimLeft(s, "0123456789_"))
		if n == len(s) || s[n] != '.' && s[n]|0x20 != 'j' {
			return "", false
		}
	}
	if !isWhole || n == len(s) || s[n] != '.' || n > 1 && s[0] == '0' && s[1] != '_' && !isDigit(s[1]) {
		return s[:n], isWhole
	}
	// 1. and 1.e5
	end := n + 1
	if end < len(s) && s[end]|0x20 == 'e' {
		if m, isWhole := numeralLength("0"+s[end:], true); !isWhole {
			end += m - 1
		}
	}
	return s[:end], false
}

// stringPrefix is the number of letters before the quote of a string; -1 when
// there is no string.
func stringPrefix(s string) int {
	for i := 0; i < len(s) && i < 3; i++ {
		switch c := s[i]; {
		case c == '\'' || c == '"':
			return i
		case !strings.ContainsRune("rRbBuUfF", rune(c)):
			return -1
		}
	}
	return -1
}

// strings reads one string or several in a row, which Python joins.
func (l *literalReader) strings() (any, error) {
	var b strings.Builder
	count, wasBytes := 0, false
	for n := stringPrefix(l.rest()); n >= 0; n = stringPrefix(l.rest()) {
		prefix := strings.ToLower(l.rest()[:n])
		bytes := prefix == "b" || prefix == "br" || prefix == "rb"
		switch {
		case !bytes && prefix != "" && prefix != "r" && prefix != "u": // f is no literal, others no prefixes
			return nil, l.fail("the prefix " + prefix)
		case count > 0 && bytes != wasBytes:
			return nil, l.fail("bytes beside text")
		case bytes:
			l.skip("the prefix " + prefix)
		}
		wasBytes = bytes
		count++
		l.at += n
		start := l.at
		s, err := l.oneString(strings.Contains(prefix, "r"))
		if err == nil && bytes && strings.IndexFunc(l.source[start:l.at], func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
			err = l.fail("bytes beyond ASCII")
		}
		if err != nil {
			return nil, err
		}
		b.WriteString(s)
		l.space()
	}
	return b.String(), nil
}

func (l *literalReader) oneString(raw bool) (string, error) {
	rest := l.rest()
	mark := rest[:1]
	if triple := strings.Repeat(mark, 3); strings.HasPrefix(rest, triple) {
		mark = triple
	}
	for i := len(mark); i < len(rest); i++ {
		switch {
		case rest[i] == '\\':
			i++
		case rest[i] == '\n' && len(mark) == 1:
			return "", l.fail("a line ends inside a string")
		case strings.HasPrefix(rest[i:], mark):
			inside := rest[len(mark):i]
			if !raw {
				var err error
				if inside, err = unescape(inside); errors.Is(err, errUnsupported) {
					l.skip("such a string")
				} else if err != nil {
					return "", l.fail(err.Error())
				}
			}
			l.at += i + len(mark)
			return inside, nil
		}
	}
	return "", l.fail("a string without its closing quote")
}
