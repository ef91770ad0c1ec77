package jinja

import (
	"errors"
	"fmt"
	"iter"
	"math"
	"strconv"
	"strings"
)

// Tuple is a Python tuple.
type Tuple []any

// Dict is a Python dict: a mapping that keeps the order in which its keys came.
// A document that is decoded into *Dict can be printed and gone through; one in a
// map[string]any of several keys cannot, since its order is lost.
type Dict struct {
	keys, values []any
	place        map[any]int // by the hash of the key
}

// NewDict returns an empty mapping.
func NewDict() *Dict { return &Dict{place: map[any]int{}} }

// Set gives a key a value; a key that is there keeps its place.
func (d *Dict) Set(key string, value any) { d.set(key, key, value) }

// Get returns the value of a key.
func (d *Dict) Get(key string) (any, bool) { return d.get(key) }

// Len returns the number of keys.
func (d *Dict) Len() int { return len(d.keys) }

// All goes through keys and values in order. Keys of a document are strings; those
// of a literal may be any value that can be a key in Python.
func (d *Dict) All() iter.Seq2[any, any] {
	return func(yield func(any, any) bool) {
		for i, k := range d.keys {
			if !yield(k, d.values[i]) {
				return
			}
		}
	}
}

func (d *Dict) set(hash, key, value any) {
	if i, ok := d.place[hash]; ok {
		d.values[i] = value
		return
	}
	d.place[hash] = len(d.keys)
	d.keys, d.values = append(d.keys, key), append(d.values, value)
}

func (d *Dict) get(hash any) (any, bool) {
	if i, ok := d.place[hash]; ok {
		return d.values[i], true
	}
	return nil, false
}

// Values that only a template makes.
type (
	// undefined is what a missing name or key gives; nearly every use of it fails.
	// A conditional without else gives a lenient one: empty text, false, no elements.
	undefined struct {
		fault   *Error
		lenient bool
	}

	// span is range(...).
	span struct{ from, to, step, n int64 }

	// view is keys(), values() or items() of a mapping.
	view struct {
		name  string
		items []any
	}

	// generator is what filters like map give: it can be gone through once.
	generator struct{ items []any }

	namespace struct{ values map[string]any }

	// method is a method of a value before it is called.
	method struct {
		of   any
		name string
		run  operation
	}

	// function is a global function.
	function struct {
		name string
		run  func(r *rendering, a values) (any, error)
	}

	loopState struct {
		items []any
		at    int
	}
)

var errUnsupported = errors.New("is not supported")

// refuse says that Jinja may do what this package does not.
func refuse(format string, args ...any) error {
	return fmt.Errorf(format+" %w", append(args, errUnsupported)...)
}

func typeName(v any) string {
	switch v := v.(type) {
	case nil:
		return "None"
	case bool:
		return "a boolean"
	case int64, float64:
		return "a number"
	case string:
		return "text"
	case []any:
		return "a list"
	case Tuple:
		return "a tuple"
	case map[string]any, *Dict:
		return "a mapping"
	case span:
		return "a range"
	case view:
		return v.name
	case *generator:
		return "a generator (|list makes it a list)"
	case *namespace:
		return "a namespace"
	case *loopState:
		return "the loop"
	case method:
		return "the method " + v.name
	case *function:
		return "the function " + v.name
	case *undefined:
		return "nothing"
	}
	return fmt.Sprintf("a %T", v)
}

// truth is Python's bool().
func truth(v any) (bool, error) {
	switch v := v.(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	case int64:
		return v != 0, nil
	case float64:
		return v != 0, nil
	case string:
		return v != "", nil
	case *undefined:
		return false, missing(v)
	}
	if n, ok := size(v); ok {
		return n > 0, nil
	}
	return true, nil
}

// size is the number of elements of what has elements, text aside.
func size(v any) (int, bool) {
	switch v := v.(type) {
	case []any:
		return len(v), true
	case Tuple:
		return len(v), true
	case map[string]any:
		return len(v), true
	case *Dict:
		return v.Len(), true
	case span:
		return int(v.n), true
	case view:
		return len(v.items), true
	case *undefined:
		return 0, v.lenient
	}
	return 0, false
}

// items goes through a value as Python's iter does.
func (r *rendering) items(v any) ([]any, error) {
	switch v := v.(type) {
	case *undefined:
		return nil, missing(v)
	case []any:
		return v, nil
	case Tuple:
		return v, nil
	case view:
		return v.items, nil
	case *generator:
		items := v.items
		v.items = nil
		return items, nil
	case string:
		if err := r.charge(elementCost * len(v)); err != nil {
			return nil, err
		}
		items := make([]any, 0, len(v))
		for _, c := range v {
			items = append(items, string(c))
		}
		return items, nil
	case span:
		if err := r.charge(elementCost * int(min(v.n, budget))); err != nil {
			return nil, err
		}
		items := make([]any, v.n)
		for i := range items {
			items[i] = v.from + int64(i)*v.step
		}
		return items, nil
	case map[string]any, *Dict:
		d, err := r.ordered(v)
		if err != nil {
			return nil, err
		}
		return d.keys, nil
	}
	return nil, fmt.Errorf("%s cannot be gone through", typeName(v))
}

// ordered gives a mapping whose order is known.
func (r *rendering) ordered(v any) (*Dict, error) {
	switch v := v.(type) {
	case *Dict:
		return v, nil
	case map[string]any:
		if len(v) > 1 {
			return nil, refuse("a mapping whose order was lost: printing it or going through it")
		}
		d := NewDict()
		for k, x := range v {
			d.Set(k, x)
		}
		return d, nil
	}
	return nil, fmt.Errorf("want a mapping, found %s", typeName(v))
}

// entry looks a key up in a mapping.
func (r *rendering) entry(mapping, key any) (v any, found bool, err error) {
	hash, err := r.hash(key)
	if err != nil {
		return nil, false, err
	}
	switch m := mapping.(type) {
	case *Dict:
		v, found = m.get(hash)
	case map[string]any:
		if name, ok := hash.(string); ok {
			v, found = m[name]
		}
	}
	return v, found, nil
}

// tupleHash is the hash of a tuple, told apart from that of any string.
type tupleHash string

// hash gives equal results for keys that Python takes for the same: 1, 1.0 and
// True are.
func (r *rendering) hash(key any) (any, error) {
	if err := r.enter(); err != nil {
		return nil, err
	}
	defer r.leave()
	switch k := key.(type) {
	case nil, string, int64:
		return k, nil
	case bool:
		if k {
			return int64(1), nil
		}
		return int64(0), nil
	case float64:
		if k == math.Trunc(k) && math.Abs(k) < 1<<63 {
			return int64(k), nil
		}
		return k, nil
	case Tuple:
		var b strings.Builder
		for _, x := range k {
			h, err := r.hash(x)
			if err != nil {
				return nil, err
			}
			text := strconv.Quote(fmt.Sprint(h))
			if err := r.charge(len(text)); err != nil {
				return nil, err
			}
			fmt.Fprintf(&b, "%T %s,", h, text)
		}
		return tupleHash(b.String()), nil
	case *undefined:
		if k.lenient {
			return tupleHash("undefined"), nil
		}
		return nil, k.fault
	}
	return nil, fmt.Errorf("%s cannot be a key", typeName(key))
}

// maxNesting bounds how deeply values that are printed or compared nest.
const maxNesting = 500

func (r *rendering) enter() error {
	if r.depth++; r.depth > maxNesting {
		return errors.New("a value nests too deeply")
	}
	return r.charge(elementCost)
}

func (r *rendering) leave() { r.depth-- }

// plain refuses values that a document cannot hold.
func (r *rendering) plain(v any) error {
	if err := r.enter(); err != nil {
		return err
	}
	defer r.leave()
	var items []any
	switch v := v.(type) {
	case nil, bool, int64, float64, string, map[string]any:
		return nil
	case *undefined:
		return v.fault
	case []any:
		items = v
	case Tuple:
		items = v
	case *Dict:
		items = v.values
	default:
		return fmt.Errorf("%s cannot be printed", typeName(v))
	}
	for _, x := range items {
		if err := r.plain(x); err != nil {
			return err
		}
	}
	return nil
}
