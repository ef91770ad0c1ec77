package merge_test

import (
	"math"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/compat"
	"mergesearch/merge/kernel"
	"mergesearch/merge/mergetest"
)

// With compat: mergekit every operation is rounded to the type of the models, so
// bfloat16 merges differ from the default, but never by much.
func TestCompatRoundsEveryOperation(t *testing.T) {
	e := family(t, mergetest.Checkpoint{}, merge.Options{})
	for _, method := range compat.Methods() {
		if method == "passthrough" || method == "nearswap" {
			continue // nothing to add up
		}
		m := methodOf(method)
		if _, weighted := m.Parameter("weight"); !weighted || m.OptionalBase {
			continue // covered against the peer's numbers in package compat
		}
		r := weighted(method, "base", "expert-b", "expert-a")
		r.Parameters["weight"] = mergesearch.Number(0.3)
		ours := build(t, e, r)
		r.Compat = "mergekit"
		theirs := build(t, e, r)
		if ours.Fingerprint == theirs.Fingerprint {
			t.Errorf("%s: compat changes no bit", method)
		}
		const name = "model.layers.1.mlp.up_proj.weight"
		a, b := values(t, ours, name), values(t, theirs, name)
		for i := range a {
			if apart := math.Abs(float64(a[i] - b[i])); apart > 0.02*(math.Abs(float64(a[i]))+0.05) {
				t.Fatalf("%s, element %d: %v by default, %v with compat", method, i, a[i], b[i])
			}
		}
	}
}

func methodOf(name string) mergesearch.Method {
	for _, m := range merge.Methods() {
		if m.Name == name {
			return m
		}
	}
	return mergesearch.Method{}
}

func values(t *testing.T, c mergesearch.Candidate, name string) []float32 {
	t.Helper()
	x, err := c.Tensors.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return kernel.Load(kernel.View{DType: x.DType, Data: x.Data})
}
