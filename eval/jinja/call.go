package jinja

import (
	"fmt"
	"slices"
)

// values are the arguments of a call; named[i] belongs to keywords[i].
type values struct {
	positional []any
	keywords   []string
	named      []any
}

// operation is what a method or filter does with its value and arguments.
type operation func(r *rendering, of any, a values) (any, error)

// omitted stands for an argument that was not given.
type omitted struct{}

// bind orders arguments by the names of parameters, of which the first ones are
// required. Arguments that are not given are omitted{}.
func (a values) bind(required int, names ...string) ([]any, error) {
	if len(a.positional) > len(names) {
		return nil, fmt.Errorf("takes at most %d arguments, got %d", len(names), len(a.positional))
	}
	out := make([]any, len(names))
	for i := range out {
		out[i] = omitted{}
	}
	copy(out, a.positional)
	for i, k := range a.keywords {
		at := slices.Index(names, k)
		if at < 0 {
			return nil, fmt.Errorf("has no argument %q", k)
		}
		if out[at] != (omitted{}) {
			return nil, fmt.Errorf("got %q twice", k)
		}
		out[at] = a.named[i]
	}
	for i := range required {
		if out[i] == (omitted{}) {
			return nil, fmt.Errorf("lacks the argument %q", names[i])
		}
	}
	return out, nil
}

func given(v any) bool { _, left := v.(omitted); return !left }

// textOr is the text of an argument, or the default when it is omitted.
func textOr(v any, otherwise string) (string, error) {
	if !given(v) {
		return otherwise, nil
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	return "", fmt.Errorf("want text, found %s", typeName(v))
}

// wholeOr is the whole number of an argument, or the default when it is omitted.
func wholeOr(v any, otherwise int64) (int64, error) {
	if !given(v) {
		return otherwise, nil
	}
	if n, ok := whole(v); ok {
		return n, nil
	}
	return 0, fmt.Errorf("want a whole number, found %s", typeName(v))
}

// functions are the global names.
var functions = map[string]*function{
	"range":     {name: "range", run: makeRange},
	"dict":      {name: "dict", run: makeDict},
	"namespace": {name: "namespace", run: makeNamespace},
	"lipsum":    later("lipsum"),
	"cycler":    later("cycler"),
	"joiner":    later("joiner"),
}

func later(name string) *function {
	return &function{name: name, run: func(*rendering, values) (any, error) { return nil, refuse("the function") }}
}

// maxRange bounds the numbers that a range is made of.
const maxRange = 1 << 30

func makeRange(_ *rendering, a values) (any, error) {
	if len(a.named) > 0 || len(a.positional) < 1 || len(a.positional) > 3 {
		return nil, fmt.Errorf("want one to three whole numbers")
	}
	var n [3]int64
	for i, v := range a.positional {
		var ok bool
		if n[i], ok = whole(v); !ok {
			return nil, fmt.Errorf("want whole numbers, found %s", typeName(v))
		}
	}
	s := span{to: n[0], step: 1}
	if len(a.positional) > 1 {
		s.from, s.to = n[0], n[1]
	}
	if len(a.positional) > 2 {
		s.step = n[2]
	}
	switch {
	case s.step == 0:
		return nil, fmt.Errorf("a range cannot go in steps of 0")
	case max(magnitude(s.from), magnitude(s.to), magnitude(s.step)) > maxRange:
		return nil, refuse("a range that reaches beyond %d", int64(maxRange))
	case s.step > 0 && s.from < s.to:
		s.n = (s.to-s.from-1)/s.step + 1
	case s.step < 0 && s.from > s.to:
		s.n = (s.from-s.to-1)/-s.step + 1
	}
	return s, nil
}

func makeDict(r *rendering, a values) (any, error) {
	d := NewDict()
	if len(a.positional) > 0 {
		from, ok := a.positional[0].(*Dict)
		if !ok || len(a.positional) > 1 {
			return nil, refuse("a dict of %s", typeName(a.positional[0]))
		}
		if err := r.charge(weight(from)); err != nil {
			return nil, err
		}
		for hash, i := range from.place {
			d.place[hash] = i
		}
		d.keys, d.values = slices.Clone(from.keys), slices.Clone(from.values)
	}
	for i, k := range a.keywords {
		d.Set(k, a.named[i])
	}
	return d, nil
}

func makeNamespace(r *rendering, a values) (any, error) {
	v, err := makeDict(r, a)
	if err != nil {
		return nil, err
	}
	n := &namespace{values: map[string]any{}}
	for k, x := range v.(*Dict).All() {
		if name, ok := k.(string); ok {
			n.values[name] = x
		}
	}
	return n, nil
}
