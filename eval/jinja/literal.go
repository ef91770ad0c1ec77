package jinja

import (
	"fmt"
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
		return nil, fault(1, "the text is not valid UTF-8")
	}
	l := &literalReader{source: newlines(strings.TrimLeft(text, " \t"))}
	l.start = len(newlines(text)) - len(l.source)
	v, err := l.top()
	return v, err
}

type literalReader struct {
	source string
	at     int
	start  int // bytes cut off in front
	depth  int // of brackets
}

func (l *literalReader) fail(problem string) *Error {
	return fault(l.start+utf8.RuneCountInString(l.source[:l.at])+1, problem)
}

func (l *literalReader) unsupported(what string) *Error {
	e := l.fail(what + " is not supported")
	e.Unsupported = true
	return e
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
		return nil, l.follows()
	}
	return v, nil
}

func lineLength(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// follows refuses what stands behind a value. It may be the rest of an expression
// that Python computes.
func (l *literalReader) follows() *Error {
	if c := l.rest()[0]; c == '+' || c == '-' {
		return l.unsupported("a sum")
	}
	return l.fail("something follows the value")
}

func (l *literalReader) value() (any, error) {
	if l.depth > maxDepth {
		return nil, l.unsupported("such deep nesting")
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
	case c == '+' || c == '-':
		return l.signed(c == '-')
	case isDigit(c) || c == '.' && !strings.HasPrefix(rest, "..."):
		return l.numeral()
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
	for start, what := range map[string]string{"set()": "a set", "...": "an ellipsis"} {
		if strings.HasPrefix(rest, start) {
			return nil, l.unsupported(what)
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
		return l.follows()
	}
	return l.fail("it ends without " + closing)
}

func (l *literalReader) dict() (any, error) {
	l.at++
	l.depth++
	defer func() { l.depth-- }()
	d := NewDict()
	for more := true; !l.take("}"); {
		if !more {
			return nil, l.unclosed("}")
		}
		key, err := l.value()
		if err != nil {
			return nil, err
		}
		if !l.take(":") {
			if l.space(); l.rest() != "" && (l.rest()[0] == ',' || l.rest()[0] == '}') && d.Len() == 0 {
				return nil, l.unsupported("a set")
			}
			return nil, l.fail("a key without its value")
		}
		value, err := l.value()
		if err != nil {
			return nil, err
		}
		hash, err := newRendering(nil).hash(key)
		if err != nil {
			return nil, l.typeError(err.Error())
		}
		d.set(hash, key, value)
		more = l.take(",")
	}
	return d, nil
}

// typeError is for what makes ast.literal_eval raise a TypeError, which the harness
// does not catch.
func (l *literalReader) typeError(problem string) *Error {
	e := l.fail(problem)
	e.Unsupported = true
	return e
}

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
	if next := rest[len(text):]; next != "" {
		if next[0]|0x20 == 'j' {
			return nil, l.unsupported("a complex number")
		}
		if wordLength(next) > 0 || isDigit(next[0]) {
			return nil, l.fail("something follows the number")
		}
	}
	v, ok := parseNumeral(text, isWhole)
	if !ok {
		return nil, l.unsupported("the number " + text + ", which does not fit 64 bits,")
	}
	l.at += len(text)
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
	if n == 0 { // such as 012.5 is cut by numeralLength, 012 is refused
		return "", false
	}
	if !isWhole || n == len(s) || s[n] != '.' || n > 1 && s[0] == '0' && !isDigit(s[1]) {
		return s[:n], isWhole
	}
	// 1. and 1.e5
	end := n + 1
	if m, exponent := numeralLength("0"+s[end:], true); !exponent && m > 1 {
		end += m - 1
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
	for n := stringPrefix(l.rest()); n >= 0; n = stringPrefix(l.rest()) {
		prefix := strings.ToLower(l.rest()[:n])
		if strings.ContainsAny(prefix, "bf") || len(prefix) == 2 {
			return nil, l.unsupported("the prefix " + prefix)
		}
		l.at += n
		s, err := l.oneString(prefix == "r")
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
				if inside, err = unescape(inside); err != nil {
					return "", l.unsupported(fmt.Sprintf("the string: %v, which", err))
				}
			}
			l.at += i + len(mark)
			return inside, nil
		}
	}
	return "", l.fail("a string without its closing quote")
}
