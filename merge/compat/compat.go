package compat

import (
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// Input is one tensor of a merge. Global and PerModel hold every parameter that the
// method reads, defaults filled in; switches are 0 or 1.
type Input struct {
	Method   string
	DType    mergesearch.DType // in which mergekit computes: BF16, F16 or F32
	Shape    []int             // nil: one dimension
	Base     []float32         // nil: none
	Models   [][]float32       // without the base, in the recipe's order
	Global   map[string]float64
	PerModel []map[string]float64 // one for each of Models

	// Draw gives dare and della the 32 random bits of an element of a model, which decide
	// with mergekit's probabilities whether it is kept.
	Draw func(model, element int) uint32
}

// Output is a merged tensor and the type that mergekit gives it.
type Output struct {
	Values []float32
	DType  mergesearch.DType
}

var methods = map[string]func(Input) []float32{
	"linear": linear, "passthrough": passthrough, "nearswap": nearswap,
	"slerp": slerp, "nuslerp": nuslerp, "multislerp": multislerp, "karcher": karcher,
	"task_arithmetic": taskArithmetic, "ties": ties,
	"breadcrumbs": breadcrumbs, "breadcrumbs_ties": breadcrumbsTIES,
	"dare_linear": randomLinear, "dare_ties": randomTIES, "della_linear": randomLinear, "della": randomTIES,
	"model_stock": modelStock, "sce": sce, "ram": ram, "ramplus_tl": ramPlus, "arcee_fusion": arceeFusion,
}

// Methods returns the names that Merge knows, sorted.
func Methods() []string {
	var names []string
	for name := range methods {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Merge computes a tensor as mergekit does. Errors are *mergesearch.InputError.
func Merge(in Input) (Output, error) {
	f, ok := methods[in.Method]
	if !ok {
		err := mergesearch.UnknownWord("method", in.Method, Methods())
		err.Field, err.Problem = "merge_method", fmt.Sprintf("mergekit's arithmetic for %q is not available", in.Method)
		return Output{}, err
	}
	if err := check(in); err != nil {
		return Output{}, err
	}
	out := Output{Values: f(in), DType: in.DType}
	if out.Values == nil {
		return Output{}, &mergesearch.InputError{Field: "models", Problem: "the models' directions cancel", Hint: "give them other weights"}
	}
	if in.Method == "arcee_fusion" || in.Method == "ramplus_tl" {
		out.DType = mergesearch.F32
	}
	return out, nil
}

// rounded rounds values in place to a type and returns them.
func rounded(d mergesearch.DType, x []float32) []float32 {
	if d == mergesearch.F32 {
		return x
	}
	v := kernel.View{DType: d, Data: make([]byte, len(x)*d.Size())}
	kernel.Store(v, x)
	copy(x, kernel.Load(v))
	return x
}

// number rounds one of the recipe's numbers to float32, then to the type.
func number(d mergesearch.DType, x float64) float32 { return rounded(d, []float32{float32(x)})[0] }

// each returns f of every element number, rounded to the type.
func each(d mergesearch.DType, n int, f func(e int) float32) []float32 {
	out := make([]float32, n)
	for e := range out {
		out[e] = f(e)
	}
	return rounded(d, out)
}

// weights returns the models' weights as a tensor of the compute type holds them.
func (in Input) weights() []float32 {
	w := make([]float32, len(in.Models))
	for i, p := range in.PerModel {
		w[i] = number(in.DType, p["weight"])
	}
	return w
}

// column turns one number for each model into terms of one element.
func column(w []float32) [][]float32 {
	terms := make([][]float32, len(w))
	for i, x := range w {
		terms[i] = []float32{x}
	}
	return terms
}
