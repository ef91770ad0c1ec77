package search

import (
	"context"
	"fmt"

	"mergesearch"
)

// ask makes the attempts answer the items of a split, as far as they have not.
// Equal recipes are built and asked once. It returns false when the time ran out
// before all had answered or failed. Only this goroutine touches the loop's
// state; workers get jobs and give results.
func (l *loop) ask(ctx context.Context, attempts []*attempt, split mergesearch.Split, items []mergesearch.ItemID) (bool, error) {
	jobs, err := l.jobs(ctx, attempts, split, items)
	if err != nil {
		return false, err
	}
	l.progress.Batch, l.progress.BatchTotal = 0, len(jobs)
	l.show()
	if err := l.dispatch(ctx, jobs); err != nil {
		return false, err
	}
	complete := true
	for _, a := range attempts {
		if a.beyond = l.exhausted(0) && !a.answers.relied(items); a.beyond {
			l.stop = StopTokens
			continue
		}
		switch {
		case a.answers.failed(items):
		case len(a.answers.missing(items)) > 0:
			complete = false
		default:
			a.trial.Fingerprint = a.answers.fingerprint
			l.charge(a.answers, split, items)
		}
	}
	return complete, nil
}

// charge counts answers the first time that the run relies on them.
func (l *loop) charge(a *answers, split mergesearch.Split, items []mergesearch.ItemID) {
	for _, id := range items {
		if a.used[id] {
			continue
		}
		a.used[id] = true
		l.spent[split]++
		if split == mergesearch.SearchSplit {
			l.tokens += a.outcomes[id].Tokens()
		}
		if a.outcomes[id].Missing {
			l.missing++
		}
	}
	l.progress.ItemAnswers, l.progress.Tokens = l.spent[mergesearch.SearchSplit], l.tokens
}

// jobs lists what there is to do, one job a recipe, in ask order.
func (l *loop) jobs(ctx context.Context, attempts []*attempt, split mergesearch.Split, items []mergesearch.ItemID) ([]*job, error) {
	var jobs []*job
	planned, known, sound := map[*answers]bool{}, 0, 0
	for _, a := range attempts {
		if err := l.recall(ctx, a); err != nil {
			return nil, err
		}
		if planned[a.answers] {
			continue
		}
		planned[a.answers] = true
		missing := a.answers.missing(items)
		if a.answers.failure == nil && len(missing) > 0 {
			jobs = append(jobs, &job{
				index: len(jobs), attempt: a, trial: a.trial,
				split: split, missing: missing, before: known, sound: sound, known: a.answers.fingerprint,
			})
			sound = 0
		} else if a.answers.failure == nil {
			sound++
		}
		known += a.answers.unused(items)
	}
	return jobs, nil
}

// recall gives an attempt the answers of its recipe, asking the recorder the
// first time.
func (l *loop) recall(ctx context.Context, a *attempt) error {
	if a.answers != nil {
		return nil
	}
	if a.answers = l.ledger[a.trial.RecipeID]; a.answers != nil {
		return nil
	}
	known, err := l.Recorder.Known(ctx, a.trial.RecipeID)
	if err != nil {
		return err
	}
	a.answers = &answers{
		fingerprint: known.Fingerprint, failure: known.Failure,
		outcomes: map[mergesearch.ItemID]mergesearch.Outcome{}, used: map[mergesearch.ItemID]bool{},
	}
	a.answers.add(known.Outcomes)
	l.ledger[a.trial.RecipeID] = a.answers
	return nil
}

// add keeps outcomes without their text, which only the recorder needs.
func (a *answers) add(outcomes []mergesearch.Outcome) {
	for _, o := range outcomes {
		o.Completion = ""
		a.outcomes[o.Item] = o
	}
}

// dispatch runs the jobs in order, at most Workers at a time. After an error, a
// cancellation, an interruption or the end of the time it starts no more and waits for those in
// flight.
func (l *loop) dispatch(ctx context.Context, jobs []*job) error {
	flight, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make(chan result)
	done := make([]*result, len(jobs))
	var first error
	started, flying, judged := 0, 0, 0
	if len(jobs) > 0 {
		if err := l.ready(ctx); err != nil {
			return err
		}
	}
	arrived, counted := 0, 0 // tokens: of all results, and of those whose turn came
	for {
		if started < len(jobs) && flying < max(1, l.Workers) && flight.Err() == nil && !l.draining() && !l.halted() && !l.exhausted(jobs[started].before+arrived) {
			j := jobs[started]
			j.held = l.take(j.trial.RecipeID)
			go func() { results <- l.do(flight, j) }()
			started, flying = started+1, flying+1
			continue
		}
		if flying == 0 {
			break
		}
		r := <-results
		flying--
		if !l.inTurn() {
			l.settle(r)
			l.keep(r.job.trial.RecipeID, r)
		}
		done[r.job.index] = &r
		arrived += tokensOf(r.outcomes)
		err := r.err
		for ; judged < started && done[judged] != nil && err == nil; judged++ {
			if err = l.account(ctx, done[judged], &counted); err == nil {
				err = l.judgeResult(ctx, done[judged])
			}
		}
		if err != nil && first == nil {
			first = err
			cancel()
		}
	}
	if l.inTurn() {
		for _, r := range done[judged:] {
			r.release()
		}
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("interrupted: %w", err)
	}
	if first == nil && started < len(jobs) && l.draining() {
		return errDrained
	}
	return first
}

// settle takes over what a worker brought back.
func (l *loop) settle(r result) {
	a := r.job.attempt
	a.trial.BuildSeconds, a.trial.EvalSeconds = r.trial.BuildSeconds, r.trial.EvalSeconds
	if r.failure != nil {
		a.answers.failure = &r.failure.Reason
	}
	if r.outcomes != nil {
		a.answers.fingerprint = r.trial.Fingerprint
		a.answers.add(r.outcomes)
	}
	l.progress.Batch++
	if r.job.split == mergesearch.SearchSplit {
		l.progress.ItemAnswers += len(r.outcomes)
	}
	l.show()
}

// take hands out a held candidate, or nil.
func (l *loop) take(id mergesearch.RecipeID) *mergesearch.Candidate {
	c, ok := l.held[id]
	if !ok {
		return nil
	}
	delete(l.held, id)
	return &c
}

// keep holds a result's candidate if there is room and it may be needed again,
// and releases it otherwise.
func (l *loop) keep(id mergesearch.RecipeID, r result) {
	switch {
	case r.candidate == nil:
	case r.err == nil && r.failure == nil && len(l.held) < l.Hold:
		l.held[id] = *r.candidate
	default:
		r.candidate.Release()
	}
}

// drop releases all held candidates.
func (l *loop) drop() {
	for id, c := range l.held {
		c.Release()
		delete(l.held, id)
	}
}
