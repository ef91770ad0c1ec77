package jinja

import (
	"fmt"
)

// test is what follows "is"; the value may be undefined.
type test func(r *rendering, of any, a values) (bool, error)

// tests by name. It is filled in by init, since filters look tests up.
var tests map[string]test

func init() {
	tests = map[string]test{
		"defined":     plainTest(func(v any) bool { return !isUndefined(v) }),
		"undefined":   plainTest(isUndefined),
		"none":        plainTest(func(v any) bool { return v == nil }),
		"boolean":     plainTest(func(v any) bool { _, ok := v.(bool); return ok }),
		"true":        plainTest(func(v any) bool { b, ok := v.(bool); return ok && b }),
		"false":       plainTest(func(v any) bool { b, ok := v.(bool); return ok && !b }),
		"integer":     plainTest(func(v any) bool { _, ok := v.(int64); return ok }),
		"float":       plainTest(func(v any) bool { _, ok := v.(float64); return ok }),
		"number":      plainTest(func(v any) bool { _, _, _, ok := number(v); return ok }),
		"string":      plainTest(func(v any) bool { _, ok := v.(string); return ok }),
		"mapping":     plainTest(isMapping),
		"sequence":    plainTest(isSequence),
		"iterable":    isIterable,
		"lower":       caseTest(isLower),
		"upper":       caseTest(isUpper),
		"odd":         remainder(2, 1),
		"even":        remainder(2, 0),
		"divisibleby": divisible,
		"sameas":      sameAs,
		"in":          isIn,
	}
	for op, names := range map[string][]string{
		"==": {"==", "eq", "equalto"}, "!=": {"!=", "ne"}, "<": {"<", "lt", "lessthan"}, "<=": {"<=", "le"},
		">": {">", "gt", "greaterthan"}, ">=": {">=", "ge"},
	} {
		for _, name := range names {
			tests[name] = comparing(op)
		}
	}
}

func plainTest(f func(any) bool) test {
	return func(_ *rendering, of any, a values) (bool, error) {
		_, err := a.bind(0)
		return f(of), err
	}
}

func isUndefined(v any) bool {
	_, ok := v.(*undefined)
	return ok
}

func isMapping(v any) bool {
	switch v.(type) {
	case map[string]any, *Dict:
		return true
	}
	return false
}

func isSequence(v any) bool {
	switch v.(type) {
	case string, []any, Tuple, span:
		return true
	case *undefined:
		return missing(v) == nil // Jinja takes it for one
	}
	return isMapping(v)
}

func isIterable(_ *rendering, of any, a values) (bool, error) {
	if _, err := a.bind(0); err != nil {
		return false, err
	}
	switch v := of.(type) {
	case *undefined:
		return v.lenient, missing(v)
	case view, *generator:
		return true, nil
	case *loopState:
		return false, refuse("going through the loop")
	}
	return isSequence(of), nil
}

func caseTest(ok func(rune) bool) test {
	return func(r *rendering, of any, a values) (bool, error) {
		if _, err := a.bind(0); err != nil {
			return false, err
		}
		s, err := r.print(of)
		return oneCase(s, ok), err
	}
}

func remainder(by, want int64) test {
	return func(r *rendering, of any, a values) (bool, error) {
		if _, err := a.bind(0); err != nil {
			return false, err
		}
		return r.leaves(of, by, want)
	}
}

func divisible(r *rendering, of any, a values) (bool, error) {
	args, err := a.bind(1, "num")
	if err != nil {
		return false, err
	}
	return r.leaves(of, args[0], 0)
}

// leaves reports whether of % by == want.
func (r *rendering) leaves(of, by any, want int64) (bool, error) {
	if err := missing(of); err != nil {
		return false, err
	}
	rest, err := r.arithmetic("%", of, by)
	if err != nil {
		return false, err
	}
	return r.equal(rest, want)
}

// sameAs is Python's "is", which has a meaning for None, True and False alone.
func sameAs(_ *rendering, of any, a values) (bool, error) {
	args, err := a.bind(1, "other")
	if err != nil {
		return false, err
	}
	switch other := args[0].(type) {
	case nil:
		return of == nil, nil
	case bool:
		b, ok := of.(bool)
		return ok && b == other, nil
	}
	return false, refuse("comparing with %s", typeName(args[0]))
}

func isIn(r *rendering, of any, a values) (bool, error) {
	args, err := a.bind(1, "seq")
	if err != nil {
		return false, err
	}
	return r.contains(args[0], of)
}

func comparing(op string) test {
	return func(r *rendering, of any, a values) (bool, error) {
		if len(a.positional) != 1 || len(a.named) > 0 {
			return false, fmt.Errorf("want one value to compare with")
		}
		return r.compare(op, of, a.positional[0])
	}
}
