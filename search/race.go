package search

import (
	"fmt"
	"math"
	"slices"

	"mergesearch"
)

// Race lets the candidates of a cohort answer few items first and only the
// better ones more: successive halving (Karnin, Koren and Somekh 2013; Jamieson
// and Talwalkar 2016) over nested sets of items that all candidates share.
//
// Decisions fall at the end of a rung only, from that cohort's own trials, so
// neither workers nor the order of arrival matters. A candidate that leaves keeps
// the plain mean over the items that it answered as its score. Where all cohorts
// answer the same items, that is enough: an adjustment for how hard these were
// would be one constant, and algorithms rank every one that left behind those that
// answered all (see outranks). Where items are chosen for each cohort, its level is
// told beside the score (see Estimator).
type Race struct {
	// Rungs holds the search items per task that a candidate has answered by the
	// end of each rung, ascending. The last rung is what parents and baselines
	// answer, and the only one from which a winner comes. Zero, and more than a
	// task has, stand for all of it; no rungs for a single one of all items.
	Rungs []int

	Keep float64 // share of a rung's candidates that go on, rounded up; above 0, at most 1

	// Items says which items the rungs before the last hold. Where they are chosen
	// for each cohort, Keep may be 0: then nobody goes on, and what the algorithm
	// recommends alone answers the last rung.
	Items ItemChoice

	// Tie keeps candidates below the cut too, up to a quarter as many again, when
	// their paired difference to the last one kept is at most Tie standard errors
	// (of the difference). Zero keeps exact ties only.
	Tie float64

	// Leave is the level at which a candidate leaves that is shown to be worse than
	// the first of its cohort, also where Keep would send it on: 0.05, say. Zero, the
	// default, leaves it to Keep.
	Leave float64
}

// ItemChoice says how the items of the rungs before the last are chosen.
type ItemChoice string

// The choices of items.
const (
	FixedItems     ItemChoice = "fixed"     // once for the run, each rung a part of the next; what "" means too
	FreshItems     ItemChoice = "fresh"     // at random for each cohort
	UndecidedItems ItemChoice = "undecided" // for each cohort those that tell candidates apart: of each task the ones that about half of the candidates so far solve, or what an ItemChooser says
)

// ItemChoices lists them.
func ItemChoices() []ItemChoice { return []ItemChoice{FixedItems, FreshItems, UndecidedItems} }

// fixed reports whether all cohorts answer the same items.
func (r Race) fixed() bool { return r.Items == "" || r.Items == FixedItems || len(r.Rungs) < 2 }

// DefaultRace returns 30 items a task for every candidate and 120 for the best
// third.
func DefaultRace() Race { return Race{Rungs: []int{30, 120}, Keep: 1.0 / 3, Tie: 0.1} }

func (r Race) check() error {
	for i, n := range r.Rungs {
		if n < 0 || (i > 0 && n != 0 && n <= r.Rungs[i-1]) || (n == 0 && i != len(r.Rungs)-1) {
			return &mergesearch.InputError{Field: "race.rungs", Problem: fmt.Sprintf("%v does not ascend", r.Rungs), Hint: "for example [30, 120]; 0 in the last place stands for all items"}
		}
	}
	if r.Items != "" && !slices.Contains(ItemChoices(), r.Items) {
		return &mergesearch.InputError{Field: "race.items", Problem: fmt.Sprintf("%q is no choice of items", r.Items), Hint: "fixed, fresh or undecided"}
	}
	if r.Items != "" && r.Items != FixedItems && len(r.Rungs) < 2 {
		return &mergesearch.InputError{
			Field: "race.items", Problem: fmt.Sprintf("%s items need two rungs: those of a cohort, and the one that all share", r.Items),
			Hint: "for example race: {rungs: [30, 120], items: " + string(r.Items) + "}, or an algorithm that brings its race",
		}
	}
	if !(r.Keep > 0 || r.Keep == 0 && !r.fixed()) || r.Keep > 1 {
		return &mergesearch.InputError{Field: "race.keep", Problem: fmt.Sprintf("%v is not a share above 0 and at most 1", r.Keep)}
	}
	if !(r.Tie >= 0) {
		return &mergesearch.InputError{Field: "race.tie", Problem: "cannot be negative"}
	}
	if !(r.Leave >= 0 && r.Leave < 1) {
		return &mergesearch.InputError{Field: "race.leave", Problem: fmt.Sprintf("%v is not a level from 0 to below 1", r.Leave)}
	}
	return nil
}

// rungs draws the items of each rung, once for the run: for each task a random
// order derived from the seed, of which each rung takes a longer beginning. The
// items of a rung come in the order in which they were given.
func (r Race) rungs(items []mergesearch.Item, seed uint64) [][]mergesearch.ItemID {
	counts := r.Rungs
	if len(counts) == 0 {
		counts = []int{0}
	}
	place := map[mergesearch.ItemID]int{} // in its task's random order
	for task, ids := range byTask(items) {
		for k, at := range stream(seed, "items "+task).Perm(len(ids)) {
			place[ids[at]] = k
		}
	}
	out := make([][]mergesearch.ItemID, len(counts))
	for rung, n := range counts {
		for _, item := range items {
			if n == 0 || place[item.ID] < n {
				out[rung] = append(out[rung], item.ID)
			}
		}
	}
	return out
}

// cohortRungs draws the items of a cohort's rungs: for each task an order of its
// items, of which each rung before the last takes a longer beginning. The last rung
// is that of the run. Items that are not among the undecided ones follow in random
// order, so without any the items are fresh.
func (r Race) cohortRungs(fixed [][]mergesearch.ItemID, items []mergesearch.Item, undecided []mergesearch.ItemID, seed uint64, cohort int) [][]mergesearch.ItemID {
	place := map[mergesearch.ItemID]int{} // in its task's order
	for task, ids := range byTask(items) {
		next := 0
		for _, id := range undecided {
			if id.Task() == task && slices.Contains(ids, id) {
				place[id] = next
				next++
			}
		}
		for _, at := range stream(seed, "items "+task, uint64(cohort)).Perm(len(ids)) {
			if _, in := place[ids[at]]; !in {
				place[ids[at]] = next
				next++
			}
		}
	}
	out := slices.Clone(fixed)
	for rung := range len(fixed) - 1 {
		out[rung] = nil
		for _, item := range items {
			if place[item.ID] < r.Rungs[rung] {
				out[rung] = append(out[rung], item.ID)
			}
		}
	}
	return out
}

func byTask(items []mergesearch.Item) map[string][]mergesearch.ItemID {
	out := map[string][]mergesearch.ItemID{}
	for _, item := range items {
		out[item.Task] = append(out[item.Task], item.ID)
	}
	return out
}

// runner is what a rung's decision looks at.
type runner struct {
	trial    mergesearch.Trial // with its score on the rung
	outcomes map[mergesearch.ItemID]mergesearch.Outcome
}

// promote returns the indices of the runners that go on, best first. Runners are
// in ask order, all scored on the same items. With several objectives runners go
// on by front and crowding instead of fitness, and there are no ties.
func (r Race) promote(b mergesearch.Benchmark, runners []runner, items []mergesearch.ItemID) []int {
	order := make([]int, len(runners))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int {
		if outranks(runners[i].trial, runners[j].trial) {
			return -1
		}
		return 1
	})
	n := int(math.Ceil(r.Keep*float64(len(runners)) - 1e-9))
	if n >= len(order) || n == 0 {
		return order[:n]
	}
	if b.Several() {
		return bestPlaced(b, runners)[:n]
	}
	last, spare := runners[order[n-1]], (n+3)/4
	for ; spare > 0 && n < len(order); spare-- {
		next := runners[order[n]]
		gap, stderr := paired(b, last, next, items)
		if !next.trial.Score.Feasible() && next.trial.Score.Merit() < last.trial.Score.Merit() {
			break // a violation is no matter of the difference in fitness
		}
		apart := b.Aim == mergesearch.WorstTask || gap > r.Tie*stderr // the worst task has no paired difference
		if apart && next.trial.Score.Fitness < last.trial.Score.Fitness {
			break
		}
		n++
	}
	return order[:n]
}

// paired returns the weighted mean over tasks of a's values minus b's, and its
// standard error from the per-item differences.
func paired(b mergesearch.Benchmark, x, y runner, items []mergesearch.ItemID) (gap, stderr float64) {
	type sums struct{ n, d, dd float64 }
	by := map[string]*sums{}
	for _, id := range items {
		s := by[id.Task()]
		if s == nil {
			s = &sums{}
			by[id.Task()] = s
		}
		d := x.outcomes[id].Value - y.outcomes[id].Value
		s.n, s.d, s.dd = s.n+1, s.d+d, s.dd+d*d
	}
	var total, variance float64
	for _, t := range b.Tasks {
		s := by[t.Task]
		mean := s.d / s.n
		gap += t.Weight * mean
		if s.n > 1 {
			variance += t.Weight * t.Weight * max(0, s.dd-s.n*mean*mean) / (s.n * (s.n - 1))
		}
		total += t.Weight
	}
	return gap / total, math.Sqrt(variance) / total
}
