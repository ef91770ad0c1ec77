package search

import (
	"context"

	"mergesearch"
)

// Builder turns a recipe into a candidate. The merge engine is one.
//
// Build is called by several goroutines at once. The caller releases the
// candidate. Equal recipes give equal tensors, whatever the number of threads.
// A recipe that cannot be built (not finite, shapes) is a *mergesearch.Failure;
// any other error ends the run.
type Builder interface {
	Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error)
}

// Scorer asks a candidate items. The evaluator is one.
//
// Items lists a split in a fixed order. Score is called by several goroutines
// at once, makes sure that the candidate's own weights answer, asks every item
// exactly once and returns the outcomes in the order of items. A candidate that
// cannot be scored (degenerate) is a *mergesearch.Failure; a fault of the
// endpoint that outlasts the retries is any other error, and never an outcome.
type Scorer interface {
	Items(split mergesearch.Split) []mergesearch.Item
	Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error)
}

// Judge compares two models that answered the same items, in pairs. It is a
// pure function of its arguments.
type Judge interface {
	Compare(a, b []mergesearch.Outcome) (mergesearch.Comparison, error)
}

// Recorder keeps what happened. The store is one. Each method returns only when
// what it was given would survive a power cut. Methods are called by several
// goroutines at once.
//
// Resuming is replaying: the loop asks Known before it builds, so a run that is
// started again proposes the same individuals and finds their answers here.
type Recorder interface {
	// Begin records a trial that is about to be built. A trial with this index
	// that is already recorded must have the same canonical genome and recipe;
	// otherwise the replay has gone astray and Begin returns an error.
	Begin(ctx context.Context, t mergesearch.Trial, genome string) error
	// Known returns what is recorded of a recipe; the zero value when nothing is.
	Known(ctx context.Context, id mergesearch.RecipeID) (mergesearch.Known, error)
	// Answered adds outcomes to a trial's recipe in one transaction.
	Answered(ctx context.Context, t mergesearch.Trial, split mergesearch.Split, outcomes []mergesearch.Outcome) error
	// Finish records the trial's state, reason, rung and score on search items. A
	// replay finishes a trial again, with the same outcome; durations of zero mean
	// that this process built or asked nothing for it, so those recorded stay.
	Finish(ctx context.Context, t mergesearch.Trial) error
	// Stop records that the time ran out after so many trials were begun. Stopped
	// returns the first number that was recorded, and false when none was: time is
	// the one budget that a replay cannot recompute.
	Stop(ctx context.Context, trials int) error
	Stopped(ctx context.Context) (trials int, ok bool, err error)
	// Event records something that changed a decision; attrs is stored as JSON.
	Event(ctx context.Context, kind string, attrs map[string]any) error
}
