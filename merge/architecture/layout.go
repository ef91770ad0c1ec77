package architecture

import (
	"fmt"
	"strings"

	"mergesearch"
)

// Fused reports whether the tensor holds all experts of a layer: their number is
// its first axis ("mlp.experts.gate_up_proj"). Older checkpoints have a tensor for
// each expert instead.
func Fused(tensor string) bool {
	_, _, rest, ok := Split(tensor)
	if !ok {
		return false
	}
	head, tail, ok := strings.Cut(rest, "experts.")
	if !ok || head != "" && !strings.HasSuffix(head, ".") {
		return false
	}
	part, _, _ := strings.Cut(tail, ".")
	return part != "" && strings.Trim(part, "0123456789") != ""
}

// CompareLayouts refuses two models of which one stores each expert apart and the
// other all experts of a layer together; their tensors cannot be paired by name.
// The error is about the second model and a *mergesearch.InputError without file.
func CompareLayouts(first, second []string) error {
	a, b := expertNames(first), expertNames(second)
	for _, x := range []struct {
		name, other string
		text        string
	}{
		{b.fused, a.apart, "holds all experts of a layer, but the other model has a tensor for each (%s)"},
		{b.apart, a.fused, "belongs to one expert, but the other model has one tensor for all of a layer (%s)"},
	} {
		if x.name != "" && x.other != "" {
			return &mergesearch.InputError{
				Field: x.name, Problem: fmt.Sprintf(x.text, x.other),
				Hint: "store both models in one layout; save_pretrained(..., save_original_format=True) of transformers 5 writes one tensor for each expert",
			}
		}
	}
	return nil
}

// layoutNames are the first names of either layout, "" where there is none.
type layoutNames struct{ apart, fused string }

func expertNames(names []string) (out layoutNames) {
	var unknown *Architecture
	for _, n := range names {
		if _, _, ok := unknown.Expert(n); ok && out.apart == "" {
			out.apart = n
		}
		if Fused(n) && out.fused == "" {
			out.fused = n
		}
	}
	return out
}
