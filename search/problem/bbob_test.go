package problem_test

import (
	"encoding/json"
	"math"
	"math/rand"
	"os"
	"testing"

	"mergesearch/search/problem"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// The values are those of the test bed's own definitions; see
// docs/peers/search/bbob_values.py.
func TestBBOBValues(t *testing.T) {
	var rows []struct {
		Function, Instance int
		X                  []float64
		Cost, Best         float64
	}
	if err := json.Unmarshal(must(os.ReadFile("testdata/bbob.json")), &rows); err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		f := must(problem.BBOB(r.Function, len(r.X), r.Instance))
		if f.Best != r.Best {
			t.Errorf("f%d, instance %d: best %v, want %v", r.Function, r.Instance, f.Best, r.Best)
		}
		if got := f.Cost(r.X); math.Abs(got-r.Cost) > 1e-9*max(1, math.Abs(r.Cost)) {
			t.Errorf("f%d, dimension %d, instance %d: cost %v, want %v", r.Function, len(r.X), r.Instance, got, r.Cost)
		}
	}
}

func TestOptimumIsBest(t *testing.T) {
	var functions []problem.Function
	for _, n := range problem.BBOBNumbers() {
		functions = append(functions, must(problem.BBOB(n, 5, 3)))
	}
	for _, name := range problem.Classics() {
		functions = append(functions, must(problem.Classic(name, 5)))
	}
	rng := rand.New(rand.NewSource(1))
	for _, f := range functions {
		if got := f.Cost(f.Optimum); math.Abs(got-f.Best) > 1e-9 {
			t.Errorf("%s: cost %v at the optimum, want %v", f.Name, got, f.Best)
		}
		for range 100 {
			x := f.Start(rng)
			before := append([]float64(nil), x...)
			if f.Cost(x) < f.Best {
				t.Errorf("%s: below the best at %v", f.Name, x)
			}
			f.Observe(x, rng)
			for i := range x {
				if x[i] != before[i] {
					t.Fatalf("%s writes to its point", f.Name)
				}
			}
		}
	}
}

func TestMixedOptimum(t *testing.T) {
	for _, name := range problem.MixedNames() {
		m := must(problem.NewMixed(name, 3))
		if got := m.Cost(make([]float64, m.Reals), make([]float64, m.Ints), make([]int, len(m.Options))); got != 0 {
			t.Errorf("%s: cost %v at the optimum", name, got)
		}
	}
}

func TestUnknownFunctions(t *testing.T) {
	for _, err := range []error{
		second(problem.BBOB(3, 5, 1)), second(problem.BBOB(1, 1, 1)), second(problem.BBOB(1, 5, 0)),
		second(problem.Classic("sphre", 5)), second(problem.Classic("sphere", 1)), second(problem.NewMixed("sphere", 2)),
	} {
		if err == nil {
			t.Error("no error")
		}
	}
}

func second[T any](_ T, err error) error { return err }

// Five trials of random points: some reach the target, none goes on after it.
func TestMeasure(t *testing.T) {
	f := must(problem.Classic("sphere", 2))
	r := problem.Measure(5, 9, 40, func(int) problem.Function { return f }, func(trial int, m *problem.Meter) {
		rng := rand.New(rand.NewSource(int64(trial)))
		for !m.Done() {
			m.Evaluate(m.Start(rng))
		}
		if !math.IsInf(m.Evaluate(m.Optimum), 1) {
			t.Error("an evaluation after the end")
		}
	})
	sum := 0
	for k, e := range r.Evaluations {
		sum += e
		if !r.Solved[k] && e != 40 {
			t.Errorf("trial %d failed after %d evaluations", k, e)
		}
	}
	if want := float64(sum) / float64(r.Successes()); r.ERT() != want {
		t.Errorf("ERT %v, want %v", r.ERT(), want)
	}
	if q := r.Quantile(0.5); q < 1 || q > 40 {
		t.Errorf("median %v", q)
	}
}
