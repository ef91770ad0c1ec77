package search

import (
	"context"

	"mergesearch"
)

// A budget of tokens is spent in ask order. What an answer takes is known only
// when it is there, and answers of several candidates arrive in any order. So with
// such a budget results are recorded and counted one after the other as their turn
// comes, and those that come after the budget is spent are dropped, whoever gave
// them. Which trials count, and what is recorded of them, is then the same for any
// number of workers; at most as many answers as are in flight are asked in vain.

// inTurn reports whether results wait for their turn.
func (l *loop) inTurn() bool { return l.Budget.Tokens > 0 && l.progress.Phase == PhaseSearch }

// exhausted reports whether the tokens that the search has used and so many more
// reach the budget, less what a recommendation will take. The phases around the
// search always run to their end.
func (l *loop) exhausted(more int) bool {
	return l.inTurn() && l.tokens+more+l.reserved >= l.Budget.Tokens
}

// reserve sets aside what the recommendation of an algorithm, and whom else it
// nominates, take to answer all search items: each as much as the parent that took
// most. A budget of tokens that are not counted would never end.
func (l *loop) reserve() error {
	items := l.rungs[len(l.rungs)-1]
	most, answered := 0, false
	for _, a := range l.parents {
		if !a.answers.failed(items) {
			most, answered = max(most, tokensOf(a.answers.on(items))), true
		}
	}
	if l.Budget.Tokens > 0 && answered && most == 0 {
		return &mergesearch.InputError{Field: "budget.tokens", Problem: "the endpoint does not say how many tokens it read and wrote", Hint: "bound candidates, answers or hours instead"}
	}
	if _, ok := l.Algorithm.(Recommender); ok {
		l.reserved = most
	}
	if n, ok := l.Algorithm.(Nominator); ok {
		l.reserved += n.Nominees() * most
	}
	return nil
}

// account takes over a result whose turn has come, if results wait for it, and adds
// its tokens to those counted in the batch.
func (l *loop) account(ctx context.Context, r *result, counted *int) error {
	if !l.inTurn() {
		return nil
	}
	if l.exhausted(r.job.before + *counted) {
		r.release()
		r.failure, r.outcomes = nil, nil
		return nil
	}
	if r.outcomes != nil {
		if err := l.Recorder.Answered(ctx, r.trial, r.job.split, r.outcomes); err != nil {
			r.release()
			return err
		}
	}
	*counted += tokensOf(r.outcomes)
	l.settle(*r)
	l.keep(r.job.trial.RecipeID, *r)
	return nil
}

// release gives back the candidate of a result that is not taken over.
func (r *result) release() {
	if r != nil && r.candidate != nil {
		r.candidate.Release()
		r.candidate = nil
	}
}

func tokensOf(outcomes []mergesearch.Outcome) int {
	n := 0
	for _, o := range outcomes {
		n += o.Tokens()
	}
	return n
}
