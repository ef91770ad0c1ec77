package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"

	"mergesearch"
)

// document is one record of a data file.
type document struct {
	file   string
	line   int            // 1-based, where the record starts
	place  int            // 1-based, unique in the file: the line, or the place in an array
	fields map[string]any // nil, bool, int64, float64, string, []any, map[string]any
}

// readDocuments reads a data file: JSONL, or one JSON array of objects. A file
// without documents is refused.
func readDocuments(file string) ([]document, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &mergesearch.InputError{File: file, Problem: "cannot read the data file: " + cause(err), Hint: "data files are relative to the task file"}
	}
	docs, err := parseDocuments(text)
	if err != nil {
		return nil, mergesearch.InFile(err, file)
	}
	for i := range docs {
		docs[i].file = file
	}
	if len(docs) == 0 {
		return nil, &mergesearch.InputError{File: file, Problem: "the data file holds no documents", Hint: "one JSON object on each line"}
	}
	return docs, nil
}

// cause drops the operation and path of a file error, which the InputError names.
func cause(err error) string {
	var p *os.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}

// parseDocuments reads the text of a data file.
func parseDocuments(text []byte) ([]document, error) {
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	if start := bytes.TrimLeft(text, " \t\r\n"); len(start) > 0 && start[0] == '[' {
		return parseArray(text)
	}
	var docs []document
	for line := 1; len(text) > 0; line++ {
		record, rest, _ := bytes.Cut(text, []byte("\n"))
		text = rest
		if record = bytes.TrimSpace(record); len(record) == 0 {
			continue
		}
		fields, err := parseObject(record, line)
		if err != nil {
			return nil, err
		}
		docs = append(docs, document{line: line, place: line, fields: fields})
	}
	return docs, nil
}

func parseArray(text []byte) ([]document, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	fail := func(err error) error {
		at := d.InputOffset()
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			at = int64(len(text))
		}
		return broken(1+bytes.Count(text[:at], []byte("\n")), err)
	}
	if _, err := d.Token(); err != nil {
		return nil, fail(err)
	}
	var docs []document
	line, counted := 1, int64(0)
	for d.More() {
		var record json.RawMessage
		if err := d.Decode(&record); err != nil {
			return nil, fail(err)
		}
		start := d.InputOffset() - int64(len(record))
		line += bytes.Count(text[counted:start], []byte("\n"))
		counted = start
		fields, err := parseObject(record, line)
		if err != nil {
			return nil, err
		}
		docs = append(docs, document{line: line, place: len(docs) + 1, fields: fields})
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
	return &mergesearch.InputError{Line: line, Problem: "not valid JSON: " + problem, Hint: "one JSON object on each line, or one array of objects"}
}

// parseObject decodes one JSON object, keeping whole numbers apart from others.
func parseObject(record []byte, line int) (map[string]any, error) {
	if !utf8.Valid(record) {
		return nil, &mergesearch.InputError{Line: line, Problem: "not valid UTF-8"}
	}
	d := json.NewDecoder(bytes.NewReader(record))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, broken(line, err)
	}
	if d.InputOffset() != int64(len(record)) {
		return nil, &mergesearch.InputError{Line: line, Problem: "something follows the JSON object on this line"}
	}
	fields, ok := v.(map[string]any)
	if !ok {
		return nil, &mergesearch.InputError{Line: line, Problem: "want a JSON object", Hint: "one JSON object on each line, or one array of objects"}
	}
	for name, x := range fields {
		plain, err := plainNumbers(x)
		if err != nil {
			return nil, &mergesearch.InputError{Line: line, Field: name, Problem: err.Error()}
		}
		fields[name] = plain
	}
	return fields, nil
}

// plainNumbers replaces json.Number by int64 or float64, as Python tells int from
// float: by the spelling.
func plainNumbers(v any) (any, error) {
	var err error
	switch v := v.(type) {
	case json.Number:
		if !strings.ContainsAny(v.String(), ".eE") {
			if n, err := strconv.ParseInt(v.String(), 10, 64); err == nil {
				return n, nil
			}
			return nil, fmt.Errorf("the whole number %s does not fit 64 bits", v)
		}
		x, err := v.Float64()
		if err != nil {
			return nil, fmt.Errorf("the number %s is out of range", v)
		}
		return x, nil
	case []any:
		for i := range v {
			if v[i], err = plainNumbers(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for k := range v {
			if v[k], err = plainNumbers(v[k]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}
