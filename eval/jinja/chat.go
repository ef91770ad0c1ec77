package jinja

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Chat is the environment of chat templates, that of transformers: trim_blocks and
// lstrip_blocks, macros, {% break %} and {% continue %}, {% generation %}, undefined
// names that print as nothing, tojson, raise_exception and strftime_now.
type Chat struct {
	functions map[string]*function
}

// NewChat returns the environment in which strftime_now tells a fixed time.
func NewChat(now time.Time) *Chat {
	return &Chat{functions: map[string]*function{
		"raise_exception": {name: "raise_exception", run: raise},
		"strftime_now": {name: "strftime_now", run: func(r *rendering, a values) (any, error) {
			args, err := a.bind(1, "format")
			if err != nil {
				return nil, err
			}
			format, err := textOr(args[0], "")
			if err != nil {
				return nil, err
			}
			return strftime(r, now, format)
		}},
	}}
}

// Parse parses a chat template.
func (c *Chat) Parse(source string) (*Template, error) { return parse(source, c) }

// raise is raise_exception: the template refuses the conversation in its own words.
func raise(r *rendering, a values) (any, error) {
	args, err := a.bind(1, "message")
	if err != nil {
		return nil, err
	}
	text, err := r.print(args[0])
	if err != nil {
		return nil, err
	}
	return nil, &Error{Offset: max(r.at, 1), Problem: text, Raised: true}
}

// undefined makes what a missing name or key gives.
func (r *rendering) undefined(f *Error) *undefined {
	return &undefined{fault: f, lenient: r.chat != nil}
}

// Ways to leave the body of a loop.
var (
	errBreak    = errors.New("break")
	errContinue = errors.New("continue")
)

// jump is {% break %} or {% continue %}.
type jump struct{ again bool }

func (j jump) run(*rendering) error {
	if j.again {
		return errContinue
	}
	return errBreak
}

// generation is {% generation %}: a scope of its own; what it marks for training is
// of no concern here.
type generation struct{ body []statement }

func (p *parser) generation() (statement, error) {
	body, err := p.apart("endgeneration")
	return generation{body}, err
}

func (g generation) run(r *rendering) error {
	return r.inner(func() error { return r.execute(g.body) })
}

// apart parses a body that cannot break the loops around it, with its end tag.
func (p *parser) apart(end string) ([]statement, error) {
	loops := p.loops
	p.loops = 0
	body, _, err := p.block(end)
	if p.loops = loops; err != nil {
		return nil, err
	}
	return body, p.endTag()
}

// callBlock is {% call macro(arguments) %}: the macro's caller() is the body.
type callBlock struct {
	call call
	body []statement
}

func (p *parser) callBlock(at int) (statement, error) {
	if t := p.peek(); t.is("(") {
		return nil, unsupported(t.at, "a body with parameters")
	}
	e, err := p.expression(true)
	if err != nil {
		return nil, err
	}
	c, ok := e.(call)
	if !ok {
		return nil, fault(at, "{% call %} wants a call")
	}
	body, err := p.apart("endcall")
	return callBlock{c, body}, err
}

func (c callBlock) run(r *rendering) error {
	of, err := r.value(c.call.of)
	if err != nil {
		return err
	}
	a, err := c.call.evaluate(r, false)
	if err != nil {
		return err
	}
	seen := r.seen()
	a.keywords = append(a.keywords, "caller")
	a.named = append(a.named, &function{name: "caller", run: func(r *rendering, _ values) (any, error) {
		return r.apart(append(slices.Clip(seen), nil), func() error { return r.execute(c.body) })
	}})
	v, err := c.call.apply(r, of, a)
	if err != nil {
		return err
	}
	text, err := r.print(v)
	if err != nil {
		return place(err, c.call.at)
	}
	return r.write(text, c.call.at)
}

// seen are the names that can be seen now. What is set among them later is seen too.
func (r *rendering) seen() []map[string]any {
	for i, scope := range r.scopes {
		if scope == nil {
			r.scopes[i] = map[string]any{}
		}
	}
	return slices.Clone(r.scopes)
}

// apart runs f among other names and returns what it writes.
func (r *rendering) apart(scopes []map[string]any, f func() error) (string, error) {
	if r.calls++; r.calls > maxCalls {
		return "", errors.New("macros call each other too deeply")
	}
	out, before := r.out, r.scopes
	r.out, r.scopes = &strings.Builder{}, scopes
	err := f()
	written := r.out.String()
	r.out, r.scopes = out, before
	r.calls--
	return written, err
}

// macro is {% macro name(parameters) %}. It sees the names where it stands, not those
// where it is called.
type macro struct {
	name     string
	names    []string     // of the parameters
	defaults []expression // of the last parameters
	body     []statement
}

func (p *parser) macro(at int) (statement, error) {
	m := &macro{}
	t, err := p.oneTarget(false)
	if err != nil || t.name == "" {
		return nil, fault(at, "{% macro %} without a name")
	}
	m.name = t.name
	if err := p.expect("("); err != nil {
		return nil, err
	}
	for !p.take(")") {
		if len(m.names) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		t, err := p.oneTarget(false)
		if err != nil {
			return nil, err
		}
		m.names = append(m.names, t.name)
		switch {
		case p.take("="):
			e, err := p.expression(true)
			if err != nil {
				return nil, err
			}
			m.defaults = append(m.defaults, e)
		case len(m.defaults) > 0:
			return nil, fault(t.at, "a parameter without a default follows one with a default")
		}
	}
	m.body, err = p.apart("endmacro")
	return m, err
}

func (m *macro) run(r *rendering) error {
	if err := r.charge(stepCost); err != nil {
		return err
	}
	seen := r.seen()
	r.set(m.name, &function{name: m.name, run: func(r *rendering, a values) (any, error) { return m.call(r, seen, a) }})
	return nil
}

// maxCalls bounds how deeply macros call each other.
const maxCalls = 100

func (m *macro) call(r *rendering, seen []map[string]any, a values) (any, error) {
	own := map[string]any{}
	if at := slices.Index(a.keywords, "caller"); at >= 0 {
		own["caller"] = a.named[at]
		a.keywords, a.named = slices.Delete(slices.Clone(a.keywords), at, at+1), slices.Delete(slices.Clone(a.named), at, at+1)
	}
	args, err := a.bind(0, m.names...)
	if err != nil {
		return nil, err
	}
	return r.apart(append(slices.Clip(seen), own), func() error {
		if err := m.bind(r, own, args); err != nil {
			return err
		}
		return r.execute(m.body)
	})
}

// bind gives the parameters their values.
func (m *macro) bind(r *rendering, own map[string]any, args []any) error {
	for i, name := range m.names {
		v := args[i]
		if !given(v) {
			v = r.undefined(fault(1, fmt.Sprintf("the parameter %q of %s was not given", name, m.name)))
			if k := i - len(m.names) + len(m.defaults); k >= 0 {
				var err error
				if v, err = r.value(m.defaults[k]); err != nil {
					return err
				}
			}
		}
		own[name] = v
	}
	return nil
}

// filterNamed finds a filter. In a chat template an unknown one is a fault only when
// it is used: templates hold branches for tools that no plain conversation takes.
func filterNamed(name string, chat bool) (filter, bool) {
	if f, ok := filters[name]; !chat || ok && name != "regex_replace" { // that one is the harness's own
		return f, ok
	}
	if f, ok := chatFilters[name]; ok {
		return f, true
	}
	return filter{run: func(*rendering, any, values) (any, error) { return nil, refuse("the filter %q", name) }}, true
}

// testNamed finds a test, with the same rule.
func testNamed(name string, chat bool) (test, bool) {
	if t, ok := tests[name]; ok || !chat {
		return t, ok
	}
	return func(*rendering, any, values) (bool, error) { return false, refuse("the test %q", name) }, true
}
