package mergesearch_test

import (
	"errors"
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strings"
	"testing"

	"mergesearch"
)

var threeTasks = []mergesearch.TaskWeight{{Task: "a", Weight: 1}, {Task: "b", Weight: 3}, {Task: "c", Weight: 2}}

// randomScore is the score of random answers, 10 to a task.
func randomScore(t *testing.T, b mergesearch.Benchmark, rng *rand.Rand) mergesearch.Score {
	t.Helper()
	var outcomes []mergesearch.Outcome
	for _, task := range b.Tasks {
		for i := range 10 {
			outcomes = append(outcomes, mergesearch.Outcome{
				Item: mergesearch.ItemID(fmt.Sprintf("%s/%d", task.Task, i)), Value: rng.Float64(), PromptTokens: 7, CompletionTokens: rng.Intn(5),
			})
		}
	}
	s, err := b.Score(outcomes, "f")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestAims pins how the three aims relate: the worst task is never above the mean,
// and the mean of the objectives by weight is the fitness.
func TestAims(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	mean := mergesearch.Benchmark{Tasks: threeTasks}
	worst := mergesearch.Benchmark{Tasks: threeTasks, Aim: mergesearch.WorstTask}
	pareto := mergesearch.Benchmark{Tasks: threeTasks, Aim: mergesearch.Pareto}
	if err := pareto.Check(nil); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		seed := rng.Int63()
		of := func(b mergesearch.Benchmark) mergesearch.Score {
			return randomScore(t, b, rand.New(rand.NewSource(seed)))
		}
		m, w, p := of(mean), of(worst), of(pareto)
		if w.Fitness > m.Fitness || w.Fitness != slices.MinFunc(w.Tasks, func(x, y mergesearch.TaskScore) int {
			return int(math.Copysign(1, x.Value-y.Value))
		}).Value {
			t.Errorf("worst %v, mean %v", w.Fitness, m.Fitness)
		}
		if p.Fitness != m.Fitness || !slices.Equal(mean.Objectives(m), []float64{m.Fitness}) || !slices.Equal(worst.Objectives(w), []float64{w.Fitness}) {
			t.Errorf("pareto %v, mean %v", p.Fitness, m.Fitness)
		}
		var sum, total float64
		for i, v := range pareto.Objectives(p) {
			sum, total = sum+threeTasks[i].Weight*v, total+threeTasks[i].Weight
		}
		if math.Abs(sum/total-p.Fitness) > 1e-12 {
			t.Errorf("objectives %v, fitness %v", pareto.Objectives(p), p.Fitness)
		}
	}
}

// TestOneGroupIsTheMean: an objective of all tasks with their weights is the fitness,
// with its standard error.
func TestOneGroupIsTheMean(t *testing.T) {
	b := mergesearch.Benchmark{Tasks: threeTasks, Aim: mergesearch.Pareto, Groups: []mergesearch.Objective{
		{Name: "all", Tasks: threeTasks}, {Name: "first", Tasks: threeTasks[:1]},
	}, Costs: []mergesearch.Cost{{Kind: mergesearch.DepthCost}, {Kind: mergesearch.TokenCost, Weight: 0.01}}}
	if err := b.Check(nil); err != nil {
		t.Fatal(err)
	}
	s := randomScore(t, b, rand.New(rand.NewSource(2)))
	s.Layers = 12
	m := b.Measures(s)
	if len(m) != 3 || m[0].Name != "all" || math.Abs(m[0].Value-s.Fitness) > 1e-12 || math.Abs(m[0].StdErr-s.StdErr) > 1e-12 ||
		m[1].Value != s.Tasks[0].Value || m[2] != (mergesearch.Measure{Name: "depth", Value: -12}) {
		t.Errorf("%+v of %+v", m, s)
	}
}

// TestCostsAndConstraints: a cost of nothing changes nothing, a costlier candidate is
// never better for it, and whoever equals the reference violates nothing.
func TestCostsAndConstraints(t *testing.T) {
	rng := rand.New(rand.NewSource(3))
	b := mergesearch.Benchmark{
		Tasks: threeTasks, Constraints: []mergesearch.Constraint{{Task: "a", Keep: 0.9}, {Task: "c", Keep: 1}},
		Costs: []mergesearch.Cost{{Kind: mergesearch.TokenCost, Weight: 0.01}, {Kind: mergesearch.DepthCost, Weight: 0.001}},
	}
	if err := b.Check(nil); err != nil {
		t.Fatal(err)
	}
	for range 50 {
		s, reference := randomScore(t, b, rng), randomScore(t, b, rng)
		references := []mergesearch.Score{reference, reference}
		got := b.Steer(s, 12, references)
		want := 0.01*float64(s.CompletionTokens)/30 + 0.012
		if math.Abs(got.Cost-want) > 1e-12 || math.Abs(got.Fitness-max(0, s.Fitness-want)) > 1e-12 {
			t.Errorf("cost %v, want %v; fitness %v of %v", got.Cost, want, got.Fitness, s.Fitness)
		}
		if deeper := b.Steer(s, 24, references); deeper.Fitness > got.Fitness || deeper.Violation != got.Violation {
			t.Errorf("twice as deep: %+v and %+v", deeper, got)
		}
		short := max(0, 0.9*reference.Tasks[0].Value-s.Tasks[0].Value) + max(0, reference.Tasks[2].Value-s.Tasks[2].Value)
		if got.Violation != short || got.Feasible() != (short == 0) || (got.Merit() < 0) == got.Feasible() {
			t.Errorf("violation %v, want %v, merit %v", got.Violation, short, got.Merit())
		}
		if same := b.Steer(reference, 12, references); !same.Feasible() {
			t.Errorf("the reference itself violates %v", same.Violation)
		}
	}
}

func TestBenchmarkRefusals(t *testing.T) {
	group := func(name string, tasks ...mergesearch.TaskWeight) mergesearch.Objective {
		return mergesearch.Objective{Name: name, Tasks: tasks}
	}
	for want, b := range map[string]mergesearch.Benchmark{
		`objective: unknown objective "best"`:                 {Aim: "best"},
		`constraints[0].task: unknown task "aa"`:              {Constraints: []mergesearch.Constraint{{Task: "aa", Keep: 1}}},
		`constraints[0].keep: 1.1 is not a share`:             {Constraints: []mergesearch.Constraint{{Task: "a", Keep: 1.1}}},
		`constraints[1].parent: unknown parent "bse"`:         {Constraints: []mergesearch.Constraint{{Task: "a", Keep: 1}, {Task: "a", Keep: 1, Parent: "bse"}}},
		`costs[0].weight: NaN is not a weight`:                {Costs: []mergesearch.Cost{{Kind: mergesearch.TokenCost, Weight: math.NaN()}}},
		`costs[0]: a cost without a weight`:                   {Costs: []mergesearch.Cost{{Kind: mergesearch.DepthCost}}},
		`objectives: only objective: pareto has several`:      {Groups: []mergesearch.Objective{group("x", threeTasks...)}},
		`objectives[0].tasks: unknown task "z"`:               {Aim: mergesearch.Pareto, Groups: []mergesearch.Objective{group("x", mergesearch.TaskWeight{Task: "z", Weight: 1})}},
		`objectives[1].name: "x" is missing, taken`:           {Aim: mergesearch.Pareto, Groups: []mergesearch.Objective{group("x", threeTasks...), group("x", threeTasks...)}},
		`objective: pareto needs at least two objectives`:     {Aim: mergesearch.Pareto, Groups: []mergesearch.Objective{group("x", threeTasks...)}},
		`objectives[0].tasks.a: 0 is not a positive weight`:   {Aim: mergesearch.Pareto, Groups: []mergesearch.Objective{group("x", mergesearch.TaskWeight{Task: "a"})}},
		`objectives[0].name: "tokens" is missing, taken, or `: {Aim: mergesearch.Pareto, Groups: []mergesearch.Objective{group("tokens", threeTasks...)}},
	} {
		b.Tasks = threeTasks
		err := b.Check([]string{"base", "expert"})
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
