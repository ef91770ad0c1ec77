package compat

import (
	"fmt"
	"slices"

	"mergesearch"
)

// check refuses what mergekit refuses, and what this package cannot represent.
func check(in Input) error {
	problem := ""
	lowest, highest := in.modelCount()
	switch n := len(in.Models); {
	case !slices.Contains([]mergesearch.DType{mergesearch.BF16, mergesearch.F16, mergesearch.F32}, in.DType):
		problem = fmt.Sprintf("mergekit does not compute in %s", in.DType)
	case n == 0:
		problem = "no model besides the base model"
	case n < lowest || n > highest:
		problem = fmt.Sprintf("%s does not take %d models besides the base model", in.Method, n)
	case in.Base == nil && !slices.Contains([]string{"linear", "passthrough", "nuslerp", "multislerp", "karcher"}, in.Method):
		problem = in.Method + " needs a base model"
	case len(in.PerModel) != n:
		problem = fmt.Sprintf("parameters for %d of %d models", len(in.PerModel), n)
	default:
		problem = in.sizes()
	}
	if problem == "" {
		return checkSparse(in)
	}
	return &mergesearch.InputError{Field: "models", Problem: problem}
}

// modelCount returns how many models besides the base a method takes.
func (in Input) modelCount() (lowest, highest int) {
	switch in.Method {
	case "passthrough", "nearswap", "slerp", "arcee_fusion":
		return 1, 1
	case "nuslerp":
		return 2, 2
	case "model_stock":
		return 2, 1 << 20
	}
	return 1, 1 << 20
}

// sizes says which tensor has another size than the first model's.
func (in Input) sizes() string {
	n := len(in.Models[0])
	shape := 1
	for _, s := range in.Shape {
		shape *= s
	}
	if in.Shape != nil && shape != n || in.Base != nil && len(in.Base) != n || n == 0 {
		return fmt.Sprintf("the shape or the base model's tensor does not have the model's %d elements", n)
	}
	for i, x := range in.Models {
		if len(x) != n {
			return fmt.Sprintf("model %d has %d elements, model 0 has %d", i, len(x), n)
		}
	}
	return ""
}

func checkSparse(in Input) error {
	for i, p := range in.PerModel {
		density := p["density"]
		field := fmt.Sprintf("models[%d].parameters.density", i)
		switch in.Method {
		case "ties":
			if density < 1 && share(density, len(in.Base)) <= 0 {
				return &mergesearch.InputError{
					Field: field, Problem: fmt.Sprintf("keeps none of %d elements", len(in.Base)),
					Hint: "mergekit refuses this too; the default mode keeps one element at least",
				}
			}
		case "dare_linear", "dare_ties", "della", "della_linear":
			if density >= 1 {
				continue
			}
			if problem := in.checkDrawn(i); problem != "" {
				return &mergesearch.InputError{Field: field, Problem: problem}
			}
		}
	}
	if in.Method == "sce" {
		return checkTopK(in)
	}
	return nil
}

// checkTopK refuses a choice of no element, where mergekit writes a tensor with one
// dimension too many.
func checkTopK(in Input) error {
	p := in.Global["select_topk"]
	if p >= 1 {
		return nil
	}
	deltas := make([][]float32, len(in.Models))
	for i, x := range in.Models {
		deltas[i] = arith{in.DType}.sub(x, in.Base)
	}
	v := each(in.DType, len(in.Base), func(e int) float32 { return variance(deltas, e) })
	if p > 0 && topK(v, p) > 0 {
		return nil
	}
	return &mergesearch.InputError{
		Field: "parameters.select_topk", Problem: "chooses no element",
		Hint: "mergekit writes a tensor of another shape here",
	}
}
