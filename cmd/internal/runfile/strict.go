package runfile

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
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
		return inputError(err, into)
	}
	var rest any
	if err := d.Decode(&rest); !errors.Is(err, io.EOF) {
		return &mergesearch.InputError{Problem: "more than one document", Hint: "remove what follows the first ---"}
	}
	return nil
}

var quotedField = regexp.MustCompile(`unknown field "([^"]*)"`)

func inputError(err error, into any) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return &mergesearch.InputError{Problem: firstLine(err.Error())}
	}
	e := &mergesearch.InputError{Problem: firstLine(y.GetMessage())}
	if m := quotedField.FindStringSubmatch(e.Problem); m != nil {
		e = mergesearch.UnknownWord("key", m[1], keysOf(reflect.TypeOf(into)))
	}
	if m := wrongType.FindStringSubmatch(e.Problem); m != nil {
		e.Problem = "want " + wanted(m[1])
	}
	if t := y.GetToken(); t != nil && t.Position != nil {
		e.Line, e.Column = t.Position.Line, t.Position.Column
	}
	return e
}

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

// keysOf collects the distinct keys of a struct type and of all that it contains.
func keysOf(t reflect.Type) []string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return keysOf(t.Elem())
	case reflect.Struct:
	default:
		return nil
	}
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			for _, k := range append([]string{key}, keysOf(t.Field(i).Type)...) {
				if !slices.Contains(keys, k) {
					keys = append(keys, k)
				}
			}
		}
	}
	return keys
}
