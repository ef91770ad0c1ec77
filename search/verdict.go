package search

import (
	"cmp"
	"context"
	"errors"
	"slices"

	"mergesearch"
)

// verdict ends a run. The shortlist and the parents answer validation items, which
// settle the winner (see choose). The best parent, which nothing was selected on, is
// the one with the highest fitness over search and validation items together. Winner,
// parents and baselines then answer the held-out items, once.
//
// A usual recipe may win: if no candidate beats it, recommending it is right, and
// its comparison with itself then says so with a gain of zero.
func (l *loop) verdict(ctx context.Context) (Report, error) {
	l.enter(PhaseValidation)
	mergesearch.Failpoint("verdict/validation")
	validation := idsOf(l.Scorer.Items(mergesearch.ValidationSplit))
	shortlist := l.shortlist()
	if len(shortlist) == 0 {
		return Report{}, &mergesearch.InputError{
			Field: "budget", Problem: "no candidate was scored on all search items, so there is nothing to judge",
			Hint: "raise the budget, or look at why candidates failed: candidates DIR --state failed",
		}
	}
	r := Report{Stop: l.stop, Candidates: l.progress.Candidates, Reached: l.progress.Reached}
	all := slices.Concat(shortlist, scoredOf(l.parents))
	if err := l.examine(ctx, mergesearch.ValidationSplit, validation, all); err != nil {
		return Report{}, err
	}
	finalists, err := l.choose(shortlist, validation)
	if err != nil {
		return Report{}, err
	}
	parents, err := l.rank(scoredOf(l.parents), validation, slices.Concat(l.rungs[len(l.rungs)-1], validation))
	if err != nil {
		return Report{}, err
	}
	if finalists, err = l.judge(ctx, &r.Result, finalists, parents); err != nil {
		return Report{}, err
	}
	if r.Shortlist, err = l.describe(finalists, validation); err != nil {
		return Report{}, err
	}
	if err := l.checkConstraints(&r.Result, finalists[0]); err != nil {
		return Report{}, err
	}
	if err := l.front(ctx, &r.Result, finalists); err != nil {
		return Report{}, err
	}
	l.tally(&r)
	return r, nil
}

// examine asks the attempts a split; whoever it shows to be unable to answer is
// an event, and drops out of every later ranking.
func (l *loop) examine(ctx context.Context, split mergesearch.Split, items []mergesearch.ItemID, attempts []*attempt) error {
	if _, err := l.ask(ctx, attempts, split, items); err != nil {
		return err
	}
	for _, a := range attempts {
		if !a.answers.failed(items) {
			continue
		}
		err := l.note(ctx, EventFinalist, string(split)+" "+string(a.trial.ID()), map[string]any{
			"candidate": a.trial.ID(), "split": split, "reason": a.answers.failure.Code, "text": a.answers.failure.Text,
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// rank sorts the attempts that answered the items asked by their fitness on the
// items given, best first; equal ones stay in order.
func (l *loop) rank(attempts []*attempt, asked, on []mergesearch.ItemID) ([]*attempt, error) {
	fitness := map[*attempt]float64{}
	var out []*attempt
	for _, a := range attempts {
		if a.answers.failed(asked) {
			continue
		}
		s, err := l.Benchmark.Score(a.answers.on(on), a.answers.fingerprint)
		if err != nil {
			return nil, err
		}
		fitness[a] = s.Fitness
		out = append(out, a)
	}
	slices.SortStableFunc(out, func(a, b *attempt) int { return cmp.Compare(fitness[b], fitness[a]) })
	return out, nil
}

// judge opens the held-out items, fills in the result and returns the finalists, the
// winner first. A finalist or parent that cannot answer the items gives way to the
// next.
func (l *loop) judge(ctx context.Context, r *mergesearch.Result, finalists, parents []*attempt) ([]*attempt, error) {
	l.enter(PhaseHeldOut)
	mergesearch.Failpoint("verdict/held-out")
	items := idsOf(l.Scorer.Items(mergesearch.HeldOutSplit))
	baselines := scoredOf(l.baselines)
	answered := func(a *attempt) bool { return !a.answers.failed(items) }
	winner, others := -1, slices.Concat(parents, baselines)
	for i := range finalists {
		if err := l.examine(ctx, mergesearch.HeldOutSplit, items, append(finalists[i:i+1:i+1], others...)); err != nil {
			return nil, err
		}
		if others = nil; answered(finalists[i]) {
			winner = i
			break
		}
	}
	best := slices.IndexFunc(parents, answered)
	if winner < 0 || best < 0 {
		return nil, errors.New("no finalist, or no parent, could answer all validation and held-out items")
	}
	err := l.compareAll(r, items, finalists[winner], parents[best], slices.DeleteFunc(baselines, func(a *attempt) bool { return !answered(a) }))
	return slices.Concat(finalists[winner:winner+1], finalists[:winner], finalists[winner+1:]), err
}

// compareAll fills in the result from answers that are all there.
//
// Which parent is the best may have been misjudged, and a winner that is ahead of the
// second best has not beaten the best. So the claim is made only when the winner is
// ahead of each parent; an intersection of tests needs no correction for their number.
func (l *loop) compareAll(r *mergesearch.Result, items []mergesearch.ItemID, winner, best *attempt, baselines []*attempt) (err error) {
	if r.Best, err = l.finalist("winner", winner, items); err != nil {
		return err
	}
	parents := slices.DeleteFunc(scoredOf(l.parents), func(a *attempt) bool { return len(a.answers.missing(items)) > 0 })
	if r.Parents, r.AgainstParents, err = l.against(winner, parents, items); err != nil {
		return err
	}
	r.BestParent = best.trial.Name
	r.Verdict = mergesearch.Verdict{
		BeatsBestParent: !slices.ContainsFunc(r.AgainstParents, func(c mergesearch.Comparison) bool { return !c.Ahead() }),
		Comparison:      r.AgainstParents[slices.Index(parents, best)],
	}
	if r.Baselines, r.AgainstBaselines, err = l.against(winner, baselines, items); err != nil {
		return err
	}
	slices.SortStableFunc(baselines, attemptsByRank)
	if len(baselines) > 0 {
		r.BestBaseline = baselines[0].trial.Name
	}
	return nil
}

// against compares the winner with others in pairs. Two recipes that gave the same
// tensors are one model, of which no interval is needed.
func (l *loop) against(winner *attempt, others []*attempt, items []mergesearch.ItemID) ([]mergesearch.Finalist, []mergesearch.Comparison, error) {
	var finalists []mergesearch.Finalist
	var comparisons []mergesearch.Comparison
	for _, a := range others {
		f, err := l.finalist(a.trial.Name, a, items)
		if err != nil {
			return nil, nil, err
		}
		c := mergesearch.Comparison{PValue: 1, Items: len(items)}
		if winner.answers.fingerprint != a.answers.fingerprint {
			if c, err = l.Judge.Compare(winner.answers.on(items), a.answers.on(items)); err != nil {
				return nil, nil, err
			}
		}
		finalists, comparisons = append(finalists, f), append(comparisons, c)
	}
	return finalists, comparisons, nil
}

func (l *loop) finalist(name string, a *attempt, items []mergesearch.ItemID) (mergesearch.Finalist, error) {
	search, err := l.found(a)
	if err != nil {
		return mergesearch.Finalist{}, err
	}
	heldOut, err := l.Benchmark.Score(a.answers.on(items), a.answers.fingerprint)
	return mergesearch.Finalist{
		Name: name, Candidate: a.trial.ID(), RecipeID: a.trial.RecipeID, Recipe: a.trial.Recipe,
		Search: search, HeldOut: heldOut,
	}, err
}

// found returns an attempt's score on search items with the fitness that it measured,
// to be compared with that on other items; what steered the search stands beside it.
func (l *loop) found(a *attempt) (mergesearch.Score, error) {
	s, err := l.Benchmark.Score(a.answers.on(a.items), a.answers.fingerprint)
	s.Layers, s.Cost, s.Violation = a.trial.Score.Layers, a.trial.Score.Cost, a.trial.Score.Violation
	return s, err
}

// tally counts what the run took.
func (l *loop) tally(r *Report) {
	r.ItemAnswers, r.Missing, r.Tokens, r.Failures = l.spent, l.missing, l.tokens, map[string]int{}
	for _, a := range l.trials {
		switch a.trial.State {
		case mergesearch.Failed:
			r.Failures[a.trial.Reason.Code]++
			r.Evaluations++
		case mergesearch.Scored, mergesearch.Eliminated:
			r.Evaluations++
		}
	}
}

func scoredOf(attempts []*attempt) []*attempt {
	var out []*attempt
	for _, a := range attempts {
		if a.trial.State == mergesearch.Scored {
			out = append(out, a)
		}
	}
	return out
}

func idsOf(items []mergesearch.Item) []mergesearch.ItemID {
	out := make([]mergesearch.ItemID, len(items))
	for i, item := range items {
		out[i] = item.ID
	}
	return out
}
