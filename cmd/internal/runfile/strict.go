package runfile

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"mergesearch"
)

// decodeStrict decodes one YAML document into a pointer to a struct. Unknown
// and duplicate keys, wrong types, anchors, aliases, tags and a second document are
// InputErrors with line and column. The YAML library panics on some malformed
// documents; that is a refusal too.
func decodeStrict(data []byte, into any) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &mergesearch.InputError{Problem: "not valid YAML"}
		}
	}()
	for _, t := range lexer.Tokenize(string(data)) {
		if t.Type == token.AnchorType || t.Type == token.AliasType || t.Type == token.MergeKeyType || t.Type == token.TagType {
			return &mergesearch.InputError{Line: t.Position.Line, Column: t.Position.Column, Problem: "anchors, aliases and tags are not taken", Hint: "write the value out"}
		}
	}
	d := yaml.NewDecoder(bytes.NewReader(data), yaml.Strict())
	if err := d.Decode(into); errors.Is(err, io.EOF) {
		return &mergesearch.InputError{Problem: "empty file"}
	} else if err != nil {
		return inputError(err, data, into)
	}
	var rest any
	if err := d.Decode(&rest); !errors.Is(err, io.EOF) {
		return &mergesearch.InputError{Problem: "more than one document", Hint: "remove what follows the first ---"}
	}
	return nil
}

var quotedField = regexp.MustCompile(`unknown field "([^"]*)"`)

func inputError(err error, data []byte, into any) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return &mergesearch.InputError{Problem: firstLine(err.Error())}
	}
	e := &mergesearch.InputError{Problem: firstLine(y.GetMessage())}
	if t := y.GetToken(); t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
		e.Field = fieldAt(data, t.Position.Offset)
	}
	if m := quotedField.FindStringSubmatch(e.Problem); m != nil {
		known := keysOf(section(reflect.TypeOf(into), e.Field))
		unknown := mergesearch.UnknownWord("key", m[1], known)
		e.Field, e.Problem, e.Hint = cmp.Or(e.Field, m[1]), unknown.Problem, unknown.Hint
	}
	if m := wrongType.FindStringSubmatch(e.Problem); m != nil {
		e.Problem = "want " + wanted(m[1])
	}
	if wrongShape.MatchString(e.Problem) {
		e.Problem = "want a list"
	}
	return e
}

// fieldAt returns the path of the value, or key, that begins at a byte; "" when none is
// found.
func fieldAt(data []byte, offset int) string {
	file, err := parser.ParseBytes(data, 0)
	if err != nil || len(file.Docs) == 0 {
		return ""
	}
	f := fieldFinder{offset: offset}
	ast.Walk(&f, file.Docs[0])
	return strings.TrimPrefix(f.path, "$.")
}

// fieldFinder is a visitor that keeps the path of the innermost node at a place.
type fieldFinder struct {
	offset int
	path   string
}

func (f *fieldFinder) Visit(n ast.Node) ast.Visitor {
	if t := n.GetToken(); t != nil && t.Position != nil && t.Position.Offset == f.offset && len(n.GetPath()) >= len(f.path) {
		f.path = n.GetPath()
	}
	return f
}

// section returns the type of which the last part of a path is a key, as far as the path
// is known.
func section(t reflect.Type, path string) reflect.Type {
	parts := strings.Split(path, ".")
	for _, part := range append([]string{""}, parts[:len(parts)-1]...) {
		name, _, _ := strings.Cut(part, "[")
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
			t = t.Elem()
		}
		switch {
		case part == "":
		case t.Kind() == reflect.Map:
			t = t.Elem()
		case t.Kind() == reflect.Struct:
			at := slices.IndexFunc(reflect.VisibleFields(t), func(f reflect.StructField) bool { return f.Tag.Get("yaml") == name })
			if at < 0 {
				return t
			}
			t = t.Field(at).Type
		}
	}
	return t
}

// wrongShape finds the library's words for a value where a list belongs.
var wrongShape = regexp.MustCompile(`^\w+ was used where sequence is expected$`)

// wrongType finds the Go type that the YAML library wanted.
var wrongType = regexp.MustCompile(`^cannot unmarshal .* of type (\S+)`)

// wanted says in a user's words what a Go type takes.
func wanted(goType string) string {
	switch {
	case strings.HasPrefix(goType, "[]"):
		return "a list"
	case strings.HasPrefix(goType, "uint"):
		return "a whole number that is not negative and has at most 64 bits"
	case strings.HasPrefix(goType, "int"):
		return "a whole number"
	case strings.HasPrefix(goType, "float"):
		return "a number"
	case goType == "string":
		return "text"
	}
	return "keys with values"
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// keysOf lists the keys of a section.
func keysOf(t reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var keys []string
	for _, f := range reflect.VisibleFields(t) {
		if key := f.Tag.Get("yaml"); key != "" && key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}
