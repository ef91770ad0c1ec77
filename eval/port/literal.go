package port

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"mergesearch/eval/python"
)

// literal reads what Python's ast.literal_eval reads, as far as columns of data files
// hold it: texts, numbers, None, True, False, lists, tuples (read as lists) and
// mappings whose keys are texts. Bytes, sets, complex numbers, \N{} and comments are
// refused.
func literal(s string) (any, error) {
	if strings.ContainsRune(s, 0) {
		return nil, errors.New("a NUL character")
	}
	p := &literalParser{rest: strings.TrimLeft(s, " \t")}
	v, err := p.value(0)
	if err != nil {
		return nil, err
	}
	p.skip()
	if p.rest != "" {
		return nil, p.unexpected()
	}
	return v, nil
}

// literalDepth is how deep lists may stand in each other.
const literalDepth = 90

type literalParser struct {
	rest   string
	inside int // brackets that are open: line ends mean nothing in there
}

func (p *literalParser) skip() {
	blank := " \t\f"
	if p.inside > 0 {
		blank += "\r\n"
	}
	p.rest = strings.TrimLeft(p.rest, blank)
	if p.inside == 0 && strings.Trim(p.rest, " \t\f\r\n") == "" {
		p.rest = ""
	}
}

func (p *literalParser) unexpected() error {
	if p.rest == "" {
		return errors.New("it ends too early")
	}
	return fmt.Errorf("unexpected %.20q", p.rest)
}

func (p *literalParser) value(depth int) (any, error) {
	if depth > literalDepth {
		return nil, errors.New("nested too deeply")
	}
	p.skip()
	for word, v := range map[string]any{"None": nil, "True": true, "False": false} {
		if after, ok := strings.CutPrefix(p.rest, word); ok && !startsWord(after) {
			p.rest = after
			return v, nil
		}
	}
	if p.rest == "" {
		return nil, p.unexpected()
	}
	switch c := p.rest[0]; {
	case c == '[':
		l, _, err := p.elements(depth, "]")
		return l, err
	case c == '(':
		l, comma, err := p.elements(depth, ")")
		if err == nil && len(l) == 1 && !comma { // a value in parentheses
			return l[0], nil
		}
		return l, err
	case c == '{':
		return p.mapping(depth)
	case c == '+' || c == '-' || c == '.' || c >= '0' && c <= '9':
		return p.number()
	}
	return p.texts()
}

func startsWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && python.IsWord(r)
}

// elements reads up to the closing bracket; comma says whether there was one at all.
func (p *literalParser) elements(depth int, closing string) (list []any, comma bool, err error) {
	p.rest, list = p.rest[1:], []any{}
	p.inside++
	defer func() { p.inside-- }()
	for {
		p.skip()
		if after, ok := strings.CutPrefix(p.rest, closing); ok {
			p.rest = after
			return list, comma, nil
		}
		if len(list) > 0 && !comma {
			return nil, false, p.unexpected()
		}
		v, err := p.value(depth + 1)
		if err != nil {
			return nil, false, err
		}
		list = append(list, v)
		p.skip()
		if after, ok := strings.CutPrefix(p.rest, ","); ok {
			p.rest, comma = after, true
		} else if !strings.HasPrefix(p.rest, closing) {
			return nil, false, p.unexpected()
		}
	}
}

func (p *literalParser) mapping(depth int) (any, error) {
	p.rest = p.rest[1:]
	p.inside++
	defer func() { p.inside-- }()
	out := map[string]any{}
	for comma := true; ; {
		p.skip()
		if after, ok := strings.CutPrefix(p.rest, "}"); ok {
			p.rest = after
			return out, nil
		}
		if !comma {
			return nil, p.unexpected()
		}
		k, err := p.value(depth + 1)
		if err != nil {
			return nil, err
		}
		key, ok := k.(string)
		if !ok {
			return nil, fmt.Errorf("a key is %s, want text", kind(k))
		}
		p.skip()
		after, ok := strings.CutPrefix(p.rest, ":")
		if !ok {
			return nil, p.unexpected()
		}
		p.rest = after
		if out[key], err = p.value(depth + 1); err != nil {
			return nil, err
		}
		p.skip()
		p.rest, comma = strings.CutPrefix(p.rest, ",")
	}
}

// number reads decimal integers that fit int64, and floats.
func (p *literalParser) number() (any, error) {
	negative := p.rest[0] == '-'
	if negative || p.rest[0] == '+' {
		p.rest = strings.TrimLeft(p.rest[1:], " \t")
	}
	n := 0
	for n < len(p.rest) {
		c := p.rest[n]
		exponent := n > 0 && (p.rest[n-1] == 'e' || p.rest[n-1] == 'E')
		if c >= '0' && c <= '9' || strings.IndexByte("._eE", c) >= 0 || exponent && (c == '+' || c == '-') {
			n++
			continue
		}
		break
	}
	text := p.rest[:n]
	if text == "" || text[0] != '.' && (text[0] < '0' || text[0] > '9') || strings.HasSuffix(text, "_") || startsWord(p.rest[n:]) {
		return nil, p.unexpected()
	}
	if strings.Trim(text, "0123456789_") == "" {
		i, err := python.Int(text)
		if err != nil || len(text) > 1 && text[0] == '0' && i.Sign() != 0 {
			return nil, p.unexpected()
		}
		if negative {
			i.Neg(i)
		}
		if !i.IsInt64() {
			return nil, p.unexpected()
		}
		p.rest = p.rest[n:]
		return i.Int64(), nil
	}
	x, err := python.Float(text)
	if err != nil || math.IsNaN(x) {
		return nil, p.unexpected()
	}
	if negative {
		x = -x
	}
	p.rest = p.rest[n:]
	return x, nil
}

// texts reads one text, or several in a row, which are joined.
func (p *literalParser) texts() (any, error) {
	var b strings.Builder
	for n := 0; ; n++ {
		p.skip()
		raw := false
		if len(p.rest) > 1 && strings.IndexByte("rRuU", p.rest[0]) >= 0 && quoted(p.rest[1:]) {
			raw = p.rest[0] == 'r' || p.rest[0] == 'R'
			p.rest = p.rest[1:]
		}
		if !quoted(p.rest) {
			if n > 0 {
				return b.String(), nil
			}
			return nil, p.unexpected()
		}
		if err := p.text(&b, raw); err != nil {
			return nil, err
		}
	}
}

func quoted(s string) bool { return s != "" && (s[0] == '"' || s[0] == '\'') }

func (p *literalParser) text(b *strings.Builder, raw bool) error {
	quote := p.rest[:1]
	if long := strings.Repeat(quote, 3); strings.HasPrefix(p.rest, long) {
		quote = long
	}
	p.rest = p.rest[len(quote):]
	for {
		switch {
		case p.rest == "" || len(quote) == 1 && p.rest[0] == '\n':
			return errors.New("a text without its closing quote")
		case strings.HasPrefix(p.rest, quote):
			p.rest = p.rest[len(quote):]
			return nil
		case p.rest[0] != '\\':
			first, rest := cutRune(p.rest)
			b.WriteString(first)
			p.rest = rest
		case raw:
			_, rest := cutRune(p.rest[1:])
			b.WriteString(p.rest[:len(p.rest)-len(rest)])
			p.rest = rest
		default:
			if err := p.escape(b); err != nil {
				return err
			}
		}
	}
}

// escape reads what a backslash begins. An unknown escape stays as it is.
func (p *literalParser) escape(b *strings.Builder) error {
	p.rest = p.rest[1:]
	if p.rest == "" {
		return p.unexpected()
	}
	c := p.rest[0]
	if i := strings.IndexByte("\\'\"abfnrtv", c); i >= 0 {
		b.WriteByte("\\'\"\a\b\f\n\r\t\v"[i])
		p.rest = p.rest[1:]
		return nil
	}
	digits, base, skip := 0, 16, 1
	switch {
	case c == '\n':
		p.rest = p.rest[1:]
		return nil
	case c == 'x':
		digits = 2
	case c == 'u':
		digits = 4
	case c == 'U':
		digits = 8
	case c >= '0' && c <= '7':
		base, skip = 8, 0
		for digits < min(3, len(p.rest)) && p.rest[digits] >= '0' && p.rest[digits] <= '7' {
			digits++
		}
	case c == 'N':
		return errors.New(`\N{} is not supported`)
	default:
		b.WriteByte('\\')
		return nil
	}
	if len(p.rest) < skip+digits {
		return p.unexpected()
	}
	code, err := strconv.ParseUint(p.rest[skip:skip+digits], base, 32)
	if err != nil || code > utf8.MaxRune {
		return p.unexpected()
	}
	b.WriteRune(rune(code)) // half of a surrogate pair becomes U+FFFD
	p.rest = p.rest[skip+digits:]
	return nil
}
