package jinja

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Str prints a value as Python's str does. Lists and mappings are refused: their
// printed form depends on Python's quoting, and no question should.
func Str(v any) (string, error) {
	switch v := v.(type) {
	case nil:
		return "None", nil
	case bool:
		if v {
			return "True", nil
		}
		return "False", nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64:
		return floatRepr(v), nil
	case string:
		return v, nil
	}
	return "", &Error{Offset: 1, Problem: typeName(v) + " cannot be printed into text; use an index or the join filter"}
}

// floatRepr prints the shortest decimal that reads back as x, with an exponent
// below 1e-4 and from 1e16 on, as Python does.
func floatRepr(x float64) string {
	switch {
	case math.IsNaN(x):
		return "nan"
	case math.IsInf(x, 0):
		return strings.TrimPrefix(strings.ToLower(strconv.FormatFloat(x, 'g', -1, 64)), "+")
	case x != 0 && (math.Abs(x) < 1e-4 || math.Abs(x) >= 1e16):
		return strconv.FormatFloat(x, 'e', -1, 64)
	}
	s := strconv.FormatFloat(x, 'f', -1, 64)
	if !strings.Contains(s, ".") {
		s += ".0"
	}
	return s
}

// IsSpace reports what Python's str.strip and str.split take for white space.
// Go's unicode.IsSpace lacks the four separators U+001C to U+001F.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func trimming(trim func(string, func(rune) bool) string) operation {
	return func(of any, args []any) (any, error) {
		s, ok := of.(string)
		if !ok {
			return nil, errors.New("want text")
		}
		if len(args) == 0 {
			return trim(s, IsSpace), nil
		}
		set, ok := args[0].(string)
		if !ok || len(args) > 1 {
			return nil, errors.New("want one argument, the characters to remove")
		}
		return trim(s, func(r rune) bool { return strings.ContainsRune(set, r) }), nil
	}
}

func onText(f func(string) string) operation {
	return func(of any, args []any) (any, error) {
		s, ok := of.(string)
		if !ok || len(args) > 0 {
			return nil, errors.New("want text and no argument")
		}
		return f(s), nil
	}
}

// capitalize raises the first letter and lowers the rest, as Python does.
func capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToTitle(r)) + strings.ToLower(s[n:])
}

func replace(of any, args []any) (any, error) {
	s, ok := of.(string)
	if ok && len(args) == 2 {
		from, ok1 := args[0].(string)
		to, ok2 := args[1].(string)
		if ok1 && ok2 {
			return strings.ReplaceAll(s, from, to), nil
		}
	}
	return nil, errors.New("want text and two texts as arguments")
}

func split(of any, args []any) (any, error) {
	s, ok := of.(string)
	if !ok {
		return nil, errors.New("want text")
	}
	var parts []string
	if len(args) == 0 {
		parts = strings.FieldsFunc(s, IsSpace)
	} else if sep, ok := args[0].(string); ok && sep != "" && len(args) == 1 {
		parts = strings.Split(s, sep)
	} else {
		return nil, errors.New("want at most one argument, a text that is not empty")
	}
	out := make([]any, len(parts))
	for i, p := range parts {
		out[i] = p
	}
	return out, nil
}

func join(of any, args []any) (any, error) {
	items, ok := of.([]any)
	if !ok {
		return nil, errors.New("want a list")
	}
	sep := ""
	if len(args) > 0 {
		if sep, ok = args[0].(string); !ok || len(args) > 1 {
			return nil, errors.New("want one argument, the text between the elements")
		}
	}
	parts := make([]string, len(items))
	for i, x := range items {
		s, err := Str(x)
		if err != nil {
			return nil, fmt.Errorf("element %d cannot be printed", i)
		}
		parts[i] = s
	}
	return strings.Join(parts, sep), nil
}

func length(of any, _ []any) (any, error) {
	switch v := of.(type) {
	case string:
		return int64(utf8.RuneCountInString(v)), nil
	case []any:
		return int64(len(v)), nil
	case map[string]any:
		return int64(len(v)), nil
	}
	return nil, errors.New("want text, a list or a mapping")
}

func list(of any, _ []any) (any, error) {
	switch v := of.(type) {
	case []any:
		return v, nil
	case string:
		var out []any
		for _, r := range v {
			out = append(out, string(r))
		}
		return out, nil
	}
	return nil, errors.New("want text or a list")
}

// toInt is Jinja's int filter without its silent default of 0.
func toInt(of any, args []any) (any, error) {
	if len(args) > 0 {
		return nil, errors.New("arguments are not supported")
	}
	switch v := of.(type) {
	case int64:
		return v, nil
	case bool:
		if v {
			return int64(1), nil
		}
		return int64(0), nil
	case float64:
		if math.Abs(v) < 1<<62 {
			return int64(v), nil
		}
	case string:
		if n, err := strconv.ParseInt(strings.TrimFunc(v, IsSpace), 10, 64); err == nil {
			return n, nil
		}
	}
	return nil, errors.New("not a whole number")
}

func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "None"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	case map[string]any:
		return "a mapping"
	}
	return fmt.Sprintf("%T", v)
}
