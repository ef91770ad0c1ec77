package port

import (
	"fmt"

	"mergesearch"
	"mergesearch/eval/python"
)

// Pair is one entry of a mapping whose order counts.
type Pair struct {
	Key   string
	Value any
}

// arguments reads what a task file gives a filter. The first thing that is wrong is
// kept.
type arguments struct {
	given map[string]any
	asked map[string]bool
	err   error
}

func newArguments(given map[string]any) *arguments {
	return &arguments{given: given, asked: map[string]bool{}}
}

func (a *arguments) fail(name, format string, args ...any) {
	if a.err == nil {
		a.err = &mergesearch.InputError{Field: name, Problem: fmt.Sprintf(format, args...)}
	}
}

// end returns what was wrong; an argument that nothing asked for is.
func (a *arguments) end() error {
	for name := range a.given {
		if !a.asked[name] {
			a.fail(name, "the filter has no such argument")
		}
	}
	return a.err
}

// argument returns an argument, or the default if it is absent.
func argument[T any](a *arguments, name string, otherwise T, want string) T {
	a.asked[name] = true
	v, ok := a.given[name]
	if !ok {
		return otherwise
	}
	t, ok := v.(T)
	if !ok {
		a.fail(name, "is %s, want %s", kind(v), want)
	}
	return t
}

func (a *arguments) text(name, otherwise string) string {
	return argument(a, name, otherwise, "text")
}

func (a *arguments) integer(name string, otherwise int64) int64 {
	return argument(a, name, otherwise, "an integer")
}

func (a *arguments) truth(name string) bool { return argument(a, name, false, "true or false") }

// texts returns a list of texts; null stands for none.
func (a *arguments) texts(name string) []string {
	if v, ok := a.given[name]; ok && v == nil {
		a.asked[name] = true
		return nil
	}
	var out []string
	for _, v := range argument(a, name, []any(nil), "a list") {
		s, ok := v.(string)
		if !ok {
			a.fail(name, "holds %s, want texts", kind(v))
		}
		out = append(out, s)
	}
	return out
}

// pairs returns a mapping of texts to texts, in order.
func (a *arguments) pairs(name string) []Pair {
	out := argument(a, name, []Pair(nil), "a mapping")
	for _, p := range out {
		if _, ok := p.Value.(string); !ok {
			a.fail(name, "%s is %s, want text", p.Key, kind(p.Value))
		}
	}
	return out
}

func (a *arguments) regex(pattern string) *python.Regex {
	r, err := python.Compile(pattern)
	if err != nil {
		a.fail(pattern, "no regular expression: %v", err)
	}
	return r
}
