package search

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"mergesearch"
)

// answers is what the run has of one recipe. Equal recipes share one.
type answers struct {
	fingerprint string
	outcomes    map[mergesearch.ItemID]mergesearch.Outcome // answered, by this process or an earlier one
	used        map[mergesearch.ItemID]bool                // asked for by a trial of this replay: what budgets count
	failure     *mergesearch.Reason
}

// unused returns the tokens of the items' outcomes that no budget counted yet.
func (a *answers) unused(items []mergesearch.ItemID) int {
	n := 0
	for _, id := range items {
		if !a.used[id] {
			n += a.outcomes[id].Tokens()
		}
	}
	return n
}

// relied reports whether a trial has used all the items.
func (a *answers) relied(items []mergesearch.ItemID) bool {
	return !slices.ContainsFunc(items, func(id mergesearch.ItemID) bool { return !a.used[id] })
}

// missing returns the items without an outcome.
func (a *answers) missing(items []mergesearch.ItemID) []mergesearch.ItemID {
	var out []mergesearch.ItemID
	for _, id := range items {
		if _, ok := a.outcomes[id]; !ok {
			out = append(out, id)
		}
	}
	return out
}

// failed reports whether a trial that must answer the items fails: the recipe is
// known to fail and has not answered them all. A recipe that failed on a later
// rung thus passes the earlier ones again in every replay.
func (a *answers) failed(items []mergesearch.ItemID) bool {
	return a.failure != nil && len(a.missing(items)) > 0
}

// on returns the outcomes of the items, all of which were answered.
func (a *answers) on(items []mergesearch.ItemID) []mergesearch.Outcome {
	out := make([]mergesearch.Outcome, len(items))
	for i, id := range items {
		out[i] = a.outcomes[id]
	}
	return out
}

// attempt is a trial under way.
type attempt struct {
	trial   mergesearch.Trial
	answers *answers
	beyond  bool                 // the budget of tokens was spent before its turn in the last batch
	items   []mergesearch.ItemID // behind the trial's score
}

// job brings one recipe's answers up to date. It is handed to a worker, which
// touches nothing else, and comes back as a result.
type job struct {
	index   int // among the jobs of its batch
	attempt *attempt
	trial   mergesearch.Trial // the worker's copy
	split   mergesearch.Split
	missing []mergesearch.ItemID
	before  int                    // tokens that attempts before it in the batch bring from what is known
	sound   int                    // attempts between the job before and this one that are known to have answered
	known   string                 // fingerprint recorded earlier, or empty
	held    *mergesearch.Candidate // built before, or nil
}

type result struct {
	job       *job
	trial     mergesearch.Trial
	candidate *mergesearch.Candidate // to hold or release; nil if none was built
	outcomes  []mergesearch.Outcome  // recorded
	failure   *mergesearch.Failure
	err       error
}

// do builds, scores and records, unless recording must wait for its turn (account).
// Otherwise what it returns in outcomes is durable.
func (l *loop) do(ctx context.Context, j *job) (r result) {
	r = result{job: j, trial: j.trial}
	err := l.build(ctx, j, &r)
	if err == nil {
		err = l.answer(ctx, j, &r)
	}
	if err != nil && !errors.As(err, &r.failure) {
		r.err = fmt.Errorf("candidate %s: %w", j.trial.ID(), err)
	}
	return r
}

func (l *loop) build(ctx context.Context, j *job, r *result) error {
	if j.held != nil {
		r.candidate, r.trial.Fingerprint = j.held, j.held.Fingerprint
		return nil
	}
	began := l.now()
	c, err := l.Builder.Build(ctx, j.trial.ID(), j.trial.Recipe)
	r.trial.BuildSeconds += l.now().Sub(began).Seconds()
	if err != nil {
		return err
	}
	r.candidate = &c
	r.trial.Fingerprint = c.Fingerprint
	if j.known != "" && j.known != c.Fingerprint {
		return fmt.Errorf("recipe %s gave tensors %s before and gives %s now: were the models or the program changed?", j.trial.RecipeID, j.known, c.Fingerprint)
	}
	return nil
}

func (l *loop) answer(ctx context.Context, j *job, r *result) error {
	began := l.now()
	outcomes, err := l.Scorer.Score(ctx, *r.candidate, j.missing)
	r.trial.EvalSeconds += l.now().Sub(began).Seconds()
	if err != nil {
		return err
	}
	if len(outcomes) != len(j.missing) {
		panic(fmt.Sprintf("search: scorer returned %d outcomes for %d items", len(outcomes), len(j.missing)))
	}
	for i, o := range outcomes {
		if o.Item != j.missing[i] {
			panic(fmt.Sprintf("search: scorer answered %s where %s was asked", o.Item, j.missing[i]))
		}
	}
	r.trial.State = mergesearch.Scoring
	if !l.inTurn() {
		if err := l.Recorder.Answered(ctx, r.trial, j.split, outcomes); err != nil {
			return err
		}
	}
	r.outcomes = outcomes
	return nil
}
