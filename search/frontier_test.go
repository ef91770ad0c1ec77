package search_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/pareto"
	"mergesearch/search/searchtest"
)

// several makes each task of the family an objective.
func several(o *search.Options) {
	o.Benchmark.Aim = mergesearch.Pareto
	o.JudgeOf = func(b mergesearch.Benchmark) search.Judge { return searchtest.Judge{Benchmark: b} }
}

func values(measures []mergesearch.Measure) []float64 {
	var out []float64
	for _, m := range measures {
		out = append(out, m.Value)
	}
	return out
}

// A run with several objectives ends with a front: no member dominates another on
// the items that it was chosen by, the best weighted mean is among them and is what
// the verdict is about, and what is said of held-out items follows from the scores.
func TestRunEndsWithAFront(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	r := run(t, options(f, rec, several))
	front := r.Front
	if front == nil || len(front.Members) < 2 || !slices.Equal(front.Objectives, f.Space.Experts) {
		t.Fatalf("front %+v", front)
	}
	winner := false
	var points [][]float64
	for _, m := range front.Members {
		winner = winner || m.Candidate == r.Best.Candidate
		points = append(points, values(m.Measures))
		for _, other := range front.Members {
			if pareto.Dominates(values(m.Chosen), values(other.Chosen)) {
				t.Errorf("%s dominates %s", m.Candidate, other.Candidate)
			}
		}
		if m.HeldOut.Items != 72 || m.Search.Items != 72 || len(m.Gains) != 3 {
			t.Errorf("member %+v", m)
		}
		for i, c := range m.Gains {
			at := slices.IndexFunc(r.Parents, func(p mergesearch.Finalist) bool { return p.Name == front.BestParents[i] })
			if want := m.HeldOut.Tasks[i].Value - r.Parents[at].HeldOut.Tasks[i].Value; math.Abs(c.Gain-want) > 1e-9 || c.Items != 24 {
				t.Errorf("%s, %s: gain %v on %d items, want %v", m.Candidate, front.Objectives[i], c.Gain, c.Items, want)
			}
		}
	}
	if !winner {
		t.Errorf("the winner %s is not on the front", r.Best.Candidate)
	}
	if v := pareto.Hypervolume(points, []float64{0, 0, 0}); v != front.Hypervolume || !(front.ParentHypervolume > 0) || !(v > front.ParentHypervolume) {
		t.Errorf("hypervolume %v, want %v; parents %v", front.Hypervolume, v, front.ParentHypervolume)
	}
	if _, repeated := f.Answered(); repeated != 0 {
		t.Errorf("%d items were asked twice", repeated)
	}
}

// The front is the same for any number of workers and wherever a run was killed, and
// no longer than the shortlist.
func TestFrontResumes(t *testing.T) {
	short := func(o *search.Options) {
		several(o)
		o.Shortlist = 3
		o.Benchmark.Costs = []mergesearch.Cost{{Kind: mergesearch.TokenCost}}
		o.Benchmark.Constraints = []mergesearch.Constraint{{Task: "reverse", Keep: 0.5}}
	}
	whole := searchtest.NewRecorder()
	want := run(t, options(searchtest.NewFamily(4, fewItems), whole, short))
	if n := len(want.Front.Members); n < 1 || n > 3 || len(want.Front.Objectives) != 4 || !(want.Front.Reference[3] < 0) {
		t.Errorf("front %+v", want.Front)
	}
	for kill := whole.Calls() / 2; kill < whole.Calls(); kill += 17 {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		rec.Fault = func(call int) error {
			if call >= kill {
				return errPower
			}
			return nil
		}
		if _, err := search.Run(context.Background(), options(f, rec, short)); !errors.Is(err, errPower) {
			t.Fatalf("killed at %d: %v", kill, err)
		}
		rec.Fault = nil
		got := run(t, options(f, rec, short, func(o *search.Options) { o.Workers = 5 }))
		if d := cmp.Diff(want, got); d != "" || rec.Hash() != whole.Hash() {
			t.Fatalf("killed at %d: %s", kill, d)
		}
	}
}

// A constraint is relative to the parent that is best at the task, or to the one
// named, on the items of the rung, and decides before fitness.
func TestConstraintsSteerTheSearch(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	r := run(t, options(f, rec, func(o *search.Options) {
		o.Benchmark.Constraints = []mergesearch.Constraint{{Task: "reverse", Keep: 0.9}, {Task: "atlas", Keep: 0.5, Parent: "base"}}
	}))
	trials := rec.Trials()
	parent := func(name string) mergesearch.Trial {
		return trials[slices.IndexFunc(trials, func(x mergesearch.Trial) bool { return x.Name == name })]
	}
	reverse, base := parent("reverse").Score.Tasks[1].Value, parent("base").Score.Tasks[2].Value
	feasible := 0
	for _, x := range trials {
		if x.State != mergesearch.Scored {
			continue
		}
		want := max(0, 0.9*reverse-x.Score.Tasks[1].Value) + max(0, 0.5*base-x.Score.Tasks[2].Value)
		if math.Abs(x.Score.Violation-want) > 1e-12 {
			t.Errorf("%s: violation %v, want %v", x.ID(), x.Score.Violation, want)
		}
		if x.Score.Feasible() {
			feasible++
		}
	}
	if feasible < 2 || !r.Best.Search.Feasible() {
		t.Errorf("%d feasible, the winner violates %v", feasible, r.Best.Search.Violation)
	}
	if len(r.Kept) != 2 || r.Kept[0].Parent != "reverse" || r.Kept[1].Parent != "base" || r.Kept[0].Value != r.Best.HeldOut.Tasks[1].Value {
		t.Errorf("kept %+v", r.Kept)
	}
}

// With a cost of depth nothing changes, for all recipes of the family are as deep;
// one of tokens is deducted from every fitness. Held-out scores know no cost.
func TestCostsSteerTheSearch(t *testing.T) {
	plain := run(t, options(searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()))
	deep := run(t, options(searchtest.NewFamily(4, fewItems), searchtest.NewRecorder(), func(o *search.Options) {
		o.Layers, o.Benchmark.Costs = 8, []mergesearch.Cost{{Kind: mergesearch.DepthCost, Weight: 0.001}}
	}))
	if deep.Best.RecipeID != plain.Best.RecipeID || math.Abs(deep.Best.Search.Cost-0.008) > 1e-12 || deep.Best.HeldOut.Fitness != plain.Best.HeldOut.Fitness {
		t.Errorf("depth: %+v, plain %+v", deep.Best, plain.Best)
	}
	if deep.Best.Optimism() != plain.Best.Optimism() {
		t.Errorf("optimism %v with a cost, %v without", deep.Best.Optimism(), plain.Best.Optimism())
	}
	rec := searchtest.NewRecorder()
	run(t, options(searchtest.NewFamily(4, fewItems), rec, func(o *search.Options) {
		o.Benchmark.Costs = []mergesearch.Cost{{Kind: mergesearch.TokenCost, Weight: 0.1}}
	}))
	for _, x := range rec.Trials() {
		if x.State != mergesearch.Scored {
			continue
		}
		mean := (x.Score.Tasks[0].Value + x.Score.Tasks[1].Value + x.Score.Tasks[2].Value) / 3
		if want := max(0, mean-0.1*float64(x.Score.CompletionTokens)/72); math.Abs(x.Score.Fitness-want) > 1e-12 {
			t.Errorf("%s: fitness %v, want %v", x.ID(), x.Score.Fitness, want)
		}
	}
}
