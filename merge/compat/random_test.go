package compat_test

import (
	"errors"
	"testing"

	"mergesearch"
	"mergesearch/merge/compat"
)

// drawnAt merges a model that is one above a base of zero with method, every draw being
// the same, and returns the result.
func drawnAt(t *testing.T, method string, d mergesearch.DType, shape []int, density float64, draw uint32) []float32 {
	t.Helper()
	n := 1
	for _, s := range shape {
		n *= s
	}
	x := make([]float32, n)
	for e := range x {
		x[e] = 1 + float32(e)
	}
	out, err := compat.Merge(compat.Input{
		Method: method, DType: d, Shape: shape, Base: make([]float32, n), Models: [][]float32{x},
		Global: map[string]float64{"lambda": 1}, PerModel: []map[string]float64{{"weight": 1, "density": density, "epsilon": .1}},
		Draw: func(int, int) uint32 { return draw },
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Values
}

// mergekit keeps density 0.3 with the probability 0.30078125 in bfloat16.
func TestProbabilitiesAreRounded(t *testing.T) {
	between := uint32(1 << 32 / 1000 * 3004 / 10)
	for d, kept := range map[mergesearch.DType]bool{mergesearch.BF16: true, mergesearch.F16: false, mergesearch.F32: false} {
		if out := drawnAt(t, "dare_linear", d, []int{1}, .3, between); (out[0] != 0) != kept {
			t.Errorf("%s: element kept %v, want %v", d, out[0] != 0, kept)
		}
	}
}

// mergekit ranks magnitudes along the second dimension: of a shape 1, 3, 2 the elements
// 0, 2, 4 and 1, 3, 5.
func TestRanksRunAlongTheSecondDimension(t *testing.T) {
	half := uint32(1 << 31)
	for _, c := range []struct {
		shape []int
		kept  []bool
	}{
		{[]int{1, 3, 2}, []bool{false, false, false, false, true, true}},
		{[]int{2, 3}, []bool{false, false, true, false, false, true}},
		{[]int{6}, []bool{false, false, false, true, true, true}},
	} {
		for e, v := range drawnAt(t, "della_linear", mergesearch.F32, c.shape, .5, half) {
			if (v != 0) != c.kept[e] {
				t.Errorf("shape %v, element %d: kept %v, want %v", c.shape, e, v != 0, c.kept[e])
			}
		}
	}
}

// mergekit divides the rank in a row of one element by nothing.
func TestRowsOfOneElementAreRefused(t *testing.T) {
	_, err := compat.Merge(compat.Input{
		Method: "della", DType: mergesearch.F32, Shape: []int{3, 1}, Base: make([]float32, 3), Models: [][]float32{{1, 2, 3}},
		Global: map[string]float64{"lambda": 1}, PerModel: []map[string]float64{{"weight": 1, "density": .5, "epsilon": .1}},
		Draw: func(int, int) uint32 { return 0 },
	})
	var want *mergesearch.InputError
	if !errors.As(err, &want) {
		t.Errorf("got %v, want an input error", err)
	}
}
