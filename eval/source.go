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
// template over it, a literal of the task file, or a ported function.
type source struct {
	at       entry
	words    string          // as written
	template *jinja.Template // of words
	literal  any             // int64 or []any; nil when the source is text
	function function        // instead of words
	column   bool            // words name a column; settled by bind
}

func (s *source) given() bool { return s.at.value != nil }

// read takes the value of doc_to_text and its like from the task file.
func (s *source) read(e entry) error {
	s.at = e
	if _, ok := e.function(); ok {
		s.function.at = e
		return nil
	}
	switch e.value.(type) {
	case *ast.IntegerNode:
		n, err := e.integer(0)
		s.literal = int64(n)
		return err
	case *ast.SequenceNode:
		items, err := e.sequence()
		if err != nil {
			return err
		}
		return s.readList(items)
	case *ast.MappingNode: // its values in order, as the harness takes choices
		items, err := e.mapping()
		if err != nil {
			return err
		}
		return s.readList(items)
	}
	words, err := e.text()
	if err != nil {
		return err
	}
	s.words = words
	if s.template, err = jinja.Parse(words); err != nil {
		return e.refuse(err.Error(), "supported: expressions, filters and tests, {% if %}, {% for %}, {% set %}; not macros, includes or blocks")
	}
	return nil
}

func (s *source) readList(items []entry) error {
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
	if !s.given() || s.literal != nil || s.function.given() {
		return nil
	}
	s.column = slices.Contains(columns, s.words)
	if s.column || constant || !s.template.Constant() {
		return nil
	}
	hint := mergesearch.UnknownWord("column", s.words, columns).Hint
	return s.at.refuse(fmt.Sprintf("%q is no column of the data and no template", s.words), hint)
}

// value gives the source's value for a document: "" for a source that is not
// given. The error is an InputError that names the document's file and line.
func (s *source) value(d document) (any, error) {
	switch {
	case !s.given():
		return "", nil
	case s.literal != nil:
		return s.literal, nil
	case s.function.given():
		if s.function.port.Value == nil {
			return nil, s.at.refuse(s.function.port.Name+" does not make a value of a document", "")
		}
		v, err := s.function.port.Value(plainFields(d.fields))
		if err != nil {
			return nil, d.refuse(s.at.path, s.function.port.Name+": "+err.Error(), "")
		}
		return v, nil
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

// typed gives the source's value as the harness understands a question, in a task
// with choices, where the digits that a template renders are an index, and in one
// without.
func (s *source) typed(d document, choices bool) (any, error) {
	v, err := s.value(d)
	if err != nil || v == nil || s.column || s.literal != nil || s.function.given() {
		return v, err // null is no text, though Python prints one
	}
	text, err := jinja.Print(v)
	if err != nil {
		return nil, d.refuse(s.field(), err.Error(), "")
	}
	if choices && isDigits(text) {
		if n, ok := parseIndex(text); ok {
			return n, nil
		}
	}
	return text, nil
}

// answers is typed for doc_to_target, where text that a template renders and that
// reads as a Python list is that list.
func (s *source) answers(d document, choices bool) (any, error) {
	v, err := s.typed(d, choices)
	text, words := v.(string)
	if err != nil || !words || s.column || s.function.given() {
		return v, err
	}
	if len(text) >= 2 && text[0] == '[' && text[len(text)-1] == ']' {
		if list, ok := pythonList(text); ok {
			return list, nil
		}
	}
	return text, nil
}

// listOf takes a list or tuple of the template language as a list.
func listOf(v any) ([]any, bool) {
	switch v := v.(type) {
	case []any:
		return v, true
	case jinja.Tuple:
		return v, true
	}
	return nil, false
}

// pythonList reads text as Python's list or tuple, as the harness does.
func pythonList(text string) ([]any, bool) {
	v, err := jinja.Literal(text)
	if err != nil {
		return nil, false
	}
	return listOf(v)
}

// text gives the source's value printed.
func (s *source) text(d document) (string, error) {
	v, err := s.value(d)
	if err != nil {
		return "", err
	}
	text, err := jinja.Str(v)
	if _, list := v.([]any); err != nil || v == nil || list {
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
