package search_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/problem"
	"mergesearch/search/searchtest"
)

// volumes runs NSGA-II as pymoo sets it, a seed at a time, and returns the
// hypervolumes of its population, sorted, by the number of evaluations.
func volumes(m problem.Multiple, population, seeds int, evaluations ...int) [][]float64 {
	out := make([][]float64, len(evaluations))
	for seed := range uint64(seeds) {
		a := must(search.NewNSGA2(problem.Cube(m.Variables), m.Benchmark(), seed+1, search.PlainNSGA2(population)))
		for i, v := range m.Volumes(a, evaluations...) {
			out[i] = append(out[i], v)
		}
	}
	for i := range out {
		slices.Sort(out[i])
	}
	return out
}

// Medians from a uniform start lie between the lowest and the highest of nine runs
// of pymoo 0.6.2 with the same settings (docs/log/pareto.md).
func TestNSGA2IsThatOfPymoo(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	for _, c := range []struct {
		problem     problem.Multiple
		evaluations int
		low, high   float64
	}{
		{problem.ZDT1(30), 2000, 0.218, 0.433},
		{problem.ZDT3(30), 2000, 0.442, 0.829},
		{problem.DTLZ2(3, 12), 1000, 0.427, 0.523},
	} {
		v := volumes(c.problem, 40, 5, c.evaluations)[0]
		if median := v[len(v)/2]; median < c.low || median > c.high {
			t.Errorf("%s: hypervolume %.3f after %d evaluations, want %.3f to %.3f", c.problem.Name, median, c.evaluations, c.low, c.high)
		}
	}
}

// A run that was told usual recipes starts from them, one from a uniform start
// does not.
func TestNSGA2StartsFromUsualRecipes(t *testing.T) {
	space := searchtest.SmallSpace()
	land := searchtest.Sphere(space, space.Default())
	for _, c := range []struct {
		settings search.NSGA2Settings
		want     bool
	}{{search.DefaultNSGA2(), true}, {search.PlainNSGA2(40), false}} {
		a := must(search.NewNSGA2(space, leftAndRight, 1, c.settings))
		a.Tell(land.Baselines(space))
		if got := len(a.Population()) > 0; got != c.want {
			t.Errorf("usual recipes are parents: %v, want %v", got, c.want)
		}
		descends := slices.ContainsFunc(a.Ask(), func(i mergesearch.Individual) bool { return len(i.Parents) > 0 })
		if descends != c.want {
			t.Errorf("founders descend from usual recipes: %v, want %v", descends, c.want)
		}
	}
}

// What left a race stays behind what answered everything, whatever its values.
func TestNSGA2RanksScoredBeforeEliminated(t *testing.T) {
	space := problem.Cube(4)
	a := must(search.NewNSGA2(space, leftAndRight, 1, search.PlainNSGA2(8)))
	a.Tell(nil)
	asked := a.Ask()
	trials := make([]mergesearch.Trial, len(asked))
	for i, individual := range asked {
		trials[i] = scoredAt(i, "", 0.1*float64(i), 0.1)
		trials[i].Individual = individual
		if i%2 == 1 {
			trials[i].State, trials[i].Rung = mergesearch.Eliminated, 0
		}
	}
	a.Tell(trials)
	for i, p := range a.Population() {
		if (p.State == mergesearch.Scored) != (i < 4) {
			t.Errorf("%s in place %d", p.State, i)
		}
	}
	if best := a.Population()[0].Index; best != 6 {
		t.Errorf("the best is trial %d, want 6", best)
	}
}

// Members that break a constraint give way to any that break it less.
func TestNSGA2KeepsConstraints(t *testing.T) {
	m := problem.ZDT1(5)
	a := must(search.NewNSGA2(problem.Cube(5), m.Benchmark(), 1, search.PlainNSGA2(20)))
	a.Tell(nil)
	for generation := range 10 {
		var trials []mergesearch.Trial
		for i, individual := range a.Ask() {
			x := mergesearch.Trial{Index: 20*generation + i, Individual: individual, State: mergesearch.Scored}
			x.Score = mergesearch.Score{Items: 2, Violation: max(0, 0.9-individual.Genome[0])}
			for k, v := range m.Values(individual.Genome) {
				x.Score.Tasks = append(x.Score.Tasks, mergesearch.TaskScore{Task: m.Benchmark().Tasks[k].Task, Value: v, Items: 1})
			}
			trials = append(trials, x)
		}
		a.Tell(trials)
	}
	for _, p := range a.Population() {
		if !p.Score.Feasible() {
			t.Fatalf("a member with x1 = %v, want at least 0.9", p.Individual.Genome[0])
		}
	}
}

// TestNSGA2Study prints the table of docs/log/pareto.md.
func TestNSGA2Study(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("NSGA2_SEEDS"))
	if seeds == 0 {
		t.Skip("set NSGA2_SEEDS")
	}
	for _, m := range problem.Multiples() {
		line := m.Name
		for _, v := range volumes(m, 40, seeds, 1000, 2000, 5000) {
			line += fmt.Sprintf(" | %.4f (%.3f-%.3f)", v[len(v)/2], v[0], v[len(v)-1])
		}
		v := volumes(m, 100, seeds, 25000)[0]
		line += fmt.Sprintf(" | %.4f (%.3f-%.3f)", v[len(v)/2], v[0], v[len(v)-1])
		t.Log(line)
	}
}
