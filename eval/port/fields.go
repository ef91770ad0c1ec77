package port

import (
	"fmt"
	"maps"
	"math"
	"strconv"
	"strings"

	"mergesearch"
	"mergesearch/eval/python"
)

// row reads the columns of a document. What is wrong with the first bad one is kept;
// until it is looked at, bad columns read as empty.
type row struct {
	fields Fields
	err    error
}

func (r *row) fail(column, format string, args ...any) {
	if r.err == nil {
		r.err = &mergesearch.InputError{Field: column, Problem: fmt.Sprintf(format, args...)}
	}
}

// value returns a column that must be there.
func (r *row) value(column string) any {
	v, ok := r.fields[column]
	if !ok {
		r.fail(column, "the document has no such column")
	}
	return v
}

func (r *row) text(column string) string { return r.asText(column, r.value(column)) }

func (r *row) asText(column string, v any) string {
	s, ok := v.(string)
	if !ok {
		r.fail(column, "is %s, want text", kind(v))
	}
	return s
}

func (r *row) list(column string) []any {
	v := r.value(column)
	l, ok := v.([]any)
	if !ok {
		r.fail(column, "is %s, want a list", kind(v))
	}
	return l
}

func (r *row) texts(column string) []string {
	out := []string{}
	for _, v := range r.list(column) {
		out = append(out, r.asText(column, v))
	}
	return out
}

// inside returns the columns of a column.
func (r *row) inside(column string) *row {
	v := r.value(column)
	m, ok := v.(map[string]any)
	if !ok {
		r.fail(column, "is %s, want a mapping", kind(v))
	}
	return &row{fields: m, err: r.err}
}

// blame takes over what is wrong with a part of the document.
func (r *row) blame(part *row) {
	if r.err == nil {
		r.err = part.err
	}
}

// printed returns str(value), for what the original formats into a text.
func (r *row) printed(column string, v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		if v {
			return "True"
		}
		return "False"
	case int64:
		return strconv.FormatInt(v, 10)
	case float64:
		return floatText(v)
	case string:
		return v
	}
	r.fail(column, "is %s, which cannot be printed into a text", kind(v))
	return ""
}

// floatText is str of a Python float: the shortest decimals that read back as x, with
// an exponent below 1e-4 and from 1e16 on.
func floatText(x float64) string {
	switch size := math.Abs(x); {
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(x, 'g', -1, 64)), "+")
	case size != 0 && (size < 1e-4 || size >= 1e16):
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// integer returns int(value).
func (r *row) integer(column string) int64 {
	switch v := r.value(column).(type) {
	case bool:
		if v {
			return 1
		}
		return 0
	case int64:
		return v
	case float64:
		if math.Abs(v) < 1<<62 {
			return int64(v)
		}
		r.fail(column, "%v is no integer", v)
	case string:
		if n, err := python.Int(v); err == nil && n.IsInt64() {
			return n.Int64()
		}
		r.fail(column, "%q is no integer", v)
	default:
		r.fail(column, "is %s, want an integer", kind(v))
	}
	return 0
}

// number returns a column that is one.
func (r *row) number(column string) float64 {
	switch v := r.value(column).(type) {
	case int64:
		return float64(v)
	case float64:
		return v
	default:
		r.fail(column, "is %s, want a number", kind(v))
		return 0
	}
}

// kind names a value's type for people.
func kind(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "true or false"
	case int64, float64:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return fmt.Sprintf("a %T", v)
}

// mapped returns a port of datasets.map: what add returns is put into a copy of the
// document, over columns of the same name.
func mapped(add func(*row) Fields) func([]Fields) ([]Fields, error) {
	return func(documents []Fields) ([]Fields, error) {
		out := make([]Fields, len(documents))
		for i, d := range documents {
			r := &row{fields: d}
			added := add(r)
			if r.err != nil {
				return nil, inDocument(r.err, i)
			}
			out[i] = maps.Clone(d)
			if out[i] == nil {
				out[i] = Fields{}
			}
			maps.Copy(out[i], added)
		}
		return out, nil
	}
}

// filtered returns a port of datasets.filter.
func filtered(keep func(*row) bool) func([]Fields) ([]Fields, error) {
	return func(documents []Fields) ([]Fields, error) {
		out := []Fields{}
		for i, d := range documents {
			r := &row{fields: d}
			ok := keep(r)
			if r.err != nil {
				return nil, inDocument(r.err, i)
			}
			if ok {
				out = append(out, maps.Clone(d))
			}
		}
		return out, nil
	}
}

// inDocument says which document is meant, counted from 0.
func inDocument(err error, i int) error {
	in := *err.(*mergesearch.InputError)
	in.Field = fmt.Sprintf("document %d: %s", i, in.Field)
	return &in
}

// valued returns a port that reads one document.
func valued[T any](read func(*row) T) func(Fields) (any, error) {
	return func(d Fields) (any, error) {
		r := &row{fields: d}
		v := read(r)
		if r.err != nil {
			return nil, r.err
		}
		return v, nil
	}
}

// scored returns a port that scores the answers to one document.
func scored(score func(*row, Answers) map[string]Mark) func(Fields, Answers) (map[string]Mark, error) {
	return func(d Fields, a Answers) (map[string]Mark, error) {
		r := &row{fields: d}
		marks := score(r, a)
		if r.err != nil {
			return nil, r.err
		}
		return marks, nil
	}
}

// generated returns the text that the model wrote: the first of the answers.
func (r *row) generated(a Answers) string {
	if len(a.Texts) == 0 {
		r.fail("answers", "there is no text")
		return ""
	}
	return a.Texts[0]
}

func anys[T any](values []T) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}
