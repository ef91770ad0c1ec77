package merge

import (
	"cmp"
	"fmt"
	"maps"
	"math"
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
		pt := PlannedTensor{Name: t.name, DType: info.DType.Written(), Shape: t.shape, Copied: !info.DType.Float(), elements: t.elements}
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
	if len(r.Models) == 0 {
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
