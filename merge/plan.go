package merge

import (
	"errors"
	"fmt"
	"maps"
	"math"
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
	models []*model       // all that the recipe names, stages included
	layers map[string]int // layers of each stack whose number the recipe sets

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
	s := scope{engine: e, stages: map[string]*model{}}
	for _, st := range r.Stages {
		p, err := s.plan(st.Recipe)
		if err != nil {
			return nil, inStage(err, st.Name)
		}
		s.stages[st.Name] = newStage(e, st.Name, p)
	}
	return s.plan(r)
}

func inStage(err error, name string) error {
	var in *mergesearch.InputError
	if !errors.As(err, &in) {
		return fmt.Errorf("%s: %w", name, err)
	}
	named := *in
	named.Field = join("document "+name, in.Field)
	return &named
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
	return nil, mergesearch.UnknownWord("model", name, append(s.engine.modelNames(), sortedKeys(s.stages)...))
}

// plan resolves one document.
func (s scope) plan(r mergesearch.Recipe) (*Plan, error) {
	m, err := checkRecipe(r)
	if err != nil {
		return nil, err
	}
	out, err := outputType(r)
	if err != nil {
		return nil, err
	}
	l := &layout{scope: s, Plan: &Plan{Recipe: r, Method: m.Method, method: m, layers: map[string]int{}}, dtype: out}
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

// outputType returns the type that the recipe asks for, or "" for that of the
// donor.
func outputType(r mergesearch.Recipe) (mergesearch.DType, error) {
	for _, f := range []struct{ field, name string }{{"out_dtype", r.OutDType}, {"dtype", r.DType}} {
		if f.name == "" {
			continue
		}
		d, ok := outputTypes[f.name]
		if !ok {
			return "", unknownType(f.field, f.name)
		}
		return d, nil
	}
	return "", nil
}

// outputTypes are the spellings of dtype and out_dtype.
var outputTypes = map[string]mergesearch.DType{
	"bfloat16": mergesearch.BF16, "float16": mergesearch.F16, "float32": mergesearch.F32,
}

func unknownType(field, name string) *mergesearch.InputError {
	err := mergesearch.UnknownWord("type", name, []string{"bfloat16", "float16", "float32"})
	err.Field, err.Problem = field, fmt.Sprintf("%q is no type that can be written", name)
	return err
}

// checkRecipe checks what needs no models: method, parameters and their values.
func checkRecipe(r mergesearch.Recipe) (*method, error) {
	m := methodNamed(r.Method)
	if m == nil {
		return nil, unknownMethod(r.Method)
	}
	if r.Base == "" && (m.NeedsBase || m.Pair) {
		return nil, &mergesearch.InputError{Field: "base_model", Problem: "missing: " + m.Name + " needs one"}
	}
	if len(r.Models) == 0 && len(r.Slices) == 0 && len(r.Modules) == 0 {
		return nil, &mergesearch.InputError{Field: "models", Problem: "missing"}
	}
	if err := m.checkParameters(r.Parameters, "parameters", false); err != nil {
		return nil, err
	}
	seen := map[string]bool{}
	for i, in := range r.Models {
		field := fmt.Sprintf("models[%d]", i)
		if in.Model == "" || !printable(in.Model) {
			return nil, &mergesearch.InputError{Field: field + ".model", Problem: "missing, or with unprintable characters"}
		}
		if seen[in.Model] {
			return nil, &mergesearch.InputError{Field: field + ".model", Problem: fmt.Sprintf("%q is listed twice", in.Model)}
		}
		seen[in.Model] = true
		if err := m.checkParameters(in.Parameters, field+".parameters", true); err != nil {
			return nil, err
		}
	}
	_, err := outputType(r)
	return m, err
}

func unknownMethod(name string) *mergesearch.InputError {
	if slices.Contains(laterMethods, name) {
		return &mergesearch.InputError{Field: "merge_method", Problem: fmt.Sprintf("mergekit's method %q is not supported", name), Hint: "supported: " + fmt.Sprint(methodNames())}
	}
	err := mergesearch.UnknownWord("method", name, methodNames())
	err.Field, err.Problem = "merge_method", fmt.Sprintf("unknown method %q", name)
	return err
}

func (m *method) checkParameters(set map[string]mergesearch.Setting, field string, ofModel bool) error {
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if err := m.checkParameter(name, set[name], ofModel); err != nil {
			err.Field = field + "." + name
			return err
		}
	}
	return nil
}

// checkParameter checks one parameter; the caller knows the field.
func (m *method) checkParameter(name string, s mergesearch.Setting, ofModel bool) *mergesearch.InputError {
	if slices.Contains(m.ignored, name) {
		return nil
	}
	d, ok := m.Parameter(name)
	if !ok {
		err := mergesearch.UnknownWord("parameter", name, m.known())
		err.Problem = "unknown parameter of " + m.Name
		return err
	}
	if ofModel && !d.PerModel {
		return &mergesearch.InputError{Problem: "belongs to the whole recipe, not to a model", Hint: "move it to the parameters of the recipe"}
	}
	if len(s) == 0 {
		return &mergesearch.InputError{Problem: "no value"}
	}
	for _, c := range s {
		if len(c.Values) == 0 || !printable(c.Filter) {
			return &mergesearch.InputError{Problem: "no value"}
		}
		for _, v := range c.Values {
			if err := CheckValue(d, v); err != nil {
				return err
			}
		}
	}
	return nil
}

// CheckValue refuses a value of a declared parameter that no arithmetic can use;
// the error, nil when there is none, has no file and no field. Beyond that a
// recipe may leave the range that a search explores.
func CheckValue(d mergesearch.Parameter, v float64) *mergesearch.InputError {
	switch {
	case math.IsNaN(v) || math.Abs(v) > math.MaxFloat32:
		return &mergesearch.InputError{Problem: fmt.Sprintf("%v is not a finite float32", v)}
	case d.Name == "density" && (v < 0 || v > 1):
		return &mergesearch.InputError{Problem: fmt.Sprintf("%v is not in [0, 1]", v), Hint: "density is the share that is kept"}
	case d.Step == 1 && v != 0 && v != 1:
		return &mergesearch.InputError{Problem: fmt.Sprintf("%v, want true or false", v)}
	}
	return nil
}
