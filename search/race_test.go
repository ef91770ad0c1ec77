package search_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/search"
)

func items(sizes map[string]int) []mergesearch.Item {
	var out []mergesearch.Item
	for _, task := range []string{"a", "b", "c"} {
		for k := range sizes[task] {
			out = append(out, mergesearch.Item{ID: mergesearch.ItemID(fmt.Sprintf("%s/%03d", task, k)), Task: task})
		}
	}
	return out
}

// Rungs are nested, hold the asked number of each task or all of it, keep the
// order given and depend on the seed alone.
func TestRungsAreNestedAndStratified(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sizes := map[string]int{"a": rapid.IntRange(1, 50).Draw(t, "a"), "b": rapid.IntRange(1, 50).Draw(t, "b")}
		all := items(sizes)
		n := rapid.IntRange(1, 30).Draw(t, "n")
		r := search.Race{Rungs: []int{n, 2 * n, 0}, Keep: 0.5}
		seed := rapid.Uint64().Draw(t, "seed")
		rungs := search.Rungs(r, all, seed)
		for k, rung := range rungs {
			count := map[string]int{}
			for _, id := range rung {
				count[id.Task()]++
			}
			for task, size := range sizes {
				want := size
				if r.Rungs[k] > 0 {
					want = min(size, r.Rungs[k])
				}
				if count[task] != want {
					t.Fatalf("rung %d: %d items of %s, want %d", k, count[task], task, want)
				}
			}
			if !slices.IsSorted(rung) {
				t.Fatalf("rung %d is out of order", k)
			}
			if k > 0 {
				for _, id := range rungs[k-1] {
					if !slices.Contains(rung, id) {
						t.Fatalf("%s is of rung %d and not of the next", id, k-1)
					}
				}
			}
		}
		again := search.Rungs(r, all, seed)
		for k := range rungs {
			if !slices.Equal(rungs[k], again[k]) {
				t.Fatal("the same seed draws other items")
			}
		}
	})
	if one := search.Rungs(search.Race{Keep: 1}, items(map[string]int{"a": 9}), 1); len(one) != 1 || len(one[0]) != 9 {
		t.Errorf("without rungs: %v", one)
	}
}

// The promoted are the best ceil(keep n) and at most a quarter as many more; no
// one that is left out has a higher fitness than one that goes on.
func TestPromotionKeepsTheBest(t *testing.T) {
	benchmark := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "a", Weight: 1}, {Task: "b", Weight: 2}}}
	all := items(map[string]int{"a": 10, "b": 6})
	var ids []mergesearch.ItemID
	for _, i := range all {
		ids = append(ids, i.ID)
	}
	rapid.Check(t, func(t *rapid.T) {
		var contenders []search.Contender
		for k := range rapid.IntRange(0, 30).Draw(t, "n") {
			outcomes := map[mergesearch.ItemID]mergesearch.Outcome{}
			var list []mergesearch.Outcome
			for _, id := range ids {
				o := mergesearch.Outcome{Item: id, Value: float64(rapid.IntRange(0, 1).Draw(t, "value"))}
				outcomes[id] = o
				list = append(list, o)
			}
			score, err := benchmark.Score(list, "f")
			if err != nil {
				t.Fatal(err)
			}
			contenders = append(contenders, search.Contender{Trial: mergesearch.Trial{Index: k, State: mergesearch.Eliminated, Score: score}, Outcomes: outcomes})
		}
		r := search.Race{Keep: rapid.Float64Range(0.01, 1).Draw(t, "keep"), Tie: rapid.SampledFrom([]float64{0, 0.5, 100}).Draw(t, "tie")}
		up := search.Promote(r, benchmark, contenders, ids)
		n := int(math.Ceil(r.Keep*float64(len(contenders)) - 1e-9))
		if len(up) < n || len(up) > n+(n+3)/4 {
			t.Fatalf("%d of %d go on, want %d and at most a quarter more", len(up), len(contenders), n)
		}
		if r.Tie == 100 && len(up) < min(len(contenders), n+(n+3)/4) {
			t.Fatalf("a boundless tie keeps %d", len(up))
		}
		for i := range contenders {
			for _, j := range up {
				if !slices.Contains(up, i) && contenders[i].Trial.Score.Fitness > contenders[j].Trial.Score.Fitness {
					t.Fatalf("%d leaves and is better than %d", i, j)
				}
			}
			if r.Tie == 0 && !slices.Contains(up, i) && len(up) < n+(n+3)/4 &&
				contenders[i].Trial.Score.Fitness == contenders[up[len(up)-1]].Trial.Score.Fitness {
				t.Fatalf("%d leaves with the fitness of one that goes on", i)
			}
		}
	})
}

func TestOutranksIsAnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		draw := func(index int) mergesearch.Trial {
			trial := mergesearch.Trial{Index: index, State: mergesearch.Eliminated, Rung: rapid.IntRange(0, 2).Draw(t, "rung")}
			if rapid.Bool().Draw(t, "scored") {
				trial.State, trial.Rung = mergesearch.Scored, 3
			}
			trial.Score.Fitness = float64(rapid.IntRange(0, 3).Draw(t, "fitness")) / 3
			return trial
		}
		a, b, c := draw(0), draw(1), draw(2)
		if search.Outranks(a, a) || search.Outranks(a, b) == search.Outranks(b, a) {
			t.Fatal("not strict")
		}
		if search.Outranks(a, b) && search.Outranks(b, c) && !search.Outranks(a, c) {
			t.Fatal("not transitive")
		}
		if a.State == mergesearch.Eliminated && b.State == mergesearch.Scored && search.Outranks(a, b) {
			t.Fatal("one that left a race outranks one that answered everything")
		}
	})
}
