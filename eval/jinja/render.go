package jinja

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// budget bounds the work of one rendering, in units: one for each byte and
// elementCost for each element that is made or looked through, and stepCost for
// each expression and statement. It allows a million steps or 32 MiB of text.
const (
	budget      = 1 << 25
	stepCost    = 32
	elementCost = 16
)

// matchTime is what the regular expressions of one rendering may take together: they
// can backtrack without end.
const matchTime = 2 * time.Second

var errBudget = errors.New("the template does more than it may: 1 million steps, or 32 MiB of text")

// rendering is a template at work on one document.
type rendering struct {
	doc    map[string]any
	scopes []map[string]any // names that are set, innermost last; nil until the first is
	left   int              // of the budget
	depth  int              // of the value that is being printed or compared
	at     int              // where the filter stands that is at work
	match  time.Duration    // left for regular expressions
	out    *strings.Builder
	chat   *Chat // nil: a template of a task file
	calls  int   // of macros, one inside the other
}

func newRendering(doc map[string]any) *rendering {
	return &rendering{doc: doc, scopes: make([]map[string]any, 1), left: budget, match: matchTime, out: &strings.Builder{}}
}

// charge takes from the budget.
func (r *rendering) charge(units int) error {
	if units < 0 || units > r.left {
		r.left = 0
		return errBudget
	}
	r.left -= units
	return nil
}

// value charges one step and evaluates.
func (r *rendering) value(e expression) (any, error) {
	if err := r.charge(stepCost); err != nil {
		return nil, place(err, e.position())
	}
	return e.value(r)
}

// defined evaluates what must not be undefined.
func (r *rendering) defined(e expression) (any, error) {
	v, err := r.value(e)
	if err != nil {
		return nil, err
	}
	return v, missing(v)
}

// missing is the error that using an undefined value is, unless it is lenient.
func missing(v any) error {
	if u, ok := v.(*undefined); ok && !u.lenient {
		return u.fault
	}
	return nil
}

// place gives an error that has no position one.
func place(err error, at int) error {
	var f *Error
	if err == nil || errors.As(err, &f) {
		return err
	}
	return &Error{Offset: max(at, 1), Problem: err.Error(), Unsupported: errors.Is(err, errUnsupported) || errors.Is(err, errBudget)}
}

func (r *rendering) execute(body []statement) error {
	for _, s := range body {
		if err := s.run(r); err != nil {
			return err
		}
	}
	return nil
}

func (r *rendering) write(s string, at int) error {
	if err := r.charge(stepCost + len(s)); err != nil {
		return place(err, at)
	}
	r.out.WriteString(s)
	return nil
}

// inner runs f in a scope of its own.
func (r *rendering) inner(f func() error) error {
	r.scopes = append(r.scopes, nil)
	err := f()
	r.scopes = r.scopes[:len(r.scopes)-1]
	return err
}

func (r *rendering) set(name string, v any) {
	last := len(r.scopes) - 1
	if r.scopes[last] == nil {
		r.scopes[last] = map[string]any{}
	}
	r.scopes[last][name] = v
}

func (r *rendering) lookup(name string) (any, bool) {
	for i := len(r.scopes) - 1; i >= 0; i-- {
		if v, ok := r.scopes[i][name]; ok {
			return v, true
		}
	}
	if v, ok := r.doc[name]; ok {
		return v, true
	}
	if r.chat != nil {
		if f, ok := r.chat.functions[name]; ok {
			return f, true
		}
	}
	f, ok := functions[name]
	return f, ok
}

func (t text) run(r *rendering) error { return r.write(t.text, t.at) }

func (p print) run(r *rendering) error {
	v, err := r.defined(p.of)
	if err != nil {
		return err
	}
	s, err := r.print(v)
	if err != nil {
		return place(err, p.at)
	}
	return r.write(s, p.at)
}

// typed gives the value of a template that is this expression alone.
func (p print) typed(r *rendering) (any, error) {
	v, err := r.defined(p.of)
	if err != nil {
		return nil, err
	}
	switch v.(type) {
	case span, view, *undefined: // no values of a document; their text is all that can be had
		s, err := r.print(v)
		return s, place(err, p.at)
	}
	return v, place(r.plain(v), p.at)
}

func (c condition) run(r *rendering) error {
	for i, test := range c.tests {
		v, err := r.value(test)
		if err != nil {
			return err
		}
		ok, err := truth(v)
		if err != nil {
			return place(err, test.position())
		}
		if ok {
			return r.execute(c.bodies[i])
		}
	}
	return r.execute(c.otherwise)
}

func (l loop) run(r *rendering) error {
	v, err := r.value(l.over)
	if err != nil {
		return err
	}
	items, err := r.items(v)
	if err != nil {
		return place(err, l.at)
	}
	if l.test != nil {
		if items, err = l.chosen(r, items); err != nil {
			return err
		}
	}
	if len(items) == 0 {
		return r.inner(func() error { return r.execute(l.otherwise) })
	}
	state := &loopState{items: items}
	for i, item := range items {
		state.at = i
		err := r.inner(func() error {
			r.set("loop", state)
			if err := l.target.assign(r, item); err != nil {
				return err
			}
			return r.execute(l.body)
		})
		switch {
		case errors.Is(err, errBreak):
			return nil
		case err != nil && !errors.Is(err, errContinue):
			return err
		}
	}
	return nil
}

// chosen keeps the items that pass the loop's test.
func (l loop) chosen(r *rendering, items []any) ([]any, error) {
	var kept []any
	for _, item := range items {
		err := r.inner(func() error {
			if err := l.target.assign(r, item); err != nil {
				return err
			}
			v, err := r.value(l.test)
			if err != nil {
				return err
			}
			ok, err := truth(v)
			if ok {
				kept = append(kept, item)
			}
			return place(err, l.test.position())
		})
		if err != nil {
			return nil, err
		}
	}
	return kept, nil
}

func (a assignment) run(r *rendering) error {
	if a.of != nil {
		v, err := r.value(a.of)
		if err != nil {
			return err
		}
		return a.target.assign(r, v)
	}
	outer := r.out
	r.out = &strings.Builder{}
	err := r.inner(func() error { return r.execute(a.body) })
	written := r.out.String()
	r.out = outer
	if err != nil {
		return err
	}
	return a.target.assign(r, written)
}

func (t target) assign(r *rendering, v any) error {
	if err := r.charge(stepCost); err != nil {
		return place(err, t.at)
	}
	switch {
	case t.attribute != "":
		of, _ := r.lookup(t.name)
		n, ok := of.(*namespace)
		if !ok {
			return fault(t.at, fmt.Sprintf("%q is no namespace: only a namespace's attributes can be set", t.name))
		}
		n.values[t.attribute] = v
		return nil
	case !t.tuple:
		r.set(t.name, v)
		return nil
	}
	items, err := r.items(v)
	if err != nil {
		return place(err, t.at)
	}
	if len(items) != len(t.parts) {
		return fault(t.at, fmt.Sprintf("%d values for %d names", len(items), len(t.parts)))
	}
	for i, part := range t.parts {
		if err := part.assign(r, items[i]); err != nil {
			return err
		}
	}
	return nil
}
