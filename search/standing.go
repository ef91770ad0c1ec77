package search

import (
	"context"
	"time"

	"mergesearch"
)

// score gives attempts their score on a rung's items and returns those that have
// one: scored on the last rung, eliminated before it unless they go on.
func (l *loop) score(attempts []*attempt, rung int) ([]*attempt, error) {
	var out []*attempt
	items := l.rungs[rung]
	references, err := l.referencesOn(items)
	if err != nil {
		return nil, err
	}
	for _, a := range attempts {
		t := &a.trial
		t.Rung, a.items = rung, items
		if a.answers.failed(items) {
			t.State, t.Reason, t.Score = mergesearch.Failed, *a.answers.failure, mergesearch.Score{}
			continue
		}
		s, err := l.steer(a, items, references)
		if err != nil {
			return nil, err
		}
		t.Score, t.State = s, mergesearch.Eliminated
		if rung == len(l.rungs)-1 {
			t.State = mergesearch.Scored
			l.compare(*t)
		}
		out = append(out, a)
	}
	return out, nil
}

// compare keeps the best trial and the best parent for the progress.
func (l *loop) compare(t mergesearch.Trial) {
	best := &l.progress.Best
	if l.progress.Phase == PhaseParents {
		best = &l.progress.BestParent
	}
	if best.Candidate == "" || t.Score.Merit() > best.Score.Merit() {
		*best = Standing{Candidate: t.ID(), Name: t.Name, Score: t.Score}
	}
}

// finish records the outcome of attempts, in ask order. Those whose turn did not
// come stay pending.
func (l *loop) finish(ctx context.Context, attempts []*attempt) error {
	for _, a := range attempts {
		if a.trial.State == mergesearch.Pending {
			continue
		}
		if err := l.Recorder.Finish(ctx, a.trial); err != nil {
			return err
		}
		if a.trial.State == mergesearch.Failed {
			l.progress.Failed++
		}
		if l.progress.Phase == PhaseSearch {
			l.progress.Candidates++
			l.reach(a.trial)
		}
	}
	l.show()
	return l.noteFinished(ctx, attempts)
}

// reach counts the rungs that a trial answered.
func (l *loop) reach(t mergesearch.Trial) {
	if t.State == mergesearch.Failed {
		return
	}
	for rung := range t.Rung + 1 {
		l.progress.Reached[rung]++
	}
}

// cost returns how many answers a recipe still needs, by what this replay has
// relied on and not by what happens to be recorded, so that a resumed run spends
// its budget as the first one did.
func (l *loop) cost(id mergesearch.RecipeID, items []mergesearch.ItemID) int {
	a := l.ledger[id]
	if a == nil {
		return len(items)
	}
	n := 0
	for _, item := range items {
		if !a.used[item] {
			n++
		}
	}
	return n
}

// over reports whether so many answers to search items exceed the budget, less
// what a recommendation will need.
func (l *loop) over(spent int) bool {
	if _, ok := l.Algorithm.(Recommender); ok {
		spent += len(l.rungs[len(l.rungs)-1])
	}
	return l.Budget.ItemAnswers > 0 && spent > l.Budget.ItemAnswers
}

// afford returns the attempts, best first, for which the next rung has room.
func (l *loop) afford(attempts []*attempt, items []mergesearch.ItemID) []*attempt {
	spent := l.spent[mergesearch.SearchSplit]
	planned := map[mergesearch.RecipeID]bool{}
	for i, a := range attempts {
		if id := a.trial.RecipeID; !planned[id] {
			planned[id] = true
			spent += l.cost(id, items)
		}
		if l.over(spent) {
			l.stop = StopItemAnswers
			return attempts[:i]
		}
	}
	return attempts
}

// expired reports whether the search has used up its time or its disk, as the clock
// and Full say or an earlier process recorded. The phases around it always run to their end.
func (l *loop) expired() bool {
	switch {
	case l.Budget.Time == 0 && l.Full == nil || l.progress.Phase != PhaseSearch:
		return false
	case l.stopped:
		return len(l.trials) >= l.stopAt
	case l.Full != nil && l.Full():
		l.filled = true
		return true
	}
	return l.Budget.Time > 0 && l.now().Sub(l.began) >= l.Budget.Time
}

// cut names what ends the search when it has expired. Where both are bounded and an
// earlier process stopped, it is the time.
func (l *loop) cut() StopReason {
	if l.filled || l.Budget.Time == 0 {
		return StopDisk
	}
	return StopTime
}

// halted reports whether no candidate is to be asked any more. After a stop that an
// earlier process recorded that is so from the start: what it told is known, and what
// it left is left.
func (l *loop) halted() bool {
	return l.stopped && l.progress.Phase == PhaseSearch || l.expired()
}

func (l *loop) now() time.Time {
	if l.Now == nil {
		return time.Time{}
	}
	return l.Now()
}

func (l *loop) enter(p Phase) {
	l.progress.Phase, l.progress.Batch, l.progress.BatchTotal = p, 0, 0
	l.show()
}

// show hands out a copy of the progress.
func (l *loop) show() {
	if l.Progress == nil {
		return
	}
	p := l.progress
	p.Reached = append([]int(nil), p.Reached...)
	l.Progress(p)
}

// told returns what an algorithm is told of attempts: their trials, those with a
// score together with the outcomes behind it, and with their level where cohorts
// answer different items.
func (l *loop) told(attempts []*attempt) []mergesearch.Trial {
	out := trialsOf(attempts)
	for i := range out {
		if t := &out[i]; t.State == mergesearch.Scored || t.State == mergesearch.Eliminated {
			t.Outcomes = attempts[i].answers.on(attempts[i].items)
		}
	}
	if l.estimator != nil {
		l.estimator.Tell(out)
		for i := range out {
			if t := &out[i]; t.Outcomes != nil {
				t.Level = l.estimator.Level(t.Outcomes)
			}
		}
	}
	return out
}

func trialsOf(attempts []*attempt) []mergesearch.Trial {
	out := make([]mergesearch.Trial, len(attempts))
	for i, a := range attempts {
		out[i] = a.trial
	}
	return out
}
