package dataset

import "slices"

// shape is what the values of a column have in common.
type shape struct {
	kind   byte // 0: only null so far
	mixed  bool // values of different kinds, or objects of different keys: left alone
	keys   []string
	fields map[string]*shape
	items  *shape
}

const (
	isBool   = 'b'
	isInt    = 'i'
	isFloat  = 'f'
	isString = 's'
	isList   = 'l'
	isObject = 'o'
)

func (s *shape) learn(v any) {
	if s.mixed || v == nil {
		return
	}
	var kind byte
	switch v.(type) {
	case bool:
		kind = isBool
	case int64:
		kind = isInt
	case float64:
		kind = isFloat
	case string:
		kind = isString
	case []any:
		kind = isList
	case *Object:
		kind = isObject
	}
	first := s.kind == 0
	switch {
	case first || s.kind == kind:
		s.kind = kind
	case s.kind == isInt && kind == isFloat || s.kind == isFloat && kind == isInt:
		s.kind = isFloat
	default:
		s.mixed = true
		return
	}
	switch v := v.(type) {
	case []any:
		if s.items == nil {
			s.items = new(shape)
		}
		for _, x := range v {
			s.items.learn(x)
		}
	case *Object:
		if first {
			s.keys, s.fields = slices.Clone(v.Keys()), map[string]*shape{}
			for _, k := range s.keys {
				s.fields[k] = new(shape)
			}
		}
		if v.Len() != len(s.keys) {
			s.mixed = true
			return
		}
		for k, x := range v.All() {
			if s.fields[k] == nil {
				s.mixed = true
				return
			}
			s.fields[k].learn(x)
		}
	}
}

// fit returns v as a value of the column: whole numbers as floats among floats, and
// objects with their keys in the first one's order.
func (s *shape) fit(v any) any {
	if s.mixed {
		return v
	}
	switch x := v.(type) {
	case int64:
		if s.kind == isFloat {
			return float64(x)
		}
	case []any:
		for i := range x {
			x[i] = s.items.fit(x[i])
		}
	case *Object:
		out := new(Object)
		for _, k := range s.keys {
			y, _ := x.Get(k)
			out.Set(k, s.fields[k].fit(y))
		}
		return out
	}
	return v
}

// merge gives all documents of a split the same columns, in order of appearance, and
// each column one type where its values have one: whole numbers become float64 in a
// column with other numbers, also inside lists and objects. Where values differ more
// (text and numbers, objects with different keys) they stay as they are, from there
// inwards.
func merge(docs []Document) {
	var columns []string
	shapes := map[string]*shape{}
	for _, d := range docs {
		for k, v := range d.Fields.All() {
			if shapes[k] == nil {
				columns = append(columns, k)
				shapes[k] = new(shape)
			}
			shapes[k].learn(v)
		}
	}
	for i := range docs {
		fields := new(Object)
		for _, k := range columns {
			v, _ := docs[i].Fields.Get(k)
			fields.Set(k, shapes[k].fit(v))
		}
		docs[i].Fields = fields
	}
}
