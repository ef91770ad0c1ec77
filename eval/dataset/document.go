package dataset

import "iter"

// Document is one record of a data set.
type Document struct {
	File   string // where it stands
	Line   int    // 1-based, where it starts; 0 in files without lines
	Place  int    // 1-based, unique in the file: the line, or the place among its records
	Fields *Object
}

// Object is a mapping from names to values that keeps the order of its keys. The zero
// value is an empty one; a nil *Object can be read.
type Object struct {
	keys   []string
	values map[string]any
}

// Set gives a key a value; a key that is there keeps its place.
func (o *Object) Set(key string, value any) {
	if o.values == nil {
		o.values = map[string]any{}
	}
	if _, ok := o.values[key]; !ok {
		o.keys = append(o.keys, key)
	}
	o.values[key] = value
}

// Get returns the value of a key, and whether there is one.
func (o *Object) Get(key string) (any, bool) {
	if o == nil {
		return nil, false
	}
	v, ok := o.values[key]
	return v, ok
}

// Len returns the number of keys.
func (o *Object) Len() int {
	if o == nil {
		return 0
	}
	return len(o.keys)
}

// Keys returns the keys in order, for reading.
func (o *Object) Keys() []string {
	if o == nil {
		return nil
	}
	return o.keys
}

// All goes through keys and values in order.
func (o *Object) All() iter.Seq2[string, any] {
	return func(yield func(string, any) bool) {
		for _, k := range o.Keys() {
			if !yield(k, o.values[k]) {
				return
			}
		}
	}
}

// Map returns the object as a plain map, nested ones too. Their order is lost.
func (o *Object) Map() map[string]any {
	out := make(map[string]any, o.Len())
	for k, v := range o.All() {
		out[k] = plain(v)
	}
	return out
}

func plain(v any) any {
	switch v := v.(type) {
	case *Object:
		return v.Map()
	case []any:
		out := make([]any, len(v))
		for i, x := range v {
			out[i] = plain(x)
		}
		return out
	}
	return v
}
