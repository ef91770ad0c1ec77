package merge

import (
	"fmt"
	"slices"

	"mergesearch"
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
	donor  *model
	models []*model          // all that the recipe names, stages included
	layers map[string][]pick // of each stack whose layers the recipe chooses

	aligned *commonVocabulary // nil: all models have the donor's vocabulary
}

// PlannedTensor is one tensor of the result.
type PlannedTensor struct {
	Name  string
	DType mergesearch.DType
	Shape []int

	// Copied is true for tensors that are not floating.
	Copied bool

	// Inputs are merged, in the order of the arithmetic. Base is what task vectors
	// are taken from; it is the first input of a pair, and nil for methods without.
	Inputs []InputTensor
	Base   *InputTensor

	// Global holds the parameters of the recipe, PerModel those of each input, by
	// name. Both are nil for copied tensors.
	Global   map[string]float64
	PerModel []map[string]float64

	method   *method // the plan's, or passthrough where optional inputs are missing
	elements int
	aligned  *commonVocabulary // of tensors whose rows are tokens
}

// InputTensor is one tensor of a model.
type InputTensor struct {
	Model, Tensor string

	model      *model
	parameters map[string]mergesearch.Setting
	order      int // place among the sources as written
}

func (t PlannedTensor) bytes() int64 { return int64(t.elements) * int64(t.DType.Size()) }

// Plan checks a recipe and resolves it. It reads no tensors. Errors are
// *mergesearch.InputError.
func (e *Engine) Plan(r mergesearch.Recipe) (*Plan, error) {
	if _, err := checkRecipe(r); err != nil {
		return nil, err
	}
	s := scope{engine: e, stages: map[string]*model{}}
	for _, st := range r.Stages {
		p, err := s.plan(st.Recipe)
		if err != nil {
			return nil, inStage(err, st.Name)
		}
		if s.stages[st.Name], err = newStage(e, st.Name, p); err != nil {
			return nil, inStage(err, st.Name)
		}
	}
	return s.plan(r)
}

// Check reports whether the recipe can be built, as far as headers tell.
func (e *Engine) Check(r mergesearch.Recipe) error {
	_, err := e.Plan(r)
	return err
}

// scope is what names of models stand for while a recipe is planned.
type scope struct {
	engine *Engine
	stages map[string]*model
}

func (s scope) model(name string) (*model, error) {
	if m := s.stages[name]; m != nil {
		return m, nil
	}
	if m := s.engine.modelNamed(name); m != nil {
		return m, nil
	}
	if ref, err := ParseModelRef(name); err == nil && s.engine.adapters[name] != nil && s.stages[ref.Path] != nil {
		m, err := withAdapter(s.stages[ref.Path], name, s.engine.adapters[name])
		if err == nil {
			s.stages[name] = m
		}
		return m, err
	}
	return nil, mergesearch.UnknownWord("model", name, append(s.engine.modelNames(), sortedKeys(s.stages)...))
}

// plan resolves one document.
func (s scope) plan(r mergesearch.Recipe) (*Plan, error) {
	m, err := checkDocument(r)
	if err != nil {
		return nil, err
	}
	out, err := outputType(r)
	if err != nil {
		return nil, err
	}
	l := &layout{scope: s, Plan: &Plan{Recipe: r, Method: m.Method, method: m, layers: map[string][]pick{}}, dtype: out}
	if err := l.chooseModels(); err != nil {
		return nil, err
	}
	if err := l.align(); err != nil {
		return nil, err
	}
	if err := l.build(); err != nil {
		return nil, err
	}
	l.sum()
	return l.Plan, nil
}

// sum adds up what is read and written.
func (p *Plan) sum() {
	for _, t := range p.Tensors {
		p.BytesWritten += t.bytes()
		inputs := t.Inputs
		if t.Base != nil && !slices.ContainsFunc(inputs, t.Base.same) {
			inputs = append(slices.Clone(inputs), *t.Base)
		}
		for _, in := range inputs {
			info, _ := in.model.Info(in.Tensor)
			p.BytesRead += info.End - info.Begin
		}
	}
}

func (t *InputTensor) same(o InputTensor) bool { return t.model == o.model && t.Tensor == o.Tensor }

// resolve fills in the parameters of one tensor with mergekit's precedence: the
// input's own parameters, then each of the levels. Parameters of a model go by the
// name of its tensor, those of the recipe by the name of the output.
func (t *PlannedTensor) resolve(levels []map[string]mergesearch.Setting, position float64) error {
	t.Global = map[string]float64{}
	t.PerModel = make([]map[string]float64, len(t.Inputs))
	for i := range t.Inputs {
		t.PerModel[i] = map[string]float64{}
	}
	for _, d := range t.method.Parameters {
		if !d.PerModel {
			v, ok := settle(d.Name, t.Name, position, levels)
			if err := t.set(t.Global, d, v, ok, ""); err != nil {
				return err
			}
			continue
		}
		for i, in := range t.Inputs {
			v, ok := in.parameters[d.Name].At(in.Tensor, position)
			if !ok {
				v, ok = settle(d.Name, in.Tensor, position, levels)
			}
			if err := t.set(t.PerModel[i], d, v, ok, in.Model); err != nil {
				return err
			}
		}
	}
	return t.checkValues()
}

// checkValues asks the method whether the values of each model fit each other.
func (t *PlannedTensor) checkValues() error {
	for i := 0; t.method.check != nil && i < len(t.Inputs); i++ {
		if err := t.method.check(t.PerModel[i]); err != nil {
			err.Problem += fmt.Sprintf(" (model %s, tensor %s)", t.Inputs[i].Model, t.Name)
			return err
		}
	}
	return nil
}

// settle returns the value of the first level that gives one.
func settle(name, tensor string, position float64, levels []map[string]mergesearch.Setting) (float64, bool) {
	for _, set := range levels {
		if v, ok := set[name].At(tensor, position); ok {
			return v, true
		}
	}
	return 0, false
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
