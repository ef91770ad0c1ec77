package jinja

import (
	"fmt"
	"math"
)

// attribute is of.name: a method of the value's type, else a key of a mapping.
func (r *rendering) attribute(of any, name string, at int) (any, error) {
	if v, ok, err := r.ownAttribute(of, name); ok || err != nil {
		return v, err
	}
	switch of.(type) {
	case map[string]any, *Dict:
		if v, ok, err := r.entry(of, name); ok || err != nil {
			return v, err
		}
	}
	return r.absent(of, name, at), nil
}

// ownAttribute is what Python's getattr finds.
func (r *rendering) ownAttribute(of any, name string) (v any, ok bool, err error) {
	switch of := of.(type) {
	case *undefined:
		return nil, false, of.fault
	case *namespace:
		v, ok = of.values[name]
		return v, ok, nil
	case *loopState:
		v, ok = of.attribute(r, name)
		return v, ok, nil
	}
	if run, ok := methodsOf(of)[name]; ok {
		return method{of: of, name: name, run: run}, true, nil
	}
	if pythonMethods(of)[name] {
		return nil, false, refuse("the method %s of %s", name, typeName(of))
	}
	return nil, false, nil
}

// index is of[key]. What is not there is undefined, as in Jinja, and fails when it
// is used.
func (r *rendering) index(of, key any, at int) (any, error) {
	if u, ok := key.(*undefined); ok {
		if isMapping(of) {
			return r.undefined(u.fault), missing(key)
		}
		return r.undefined(u.fault), nil
	}
	switch of := of.(type) {
	case *undefined:
		return nil, of.fault
	case map[string]any, *Dict:
		if v, ok, err := r.entry(of, key); ok && err == nil {
			return v, nil
		}
	case []any:
		if i, ok := position(key, len(of)); ok {
			return of[i], nil
		}
	case Tuple:
		if i, ok := position(key, len(of)); ok {
			return of[i], nil
		}
	case span:
		if i, ok := position(key, int(of.n)); ok {
			return of.from + int64(i)*of.step, nil
		}
	case string:
		if err := r.charge(len(of)); err != nil {
			return nil, err
		}
		runes := []rune(of)
		if i, ok := position(key, len(runes)); ok {
			return string(runes[i]), nil
		}
	}
	if name, ok := key.(string); ok {
		if v, ok, err := r.ownAttribute(of, name); ok || err != nil {
			return v, err
		}
	}
	return r.absent(of, key, at), nil
}

func (r *rendering) absent(of, key any, at int) *undefined {
	f := fault(at, fmt.Sprintf("%s has nothing at %s", typeName(of), scalar(key)))
	name, isText := key.(string)
	switch of.(type) {
	case map[string]any, *Dict:
		if isText {
			f.Problem, f.Name = fmt.Sprintf("no key %q", name), name
		}
	}
	return r.undefined(f)
}

// scalar prints a value for a message, or names its type.
func scalar(v any) string {
	if s, err := Str(v); err == nil {
		return s
	}
	return typeName(v)
}

// position turns a Python index, which may be negative, into one of 0..n-1.
func position(key any, n int) (int, bool) {
	i, ok := whole(key)
	if i < 0 {
		i += int64(n)
	}
	return int(i), ok && i >= 0 && i < int64(n)
}

// whole is the value of an int or bool.
func whole(v any) (int64, bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case bool:
		if v {
			return 1, true
		}
		return 0, true
	}
	return 0, false
}

// slice is of[from:to:step]; a bound that is nil is left out.
func (r *rendering) slice(of, from, to, step any) (any, error) {
	by := int64(1)
	for _, bound := range []any{from, to, step} {
		if _, ok := whole(bound); !ok && bound != nil {
			return nil, fmt.Errorf("a slice wants whole numbers, found %s", typeName(bound))
		}
	}
	if step != nil {
		by, _ = whole(step)
	}
	if by == 0 {
		return nil, fmt.Errorf("a slice cannot go in steps of 0")
	}
	switch of := of.(type) {
	case string:
		if err := r.charge(len(of)); err != nil {
			return nil, err
		}
		return string(cut([]rune(of), from, to, by)), nil
	case []any:
		v := cut(of, from, to, by)
		return v, r.charge(weight(v))
	case Tuple:
		v := Tuple(cut(of, from, to, by))
		return v, r.charge(weight(v))
	case span:
		first, end, n := sliceRange(from, to, by, int(of.n))
		item := func(i int64) int64 { return of.from + i*of.step }
		if magnitude(by) > maxRange {
			return nil, refuse("such a step")
		}
		return span{from: item(first), to: item(end), step: of.step * by, n: n}, nil
	}
	return nil, fmt.Errorf("%s has no slices", typeName(of))
}

// cut takes the elements of a slice; the result shares nothing with s.
func cut[E any](s []E, from, to any, by int64) []E {
	i, _, n := sliceRange(from, to, by, len(s))
	out := make([]E, n)
	for k := range out {
		out[k] = s[i+int64(k)*by]
	}
	return out
}

// sliceRange gives the bounds and the number of elements of a slice, with Python's
// rules for bounds that are negative, out of range or left out.
func sliceRange(from, to any, by int64, length int) (start, end, n int64) {
	by = max(by, -math.MaxInt64)
	lowest, highest := int64(0), int64(length)
	if by < 0 {
		lowest, highest = -1, int64(length)-1
	}
	bound := func(v any, otherwise int64) int64 {
		if v == nil {
			return otherwise
		}
		i, _ := whole(v)
		if i < 0 {
			i += int64(length)
		}
		return min(max(i, lowest), highest)
	}
	if by > 0 {
		start, end = bound(from, lowest), bound(to, highest)
		if start < end {
			n = (end-start-1)/by + 1
		}
	} else {
		start, end = bound(from, highest), bound(to, lowest)
		if end < start {
			n = (start-end-1)/-by + 1
		}
	}
	return start, end, n
}

// attribute gives what a template may ask about the loop it is in.
func (l *loopState) attribute(r *rendering, name string) (any, bool) {
	n := int64(len(l.items))
	at := int64(l.at)
	neighbour := func(i int, which string) any {
		if i < 0 || i >= len(l.items) {
			return r.undefined(fault(0, "the loop has no "+which+" item here"))
		}
		return l.items[i]
	}
	switch name {
	case "index":
		return at + 1, true
	case "index0":
		return at, true
	case "revindex":
		return n - at, true
	case "revindex0":
		return n - at - 1, true
	case "first":
		return at == 0, true
	case "last":
		return at == n-1, true
	case "length":
		return n, true
	case "depth":
		return int64(1), true
	case "depth0":
		return int64(0), true
	case "previtem":
		return neighbour(l.at-1, "previous"), true
	case "nextitem":
		return neighbour(l.at+1, "next"), true
	case "cycle":
		return method{of: l, name: name, run: func(_ *rendering, _ any, a values) (any, error) {
			if len(a.positional) == 0 || len(a.named) > 0 {
				return nil, fmt.Errorf("want values to choose from")
			}
			return a.positional[l.at%len(a.positional)], nil
		}}, true
	}
	return nil, false
}
