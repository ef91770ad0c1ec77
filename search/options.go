package search

import (
	"context"
	"fmt"
	"time"

	"mergesearch"
)

// Options is what a run is made of. Algorithm, Seed, Race, Budget (but for its
// time) and Shortlist decide what is found; Workers, Hold, Now, Ready, Drain and
// Progress never do.
type Options struct {
	Space     *mergesearch.Space
	Benchmark mergesearch.Benchmark
	Algorithm Algorithm

	Builder  Builder
	Scorer   Scorer
	Judge    Judge
	Recorder Recorder

	// JudgeOf makes a judge of some of the benchmark's tasks, with the weights given.
	// The aim Pareto needs it, to compare in each objective by itself.
	JudgeOf func(mergesearch.Benchmark) Judge

	// Layers is the depth of the parents. A cost of depth needs it.
	Layers int

	// Start lists recipes that are scored beside the usual ones.
	Start []mergesearch.Baseline

	Seed      uint64 // of the choice of items; the algorithm has its own, usually the same
	Race      Race
	Budget    Budget
	Shortlist int // candidates that answer validation items; 0 for 8. With the aim Pareto, the longest front

	// Workers is how many candidates are built or scored at a time, at least 1.
	// With 2 or more, one is built while another is scored.
	Workers int

	// Hold is how many built candidates of a cohort may stay in memory between
	// two rungs, instead of being built again. 0 holds none.
	Hold int

	// Now tells the time for durations and for Budget.Time. It is called by
	// several goroutines at once. Without it durations are zero.
	Now func() time.Time

	// Ready, if set, is called before anything is begun that is not known already,
	// from Run's goroutine. It may wait; its error ends the run.
	Ready func(context.Context) error

	// Full, if set, reports whether the run has used up the space that it may take.
	// The search then stops as for Budget.Time, with StopDisk. It must return soon.
	Full func() bool

	// Drain, if set, interrupts the run when it is closed: nothing more is begun,
	// what is in flight comes to its end and is recorded, and Run returns as it does
	// when its context is cancelled.
	Drain <-chan struct{}

	// Progress, if set, is called from Run's goroutine after each change; it must
	// return soon.
	Progress func(Progress)
}

// Budget bounds a search. Zero is no bound, but one bound at least must be set
// unless the algorithm ends by itself.
type Budget struct {
	// Candidates bounds the individuals that the algorithm may have tried, failed
	// and repeated ones included; parents and baselines do not count.
	Candidates int

	// ItemAnswers bounds the answers to search items, those of parents and
	// baselines included. It is never exceeded: candidates for which a rung has no
	// room are not started, or leave there. Validation and held-out items
	// come on top, since a run always ends with a verdict.
	ItemAnswers int

	// Tokens bounds those of prompts and completions that answers to search items
	// took, parents and baselines included. What an answer takes is known when it is
	// there, so the last one may exceed the bound, and as many as are in flight
	// then are asked in vain: which candidates count is decided in ask order, never
	// by who was faster. Candidates whose turn did not come are left pending.
	Tokens int

	// Time stops the search between two candidates, counted from the start of
	// Run. What was begun is left pending and the verdict is over the rest. A stop
	// that was recorded holds for later runs on the same recorder, unless they have
	// no bound of time.
	Time time.Duration
}

// Check refuses, as an *InputError, what no run can be made of. Run begins with it; a
// caller may ask before it has a recorder, so that nothing is left behind.
func (o Options) Check() error {
	if o.Space == nil || o.Algorithm == nil || o.Builder == nil || o.Scorer == nil || o.Judge == nil {
		panic("search: an option without which there is no run is missing")
	}
	if o.Budget.Time > 0 && o.Now == nil {
		panic("search: a time budget without a clock")
	}
	if o.Benchmark.Several() && o.JudgeOf == nil {
		panic("search: several objectives without a judge for each")
	}
	if o.Budget.Candidates < 0 || o.Budget.ItemAnswers < 0 || o.Budget.Tokens < 0 || o.Budget.Time < 0 {
		return &mergesearch.InputError{Field: "budget", Problem: "cannot be negative"}
	}
	if o.Shortlist < 0 {
		return &mergesearch.InputError{Field: "shortlist", Problem: "cannot be negative"}
	}
	if len(o.Benchmark.Tasks) == 0 {
		return &mergesearch.InputError{Field: "tasks", Problem: "no task listed"}
	}
	if err := o.Benchmark.Check(append([]string{o.Space.Base}, o.Space.Experts...)); err != nil {
		return err
	}
	if err := o.Race.check(); err != nil {
		return err
	}
	return o.checkItems()
}

// checkItems makes sure that every task has items in every split, that every item
// is of a listed task, and that no item is in two splits.
func (o Options) checkItems() error {
	weights := map[string]float64{}
	for _, t := range o.Benchmark.Tasks {
		if _, twice := weights[t.Task]; twice || !(t.Weight > 0) {
			return &mergesearch.InputError{Field: "tasks." + t.Task, Problem: "listed twice, or its weight is not positive"}
		}
		weights[t.Task] = t.Weight
	}
	seen := map[mergesearch.ItemID]mergesearch.Split{}
	for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
		has := map[string]bool{}
		for _, item := range o.Scorer.Items(split) {
			if other, twice := seen[item.ID]; twice {
				return &mergesearch.InputError{Field: "tasks." + item.Task, Problem: fmt.Sprintf("item %s is in %s and in %s", item.ID, other, split), Hint: "the splits must not share a question"}
			}
			if weights[item.Task] == 0 || item.ID.Task() != item.Task {
				return &mergesearch.InputError{Field: "tasks." + item.Task, Problem: fmt.Sprintf("item %s is of no listed task", item.ID)}
			}
			seen[item.ID] = split
			has[item.Task] = true
		}
		for _, t := range o.Benchmark.Tasks {
			if !has[t.Task] {
				return &mergesearch.InputError{Field: "tasks." + t.Task, Problem: fmt.Sprintf("no items in the %s split", split)}
			}
		}
	}
	return nil
}
