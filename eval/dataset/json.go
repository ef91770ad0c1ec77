package dataset

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"mergesearch"
)

const jsonHint = "one JSON object on each line, or one array of objects"

// maxDepth bounds how deep values may lie inside each other.
const maxDepth = 200

// readJSON reads JSON lines, or one array of objects. With a field, the text is one
// object, and the array is the value of that key.
func readJSON(text []byte, field string) ([]Document, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	start := bytes.TrimLeft(text, " \t\r\n")
	switch {
	case field != "":
		return readField(text, field)
	case len(start) > 0 && start[0] == '[':
		return readArray(text, len(text)-len(start), 1+bytes.Count(text[:len(text)-len(start)], []byte("\n")))
	}
	var docs []Document
	rest := text
	for line := 1; len(rest) > 0; line++ {
		record, after, _ := bytes.Cut(rest, []byte("\n"))
		rest = after
		if record = bytes.TrimSpace(record); len(record) == 0 {
			continue
		}
		fields, err := readObject(record, line)
		if err != nil {
			if len(docs) == 0 && !json.Valid(record) && json.Valid(text) {
				return nil, &mergesearch.InputError{Line: line, Problem: "one JSON object over several lines, want " + jsonHint, Hint: "if the documents are the value of one of its keys, name the key as field: in dataset_kwargs"}
			}
			return nil, err
		}
		docs = append(docs, Document{Line: line, Place: line, Fields: fields})
	}
	return docs, nil
}

// readField reads the array under one key of an object.
func readField(text []byte, field string) ([]Document, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	fail := func(err error) error { return broken(lineAt(text, d, err), err) }
	if t, err := d.Token(); err != nil {
		return nil, fail(err)
	} else if t != json.Delim('{') {
		return nil, &mergesearch.InputError{Field: field, Problem: "the file is no JSON object, so it has no such key"}
	}
	var docs []Document
	found := false
	var keys []string
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, fail(err)
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return nil, fail(err)
		}
		name, _ := key.(string)
		keys = append(keys, name)
		if name != field {
			continue
		}
		at := int(d.InputOffset()) - len(value)
		line := 1 + bytes.Count(text[:at], []byte("\n"))
		if found {
			return nil, &mergesearch.InputError{Line: line, Field: field, Problem: "the key stands twice"}
		}
		found = true
		if value[0] != '[' {
			return nil, &mergesearch.InputError{Line: line, Field: field, Problem: "want an array of objects"}
		}
		if docs, err = readArray(value, 0, line); err != nil {
			return nil, err
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, fail(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fail(errors.New("something follows the object"))
	}
	if !found {
		return nil, mergesearch.UnknownWord("key", field, keys)
	}
	return docs, nil
}

// lineAt returns the line that a decoder stopped in.
func lineAt(text []byte, d *json.Decoder, err error) int {
	at := d.InputOffset()
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		at = int64(len(text))
	}
	return 1 + bytes.Count(text[:at], []byte("\n"))
}

// readArray reads an array that begins after skip bytes, in the given line.
func readArray(text []byte, skip, line int) ([]Document, error) {
	text = text[skip:]
	d := json.NewDecoder(bytes.NewReader(text))
	first := line
	fail := func(err error) error { return broken(first-1+lineAt(text, d, err), err) }
	if _, err := d.Token(); err != nil {
		return nil, fail(err)
	}
	var docs []Document
	counted := int64(0)
	for d.More() {
		var record json.RawMessage
		if err := d.Decode(&record); err != nil {
			return nil, fail(err)
		}
		start := d.InputOffset() - int64(len(record))
		line += bytes.Count(text[counted:start], []byte("\n"))
		counted = start
		fields, err := readObject(record, line)
		if err != nil {
			return nil, err
		}
		docs = append(docs, Document{Line: line, Place: len(docs) + 1, Fields: fields})
	}
	if _, err := d.Token(); err != nil {
		return nil, fail(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, fail(errors.New("something follows the array"))
	}
	return docs, nil
}

func broken(line int, err error) error {
	problem := err.Error()
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		problem = "it ends too early"
	}
	return &mergesearch.InputError{Line: line, Problem: "not valid JSON: " + problem, Hint: jsonHint}
}

// readObject decodes one JSON object, keeping whole numbers apart from others, and
// the order of keys.
func readObject(record []byte, line int) (*Object, error) {
	if !utf8.Valid(record) {
		return nil, &mergesearch.InputError{Line: line, Problem: "not valid UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber()
	t, err := d.Token()
	if err != nil {
		return nil, broken(line, err)
	}
	if t != json.Delim('{') {
		return nil, &mergesearch.InputError{Line: line, Problem: "want a JSON object", Hint: jsonHint}
	}
	r := objectReader{d: d}
	fields, err := r.object(0)
	switch {
	case err != nil && r.column != "":
		return nil, &mergesearch.InputError{Line: line, Field: r.column, Problem: err.Error()}
	case err != nil:
		return nil, broken(line, err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &mergesearch.InputError{Line: line, Problem: "something follows the JSON object on this line"}
	}
	return fields, nil
}

// objectReader builds values from the tokens of a decoder. column is the top-level
// key of a value that is valid JSON and yet refused.
type objectReader struct {
	d      *json.Decoder
	column string
}

func (r *objectReader) object(depth int) (*Object, error) {
	out := new(Object)
	for r.d.More() {
		t, err := r.d.Token()
		if err != nil {
			return nil, err
		}
		key, ok := t.(string)
		if !ok {
			return nil, errors.New("a key is no string")
		}
		v, err := r.value(depth + 1)
		if err != nil {
			var refused *refusedValue
			if depth == 0 && errors.As(err, &refused) {
				r.column = key
			}
			return nil, err
		}
		out.Set(key, v)
	}
	_, err := r.d.Token()
	return out, err
}

// refusedValue is what is valid JSON but no value of a document.
type refusedValue struct{ problem string }

func (e *refusedValue) Error() string { return e.problem }

func (r *objectReader) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, &refusedValue{fmt.Sprintf("values lie more than %d deep", maxDepth)}
	}
	t, err := r.d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return number(t.String())
	case json.Delim:
		if t == '{' {
			return r.object(depth)
		}
		out := []any{}
		for r.d.More() {
			v, err := r.value(depth + 1)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err := r.d.Token()
		return out, err
	}
	return t, nil // nil, bool, string
}

// number tells int from float as Python does: by the spelling.
func number(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		if n, err := strconv.ParseInt(s, 10, 64); err == nil {
			return n, nil
		}
		return nil, &refusedValue{fmt.Sprintf("the whole number %s does not fit 64 bits", s)}
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, &refusedValue{fmt.Sprintf("the number %s is out of range", s)}
	}
	return x, nil
}
