package search

import (
	"context"
	"fmt"

	"mergesearch"
)

// Journal is a Recorder that keeps what changed a decision for people to read. It is
// no part of what a run found.
//
// Once records an event unless one of its kind and key is there: a replay decides again
// what was decided before, and says so once. The key is kept among the attributes.
type Journal interface {
	Once(ctx context.Context, kind, key string, attrs map[string]any) error
}

// The kinds of the events that the loop writes. That of Recorder.Stop is time_budget.
const (
	EventBest       = "new_best"        // a candidate is ahead of all others on all search items
	EventQuarantine = "quarantine"      // a recipe cannot be built or scored, and is not tried again
	EventBudget     = "budget"          // half, four fifths or all of a budget is spent
	EventTokens     = "tokens_budget"   // the budget of tokens ended the search
	EventBreaker    = "breaker"         // too many candidates failed alike
	EventFinalist   = "finalist_failed" // a finalist could not answer validation or held-out items
)

// note writes an event once, if the recorder keeps such things.
func (l *loop) note(ctx context.Context, kind, key string, attrs map[string]any) error {
	if j, ok := l.Recorder.(Journal); ok {
		return j.Once(ctx, kind, key, attrs)
	}
	return nil
}

// noteFinished writes what the outcome of a cohort changed: who failed, who is ahead,
// and how much of the budget is left.
func (l *loop) noteFinished(ctx context.Context, attempts []*attempt) error {
	for _, a := range attempts {
		if t := a.trial; t.State == mergesearch.Failed {
			err := l.note(ctx, EventQuarantine, string(t.RecipeID), map[string]any{
				"candidate": t.ID(), "name": t.Name, "reason": t.Reason.Code, "text": t.Reason.Text,
			})
			if err != nil {
				return err
			}
		}
	}
	if err := l.noteBest(ctx); err != nil {
		return err
	}
	return l.noteBudget(ctx)
}

// noteBest writes which candidate of the search is ahead, when that changed.
func (l *loop) noteBest(ctx context.Context) error {
	best := l.progress.Best
	if best.Candidate == "" || best.Name != "" || best.Candidate == l.noted {
		return nil
	}
	l.noted = best.Candidate
	return l.note(ctx, EventBest, string(best.Candidate), map[string]any{
		"candidate": best.Candidate, "fitness": best.Score.Fitness, "stderr": best.Score.StdErr,
		"best_parent": l.progress.BestParent.Score.Fitness,
	})
}

// noteBudget writes which shares of the budget are spent.
func (l *loop) noteBudget(ctx context.Context) error {
	spent := func(of string, spent, limit float64) error {
		if limit <= 0 {
			return nil
		}
		for _, percent := range []int{50, 80, 100} {
			if key := fmt.Sprintf("%s %d", of, percent); 100*spent >= float64(percent)*limit && !l.shares[key] {
				l.shares[key] = true
				if err := l.note(ctx, EventBudget, key, map[string]any{"of": of, "percent": percent, "spent": spent, "limit": limit}); err != nil {
					return err
				}
			}
		}
		return nil
	}
	b := l.Budget
	for _, of := range []struct {
		name         string
		spent, limit float64
	}{
		{"candidates", float64(l.progress.Candidates), float64(b.Candidates)},
		{"answers", float64(l.spent[mergesearch.SearchSplit]), float64(b.ItemAnswers)},
		{"tokens", float64(l.tokens), float64(b.Tokens)},
	} {
		if err := spent(of.name, of.spent, of.limit); err != nil {
			return err
		}
	}
	if b.Time == 0 || l.stopped {
		return nil
	}
	return spent("hours", l.now().Sub(l.began).Hours(), b.Time.Hours())
}

// noteStop writes what the search stopped for, where that is a budget that no
// candidate spent to the last: the rest was too little for one more.
func (l *loop) noteStop(ctx context.Context) error {
	of := map[StopReason]string{StopItemAnswers: "answers", StopTokens: "tokens", StopDisk: "disk"}[l.stop]
	if key := of + " 100"; of != "" && !l.shares[key] {
		l.shares[key] = true
		return l.note(ctx, EventBudget, key, map[string]any{"of": of, "percent": 100})
	}
	return nil
}

// draining reports whether nothing is to be begun any more.
func (l *loop) draining() bool {
	select {
	case <-l.Drain:
		return true
	default:
		return false
	}
}

// errDrained is what an interrupted run returns: it is resumed as one whose context
// was cancelled.
var errDrained = fmt.Errorf("interrupted: %w", context.Canceled)

// ready asks whether the next candidate may be begun, and waits until it may.
func (l *loop) ready(ctx context.Context) error {
	if l.Ready == nil {
		return nil
	}
	return l.Ready(ctx)
}
