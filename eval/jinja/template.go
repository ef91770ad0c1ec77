package jinja

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Error says what is wrong with a template, or with a template applied to one
// document.
type Error struct {
	Offset  int // 1-based, in code points from the start of the template; "\r\n" counts as one
	Problem string
	Name    string // the name that the document lacks; empty for other errors

	// Unsupported says that Jinja or Python may take what this package refuses.
	Unsupported bool

	// Raised says that the template itself refused, by raise_exception.
	Raised bool

	literal bool // it is about a text that Literal reads
}

func (e *Error) Error() string {
	where := "template"
	if e.literal {
		where = "text"
	}
	return fmt.Sprintf("%s, at character %d of the %s", e.Problem, e.Offset, where)
}

func fault(at int, problem string) *Error { return &Error{Offset: at, Problem: problem} }

func unsupported(at int, what string) *Error {
	return &Error{Offset: at, Problem: what + " is not supported", Unsupported: true}
}

// Template is a parsed template.
type Template struct {
	body []statement
	chat *Chat // nil: a template of a task file
}

// maxSource bounds the bytes of a template, and with them the tokens and nodes.
const maxSource = 1 << 18

// Parse parses a template of a task file. It returns an *Error for what is not
// understood.
func Parse(source string) (*Template, error) { return parse(source, nil) }

func parse(source string, chat *Chat) (*Template, error) {
	switch {
	case len(source) > maxSource:
		return nil, fault(1, fmt.Sprintf("the template has %d bytes, at most %d are read", len(source), maxSource))
	case !utf8.ValidString(source):
		return nil, fault(1, "the template is not valid UTF-8")
	}
	source = newlines(source)
	if chat != nil {
		source = strings.TrimSuffix(source, "\n") // keep_trailing_newline is off
	}
	tokens, err := scan(source, chat != nil)
	if err != nil {
		return nil, err
	}
	p := &parser{tokens: tokens, chat: chat != nil}
	body, err := p.statements()
	if err != nil {
		return nil, err
	}
	return &Template{body: body, chat: chat}, nil
}

// newlines writes every end of line as "\n", as Jinja does.
func newlines(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// Constant reports whether the template is text alone.
func (t *Template) Constant() bool {
	for _, s := range t.body {
		if _, ok := s.(text); !ok {
			return false
		}
	}
	return true
}

// Value renders the template for a document. A template that is exactly one
// expression gives its value with its type: nil, bool, int64, float64, string,
// []any, Tuple, *Dict or a mapping of the document. Any other gives a string.
func (t *Template) Value(doc map[string]any) (any, error) {
	if len(t.body) == 1 {
		if p, ok := t.body[0].(print); ok {
			return p.typed(t.rendering(doc))
		}
	}
	return t.Text(doc)
}

// Text renders the template for a document to text.
func (t *Template) Text(doc map[string]any) (string, error) {
	r := t.rendering(doc)
	if err := r.execute(t.body); err != nil {
		return "", err
	}
	return r.out.String(), nil
}

func (t *Template) rendering(doc map[string]any) *rendering {
	r := newRendering(doc)
	r.chat = t.chat
	return r
}
