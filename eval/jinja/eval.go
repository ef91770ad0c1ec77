package jinja

import (
	"fmt"
	"slices"
	"strings"
)

// expr is a node of the syntax tree.
type expr interface {
	value(doc map[string]any) (any, error)
}

type literal struct{ v any }

type variable struct {
	name string
	at   *Error
}

// access is x.name or x[key].
type access struct {
	of, key   expr
	at        *Error
	attribute bool
}

// call is a method or filter applied to a value.
type call struct {
	name string
	run  operation
	of   expr
	args []expr
	at   *Error
}

// Value renders the template for a document. A template that is exactly one
// expression gives its value with its type; any other gives a string.
func (t *Template) Value(doc map[string]any) (any, error) {
	if len(t.parts) == 1 && t.parts[0].expr != nil {
		return t.parts[0].expr.value(doc)
	}
	return t.Text(doc)
}

// Text renders the template for a document to text.
func (t *Template) Text(doc map[string]any) (string, error) {
	var b strings.Builder
	for _, p := range t.parts {
		if p.expr == nil {
			b.WriteString(p.text)
			continue
		}
		v, err := p.expr.value(doc)
		if err != nil {
			return "", err
		}
		s, err := Str(v)
		if err != nil {
			return "", err
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (l literal) value(map[string]any) (any, error) { return l.v, nil }

func (v variable) value(doc map[string]any) (any, error) {
	x, ok := doc[v.name]
	if !ok {
		return nil, &Error{Offset: v.at.Offset, Problem: fmt.Sprintf("the document has no column %q", v.name), Name: v.name}
	}
	return x, nil
}

func (a access) value(doc map[string]any) (any, error) {
	of, err := a.of.value(doc)
	if err != nil {
		return nil, err
	}
	key, err := a.key.value(doc)
	if err != nil {
		return nil, err
	}
	switch of := of.(type) {
	case map[string]any:
		if name, ok := key.(string); ok {
			if x, ok := of[name]; ok {
				return x, nil
			}
			return nil, &Error{Offset: a.at.Offset, Problem: fmt.Sprintf("no key %q", name), Name: name}
		}
	case []any:
		if i, ok := position(key, len(of)); ok {
			return of[i], nil
		}
	case string:
		runes := []rune(of)
		if i, ok := position(key, len(runes)); ok {
			return string(runes[i]), nil
		}
	}
	return nil, &Error{Offset: a.at.Offset, Problem: fmt.Sprintf("%s has nothing at %v", typeName(of), key)}
}

// position turns a Python index, which may be negative, into one of 0..n-1.
func position(key any, n int) (int, bool) {
	i, ok := key.(int64)
	if !ok {
		return 0, false
	}
	if i < 0 {
		i += int64(n)
	}
	return int(i), i >= 0 && i < int64(n)
}

func (c call) value(doc map[string]any) (any, error) {
	of, err := c.of.value(doc)
	if err != nil {
		return nil, err
	}
	args := make([]any, len(c.args))
	for i, a := range c.args {
		if args[i], err = a.value(doc); err != nil {
			return nil, err
		}
	}
	v, err := c.run(of, args)
	if err != nil {
		return nil, &Error{Offset: c.at.Offset, Problem: fmt.Sprintf("%s of %s: %v", c.name, typeName(of), err)}
	}
	return v, nil
}

// operation is what a method or filter does with its value and arguments.
type operation func(of any, args []any) (any, error)

// methods by name, on strings unless said otherwise.
var methods = map[string]operation{
	"strip":      trimming(strings.TrimFunc),
	"lstrip":     trimming(strings.TrimLeftFunc),
	"rstrip":     trimming(strings.TrimRightFunc),
	"lower":      onText(strings.ToLower),
	"upper":      onText(strings.ToUpper),
	"capitalize": onText(capitalize),
	"replace":    replace,
	"split":      split,
	"join":       func(of any, args []any) (any, error) { return join(first(args), []any{of}) },
	"index":      indexOf, // on lists too
}

// filters by name.
var filters = map[string]operation{
	"length":     length,
	"string":     func(of any, _ []any) (any, error) { return Str(of) },
	"int":        toInt,
	"join":       join,
	"list":       list,
	"replace":    replace,
	"trim":       trimming(strings.TrimFunc),
	"lower":      onText(strings.ToLower),
	"upper":      onText(strings.ToUpper),
	"capitalize": onText(capitalize),
}

func first(args []any) any {
	if len(args) == 0 {
		return nil
	}
	return args[0]
}

func indexOf(of any, args []any) (any, error) {
	if len(args) != 1 {
		return nil, fmt.Errorf("want one argument")
	}
	switch of := of.(type) {
	case []any:
		if i := slices.IndexFunc(of, func(x any) bool { return equal(x, args[0]) }); i >= 0 {
			return int64(i), nil
		}
		return nil, fmt.Errorf("%v is not in the list", args[0])
	case string:
		if s, ok := args[0].(string); ok {
			if i := strings.Index(of, s); i >= 0 {
				return int64(len([]rune(of[:i]))), nil
			}
			return nil, fmt.Errorf("%q is not in the text", s)
		}
	}
	return nil, fmt.Errorf("want a list or text")
}

// equal compares scalars; lists and mappings are never equal here.
func equal(a, b any) bool {
	switch a.(type) {
	case []any, map[string]any:
		return false
	}
	switch b.(type) {
	case []any, map[string]any:
		return false
	}
	return a == b
}
