package problem_test

import (
	"math"
	"testing"

	"mergesearch/search/pareto"
	"mergesearch/search/problem"
)

// Published hypervolumes above a cost of 1.1, and those of many points of the
// front, which come close to them from below.
func TestFrontsHaveTheirHypervolume(t *testing.T) {
	want := map[string]float64{
		"ZDT1": 0.876667, "ZDT2": 0.543333, "ZDT3": 1.331763, "ZDT4": 0.876667, "ZDT6": 0.507878,
		"DTLZ1-2": 1.085, "DTLZ1-3": 1.310167, "DTLZ2-2": 0.424602, "DTLZ2-3": 0.807401,
	}
	for _, m := range problem.Multiples() {
		if math.Abs(m.Hypervolume-want[m.Name]) > 1e-6 {
			t.Errorf("%s: hypervolume %.6f, want %.6f", m.Name, m.Hypervolume, want[m.Name])
		}
		v := pareto.Hypervolume(grid(m), m.Reference())
		below := 0.001
		if m.Objectives == 3 {
			below = 0.02
		}
		if v > m.Hypervolume+1e-6 || v < m.Hypervolume-below {
			t.Errorf("%s: %.6f above the points of a grid, want just below %.6f", m.Name, v, m.Hypervolume)
		}
	}
}

// grid returns the values at points of the front.
func grid(m problem.Multiple) [][]float64 {
	var out [][]float64
	if m.Objectives == 2 {
		for k := range 5001 {
			out = append(out, m.Values(m.Front([]float64{float64(k) / 5000})))
		}
		return out
	}
	for j := range 81 {
		for k := range 81 {
			out = append(out, m.Values(m.Front([]float64{float64(j) / 80, float64(k) / 80})))
		}
	}
	return out
}

// Values by hand: of the middle of the cube.
func TestCostsByHand(t *testing.T) {
	middle := func(n int) []float64 {
		x := make([]float64, n)
		for i := range x {
			x[i] = 0.5
		}
		return x
	}
	for name, want := range map[string][]float64{
		"ZDT1":    {0.5, 5.5 * (1 - math.Sqrt(0.5/5.5))},
		"ZDT4":    {0.5, 1 - math.Sqrt(0.5)},
		"DTLZ1-3": {0.125, 0.125, 0.25},
		"DTLZ2-2": {math.Sqrt(0.5), math.Sqrt(0.5)},
		"DTLZ2-3": {0.5, 0.5, math.Sqrt(0.5)},
	} {
		for _, m := range problem.Multiples() {
			if m.Name != name {
				continue
			}
			for i, got := range m.Values(middle(m.Variables)) {
				if math.Abs(got+want[i]) > 1e-12 {
					t.Errorf("%s: value %d is %v, want %v", name, i, got, -want[i])
				}
			}
		}
	}
}
