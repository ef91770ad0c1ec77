package jinja

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong with a template, or with a template applied to one
// document.
type Error struct {
	Offset  int // 1-based, in code points from the start of the template
	Problem string
	Name    string // the name that the document lacks; empty for other errors
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s, at character %d of the template", e.Problem, e.Offset)
}

// Template is a parsed template.
type Template struct {
	parts []part
}

// part is literal text, or an expression when expr is set.
type part struct {
	text string
	expr expr
}

// Parse parses a template. It returns an *Error for what is not understood.
func Parse(source string) (*Template, error) {
	t := &Template{}
	rest, offset := source, 0
	for rest != "" {
		i := nextTag(rest)
		if i < 0 {
			t.parts = append(t.parts, part{text: rest})
			break
		}
		if i > 0 {
			t.parts = append(t.parts, part{text: rest[:i]})
		}
		n, err := t.tag(source, offset+i)
		if err != nil {
			return nil, err
		}
		offset += i + n
		rest = source[offset:]
	}
	return t, nil
}

// Constant reports whether the template is text alone.
func (t *Template) Constant() bool {
	for _, p := range t.parts {
		if p.expr != nil {
			return false
		}
	}
	return true
}

func nextTag(s string) int {
	best := -1
	for _, open := range []string{"{{", "{%", "{#"} {
		if i := strings.Index(s, open); i >= 0 && (best < 0 || i < best) {
			best = i
		}
	}
	return best
}

// tag parses the tag that starts at byte start and returns its length in bytes.
func (t *Template) tag(source string, start int) (int, error) {
	body := source[start+2:]
	switch source[start+1] {
	case '#':
		end := strings.Index(body, "#}")
		if end < 0 {
			return 0, fault(source, start, "comment without its closing #}")
		}
		return end + 4, nil
	case '%':
		return 0, fault(source, start, "{% "+firstWord(body)+" %} is not supported")
	}
	p := &parsing{source: source, at: start + 2}
	if p.peek() == '-' || p.peek() == '+' {
		return 0, fault(source, start, "whitespace control ({{- and {{+) is not supported")
	}
	e, err := p.expression()
	if err != nil {
		return 0, err
	}
	p.space()
	if !strings.HasPrefix(source[p.at:], "}}") {
		return 0, p.unexpected()
	}
	t.parts = append(t.parts, part{expr: e})
	return p.at + 2 - start, nil
}

func firstWord(s string) string {
	if f := strings.Fields(strings.TrimLeft(s, "-+ ")); len(f) > 0 {
		return f[0]
	}
	return ""
}

func fault(source string, at int, problem string) *Error {
	return &Error{Offset: utf8.RuneCountInString(source[:at]) + 1, Problem: problem}
}
