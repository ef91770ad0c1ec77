package storetest

import (
	"fmt"

	"mergesearch"
)

// Sample is a made-up run: every trial and outcome follows from its number. Equal
// numbers give equal values, in this process and in any other.
type Sample struct {
	// Recipes is the number of different recipes; trials beyond it repeat them.
	// Zero gives every trial a recipe of its own.
	Recipes int
	// Tasks is the number of tasks; zero means two.
	Tasks int
}

// Trial returns trial number index as it is before it begins, and its genome.
// Trials from 4 on have two parents.
func (s Sample) Trial(index int) (mergesearch.Trial, string) {
	n := index
	if s.Recipes > 0 {
		n = index % s.Recipes
	}
	weight := float64(n) / 64
	r := mergesearch.Recipe{
		Method: "linear", DType: "bfloat16",
		Models: []mergesearch.Input{
			{Model: "add", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(weight)}},
			{Model: "reverse", Parameters: map[string]mergesearch.Setting{"weight": {{Filter: "mlp", Values: []float64{0.25, 0.5}}, {Values: []float64{1}}}}},
		},
		Parameters: map[string]mergesearch.Setting{"normalize": mergesearch.Number(1)},
	}
	t := mergesearch.Trial{
		Index: index, Recipe: r, RecipeID: r.ID(), State: mergesearch.Building,
		Individual: mergesearch.Individual{Genome: mergesearch.Genome{0, weight, 1}, Generation: index / 4, Operator: "random"},
	}
	if index >= 4 {
		t.Individual.Operator = "crossover"
		t.Individual.Parents = []mergesearch.CandidateID{mergesearch.CandidateOf(index / 2), mergesearch.CandidateOf(index - 4)}
	}
	return t, fmt.Sprintf("method=linear weight.add=%v", weight)
}

// Outcomes returns the answers of a recipe to n items of a split, from item
// number first on.
func (s Sample) Outcomes(id mergesearch.RecipeID, split mergesearch.Split, first, n int) []mergesearch.Outcome {
	tasks := s.Tasks
	if tasks == 0 {
		tasks = 2
	}
	out := make([]mergesearch.Outcome, n)
	for i := range out {
		k := first + i
		h := mix(fmt.Sprint(id, split, k))
		o := mergesearch.Outcome{
			Item:       mergesearch.ItemID(fmt.Sprintf("task%d/%s-%d", k%tasks, split, k)),
			Value:      float64(h%5) / 4,
			Truncated:  h%7 == 0,
			Completion: fmt.Sprintf("answer %d of %s", k, id),

			PromptTokens: 20 + k%7, CompletionTokens: int(h % 13),
		}
		if h%11 == 0 {
			o.Value, o.Missing, o.Truncated, o.Completion = 0, true, false, ""
		}
		o.Empty = o.Completion == "" && !o.Missing
		out[i] = o
	}
	return out
}

// Finished returns the trial as it is when it has answered these outcomes.
func (s Sample) Finished(t mergesearch.Trial, outcomes []mergesearch.Outcome) mergesearch.Trial {
	tasks := map[string]bool{}
	var b mergesearch.Benchmark
	for _, o := range outcomes {
		if name := o.Item.Task(); !tasks[name] {
			tasks[name] = true
			b.Tasks = append(b.Tasks, mergesearch.TaskWeight{Task: name, Weight: 1})
		}
	}
	score, err := b.Score(outcomes, Fingerprint(t.RecipeID))
	if err != nil {
		panic(err)
	}
	t.State, t.Score, t.Fingerprint, t.BuildSeconds, t.EvalSeconds = mergesearch.Scored, score, Fingerprint(t.RecipeID), 0.5, 2
	return t
}

// Fingerprint is that of the weights which a recipe of a sample builds.
func Fingerprint(id mergesearch.RecipeID) string { return "weights-of-" + string(id) }

// mix is FNV-1a.
func mix(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h ^ h>>29
}
