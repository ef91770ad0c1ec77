package compat_test

import (
	"errors"
	"math"
	"testing"

	"mergesearch"
	"mergesearch/merge/compat"
)

// merged merges tensors in a type, models at weight 1.
func merged(tb testing.TB, method string, d mergesearch.DType, global map[string]float64, base []float32, models ...[]float32) compat.Output {
	tb.Helper()
	in := compat.Input{Method: method, DType: d, Base: base, Models: models, Global: global}
	for range models {
		in.PerModel = append(in.PerModel, map[string]float64{"weight": 1, "density": .5, "gamma": 0})
	}
	out, err := compat.Merge(in)
	if err != nil {
		tb.Fatal(err)
	}
	return out
}

// A gamma that drops no element drops all.
func TestBreadcrumbsWithoutOutliersKeepNothing(t *testing.T) {
	base, model := []float32{1, 2, 3, 4}, []float32{2, 4, 6, 8}
	out := merged(t, "breadcrumbs", mergesearch.F32, map[string]float64{"lambda": 1}, base, model)
	for e, v := range out.Values {
		if v != base[e] {
			t.Errorf("element %d: %v, want the base model's %v", e, v, base[e])
		}
	}
}

// Opposite vectors are not seen as such: the sine of pi in float32 is not zero.
func TestOppositeVectorsExplodeInNuSLERP(t *testing.T) {
	x := []float32{1, 2, -3, 4}
	y := []float32{-2, -4, 6, -8}
	out := merged(t, "nuslerp", mergesearch.F32, map[string]float64{"nuslerp_flatten": 1}, nil, x, y)
	if v := math.Abs(float64(out.Values[0])); v < 1000 {
		t.Errorf("element 0 is %v, want thousands", v)
	}
}

// Two methods give float32 whatever they are given.
func TestMethodsThatChangeTheType(t *testing.T) {
	base, a := []float32{1, 2, 3, 4}, []float32{1, 2, 3.5, 4}
	global := map[string]float64{"r": .1, "alpha": .2, "epsilon": 1e-5}
	for method, want := range map[string]mergesearch.DType{"ramplus_tl": mergesearch.F32, "arcee_fusion": mergesearch.F32, "ram": mergesearch.BF16} {
		if out := merged(t, method, mergesearch.BF16, global, base, a); out.DType != want {
			t.Errorf("%s gives %s, want %s", method, out.DType, want)
		}
	}
}

// Weights are rounded to the type: 0.3 is 0.30078125 in bfloat16.
func TestWeightsAreRounded(t *testing.T) {
	in := compat.Input{
		Method: "linear", DType: mergesearch.BF16, Models: [][]float32{{1}}, Global: map[string]float64{},
		PerModel: []map[string]float64{{"weight": .3}},
	}
	if out, err := compat.Merge(in); err != nil || out.Values[0] != .30078125 {
		t.Errorf("got %v, %v", out.Values, err)
	}
}

// Input that mergekit dies of, or answers with another shape, is refused.
func TestRefused(t *testing.T) {
	base, x := []float32{1, 2, 3, 4}, []float32{2, 2, 3, 4}
	for name, in := range map[string]compat.Input{
		"ties that keep nothing":    {Method: "ties", Models: [][]float32{x}, PerModel: []map[string]float64{{"density": .1}}},
		"sce that chooses nothing":  {Method: "sce", Models: [][]float32{x}, PerModel: []map[string]float64{{}}, Global: map[string]float64{"select_topk": .5}},
		"dare without draws":        {Method: "dare_ties", Models: [][]float32{x}, PerModel: []map[string]float64{{"density": .5}}},
		"two models for slerp":      {Method: "slerp", Models: [][]float32{x, x}, PerModel: []map[string]float64{{}, {}}},
		"one model for model_stock": {Method: "model_stock", Models: [][]float32{x}, PerModel: []map[string]float64{{}}},
		"a short tensor":            {Method: "ram", Models: [][]float32{x[:3]}, PerModel: []map[string]float64{{}}},
		"a shape of another size":   {Method: "ram", Models: [][]float32{x}, Shape: []int{2, 3}, PerModel: []map[string]float64{{}}},
		"opposite vectors cancel": {
			Method: "multislerp", Models: [][]float32{{2, 2, 3, 4}, {0, 2, 3, 4}, {1, 2, 3, 4}},
			PerModel: []map[string]float64{{"weight": 1}, {"weight": 1}, {"weight": 1}}, Global: map[string]float64{"eps": 1e-8},
		},
	} {
		t.Run(name, func(t *testing.T) {
			in.DType, in.Base = mergesearch.F32, base
			var want *mergesearch.InputError
			if _, err := compat.Merge(in); !errors.As(err, &want) {
				t.Errorf("got %v, want an input error", err)
			}
		})
	}
}
