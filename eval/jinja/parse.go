package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

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
