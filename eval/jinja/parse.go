package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
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

// parsing is a recursive-descent parser over the expression at byte at.
type parsing struct {
	source string
	at     int
	depth  int
}

const maxDepth = 50

func (p *parsing) peek() byte {
	if p.at < len(p.source) {
		return p.source[p.at]
	}
	return 0
}

func (p *parsing) space() {
	for p.at < len(p.source) && strings.IndexByte(" \t\r\n", p.source[p.at]) >= 0 {
		p.at++
	}
}

func (p *parsing) take(b byte) bool {
	p.space()
	if p.peek() != b {
		return false
	}
	p.at++
	return true
}

// unexpected names what stands where an expression should have ended or begun.
func (p *parsing) unexpected() *Error {
	p.space()
	rest := p.source[p.at:]
	switch {
	case rest == "":
		return fault(p.source, p.at, "{{ without its closing }}")
	case strings.HasPrefix(rest, "}}"):
		return fault(p.source, p.at, "an expression is missing")
	}
	word := rest
	if i := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) && r != '_' }); i > 0 {
		word = rest[:i]
	} else if i == 0 {
		_, n := utf8.DecodeRuneInString(rest)
		word = rest[:n]
	}
	return fault(p.source, p.at, fmt.Sprintf("%q is not supported here", word))
}

// expression = primary { "." name | "." name "(" args ")" | "[" expression "]" | "|" filter }
func (p *parsing) expression() (expr, error) {
	if p.depth++; p.depth > maxDepth {
		return nil, fault(p.source, p.at, "nested too deeply")
	}
	defer func() { p.depth-- }()
	e, err := p.primary()
	if err != nil {
		return nil, err
	}
	for {
		p.space()
		start := p.at
		switch {
		case p.take('.'):
			e, err = p.attribute(e, start)
		case p.take('['):
			e, err = p.index(e, start)
		case p.take('|'):
			e, err = p.filter(e, start)
		default:
			return e, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (p *parsing) primary() (expr, error) {
	p.space()
	start := p.at
	switch c := p.peek(); {
	case c == '"' || c == '\'':
		s, err := p.quoted()
		return literal{s}, err
	case c >= '0' && c <= '9' || c == '-' && p.at+1 < len(p.source) && isDigit(p.source[p.at+1]):
		return p.numeral()
	case c == '(':
		p.at++
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		if !p.take(')') {
			return nil, p.unexpected()
		}
		return e, nil
	}
	name := p.word()
	switch name {
	case "":
		return nil, p.unexpected()
	case "true", "True":
		return literal{true}, nil
	case "false", "False":
		return literal{false}, nil
	case "none", "None":
		return literal{nil}, nil
	case "not", "and", "or", "if", "else", "in", "is":
		p.at = start
		return nil, p.unexpected()
	}
	return variable{name: name, at: fault(p.source, start, "")}, nil
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (p *parsing) word() string {
	start := p.at
	for p.at < len(p.source) {
		r, n := utf8.DecodeRuneInString(p.source[p.at:])
		if r != '_' && !unicode.IsLetter(r) && (p.at == start || !unicode.IsDigit(r)) {
			break
		}
		p.at += n
	}
	return p.source[start:p.at]
}

func (p *parsing) quoted() (string, error) {
	start, quote := p.at, p.peek()
	p.at++
	var b strings.Builder
	for p.at < len(p.source) {
		c := p.source[p.at]
		p.at++
		switch {
		case c == quote:
			return b.String(), nil
		case c == '\\' && p.at < len(p.source):
			escaped, ok := map[byte]byte{'n': '\n', 't': '\t', 'r': '\r', '\\': '\\', '\'': '\'', '"': '"'}[p.source[p.at]]
			if !ok {
				return "", fault(p.source, p.at-1, fmt.Sprintf("escape \\%c is not supported", p.source[p.at]))
			}
			b.WriteByte(escaped)
			p.at++
		default:
			b.WriteByte(c)
		}
	}
	return "", fault(p.source, start, "text without its closing quote")
}

func (p *parsing) numeral() (expr, error) {
	start := p.at
	p.at++
	for p.at < len(p.source) && (isDigit(p.source[p.at]) || p.source[p.at] == '.' && p.at+1 < len(p.source) && isDigit(p.source[p.at+1])) {
		p.at++
	}
	text := p.source[start:p.at]
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return literal{n}, nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return nil, fault(p.source, start, fmt.Sprintf("%s is not a number that can be held", text))
	}
	return literal{x}, nil
}

func (p *parsing) attribute(of expr, start int) (expr, error) {
	p.space()
	name := p.word()
	if name == "" {
		return nil, p.unexpected()
	}
	if !p.take('(') {
		return access{of: of, key: literal{name}, at: fault(p.source, start, ""), attribute: true}, nil
	}
	if _, ok := methods[name]; !ok {
		return nil, fault(p.source, start, "method "+name+" is not supported")
	}
	args, err := p.arguments()
	return call{name: name, run: methods[name], of: of, args: args, at: fault(p.source, start, "")}, err
}

func (p *parsing) index(of expr, start int) (expr, error) {
	key, err := p.expression()
	if err != nil {
		return nil, err
	}
	if p.take(':') {
		return nil, fault(p.source, p.at-1, "slices are not supported")
	}
	if !p.take(']') {
		return nil, p.unexpected()
	}
	return access{of: of, key: key, at: fault(p.source, start, "")}, nil
}

func (p *parsing) filter(of expr, start int) (expr, error) {
	p.space()
	name := p.word()
	if _, ok := filters[name]; !ok {
		return nil, fault(p.source, start, fmt.Sprintf("filter %q is not supported", name))
	}
	var args []expr
	if p.take('(') {
		var err error
		if args, err = p.arguments(); err != nil {
			return nil, err
		}
	}
	return call{name: name, run: filters[name], of: of, args: args, at: fault(p.source, start, "")}, nil
}

// arguments parses what follows an opening parenthesis.
func (p *parsing) arguments() ([]expr, error) {
	var args []expr
	if p.take(')') {
		return nil, nil
	}
	for {
		e, err := p.expression()
		if err != nil {
			return nil, err
		}
		args = append(args, e)
		if p.take(')') {
			return args, nil
		}
		if !p.take(',') {
			return nil, p.unexpected()
		}
	}
}
