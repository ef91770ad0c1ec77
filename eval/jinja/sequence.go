package jinja

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// attributePath is the argument "attribute" of filters, such as "a.b.0", cut into
// keys. It is nil when omitted or None.
func attributePath(v any) ([]any, error) {
	switch v := v.(type) {
	case omitted, nil:
		return nil, nil
	case int64:
		return []any{v}, nil
	case string:
		var path []any
		for _, part := range strings.Split(v, ".") {
			if part != "" && strings.Trim(part, "0123456789") == "" {
				n, err := strconv.ParseInt(part, 10, 64)
				if err != nil {
					return nil, errWide
				}
				path = append(path, n)
				continue
			}
			path = append(path, part)
		}
		return path, nil
	}
	return nil, fmt.Errorf("an attribute is named by text or a whole number, not %s", typeName(v))
}

// follow looks up one key after the other.
func (r *rendering) follow(v any, path []any) (any, error) {
	for _, key := range path {
		if err := missing(v); err != nil {
			return nil, err
		}
		var err error
		if v, err = r.index(v, key, r.at); err != nil {
			return nil, err
		}
		if err := r.charge(stepCost); err != nil {
			return nil, err
		}
	}
	return v, nil
}

// keyed is an element with what it is ordered or told apart by.
type keyed struct{ item, key any }

// keys gives elements with their attribute, texts lowered unless the case counts.
func (r *rendering) keys(of, attribute, sensitive any) ([]keyed, error) {
	exact := false
	if given(sensitive) {
		var err error
		if exact, err = truth(sensitive); err != nil {
			return nil, err
		}
	}
	items, err := r.items(of)
	if err != nil {
		return nil, err
	}
	path, err := attributePath(attribute)
	if err != nil {
		return nil, err
	}
	out := make([]keyed, len(items))
	for i, item := range items {
		key, err := r.follow(item, path)
		if err != nil {
			return nil, err
		}
		if s, ok := key.(string); ok && !exact {
			if err := r.charge(len(s)); err != nil {
				return nil, err
			}
			key = lower(s)
		}
		out[i] = keyed{item, key}
	}
	return out, r.charge(elementCost * len(items))
}

func sorted(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "reverse", "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	if s, ok := args[2].(string); ok && strings.Contains(s, ",") {
		return nil, refuse("several attributes")
	}
	backwards := false
	if given(args[0]) {
		if backwards, err = truth(args[0]); err != nil {
			return nil, err
		}
	}
	elements, err := r.keys(of, args[2], args[1])
	if err != nil {
		return nil, err
	}
	var failed error
	slices.SortStableFunc(elements, func(x, y keyed) int {
		if failed != nil {
			return 0
		}
		if isUndefined(x.key) && isUndefined(y.key) && missing(x.key) == nil {
			return 0 // Jinja compares lists of keys, and those are equal
		}
		order, _, err := r.order("<", x.key, y.key)
		if failed = err; backwards {
			return -order
		}
		return order
	})
	return itemsOf(elements), failed
}

func itemsOf(elements []keyed) []any {
	out := make([]any, len(elements))
	for i, e := range elements {
		out[i] = e.item
	}
	return out
}

func unique(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(0, "case_sensitive", "attribute")
	if err != nil {
		return nil, err
	}
	elements, err := r.keys(of, args[1], args[0])
	if err != nil {
		return nil, err
	}
	seen := map[any]bool{}
	var out []any
	for _, e := range elements {
		hash, err := r.hash(e.key)
		if err != nil {
			return nil, err
		}
		if !seen[hash] {
			seen[hash] = true
			out = append(out, e.item)
		}
	}
	return &generator{out}, nil
}

// extreme is min for -1 and max for 1: the first of the elements that are so.
func extreme(direction int) operation {
	return func(r *rendering, of any, a values) (any, error) {
		args, err := a.bind(0, "case_sensitive", "attribute")
		if err != nil {
			return nil, err
		}
		elements, err := r.keys(of, args[1], args[0])
		if err != nil {
			return nil, err
		}
		if len(elements) == 0 {
			return r.nothing("there is no such element"), nil
		}
		best := elements[0]
		for _, e := range elements[1:] {
			order, ordered, err := r.order("<", e.key, best.key)
			if err != nil {
				return nil, err
			}
			if ordered && order*direction > 0 {
				best = e
			}
		}
		return best.item, nil
	}
}

// itemsIfAny takes what is false, such as 0, for empty.
func (r *rendering) itemsIfAny(of any) ([]any, error) {
	if ok, err := truth(of); !ok || err != nil {
		return nil, err
	}
	return r.items(of)
}

// mapFilter applies a filter to each element, or looks an attribute up in each.
func mapFilter(r *rendering, of any, a values) (any, error) {
	items, err := r.itemsIfAny(of)
	if err != nil || len(items) == 0 {
		return &generator{}, err
	}
	each, err := r.mapping(a)
	if err != nil {
		return nil, err
	}
	out := make([]any, len(items))
	for i, x := range items {
		if err := r.charge(stepCost); err != nil {
			return nil, err
		}
		if out[i], err = each(x); err != nil {
			return nil, err
		}
	}
	return &generator{out}, nil
}

func (r *rendering) mapping(a values) (func(any) (any, error), error) {
	if len(a.positional) == 0 {
		args, err := a.bind(0, "attribute", "default")
		if err != nil {
			return nil, err
		}
		if !given(args[0]) {
			return nil, fmt.Errorf("want the name of a filter, or attribute=")
		}
		path, err := attributePath(args[0])
		if err != nil {
			return nil, err
		}
		return func(x any) (any, error) {
			for _, key := range path {
				var err error
				if x, err = r.follow(x, []any{key}); err != nil {
					return nil, err
				}
				if _, ok := x.(*undefined); ok && given(args[1]) && args[1] != nil {
					x = args[1]
				}
			}
			return x, nil
		}, nil
	}
	name, _ := a.positional[0].(string)
	f, ok := filterNamed(name, r.chat != nil)
	if !ok {
		return nil, refuse("the filter %s", scalar(a.positional[0]))
	}
	a.positional = a.positional[1:]
	return func(x any) (any, error) {
		if !f.undefined {
			if err := missing(x); err != nil {
				return nil, err
			}
		}
		return r.operate(f.run, x, a)
	}, nil
}

// choosing keeps the elements that pass a test, or those that do not.
func choosing(keep, byAttribute bool) operation {
	return func(r *rendering, of any, a values) (any, error) {
		items, err := r.itemsIfAny(of)
		if err != nil || len(items) == 0 {
			return &generator{}, err
		}
		var path []any
		if byAttribute {
			if len(a.positional) == 0 {
				return nil, fmt.Errorf("want the name of an attribute")
			}
			if path, err = attributePath(a.positional[0]); err != nil {
				return nil, err
			}
			a.positional = a.positional[1:]
		}
		passes := func(_ *rendering, x any, _ values) (bool, error) { return truth(x) }
		if len(a.positional) > 0 {
			name, _ := a.positional[0].(string)
			if passes, _ = testNamed(name, r.chat != nil); passes == nil {
				return nil, refuse("the test %s", scalar(a.positional[0]))
			}
			a.positional = a.positional[1:]
		}
		var out []any
		for _, x := range items {
			v, err := r.follow(x, path)
			if err != nil {
				return nil, err
			}
			ok, err := passes(r, v, a)
			if err != nil {
				return nil, err
			}
			if ok == keep {
				out = append(out, x)
			}
		}
		return &generator{out}, r.charge(stepCost * len(items))
	}
}
