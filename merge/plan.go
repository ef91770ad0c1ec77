package merge

import (
	"cmp"
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// Plan is a recipe checked against the opened models and resolved to one value
// for each parameter, model and tensor.
type Plan struct {
	Recipe  mergesearch.Recipe
	Method  mergesearch.Method
	Base    string   // that task vectors are taken from, or slerp starts at; may be empty
	Models  []string // that are merged, in the order of the arithmetic: by key, but the base of a pair first
	Donor   string   // whose small files the result gets
	Tensors []PlannedTensor

	BytesRead, BytesWritten int64 // of tensors, each input counted once

	method *method
}

// PlannedTensor is one tensor of the result.
type PlannedTensor struct {
	Name  string
	DType mergesearch.DType
	Shape []int

	// Copied is true for tensors that are not floating.
	Copied bool

	// Global holds the parameters of the recipe, PerModel those of each model of
	// the plan, by name. Both are nil for copied tensors.
	Global   map[string]float64
	PerModel []map[string]float64

	elements int
}

func (t PlannedTensor) bytes() int64 { return int64(t.elements) * int64(t.DType.Size()) }

// Plan checks a recipe and resolves it. It reads no tensors. Errors are
// *mergesearch.InputError.
func (e *Engine) Plan(r mergesearch.Recipe) (*Plan, error) {
	m, err := checkRecipe(r)
	if err != nil {
		return nil, err
	}
	if err := notBuilt(r); err != nil {
		return nil, err
	}
	p := &Plan{Recipe: r, Method: m.Method, method: m}
	if err := e.chooseModels(p); err != nil {
		return nil, err
	}
	out, err := outputType(r)
	if err != nil {
		return nil, err
	}
	donor := e.modelNamed(p.Donor)
	for _, t := range e.tensors {
		info, _ := donor.Info(t.name)
		pt := PlannedTensor{Name: t.name, DType: info.DType, Shape: t.shape, Copied: !info.DType.Float(), elements: t.elements}
		if !pt.Copied {
			if out != "" {
				pt.DType = out
			}
			if err := p.resolve(&pt, t.position); err != nil {
				return nil, err
			}
		}
		p.Tensors = append(p.Tensors, pt)
		p.BytesWritten += pt.bytes()
		p.BytesRead += e.bytesRead(p, t.name)
	}
	return p, nil
}

// Check reports whether the recipe can be built, as far as headers tell.
func (e *Engine) Check(r mergesearch.Recipe) error {
	_, err := e.Plan(r)
	return err
}

// chooseModels finds the models of the recipe and puts them in order.
func (e *Engine) chooseModels(p *Plan) error {
	r := p.Recipe
	for _, name := range namesOf(r) {
		if e.modelNamed(name) == nil {
			return mergesearch.UnknownWord("model", name, e.modelNames())
		}
	}
	for _, in := range r.Models {
		if !p.Method.NeedsBase || in.Model != r.Base {
			p.Models = append(p.Models, in.Model)
		}
	}
	if p.Method.Pair && !slices.Contains(p.Models, r.Base) {
		p.Models = append(p.Models, r.Base)
	}
	if p.Method.Pair || p.Method.NeedsBase {
		p.Base = r.Base
	}
	slices.SortFunc(p.Models, func(a, b string) int { return cmp.Compare(e.modelNamed(a).key, e.modelNamed(b).key) })
	if p.Method.Pair && len(p.Models) == 2 && p.Models[1] == r.Base {
		slices.Reverse(p.Models) // the base is the first of a pair, whatever its name
	}
	switch {
	case p.Method.Pair && len(p.Models) != 2:
		return &mergesearch.InputError{Field: "models", Problem: fmt.Sprintf("%s merges two models, this recipe has %d", r.Method, len(p.Models))}
	case p.method.oneModel && len(p.Models) != 1:
		return &mergesearch.InputError{Field: "models", Problem: fmt.Sprintf("%s takes one model, this recipe has %d", r.Method, len(p.Models))}
	case len(p.Models) == 0:
		return &mergesearch.InputError{Field: "models", Problem: "no model besides the base model"}
	case len(p.Models) > kernel.MaxModels:
		return &mergesearch.InputError{Field: "models", Problem: fmt.Sprintf("%d models, the limit is %d", len(p.Models), kernel.MaxModels)}
	}
	p.Donor = p.Models[0]
	if r.Base != "" {
		p.Donor = r.Base
	} else if e.base != "" && !p.method.oneModel {
		p.Donor = e.base
	}
	return nil
}

// namesOf returns the models that a recipe names.
func namesOf(r mergesearch.Recipe) []string {
	var names []string
	if r.Base != "" {
		names = append(names, r.Base)
	}
	for _, in := range r.Models {
		names = append(names, in.Model)
	}
	return names
}

// resolve fills in the parameters of one tensor.
func (p *Plan) resolve(t *PlannedTensor, position float64) error {
	t.Global = map[string]float64{}
	t.PerModel = make([]map[string]float64, len(p.Models))
	for i := range p.Models {
		t.PerModel[i] = map[string]float64{}
	}
	for _, d := range p.Method.Parameters {
		if !d.PerModel {
			v, ok := p.Recipe.Parameters[d.Name].At(t.Name, position)
			if err := t.set(t.Global, d, v, ok, ""); err != nil {
				return err
			}
			continue
		}
		for i, model := range p.Models {
			v, ok := p.Recipe.Value(d.Name, model, t.Name, position)
			if err := t.set(t.PerModel[i], d, v, ok, model); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *PlannedTensor) set(to map[string]float64, d mergesearch.Parameter, v float64, given bool, model string) error {
	if !given {
		if d.Required {
			of := "the recipe"
			if model != "" {
				of = "model " + model
			}
			return &mergesearch.InputError{
				Field: d.Name, Problem: fmt.Sprintf("%s gives no value for tensor %s", of, t.Name),
				Hint: fmt.Sprintf("give %s, or add a last condition without filter", d.Name),
			}
		}
		v = d.Default
	}
	to[d.Name] = v
	return nil
}

func (e *Engine) bytesRead(p *Plan, tensor string) int64 {
	names := p.Models
	if p.Base != "" && !slices.Contains(names, p.Base) {
		names = append(slices.Clone(names), p.Base)
	}
	var n int64
	for _, name := range names {
		info, _ := e.modelNamed(name).Info(tensor)
		n += info.End - info.Begin
	}
	return n
}

// notBuilt refuses what a recipe can say and this plan does not carry out.
func notBuilt(r mergesearch.Recipe) error {
	for _, part := range []struct {
		field string
		given bool
	}{
		{"slices", len(r.Slices) > 0},
		{"modules", len(r.Modules) > 0},
		{"tokenizer", r.Tokenizer != nil},
		{"chat_template", r.ChatTemplate != ""},
		{"compat", r.Compat != ""},
		{"name", len(r.Stages) > 0},
	} {
		if part.given {
			return &mergesearch.InputError{Field: part.field, Problem: "this engine reads the key, but cannot build what it asks for"}
		}
	}
	return nil
}
