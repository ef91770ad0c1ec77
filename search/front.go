package search

import (
	"cmp"
	"slices"

	"mergesearch"
	"mergesearch/search/pareto"
)

// Front returns the indices of the trials that answered all search items and that
// no other of them dominates, in the objectives of the benchmark; each recipe
// once, the earliest trial of it. Trials that break a constraint are left out
// unless all do: then those that break it least are the front.
func Front(b mergesearch.Benchmark, trials []mergesearch.Trial) []int {
	var at []int
	seen := map[mergesearch.RecipeID]bool{}
	for i, t := range trials {
		if _, ok := t.Member(); !ok || t.State != mergesearch.Scored || t.RecipeID != "" && seen[t.RecipeID] {
			continue
		}
		seen[t.RecipeID] = true
		at = append(at, i)
	}
	fronts := frontsOf(b, trials, at)
	if len(fronts) == 0 {
		return nil
	}
	return fronts[0]
}

// frontsOf splits the trials at the given indices, which answered the same items.
func frontsOf(b mergesearch.Benchmark, trials []mergesearch.Trial, at []int) [][]int {
	points := make([][]float64, len(at))
	violations := make([]float64, len(at))
	for k, i := range at {
		points[k], violations[k] = b.Objectives(trials[i].Score), trials[i].Score.Violation
	}
	fronts := pareto.Constrained(points, violations)
	for _, front := range fronts {
		for k, i := range front {
			front[k] = at[i]
		}
	}
	return fronts
}

// place is where a trial stands among others with several objectives.
type place struct {
	front    int     // from 0; the fronts of trials that left a race come after all others
	crowding float64 // in its front; higher is better
}

// compare is negative when p is better than q: an earlier front, then more room
// (the crowded comparison of Deb et al. 2002).
func (p place) compare(q place) int {
	return cmp.Or(cmp.Compare(p.front, q.front), -cmp.Compare(p.crowding, q.crowding))
}

// places ranks trials with a fitness. Only trials that answered the same items are
// compared by their objectives: those that answered all come first, then those
// that left a race, later rungs before earlier ones.
func places(b mergesearch.Benchmark, trials []mergesearch.Trial) []place {
	order := make([]int, len(trials))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return compareClass(trials[i], trials[j]) })
	out := make([]place, len(trials))
	front := 0
	for len(order) > 0 {
		n := 1
		for n < len(order) && compareClass(trials[order[0]], trials[order[n]]) == 0 {
			n++
		}
		for _, members := range frontsOf(b, trials, order[:n]) {
			var points [][]float64
			for _, i := range members {
				points = append(points, b.Objectives(trials[i].Score))
			}
			for k, d := range pareto.Crowding(points) {
				out[members[k]] = place{front, d}
			}
			front++
		}
		order = order[n:]
	}
	return out
}

// compareClass orders trials by the items that they answered.
func compareClass(a, b mergesearch.Trial) int {
	if (a.State == mergesearch.Scored) != (b.State == mergesearch.Scored) {
		if a.State == mergesearch.Scored {
			return -1
		}
		return 1
	}
	return -cmp.Compare(a.Rung, b.Rung)
}

// bestPlaced returns the indices of the runners of a rung by place, best first.
func bestPlaced(b mergesearch.Benchmark, runners []runner) []int {
	trials := make([]mergesearch.Trial, len(runners))
	order := make([]int, len(runners))
	for i, r := range runners {
		trials[i], order[i] = r.trial, i
	}
	at := places(b, trials)
	slices.SortStableFunc(order, func(i, j int) int { return at[i].compare(at[j]) })
	return order
}
