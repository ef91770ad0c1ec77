package search

import (
	"context"
	"fmt"

	"mergesearch"
)

// Algorithm proposes points of a space. It is a pure function of the space, its
// seed, its settings and what it was told, in order: no I/O, no clock, no state
// outside itself. Calls alternate, from one goroutine:
//
//	Tell(baselines)              once, before anything else
//	cohort := Ask(); Tell(cohort's trials in ask order); ...
//
// so that replaying the same trials gives the same proposals.
type Algorithm interface {
	// Ask proposes the next cohort: individuals that race against each other on
	// the same items. Their genomes are normalized. Empty means finished; every
	// later call is empty too.
	Ask() []mergesearch.Individual

	// Tell hands back the whole cohort, one trial for each individual in ask
	// order, each Scored, Eliminated or Failed. One with a score carries the outcomes
	// behind it, which must not be written to: on the same items in the same order
	// for all trials of a rung. A failed trial carries no fitness and must not breed. The first call carries the trials of parents and
	// baselines instead; those that the space cannot express have a nil genome.
	Tell(trials []mergesearch.Trial)
}

// Recommender is an Algorithm that knows better at the end than any trial that it
// asked for, such as the mean of its search distribution. Once the search has
// stopped, the loop scores the recommendation on all search items, for which it
// keeps answers of the budget, and it is on the shortlist whatever its score.
type Recommender interface {
	Algorithm

	// Recommend returns the recommendation, and false when there is none. It is
	// called once, after the last Tell, also when the last cohort was never told.
	Recommend() (mergesearch.Individual, bool)
}

// Nominator is a Recommender that can be wrong and knows who else could be right. The
// loop scores those it nominates like the recommendation, so that they are on the
// shortlist, whose validation items then decide.
type Nominator interface {
	Recommender

	// Nominate returns them, the most hopeful first; none is the recommendation. It is
	// called once, before Recommend.
	Nominate() []mergesearch.Individual

	// Nominees is how many it nominates at most, for which answers are kept.
	Nominees() int
}

// Outside is an Algorithm whose proposals come from beyond the process, where
// things break that are no fault of a candidate. The loop opens it before anything
// is scored and closes it at the end; an error ends the run, which can be resumed.
type Outside interface {
	Algorithm

	// Open starts it. It ends with the context.
	Open(ctx context.Context) error

	// Err returns what broke, nil while nothing has. The loop looks after each Ask,
	// which is empty from then on.
	Err() error

	Close() error
}

// ItemChooser is an Algorithm that knows which items tell the candidates of its next
// cohort apart. The loop asks it where the race prefers undecided items, and leaves
// it to the algorithm to make cohorts comparable: it is told no levels.
type ItemChooser interface {
	Algorithm

	// ChooseItems returns so many search items of each task, or all of a task that
	// has no more, each task's most telling first. It is called after Ask, for the
	// cohort that was asked, and is a pure function like Ask.
	ChooseItems(perTask int) []mergesearch.ItemID
}

// outranks reports whether trial a is better than b, both with a fitness: one
// that answered all search items before one that left a race, a later rung
// before an earlier one; then a feasible one before one that violates a
// constraint, of two that do the one that violates less (Deb 2000); then the
// higher fitness, then the earlier trial. Where cohorts answer different items,
// their levels are compared instead, which inside a cohort have the order of the
// fitness. The fitness of trials that answered
// different items is thus never compared.
func outranks(a, b mergesearch.Trial) bool {
	if (a.State == mergesearch.Scored) != (b.State == mergesearch.Scored) {
		return a.State == mergesearch.Scored
	}
	if a.Rung != b.Rung {
		return a.Rung > b.Rung
	}
	if a.Score.Violation != b.Score.Violation {
		return a.Score.Violation < b.Score.Violation
	}
	if x, y := standing(a), standing(b); x != y {
		return x > y
	}
	return a.Index < b.Index
}

// standing returns a trial's level where one was estimated, and its fitness
// otherwise.
func standing(t mergesearch.Trial) float64 {
	if t.Level != (mergesearch.Estimate{}) {
		return t.Level.Fitness
	}
	return t.Score.Fitness
}

// byRank orders trials by outranks, best first.
func byRank(x, y mergesearch.Trial) int {
	switch {
	case outranks(x, y):
		return -1
	case outranks(y, x):
		return 1
	}
	return 0
}

// checkTold panics where a cohort is not told as a whole.
func checkTold(trials []mergesearch.Trial, asked int) {
	if len(trials) != asked {
		panic(fmt.Sprintf("search: told %d trials of a cohort of %d", len(trials), asked))
	}
}
