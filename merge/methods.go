package merge

import (
	"fmt"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// method is a merge method: its declaration, and how it computes a tensor.
type method struct {
	mergesearch.Method

	// ignored lists parameters that mergekit takes for this method without using
	// them. Recipes may hold them.
	ignored []string

	// oneModel is true for methods of exactly one model.
	oneModel bool

	// check refuses values of one model that do not fit each other; nil where all do.
	// The error names the parameter.
	check func(v values) *mergesearch.InputError

	// mergesBase is true for methods that merge a base model that the recipe names
	// like any other.
	mergesBase bool

	// bind looks up or computes what the method needs to know of the whole tensor
	// and returns the function that computes elements lo to hi of it.
	bind func(b *binding) apply

	// reference computes the tensor the slow and obvious way.
	reference func(o operands) []float32
}

// apply writes elements lo to hi of the merged tensor to out.
type apply func(out kernel.View, lo, hi int) kernel.Counts

// Every method, in the order in which reports list them.
var methods = []*method{
	&linear, &slerp, &taskArithmetic, &ties, &dareLinear, &dareTIES, &breadcrumbs, &breadcrumbsTIES,
	&dellaLinear, &della, &nuslerp, &multislerp, &karcher, &modelStock, &nearswap, &arceeFusion, &sce,
	&ram, &ramplusTL, &passthrough,
}

// Methods returns the declarations of all methods.
func Methods() []mergesearch.Method {
	var out []mergesearch.Method
	for _, m := range methods {
		out = append(out, m.Method)
	}
	return out
}

func methodNamed(name string) *method {
	for _, m := range methods {
		if m.Name == name {
			return m
		}
	}
	return nil
}

// known returns the names of the parameters that a recipe of the method may hold.
func (m *method) known() []string {
	var names []string
	for _, p := range m.Parameters {
		names = append(names, p.Name)
	}
	return append(names, m.ignored...)
}

// count says how many models a method merges.
func count(m mergesearch.Method) string {
	switch {
	case m.Least == m.Most:
		return fmt.Sprintf("%d models", m.Most)
	case m.Most == 0:
		return fmt.Sprintf("at least %d models", m.Least)
	}
	return fmt.Sprintf("%d to %d models", m.Least, m.Most)
}

func methodNames() []string {
	var names []string
	for _, m := range methods {
		names = append(names, m.Name)
	}
	return names
}

// The parameters that several methods share, with mergekit's names and defaults.
var (
	weightParameter = mergesearch.Parameter{
		Name: "weight", PerModel: true, Required: true, Default: 1, Min: 0, Max: 1.5, Step: 0.001,
	}
	densityParameter = mergesearch.Parameter{
		Name: "density", PerModel: true, Default: 1, Min: 0.1, Max: 1, Step: 0.01,
	}
	lambdaParameter = mergesearch.Parameter{Name: "lambda", Default: 1, Min: 0.5, Max: 1.5, Step: 0.001}
)

// flag declares a parameter that is 0 or 1.
func flag(name string, value float64) mergesearch.Parameter {
	return mergesearch.Parameter{Name: name, Default: value, Min: 0, Max: 1, Step: 1}
}
