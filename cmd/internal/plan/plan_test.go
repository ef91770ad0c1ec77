package plan_test

import (
	"context"
	"math"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/cmd/internal/honesty"
	"mergesearch/cmd/internal/plan"
	"mergesearch/eval"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// A rehearsal counts what a search of the same options takes, whose family it does not
// know.
func TestRehearseCountsAsTheSearch(t *testing.T) {
	w := honesty.NewWorld(7, 0.03, 0.1, honesty.Items{Search: 240, Validation: 60, HeldOut: 90})
	items := plan.Items{}
	for _, s := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
		items[s] = w.Items(s)
	}
	for _, budget := range []search.Budget{{Candidates: 60}, {ItemAnswers: 9000}} {
		for _, race := range []search.Race{{Rungs: []int{20, 80}, Keep: 0.5, Tie: 0.1}, {Rungs: []int{10, 30, 0}, Keep: 0.4}, {Keep: 1}} {
			options := func() search.Options {
				a, err := search.NewGA(w.Space, 3, search.DefaultGA().ForBudget(60))
				if err != nil {
					t.Fatal(err)
				}
				return search.Options{
					Space: w.Space, Benchmark: w.Benchmark(), Algorithm: a, Builder: w, Scorer: w, Judge: eval.Judge{Benchmark: w.Benchmark(), Resamples: 100},
					Recorder: searchtest.NewRecorder(), Seed: 3, Race: race, Budget: budget, Workers: 2,
				}
			}
			took, err := search.Run(context.Background(), options())
			if err != nil {
				t.Fatal(err)
			}
			work, err := plan.Rehearse(context.Background(), options(), plan.Rehearsal{Items: items})
			if err != nil {
				t.Fatal(err)
			}
			answers := 0
			for _, n := range took.ItemAnswers {
				answers += n
			}
			if math.Abs(float64(work.Answers())/float64(answers)-1) > 0.1 || work.Stop != took.Stop {
				t.Errorf("%+v %+v: rehearsed %d answers (%s), took %d (%s)", budget, race, work.Answers(), work.Stop, answers, took.Stop)
			}
		}
	}
}

// Samples made by the law of costs give that law back.
func TestFitFindsTheLaw(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		call, token := rapid.Float64Range(0.001, 1).Draw(t, "call"), rapid.Float64Range(1e-6, 1e-3).Draw(t, "token")
		var samples []plan.Sample
		for i, n := range rapid.SliceOfN(rapid.IntRange(100, 10_000), 4, 20).Draw(t, "tokens") {
			n += i // of at least two sizes
			samples = append(samples, plan.Sample{Seconds: call + token*float64(n), Answers: map[string]int{"a": 10}, Tokens: map[string]plan.Tokens{"a": {Prompt: float64(n)}}})
		}
		c, ok := plan.Fit(samples)
		if !ok {
			t.Fatal("no costs")
		}
		for _, s := range samples {
			if got := c.Call + c.Token*s.Tokens["a"].Prompt; math.Abs(got/s.Seconds-1) > 1e-3 {
				t.Fatalf("%v tokens: %v s, want %v", s.Tokens["a"].Prompt, got, s.Seconds)
			}
		}
	})
}

// Four times the items halve what can be detected; more weight on one task needs more.
func TestDetectable(t *testing.T) {
	tasks := []mergesearch.TaskWeight{{Task: "a", Weight: 1}, {Task: "b", Weight: 1}}
	one := plan.Detectable(map[string]int{"a": 100, "b": 100}, tasks, 0.2)
	four := plan.Detectable(map[string]int{"a": 400, "b": 400}, tasks, 0.2)
	if math.Abs(one/four-2) > 1e-9 {
		t.Errorf("%v and %v", one, four)
	}
	tasks[0].Weight = 5
	if tilted := plan.Detectable(map[string]int{"a": 100, "b": 100}, tasks, 0.2); tilted <= one {
		t.Errorf("tilted weights detect %v, even ones %v", tilted, one)
	}
}
