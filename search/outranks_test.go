package search_test

import (
	"math/rand"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/search"
)

// TestOutranksIsATotalOrder checks the laws of a strict total order on trials that
// agree in many of their parts, and that a feasible trial never follows one of its
// rung that violates a constraint.
func TestOutranksIsATotalOrder(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	const rungs = 3
	trials := make([]mergesearch.Trial, 60)
	for i := range trials {
		x := &trials[i]
		x.Index, x.Rung, x.State = i, rng.Intn(rungs), mergesearch.Eliminated
		if x.Rung == rungs-1 {
			x.State = mergesearch.Scored
		}
		x.Score = mergesearch.Score{Fitness: float64(rng.Intn(4)) / 3, Items: 10, Violation: max(0, float64(rng.Intn(4)-1)/10)}
	}
	before := search.Outranks
	for _, a := range trials {
		for _, b := range trials {
			if (a.Index == b.Index) == (before(a, b) || before(b, a)) || before(a, b) && before(b, a) {
				t.Fatalf("%+v and %+v", a, b)
			}
			if a.Rung == b.Rung && a.Score.Merit() > b.Score.Merit() && before(b, a) {
				t.Fatalf("merit %v before %v", b.Score.Merit(), a.Score.Merit())
			}
			for _, c := range trials {
				if before(a, b) && before(b, c) && !before(a, c) {
					t.Fatalf("%+v, %+v and %+v", a, b, c)
				}
			}
		}
	}
	slices.SortFunc(trials, func(a, b mergesearch.Trial) int {
		if before(a, b) {
			return -1
		}
		return 1
	})
	for i, b := range trials[1:] {
		if a := trials[i]; a.Rung == b.Rung && !a.Score.Feasible() && b.Score.Feasible() {
			t.Errorf("%+v before %+v", a, b)
		}
	}
}
