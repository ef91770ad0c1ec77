package search_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// A race over rungs of 20, 40, 80 and 160 items of two tasks, of weights 1 and 3, in
// which evidence alone decides: who is as good as the others stays, who is far behind
// leaves.
func TestWhoIsWorseLeaves(t *testing.T) {
	b := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "a", Weight: 1}, {Task: "b", Weight: 3}}}
	asked := items(map[string]int{"a": 160, "b": 160})
	race := search.Race{Rungs: []int{20, 40, 80, 160}, Keep: 1, Leave: 0.05}
	rungs := search.Rungs(race, asked, 1)
	rng := rand.New(rand.NewPCG(1, 1))
	const races, cohort = 120, 6
	lost, saved := 0, 0
	for range races {
		// All but the last are equally good; some items differ by chance.
		var live []search.Contender
		for k := range cohort {
			c := search.Contender{Outcomes: map[mergesearch.ItemID]mergesearch.Outcome{}}
			c.Trial.Index, c.Trial.State = k, mergesearch.Eliminated
			for _, item := range asked {
				v, p := 0.0, 0.6
				if k == cohort-1 {
					p = 0.3
				}
				if rng.Float64() < p {
					v = 1
				}
				c.Outcomes[item.ID] = mergesearch.Outcome{Item: item.ID, Value: v}
			}
			live = append(live, c)
		}
		for _, rung := range rungs {
			for i := range live {
				var outcomes []mergesearch.Outcome
				for _, id := range rung {
					outcomes = append(outcomes, live[i].Outcomes[id])
				}
				live[i].Trial.Score, _ = b.Score(outcomes, "")
			}
			var next []search.Contender
			for _, i := range search.Promote(race, b, live, rung) {
				next = append(next, live[i])
			}
			live = next
		}
		equals := 0
		for _, c := range live {
			if c.Trial.Index < cohort-1 {
				equals++
			}
		}
		lost += cohort - 1 - equals
		if equals == len(live) {
			saved++
		}
	}
	// Five equals a race, of whom each may leave by at most four changes of the leader.
	if f := float64(lost) / (races * (cohort - 1)); f > 0.05 {
		t.Errorf("%.3f of those who are as good as the first have left", f)
	}
	if saved < races*9/10 {
		t.Errorf("who is 30 points behind has left %d of %d races", saved, races)
	}
}

// TestLeaveStudy compares races with and without evidence at equal answers.
//
//	LEAVE=24 go test -run TestLeaveStudy -v ./search
func TestLeaveStudy(t *testing.T) {
	n := 0
	if fmt.Sscan(os.Getenv("LEAVE"), &n); n == 0 {
		t.Skip("LEAVE is not set to a number of seeds")
	}
	for _, race := range []search.Race{
		{Rungs: []int{30, 120}, Keep: 1.0 / 3, Tie: 0.1},
		{Rungs: []int{30, 120}, Keep: 1.0 / 3, Tie: 0.1, Leave: 0.05},
		{Rungs: []int{30, 120}, Keep: 1.0 / 3, Tie: 0.1, Leave: 0.3},
		{Rungs: []int{15, 30, 60, 120}, Keep: 0.6, Tie: 0.1},
		{Rungs: []int{15, 30, 60, 120}, Keep: 0.6, Tie: 0.1, Leave: 0.05},
		{Rungs: []int{15, 30, 60, 120}, Keep: 0.6, Tie: 0.1, Leave: 0.3},
	} {
		var gaps []float64
		for seed := range uint64(n) {
			f := searchtest.NewFamily(1+seed, searchtest.Items{Search: 120, Validation: 100, HeldOut: 300})
			gaps = append(gaps, found(t, f, newGA(f.Space, seed), seed, race, 25000))
		}
		mean, low, high := interval(gaps)
		t.Logf("rungs %v, keep %.2f, leave %.2f: true fitness of the winner %.4f [%.4f, %.4f]", race.Rungs, race.Keep, race.Leave, mean, low, high)
	}
}
