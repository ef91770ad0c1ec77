package search

import (
	"cmp"
	"math"
	"slices"

	"mergesearch"
)

// Estimator makes candidates comparable that answered different items. It knows of
// every search item how often it was solved, by parents, baselines and candidates
// that were told.
//
// A level is the fitness with control variates: the mean over the answered items of
// the difference to their pass rates, added to the mean pass rate of all items, task
// by task. That takes out how hard a cohort's items were. It repairs the level of a
// score and not its order: inside a cohort the correction is one constant, and the
// paired difference decides.
//
// Pass rates are posterior means under a Beta(1, 1) prior, so an item never asked
// counts as half solved. Levels of the first cohorts are therefore rough.
type Estimator struct {
	benchmark mergesearch.Benchmark
	tasks     map[string][]mergesearch.ItemID // search items, in their order
	tallies   map[mergesearch.ItemID]*tally
}

// tally counts the answers to an item.
type tally struct{ asked, solved float64 }

// rate is the posterior mean of the pass rate.
func (t *tally) rate() float64 { return (t.solved + 1) / (t.asked + 2) }

// spread is the expectation of rate (1 - rate): how much the next two candidates can
// be expected to disagree.
func (t *tally) spread() float64 {
	a, b := t.solved+1, t.asked-t.solved+1
	return a * b / ((a + b) * (a + b + 1))
}

// NewEstimator knows nothing yet of the items of the search split.
func NewEstimator(b mergesearch.Benchmark, items []mergesearch.Item) *Estimator {
	e := &Estimator{benchmark: b, tasks: byTask(items), tallies: map[mergesearch.ItemID]*tally{}}
	for _, item := range items {
		e.tallies[item.ID] = &tally{}
	}
	return e
}

// Tell counts what the trials answered.
func (e *Estimator) Tell(trials []mergesearch.Trial) {
	for _, t := range trials {
		for _, o := range t.Outcomes {
			if tally := e.tallies[o.Item]; tally != nil {
				tally.asked++
				tally.solved += o.Value
			}
		}
	}
}

// Level estimates the fitness on all search items. A task without outcomes counts
// as its items' mean pass rate. The standard error is that of the differences.
func (e *Estimator) Level(outcomes []mergesearch.Outcome) mergesearch.Estimate {
	type sums struct{ n, d, dd float64 }
	by := map[string]*sums{}
	for _, o := range outcomes {
		s := by[o.Item.Task()]
		if s == nil {
			s = &sums{}
			by[o.Item.Task()] = s
		}
		d := o.Value - e.tallies[o.Item].rate()
		s.n, s.d, s.dd = s.n+1, s.d+d, s.dd+d*d
	}
	var level, variance, total float64
	for _, t := range e.benchmark.Tasks {
		rate := 0.0
		for _, id := range e.tasks[t.Task] {
			rate += e.tallies[id].rate() / float64(len(e.tasks[t.Task]))
		}
		if s := by[t.Task]; s != nil {
			rate += s.d / s.n
			if s.n > 1 {
				variance += t.Weight * t.Weight * max(0, s.dd-s.d*s.d/s.n) / (s.n * (s.n - 1))
			}
		}
		level += t.Weight * rate
		total += t.Weight
	}
	return mergesearch.Estimate{Fitness: level / total, StdErr: math.Sqrt(variance) / total}
}

// Undecided returns so many items of each task, or all of a task that has no more,
// those first about which candidates can be expected to disagree most: an item that
// half of many solved before one that nobody was asked, and that before one that all
// solved. Ties fall by the seed and the cohort.
func (e *Estimator) Undecided(perTask int, seed uint64, cohort int) []mergesearch.ItemID {
	var out []mergesearch.ItemID
	for _, t := range e.benchmark.Tasks {
		ids := e.tasks[t.Task]
		var order []mergesearch.ItemID
		for _, at := range stream(seed, "undecided "+t.Task, uint64(cohort)).Perm(len(ids)) {
			order = append(order, ids[at])
		}
		slices.SortStableFunc(order, func(a, b mergesearch.ItemID) int {
			return cmp.Compare(e.tallies[b].spread(), e.tallies[a].spread())
		})
		out = append(out, order[:min(perTask, len(order))]...)
	}
	return out
}
