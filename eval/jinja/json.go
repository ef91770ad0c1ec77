package jinja

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
)

// ReadJSON reads one JSON value as Python would: objects become *Dict, which keeps
// the order of the keys, and a number is an int64 or a float64 by its spelling. The
// decoder must have UseNumber set. Errors of syntax are those of the decoder.
func ReadJSON(d *json.Decoder) (any, error) { return readJSON(d, 0) }

// maxJSONDepth bounds how deep values may lie inside each other.
const maxJSONDepth = 200

func readJSON(d *json.Decoder, depth int) (any, error) {
	if depth > maxJSONDepth {
		return nil, fmt.Errorf("values lie more than %d deep", maxJSONDepth)
	}
	t, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch t := t.(type) {
	case json.Number:
		return jsonNumber(t.String())
	case json.Delim:
		if t == '[' {
			return readArray(d, depth+1)
		}
		return readObject(d, depth+1)
	}
	return t, nil
}

func jsonNumber(s string) (any, error) {
	if !strings.ContainsAny(s, ".eE") {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("the whole number %s does not fit 64 bits", s)
		}
		return n, nil
	}
	x, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return nil, fmt.Errorf("the number %s is out of range", s)
	}
	return x, nil
}

func readArray(d *json.Decoder, depth int) (any, error) {
	items := []any{}
	for d.More() {
		v, err := readJSON(d, depth)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
	}
	_, err := d.Token()
	return items, err
}

func readObject(d *json.Decoder, depth int) (any, error) {
	out := NewDict()
	for d.More() {
		key, err := d.Token()
		if err != nil {
			return nil, err
		}
		v, err := readJSON(d, depth)
		if err != nil {
			return nil, err
		}
		out.Set(key.(string), v)
	}
	_, err := d.Token()
	return out, err
}
