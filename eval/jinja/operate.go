package jinja

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"math/bits"
	"slices"
	"strings"
)

var (
	errWide = fmt.Errorf("a whole number beyond 64 bits %w", errUnsupported)
	errZero = errors.New("division by zero")
)

// number gives an int, bool or float; i is set when whole.
func number(v any) (i int64, x float64, isWhole, ok bool) {
	if x, ok := v.(float64); ok {
		return 0, x, false, true
	}
	i, ok = whole(v)
	return i, float64(i), true, ok
}

// sign is +v or -v.
func sign(v any, minus bool) (any, error) {
	i, x, isWhole, ok := number(v)
	switch {
	case !ok:
		return nil, fmt.Errorf("%s has no sign", typeName(v))
	case !isWhole && minus:
		return -x, nil
	case !isWhole:
		return x, nil
	case !minus:
		return i, nil
	case i == math.MinInt64:
		return nil, errWide
	}
	return -i, nil
}

// arithmetic is a binary operator on two values.
func (r *rendering) arithmetic(op string, a, b any) (any, error) {
	i, x, wholeA, okA := number(a)
	j, y, wholeB, okB := number(b)
	switch {
	case okA && okB && wholeA && wholeB:
		return onWhole(op, i, j)
	case okA && okB:
		return onFloats(op, x, y)
	case op == "+":
		return r.join(a, b)
	case op == "*" && okB && wholeB:
		return r.repeat(a, j, b)
	case op == "*" && okA && wholeA:
		return r.repeat(b, i, a)
	}
	return nil, noOperator(op, a, b)
}

func noOperator(op string, a, b any) error {
	return fmt.Errorf("%q does not go with %s and %s", op, typeName(a), typeName(b))
}

func onWhole(op string, a, b int64) (any, error) {
	switch op {
	case "+":
		if c := a + b; (c > a) == (b > 0) {
			return c, nil
		}
		return nil, errWide
	case "-":
		if c := a - b; (c < a) == (b > 0) {
			return c, nil
		}
		return nil, errWide
	case "*":
		high, low := bits.Mul64(magnitude(a), magnitude(b))
		negative := (a < 0) != (b < 0)
		switch {
		case high == 0 && low <= math.MaxInt64 && negative:
			return -int64(low), nil
		case high == 0 && low <= math.MaxInt64:
			return int64(low), nil
		case high == 0 && negative && low == 1<<63:
			return int64(math.MinInt64), nil
		}
		return nil, errWide
	}
	switch {
	case b == 0:
		return nil, errZero
	case op == "/": // rounded once, as Python does, even where an operand has no float
		x, _ := new(big.Rat).SetFrac64(a, b).Float64()
		if a == 0 && b < 0 {
			x = math.Copysign(0, -1)
		}
		return x, nil
	case b == -1 && op == "%":
		return int64(0), nil
	case b == -1:
		return sign(a, true)
	}
	quotient, rest := a/b, a%b
	if rest != 0 && (rest < 0) != (b < 0) {
		quotient, rest = quotient-1, rest+b
	}
	if op == "%" {
		return rest, nil
	}
	return quotient, nil
}

func magnitude(a int64) uint64 {
	if a < 0 {
		return -uint64(a)
	}
	return uint64(a)
}

func onFloats(op string, a, b float64) (any, error) {
	switch op {
	case "+":
		return a + b, nil
	case "-":
		return a - b, nil
	case "*":
		return a * b, nil
	}
	if b == 0 {
		return nil, errZero
	}
	if op == "/" {
		return a / b, nil
	}
	rest := math.Mod(a, b)
	quotient := (a - rest) / b
	switch {
	case rest == 0:
		rest = math.Copysign(0, b)
	case (rest < 0) != (b < 0):
		rest += b
		quotient--
	}
	if op == "%" {
		return rest, nil
	}
	if quotient == 0 {
		return math.Copysign(0, a/b), nil
	}
	floor := math.Floor(quotient)
	if quotient-floor > 0.5 {
		floor++
	}
	return floor, nil
}

// join is a + b for texts, lists and tuples.
func (r *rendering) join(a, b any) (any, error) {
	switch a := a.(type) {
	case string:
		if b, ok := b.(string); ok {
			return a + b, r.charge(len(a) + len(b))
		}
	case []any:
		if b, ok := b.([]any); ok {
			out := append(append(make([]any, 0, len(a)+len(b)), a...), b...)
			return out, r.charge(weight(out))
		}
	case Tuple:
		if b, ok := b.(Tuple); ok {
			out := append(append(make(Tuple, 0, len(a)+len(b)), a...), b...)
			return out, r.charge(weight(out))
		}
	}
	return nil, noOperator("+", a, b)
}

// repeat is v * n for texts, lists and tuples; by is n as it was given.
func (r *rendering) repeat(v any, n int64, by any) (any, error) {
	n = max(n, 0)
	length := weight(v)
	if n > 0 && int64(length) > budget/n {
		return nil, errBudget
	}
	if err := r.charge(length * int(n)); err != nil {
		return nil, err
	}
	if length == 0 {
		n = 0
	}
	switch v := v.(type) {
	case string:
		return strings.Repeat(v, int(n)), nil
	case []any:
		return repeated(v, int(n)), nil
	case Tuple:
		return Tuple(repeated(v, int(n))), nil
	}
	return nil, noOperator("*", v, by)
}

func repeated(v []any, n int) []any {
	out := make([]any, 0, len(v)*n)
	for range n {
		out = append(out, v...)
	}
	return out
}

// compare is one comparison of a chain.
func (r *rendering) compare(op string, a, b any) (bool, error) {
	switch op {
	case "in", "not in":
		found, err := r.contains(b, a)
		return found == (op == "in"), err
	case "==", "!=":
		same, err := r.equal(a, b)
		return same == (op == "=="), err
	}
	order, ordered, err := r.order(op, a, b)
	if err != nil || !ordered {
		return false, err
	}
	switch op {
	case "<":
		return order < 0, nil
	case "<=":
		return order <= 0, nil
	case ">":
		return order > 0, nil
	}
	return order >= 0, nil
}

// equal is Python's ==.
func (r *rendering) equal(a, b any) (bool, error) {
	if err := r.enter(); err != nil {
		return false, err
	}
	defer r.leave()
	for _, v := range []any{a, b} {
		if err := missing(v); err != nil {
			return false, err
		}
	}
	if _, _, _, ok := number(a); ok {
		if _, _, _, ok := number(b); ok {
			order, ordered := orderNumbers(a, b)
			return ordered && order == 0, nil
		}
		return false, nil
	}
	switch a := a.(type) {
	case nil:
		return b == nil, nil
	case *undefined:
		_, ok := b.(*undefined)
		return ok, nil
	case string:
		b, ok := b.(string)
		return ok && a == b, r.charge(min(len(a), len(b)))
	case []any:
		b, ok := b.([]any)
		if !ok {
			return false, nil
		}
		return r.equalItems(a, b)
	case Tuple:
		b, ok := b.(Tuple)
		if !ok {
			return false, nil
		}
		return r.equalItems(a, b)
	case map[string]any, *Dict:
		switch b.(type) {
		case map[string]any, *Dict:
			return r.equalMappings(a, b)
		}
		return false, nil
	}
	switch b.(type) {
	case nil, bool, int64, float64, string, []any, Tuple, map[string]any, *Dict, *undefined:
		return false, nil
	}
	return false, refuse("comparing %s with %s", typeName(a), typeName(b))
}

func (r *rendering) equalItems(a, b []any) (bool, error) {
	if len(a) != len(b) {
		return false, nil
	}
	for i := range a {
		if same, err := r.equal(a[i], b[i]); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

func (r *rendering) equalMappings(a, b any) (bool, error) {
	n, _ := size(a)
	m, _ := size(b)
	if n != m {
		return false, nil
	}
	if plain, ok := a.(map[string]any); ok {
		if _, ok := b.(*Dict); ok {
			return r.equalMappings(b, a)
		}
		d := NewDict()
		for _, k := range slices.Sorted(maps.Keys(plain)) { // any order would do, but always the same
			d.Set(k, plain[k])
		}
		a = d
	}
	for k, v := range a.(*Dict).All() {
		w, ok, err := r.entry(b, k)
		if err != nil || !ok {
			return false, err
		}
		if same, err := r.equal(v, w); !same || err != nil {
			return false, err
		}
	}
	return true, nil
}

// order compares two values; ordered is false for NaN.
func (r *rendering) order(op string, a, b any) (order int, ordered bool, err error) {
	if err := r.enter(); err != nil {
		return 0, false, err
	}
	defer r.leave()
	for _, v := range []any{a, b} {
		if err := missing(v); err != nil {
			return 0, false, err
		}
	}
	if _, _, _, ok := number(a); ok {
		if _, _, _, ok := number(b); ok {
			order, ordered = orderNumbers(a, b)
			return order, ordered, nil
		}
	}
	switch a := a.(type) {
	case string: // UTF-8 orders as code points do
		if b, ok := b.(string); ok {
			return strings.Compare(a, b), true, r.charge(min(len(a), len(b)))
		}
	case []any:
		if b, ok := b.([]any); ok {
			return r.orderItems(op, a, b)
		}
	case Tuple:
		if b, ok := b.(Tuple); ok {
			return r.orderItems(op, a, b)
		}
	}
	return 0, false, noOperator(op, a, b)
}

func (r *rendering) orderItems(op string, a, b []any) (int, bool, error) {
	for i := range min(len(a), len(b)) {
		same, err := r.equal(a[i], b[i])
		if err != nil {
			return 0, false, err
		}
		if !same {
			return r.order(op, a[i], b[i])
		}
	}
	return cmp.Compare(len(a), len(b)), true, nil
}

// orderNumbers compares exactly, a whole number with a fraction too.
func orderNumbers(a, b any) (order int, ordered bool) {
	i, x, wholeA, _ := number(a)
	j, y, wholeB, _ := number(b)
	switch {
	case wholeA && wholeB:
		return cmp.Compare(i, j), true
	case math.IsNaN(x) || math.IsNaN(y):
		return 0, false
	case wholeA:
		return orderMixed(i, y), true
	case wholeB:
		return -orderMixed(j, x), true
	}
	return cmp.Compare(x, y), true
}

func orderMixed(i int64, y float64) int {
	if math.Abs(y) >= 1<<63 {
		if y == math.MinInt64 {
			return cmp.Compare(i, math.MinInt64)
		}
		return cmp.Compare(0, y)
	}
	if c := cmp.Compare(i, int64(y)); c != 0 {
		return c
	}
	return cmp.Compare(math.Trunc(y), y)
}

// contains is Python's "x in of".
func (r *rendering) contains(of, x any) (bool, error) {
	if err := missing(of); err != nil {
		return false, err
	}
	switch of := of.(type) {
	case string:
		s, ok := x.(string)
		if !ok {
			return false, fmt.Errorf("only text can be in text, not %s", typeName(x))
		}
		return strings.Contains(of, s), r.charge(len(of))
	case map[string]any, *Dict:
		_, ok, err := r.entry(of, x)
		return ok, err
	}
	items, err := r.items(of)
	if err != nil {
		return false, err
	}
	for _, item := range items {
		if same, err := r.equal(item, x); same || err != nil {
			return same, err
		}
	}
	return false, nil
}
