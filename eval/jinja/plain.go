package jinja

// Plain gives a value in Go's own types: mappings as map[string]any, whose order is
// lost, tuples as []any. ok is false where a mapping has a key that is no text.
func Plain(v any) (plain any, ok bool) {
	switch v := v.(type) {
	case *Dict:
		out := make(map[string]any, v.Len())
		for k, x := range v.All() {
			name, text := k.(string)
			if !text {
				return nil, false
			}
			if out[name], ok = Plain(x); !ok {
				return nil, false
			}
		}
		return out, true
	case Tuple:
		return Plain([]any(v))
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			if out[i], ok = Plain(x); !ok {
				return nil, false
			}
		}
		return out, true
	}
	return v, true
}
