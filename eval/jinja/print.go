package jinja

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
)

// Str prints a scalar as Python's str does. Lists and mappings are refused: where a
// text is wanted they are a mistake. Print prints them.
func Str(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "None", nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return floatRepr(v), nil
	case string:
		return v, nil
	}
	return "", &Error{Offset: 1, Problem: typeName(v) + " cannot be printed into text; use an index or the join filter"}
}

// Print prints any value as Python's str does, lists and mappings with the quotes
// and escapes of Python's repr.
func Print(v any) (string, error) {
	s, err := newRendering(nil).print(v)
	return s, place(err, 1)
}

func (r *rendering) print(v any) (string, error) {
	if err := missing(v); err != nil {
		return "", err
	}
	if s, err := Str(v); err == nil {
		return s, nil
	}
	if _, lenient := v.(*undefined); lenient {
		return "", nil
	}
	var b strings.Builder
	err := r.repr(&b, v)
	return b.String(), err
}

// repr writes a value as Python's repr does.
func (r *rendering) repr(b *strings.Builder, v any) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	switch v := v.(type) {
	case string:
		if err := r.charge(len(v)); err != nil {
			return err
		}
		quote(b, v)
		return nil
	case nil, bool, int64, float64:
		s, err := Str(v)
		b.WriteString(s)
		return err
	case *undefined: // only inside a list, where Jinja prints it too
		b.WriteString("Undefined")
		return nil
	case []any:
		return r.reprItems(b, "[", v, "]")
	case Tuple:
		if len(v) == 1 {
			return r.reprItems(b, "(", v, ",)")
		}
		return r.reprItems(b, "(", v, ")")
	case view:
		b.WriteString("dict_" + v.name + "(")
		return r.reprItems(b, "[", v.items, "])")
	case span:
		fmt.Fprintf(b, "range(%d, %d", v.from, v.to)
		if v.step != 1 {
			fmt.Fprintf(b, ", %d", v.step)
		}
		b.WriteByte(')')
		return nil
	case map[string]any, *Dict:
		d, err := r.ordered(v)
		if err != nil {
			return err
		}
		return r.reprDict(b, d)
	}
	return fmt.Errorf("%s cannot be printed", typeName(v))
}

func (r *rendering) reprItems(b *strings.Builder, open string, items []any, shut string) error {
	b.WriteString(open)
	for i, x := range items {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := r.repr(b, x); err != nil {
			return err
		}
	}
	b.WriteString(shut)
	return nil
}

func (r *rendering) reprDict(b *strings.Builder, d *Dict) error {
	b.WriteByte('{')
	for i, k := range d.keys {
		if i > 0 {
			b.WriteString(", ")
		}
		if err := r.repr(b, k); err != nil {
			return err
		}
		b.WriteString(": ")
		if err := r.repr(b, d.values[i]); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// quote writes a text as a Python literal: in single quotes, or in double quotes
// when it has single ones and no double ones.
func quote(b *strings.Builder, s string) {
	mark := '\''
	if strings.Contains(s, "'") && !strings.Contains(s, "\"") {
		mark = '"'
	}
	b.WriteRune(mark)
	for _, c := range s {
		switch {
		case c == mark || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\r':
			b.WriteString(`\r`)
		case c == '\t':
			b.WriteString(`\t`)
		case unicode.IsPrint(c): // letters, marks, numbers, punctuation, symbols and the space, as in Python
			b.WriteRune(c)
		case c <= 0xff:
			fmt.Fprintf(b, `\x%02x`, c)
		case c <= 0xffff:
			fmt.Fprintf(b, `\u%04x`, c)
		default:
			fmt.Fprintf(b, `\U%08x`, c)
		}
	}
	b.WriteRune(mark)
}

// floatRepr prints the shortest decimal that reads back as x, with an exponent
// below 1e-4 and from 1e16 on, as Python does.
func floatRepr(x float64) string {
	switch {
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(x, 'g', -1, 64)), "+")
	case x != 0 && (math.Abs(x) < 1e-4 || math.Abs(x) >= 1e16):
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// IsSpace reports what Python's str.strip and str.split take for white space.
// Go's unicode.IsSpace lacks the four separators U+001C to U+001F.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }
