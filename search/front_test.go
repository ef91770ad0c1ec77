package search_test

import (
	"context"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// scoredAt is a trial of one recipe with two objectives.
func scoredAt(index int, recipe mergesearch.RecipeID, left, right float64) mergesearch.Trial {
	return mergesearch.Trial{
		Index: index, RecipeID: recipe, State: mergesearch.Scored, Rung: 1,
		Score: mergesearch.Score{Fitness: (left + right) / 2, Items: 2, Tasks: []mergesearch.TaskScore{
			{Task: "left", Value: left, Items: 1}, {Task: "right", Value: right, Items: 1},
		}},
	}
}

func TestFrontHoldsWhatNothingScoredDominates(t *testing.T) {
	trials := []mergesearch.Trial{
		scoredAt(0, "a", 0.9, 0.1),
		scoredAt(1, "b", 0.5, 0.5),
		scoredAt(2, "c", 0.4, 0.5), // dominated by b
		scoredAt(3, "d", 1, 1),     // left a race
		scoredAt(4, "b", 0.5, 0.5), // b again
		scoredAt(5, "e", 0.1, 0.9),
		scoredAt(6, "f", 1, 1), // failed
		scoredAt(7, "g", 1, 1), // breaks a constraint
	}
	trials[3].State = mergesearch.Eliminated
	trials[6].State, trials[6].Score = mergesearch.Failed, mergesearch.Score{}
	trials[7].Score.Violation = 0.02
	if got := search.Front(leftAndRight, trials); !slices.Equal(got, []int{0, 1, 5}) {
		t.Errorf("front %v, want 0, 1 and 5", got)
	}
	if got := search.Front(leftAndRight, trials[6:]); !slices.Equal(got, []int{1}) {
		t.Errorf("front %v, want the one that breaks the constraint, alone", got)
	}
	if got := search.Front(leftAndRight, nil); got != nil {
		t.Errorf("front %v of nothing", got)
	}
	mean := leftAndRight
	mean.Aim = mergesearch.MeanTask
	if got := search.Front(mean, trials[:3]); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("front %v with a single objective, want the two best", got)
	}
}

// A race with several objectives sends on what is best at one of them, also where
// the mean is low.
func TestRaceKeepsTheEndsOfTheFront(t *testing.T) {
	var contenders []search.Contender
	for i, p := range [][2]float64{{0.5, 0.5}, {0.9, 0}, {0.45, 0.45}, {0, 0.9}, {0.4, 0.4}, {0.1, 0.1}} {
		contenders = append(contenders, search.Contender{Trial: scoredAt(i, "", p[0], p[1])})
	}
	got := search.Promote(search.Race{Keep: 0.5}, leftAndRight, contenders, nil)
	slices.Sort(got)
	if !slices.Equal(got, []int{0, 1, 3}) {
		t.Errorf("runners %v go on, want 0, 1 and 3", got)
	}
}

// Whole runs over a simulated family: the front of a run with several objectives
// holds a trial that is best at each task among all that answered everything.
func TestNSGA2RunsOnAFamily(t *testing.T) {
	f := searchtest.NewFamily(3, searchtest.Items{Search: 30, Validation: 20, HeldOut: 20})
	b := f.Benchmark()
	b.Aim = mergesearch.Pareto
	recorder := searchtest.NewRecorder()
	_, err := search.Run(context.Background(), search.Options{
		Space: f.Space, Benchmark: b, Algorithm: must(search.NewNSGA2(f.Space, b, 1, search.DefaultNSGA2())),
		Builder: f, Scorer: f, Judge: searchtest.Judge{Benchmark: b}, Recorder: recorder,
		JudgeOf: func(b mergesearch.Benchmark) search.Judge { return searchtest.Judge{Benchmark: b} },
		Seed:    1, Race: search.Race{Rungs: []int{10, 30}, Keep: 0.5}, Budget: search.Budget{Candidates: 120}, Workers: 2,
	})
	if err != nil {
		t.Fatal(err)
	}
	trials := recorder.Trials()
	front := search.Front(b, trials)
	for task := range b.Tasks {
		best, found := 0.0, 0.0
		for _, x := range trials {
			if x.State == mergesearch.Scored {
				best = max(best, x.Score.Tasks[task].Value)
			}
		}
		for _, i := range front {
			found = max(found, trials[i].Score.Tasks[task].Value)
		}
		if found != best {
			t.Errorf("task %d: the best of the front has %v, of the run %v", task, found, best)
		}
	}
}
