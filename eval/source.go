package eval

import (
	"errors"
	"fmt"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"mergesearch"
	"mergesearch/eval/jinja"
)

// source says where a part of a question comes from: a column of the document, a
// template over it, or a literal of the task file.
type source struct {
	at       entry
	words    string          // as written
	template *jinja.Template // of words
	literal  any             // int64 or []any; nil when the source is text
	column   bool            // words name a column; settled by bind
}

func (s *source) given() bool { return s.at.value != nil }

// read takes the value of doc_to_text and its like from the task file.
func (s *source) read(e entry) error {
	s.at = e
	switch v := e.value.(type) {
	case *ast.IntegerNode:
		n, err := e.integer(0)
		s.literal = int64(n)
		return err
	case *ast.SequenceNode:
		return s.readList(e)
	case *ast.MappingNode:
		return refuse(v, e.path, "a mapping is not supported here", "write a list, a column name or a {{ template }}")
	}
	words, err := e.text()
	if err != nil {
		return err
	}
	s.words = words
	if s.template, err = jinja.Parse(words); err != nil {
		return refuse(e.value, e.path, err.Error(), "supported: expressions, filters and tests, {% if %}, {% for %}, {% set %}; not macros, includes or blocks")
	}
	return nil
}

func (s *source) readList(e entry) error {
	items, err := e.sequence()
	if err != nil {
		return err
	}
	list := []any{}
	for _, item := range items {
		if _, number := item.value.(*ast.IntegerNode); number {
			list = append(list, nodeText(item.value))
			continue
		}
		text, err := item.text()
		if err != nil {
			return err
		}
		list = append(list, text)
	}
	s.literal = list
	return nil
}

// bind decides whether the words name a column. Words that are neither a column
// nor a template would give every document the same text; unless constant is
// allowed they are refused, since a misspelt column looks just like that.
func (s *source) bind(columns []string, constant bool) error {
	if !s.given() || s.literal != nil {
		return nil
	}
	s.column = slices.Contains(columns, s.words)
	if s.column || constant || !s.template.Constant() {
		return nil
	}
	hint := mergesearch.UnknownWord("column", s.words, columns).Hint
	return refuse(s.at.value, s.at.path, fmt.Sprintf("%q is no column of the data and no template", s.words), hint)
}

// value gives the source's value for a document. The error is an InputError that
// names the document's file and line.
func (s *source) value(d document) (any, error) {
	switch {
	case !s.given():
		return "", nil
	case s.literal != nil:
		return s.literal, nil
	case s.column:
		v, ok := d.fields[s.words]
		if !ok {
			return nil, d.refuse(s.words, "the document lacks this column", "")
		}
		return v, nil
	}
	v, err := s.template.Value(d.fields)
	var fault *jinja.Error
	if errors.As(err, &fault) {
		hint := ""
		if fault.Name != "" {
			var columns []string
			for c := range d.fields {
				columns = append(columns, c)
			}
			slices.Sort(columns)
			hint = mergesearch.UnknownWord("column", fault.Name, columns).Hint
		}
		return nil, d.refuse(s.at.path, fault.Error(), hint)
	}
	return v, err
}

// text gives the source's value printed.
func (s *source) text(d document) (string, error) {
	v, err := s.value(d)
	if err != nil {
		return "", err
	}
	text, err := jinja.Str(v)
	if err != nil || v == nil {
		return "", d.refuse(s.field(), "want text, found "+describe(v), "")
	}
	return text, nil
}

// field names the source in errors about a document: the column where there is one.
func (s *source) field() string {
	if s.column {
		return s.words
	}
	return s.at.path
}

// refuse makes the InputError about a document.
func (d document) refuse(field, problem, hint string) error {
	return &mergesearch.InputError{File: d.file, Line: d.line, Field: field, Problem: problem, Hint: hint}
}

func describe(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case []any, jinja.Tuple:
		return "a list"
	case map[string]any, *jinja.Dict:
		return "an object"
	}
	return fmt.Sprintf("%v", v)
}
