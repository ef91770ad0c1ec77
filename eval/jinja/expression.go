package jinja

import (
	"fmt"
	"strings"
)

// expression is a node of the syntax tree. It is evaluated through
// rendering.value, which counts the step.
type expression interface {
	value(r *rendering) (any, error)
	position() int // 1-based, in code points
}

type (
	literal struct{ v any }

	variable struct {
		name string
		at   int
	}

	// attribute is of.name.
	attribute struct {
		of   expression
		name string
		at   int
	}

	// index is of[key].
	index struct {
		of, key expression
		at      int
	}

	// slice is of[from:to:step]; what is left out is nil.
	slice struct {
		of, from, to, step expression
		at                 int
	}

	call struct {
		of expression
		arguments
		at int
	}

	filtered struct {
		name string
		run  filter
		of   expression
		arguments
		at int
	}

	tested struct {
		name string
		run  test
		of   expression
		arguments
		at int
	}

	// choice is "then if test else otherwise"; otherwise may be nil.
	choice struct {
		test, then, otherwise expression
		at                    int
	}

	// logical is left and right, or left or right.
	logical struct {
		left, right expression
		or          bool
	}

	negation struct{ of expression }

	signed struct {
		of    expression
		minus bool
		at    int
	}

	arithmetic struct {
		op          string
		left, right expression
		at          int
	}

	concat struct {
		parts []expression
		at    int
	}

	comparison struct {
		first expression
		rest  []operand
	}

	operand struct {
		op string
		of expression
		at int
	}

	// sequence is a list or a tuple.
	sequence struct {
		items []expression
		tuple bool
		at    int
	}

	dict struct {
		keys, values []expression
		at           int
	}
)

// arguments are the expressions of a call; named[i] belongs to keywords[i].
type arguments struct {
	positional []expression
	keywords   []string
	named      []expression
	spread     expression // *arguments after the positional ones; nil: none
}

func (literal) position() int      { return 0 }
func (e variable) position() int   { return e.at }
func (e attribute) position() int  { return e.at }
func (e index) position() int      { return e.at }
func (e slice) position() int      { return e.at }
func (e call) position() int       { return e.at }
func (e filtered) position() int   { return e.at }
func (e tested) position() int     { return e.at }
func (e choice) position() int     { return e.at }
func (e logical) position() int    { return e.left.position() }
func (e negation) position() int   { return e.of.position() }
func (e signed) position() int     { return e.at }
func (e arithmetic) position() int { return e.at }
func (e concat) position() int     { return e.at }
func (e comparison) position() int { return e.rest[0].at }
func (e sequence) position() int   { return e.at }
func (e dict) position() int       { return e.at }

func (e literal) value(*rendering) (any, error) { return e.v, nil }

func (e variable) value(r *rendering) (any, error) {
	if v, ok := r.lookup(e.name); ok {
		return v, nil
	}
	f := fault(e.at, fmt.Sprintf("the document has no column %q", e.name))
	f.Name = e.name
	return r.undefined(f), nil
}

func (e attribute) value(r *rendering) (any, error) {
	of, err := r.defined(e.of)
	if err != nil {
		return nil, err
	}
	v, err := r.attribute(of, e.name, e.at)
	if u, ok := v.(*undefined); ok && u.fault.Offset == 0 { // a neighbour that the loop lacks
		u.fault.Offset = e.at
	}
	return v, place(err, e.at)
}

func (e index) value(r *rendering) (any, error) {
	of, err := r.defined(e.of)
	if err != nil {
		return nil, err
	}
	key, err := r.value(e.key)
	if err != nil {
		return nil, err
	}
	v, err := r.index(of, key, e.at)
	return v, place(err, e.at)
}

func (e slice) value(r *rendering) (any, error) {
	of, err := r.defined(e.of)
	if err != nil {
		return nil, err
	}
	var bounds [3]any
	for i, part := range []expression{e.from, e.to, e.step} {
		if part == nil {
			continue
		}
		if bounds[i], err = r.defined(part); err != nil {
			return nil, err
		}
	}
	v, err := r.slice(of, bounds[0], bounds[1], bounds[2])
	return v, place(err, e.at)
}

// evaluate gives the values of arguments. Those that are undefined are errors
// unless lazy.
func (a arguments) evaluate(r *rendering, lazy bool) (values, error) {
	get := r.defined
	if lazy {
		get = r.value
	}
	var out values
	for _, e := range a.positional {
		v, err := get(e)
		if err != nil {
			return out, err
		}
		out.positional = append(out.positional, v)
	}
	if a.spread != nil {
		v, err := get(a.spread)
		if err != nil {
			return out, err
		}
		items, err := r.items(v)
		if err != nil {
			return out, place(err, a.spread.position())
		}
		out.positional = append(out.positional, items...)
	}
	for i, e := range a.named {
		v, err := get(e)
		if err != nil {
			return out, err
		}
		out.keywords, out.named = append(out.keywords, a.keywords[i]), append(out.named, v)
	}
	return out, nil
}

func (e call) value(r *rendering) (any, error) {
	of, err := r.defined(e.of)
	if err != nil {
		return nil, err
	}
	a, err := e.evaluate(r, false)
	if err != nil {
		return nil, err
	}
	return e.apply(r, of, a)
}

// apply calls a value.
func (e call) apply(r *rendering, of any, a values) (v any, err error) {
	switch f := of.(type) {
	case method:
		v, err = r.operate(f.run, f.of, a)
		if err != nil {
			err = fmt.Errorf("%s of %s: %w", f.name, typeName(f.of), err)
		}
	case *function:
		if v, err = f.run(r, a); err != nil {
			err = fmt.Errorf("%s: %w", f.name, err)
		}
	default:
		err = fmt.Errorf("%s cannot be called", typeName(of))
	}
	return v, place(err, e.at)
}

func (e filtered) value(r *rendering) (any, error) {
	of, err := r.value(e.of)
	if err == nil && !e.run.undefined {
		err = missing(of)
	}
	if err != nil {
		return nil, err
	}
	a, err := e.evaluate(r, e.run.lazy)
	if err != nil {
		return nil, err
	}
	r.at = e.at
	v, err := r.operate(e.run.run, of, a)
	if err != nil {
		return nil, place(fmt.Errorf("%s of %s: %w", e.name, typeName(of), err), e.at)
	}
	return v, nil
}

// operate runs a method or filter and charges for what it reads and makes.
func (r *rendering) operate(run operation, of any, a values) (any, error) {
	read := weight(of)
	for _, x := range a.positional {
		read += weight(x)
	}
	if err := r.charge(read); err != nil {
		return nil, err
	}
	v, err := run(r, of, a)
	if err != nil {
		return nil, err
	}
	return v, r.charge(weight(v))
}

// weight is what it costs to go through a value once.
func weight(v any) int {
	if s, ok := v.(string); ok {
		return len(s)
	}
	if _, ok := v.(span); ok {
		return 0
	}
	n, _ := size(v)
	return elementCost * n
}

func (e tested) value(r *rendering) (any, error) {
	of, err := r.value(e.of)
	if err != nil {
		return nil, err
	}
	a, err := e.evaluate(r, false)
	if err != nil {
		return nil, err
	}
	ok, err := e.run(r, of, a)
	if err != nil {
		return nil, place(fmt.Errorf("is %s: %w", e.name, err), e.at)
	}
	return ok, nil
}

func (e choice) value(r *rendering) (any, error) {
	v, err := r.value(e.test)
	if err != nil {
		return nil, err
	}
	ok, err := truth(v)
	switch {
	case err != nil:
		return nil, place(err, e.at)
	case ok:
		return r.value(e.then)
	case e.otherwise == nil:
		return &undefined{fault: fault(e.at, "the condition is false and there is no else"), lenient: true}, nil
	}
	return r.value(e.otherwise)
}

func (e logical) value(r *rendering) (any, error) {
	left, err := r.value(e.left)
	if err != nil {
		return nil, err
	}
	ok, err := truth(left)
	if err != nil {
		return nil, place(err, e.position())
	}
	if ok == e.or {
		return left, nil
	}
	return r.value(e.right)
}

func (e negation) value(r *rendering) (any, error) {
	v, err := r.value(e.of)
	if err != nil {
		return nil, err
	}
	ok, err := truth(v)
	return !ok, place(err, e.position())
}

func (e signed) value(r *rendering) (any, error) {
	v, err := r.defined(e.of)
	if err != nil {
		return nil, err
	}
	v, err = sign(v, e.minus)
	return v, place(err, e.at)
}

func (e arithmetic) value(r *rendering) (any, error) {
	left, err := r.value(e.left)
	if err != nil {
		return nil, err
	}
	right, err := r.value(e.right)
	if _, isText := left.(string); err == nil && isText && e.op == "%" {
		err = unsupported(e.at, "formatting with %")
	}
	for _, operand := range []any{left, right} {
		if u, ok := operand.(*undefined); ok && err == nil { // a lenient one cannot be added either
			err = u.fault
		}
	}
	if err != nil {
		return nil, err
	}
	v, err := r.arithmetic(e.op, left, right)
	return v, place(err, e.at)
}

func (e concat) value(r *rendering) (any, error) {
	var b strings.Builder
	for _, part := range e.parts {
		v, err := r.defined(part)
		if err != nil {
			return nil, err
		}
		s, err := r.print(v)
		if err == nil {
			err = r.charge(len(s))
		}
		if err != nil {
			return nil, place(err, e.at)
		}
		b.WriteString(s)
	}
	return b.String(), nil
}

func (e comparison) value(r *rendering) (any, error) {
	left, err := r.value(e.first)
	if err != nil {
		return nil, err
	}
	for _, o := range e.rest {
		right, err := r.value(o.of)
		if err != nil {
			return nil, err
		}
		ok, err := r.compare(o.op, left, right)
		if err != nil || !ok {
			return false, place(err, o.at)
		}
		left = right
	}
	return true, nil
}

func (e sequence) value(r *rendering) (any, error) {
	items := make([]any, len(e.items))
	for i, x := range e.items {
		v, err := r.value(x)
		if err != nil {
			return nil, err
		}
		items[i] = v
	}
	if e.tuple {
		return Tuple(items), nil
	}
	return items, nil
}

func (e dict) value(r *rendering) (any, error) {
	d := NewDict()
	for i := range e.keys {
		key, err := r.value(e.keys[i])
		if err != nil {
			return nil, err
		}
		value, err := r.value(e.values[i])
		if err != nil {
			return nil, err
		}
		hash, err := r.hash(key)
		if err != nil {
			return nil, place(err, e.at)
		}
		d.set(hash, key, value)
	}
	return d, nil
}
