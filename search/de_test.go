package search_test

import (
	"cmp"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/problem"
	"mergesearch/search/searchtest"
)

// descend runs differential evolution from a uniform start on a function of
// problem in [-5, 5]^n and returns the evaluations to a cost of 1e-8 above the
// best, 0 if it does not get there, and the lowest cost above the best.
func descend(f problem.Function, seed uint64, evaluations int, change func(*search.DESettings)) (reached int, lowest float64) {
	a := newDE(problem.Cube(f.Dim), seed, func(d *search.DESettings) {
		d.Uniform, d.Population, d.Start, d.Factor, d.CrossoverRate = true, 50, 50, 0.5, 0.7
		change(d)
	})
	lowest = math.Inf(1)
	count := 0
	problem.Pursue(a, func(x []float64) []float64 {
		y := make([]float64, len(x))
		for i, u := range x {
			y[i] = 10*u - 5
		}
		cost := f.Cost(y) - f.Best
		count++
		lowest = min(lowest, cost)
		if cost < 1e-8 && reached == 0 {
			reached = count
		}
		return []float64{-cost}
	}, evaluations, func(int) bool { return reached == 0 })
	return reached, lowest
}

// From a uniform start it needs about the evaluations of SciPy 1.17 with the same
// settings, whose median of eleven runs on the sphere is 3076 (docs/log/pareto.md).
func TestDEDescendsTheSphere(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	var runs []int
	for seed := range uint64(5) {
		n, _ := descend(must(problem.Classic("sphere", 10)), seed+1, 6000, func(d *search.DESettings) { d.Best = true })
		if n > 0 {
			runs = append(runs, n)
		}
	}
	slices.Sort(runs)
	if len(runs) < 5 || runs[2] > 4000 {
		t.Errorf("evaluations to 1e-8: %v", runs)
	}
}

// The recommendation is the mean of the members that answered everything and
// share their choices.
func TestDERecommendsTheMean(t *testing.T) {
	space := problem.Cube(3)
	a := newDE(space, 1, func(d *search.DESettings) { d.Population, d.Start = 4, 4 })
	if _, ok := a.Recommend(); ok {
		t.Error("a recommendation without members")
	}
	a.Tell(nil)
	var trials []mergesearch.Trial
	for i, individual := range a.Ask() {
		x := scoredAt(i, "", 0.5, 0.5)
		x.Individual = individual
		if i == 3 {
			x.State, x.Rung = mergesearch.Eliminated, 0
		}
		trials = append(trials, x)
	}
	a.Tell(trials)
	got, ok := a.Recommend()
	if !ok || len(got.Parents) != 3 {
		t.Fatalf("recommends %+v", got)
	}
	for i, x := range got.Genome {
		want := (trials[0].Individual.Genome[i] + trials[1].Individual.Genome[i] + trials[2].Individual.Genome[i]) / 3
		if math.Abs(x-want) > 1e-12 {
			t.Errorf("gene %d of the recommendation is %v, want %v", i, x, want)
		}
	}
}

// A challenger that is no worse takes its member's place, a worse or failed one
// does not, and neither does one that left a race where the member did not.
func TestDEKeepsTheBetter(t *testing.T) {
	space := problem.Cube(3)
	a := newDE(space, 1, func(d *search.DESettings) { d.Population, d.Start = 4, 4 })
	tell := func(from int, change func(int, *mergesearch.Trial)) {
		var trials []mergesearch.Trial
		for i, individual := range a.Ask() {
			x := scoredAt(from+i, "", 0.5, 0.5)
			x.Individual = individual
			change(i, &x)
			trials = append(trials, x)
		}
		a.Tell(trials)
	}
	a.Tell(nil)
	tell(0, func(int, *mergesearch.Trial) {})
	tell(4, func(i int, x *mergesearch.Trial) {
		switch i {
		case 1:
			x.Score.Fitness = 0.4
		case 2:
			x.State, x.Score = mergesearch.Failed, mergesearch.Score{}
		case 3:
			x.State, x.Rung, x.Score.Fitness = mergesearch.Eliminated, 0, 0.9
		}
	})
	var got []int
	for _, m := range a.Population() {
		got = append(got, m.Index)
	}
	if !slices.Equal(got, []int{4, 1, 2, 3}) {
		t.Errorf("members %v, want 4, 1, 2, 3", got)
	}
}

// TestDEStudy prints the figures of docs/log/pareto.md.
func TestDEStudy(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("DE_SEEDS"))
	if seeds == 0 {
		t.Skip("set DE_SEEDS")
	}
	for _, best := range []bool{true, false} {
		for _, name := range []string{"sphere", "ellipsoid", "rosenbrock", "different powers"} {
			f := must(problem.Classic(name, 10))
			var runs []int
			var costs []float64
			for seed := range uint64(seeds) {
				n, cost := descend(f, seed+1, 50000, func(d *search.DESettings) { d.Best = best })
				if n > 0 {
					runs = append(runs, n)
				}
				costs = append(costs, cost)
			}
			slices.Sort(runs)
			slices.Sort(costs)
			line := fmt.Sprintf("best %v, %s: %d of %d reach 1e-8", best, name, len(runs), seeds)
			if len(runs) > 0 {
				line += fmt.Sprintf(", median %d (%d-%d)", runs[len(runs)/2], runs[0], runs[len(runs)-1])
			}
			t.Logf("%s; lowest cost, median %.2g", line, costs[len(costs)/2])
		}
	}
}

// TestDEFamilyStudy prints how far below the reference optimum of simulated
// families the winners of whole runs are.
func TestDEFamilyStudy(t *testing.T) {
	families, _ := strconv.Atoi(os.Getenv("DE_FAMILIES"))
	if families == 0 {
		t.Skip("set DE_FAMILIES")
	}
	for _, c := range []struct {
		name   string
		change func(*search.DESettings)
	}{
		{"rand/1, F 0.5, CR 0.5", func(d *search.DESettings) { d.CrossoverRate = 0.5 }},
		{"rand/1, F 0.5, CR 0.9", func(d *search.DESettings) { d.CrossoverRate = 0.9 }},
		{"rand/1, F 0.5, CR 0.7", func(*search.DESettings) {}},
		{"rand/1, uniform start", func(d *search.DESettings) { d.Uniform, d.Start = true, 20 }},
		{"best/1, F 0.5, CR 0.7", func(d *search.DESettings) { d.Best = true }},
		{"best/1, F 0.5 to 1, CR 0.7", func(d *search.DESettings) { d.Best, d.Dither = true, 0.5 }},
		{"best/1, F 0.5, CR 0.9", func(d *search.DESettings) { d.Best, d.CrossoverRate = true, 0.9 }},
		{"", nil},
	} {
		var gaps []float64
		for k := range uint64(families) {
			f := searchtest.NewFamily(1000+k, searchtest.Items{Search: 120, Validation: 100, HeldOut: 300})
			var a search.Algorithm = newGA(f.Space, k)
			if c.change != nil {
				a = newDE(f.Space, k, c.change)
			}
			gaps = append(gaps, f.Reference(2500)-found(t, f, a, k, search.DefaultRace(), 60000))
		}
		mean, low, high := interval(gaps)
		t.Logf("%-28s gap %.3f +- %.3f", cmp.Or(c.name, "the genetic algorithm"), mean, (high-low)/2/2.78)
	}
}
