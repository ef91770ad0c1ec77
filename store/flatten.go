package store

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
)

// flatten turns a configuration into values by their key path, "tasks[0].weight".
func flatten(text string) (map[string]string, error) {
	var v any
	if json.Valid([]byte(text)) {
		d := json.NewDecoder(bytes.NewReader([]byte(text)))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
	} else if err := yaml.Unmarshal([]byte(text), &v); err != nil {
		return nil, err
	}
	out := map[string]string{}
	flattenInto(out, "", v)
	return out, nil
}

func flattenInto(out map[string]string, path string, v any) {
	switch v := v.(type) {
	case map[string]any:
		for k, x := range v {
			flattenInto(out, strings.TrimPrefix(path+"."+k, "."), x)
		}
		if len(v) == 0 {
			out[path] = "{}"
		}
	case []any:
		for i, x := range v {
			flattenInto(out, fmt.Sprintf("%s[%d]", path, i), x)
		}
		if len(v) == 0 {
			out[path] = "[]"
		}
	case nil:
		out[path] = "null"
	case string:
		out[path] = strconv.Quote(v)
	case json.Number:
		out[path] = numberText(v)
	default:
		out[path] = fmt.Sprint(v)
	}
}

// numberText writes numbers of equal value equally: 1, 1.0 and 1e0.
func numberText(n json.Number) string {
	if _, err := n.Int64(); err == nil {
		return n.String()
	}
	if _, err := strconv.ParseUint(n.String(), 10, 64); err == nil {
		return n.String()
	}
	if f, err := n.Float64(); err == nil {
		return fmt.Sprint(f)
	}
	return n.String()
}
