package search

import (
	"context"
	"fmt"
	"slices"

	"mergesearch"
)

// Bounds of the circuit breaker.
const (
	breakerRow    = 5  // candidates in a row that one reason may fail
	breakerWindow = 20 // the last candidates, of which one reason ...
	breakerHalf   = 10 // ... may fail fewer than so many
)

// BreakerError ends a run in which one reason failed five candidates in a row, or ten
// of the last twenty: more likely the environment than the candidates.
type BreakerError struct {
	Reason mergesearch.Reason // of the last one
	Count  int                // candidates that it failed ...
	Of     int                // ... of the last so many; equal to Count for a row
	Last   mergesearch.CandidateID
}

func (e *BreakerError) Error() string {
	which := fmt.Sprintf("%d candidates in a row", e.Count)
	if e.Count < e.Of {
		which = fmt.Sprintf("%d of the last %d candidates", e.Count, e.Of)
	}
	return fmt.Sprintf("%s failed for one reason (%s); the last, %s: %s", which, e.Reason.Code, e.Last, e.Reason.Text)
}

// Hint names the remedy.
func (e *BreakerError) Hint() string {
	return "mend the cause and start the same command again: what was recorded is kept, and what failed before is not held against the run"
}

// breaker follows what came of candidates, in ask order. What an earlier process
// recorded may end a row of failures and never makes one: a run that was mended goes
// on, and one that was killed does not break where the whole one did not.
type breaker struct {
	last []outcome // at most breakerWindow
	row  int       // failures in a row, ...
	code string    // ... all for this reason
	seen int       // candidates up to this index have come
}

// outcome is what came of a candidate: a reason's code, or the empty string.
type outcome struct {
	index int // of the trial; 0, a parent's, for one that is known
	code  string
}

// sound takes note of n candidates that are known to have answered.
func (b *breaker) sound(n int) {
	for range min(n, breakerWindow) {
		b.push(outcome{})
	}
	if n > 0 {
		b.row = 0
	}
}

// judge takes note of a candidate. One that comes back on a later rung is no other
// candidate: it counts anew only when it fails there.
func (b *breaker) judge(index int, r mergesearch.Reason) *BreakerError {
	again := index <= b.seen
	b.seen = max(b.seen, index)
	if r.Code == "" {
		b.row = 0
		if !again {
			b.push(outcome{index: index})
		}
		return nil
	}
	if r.Code != b.code {
		b.row, b.code = 0, r.Code
	}
	b.row++
	b.last = slices.DeleteFunc(b.last, func(o outcome) bool { return again && o.index == index })
	b.push(outcome{index, r.Code})
	failed := 0
	for _, o := range b.last {
		if o.code == r.Code {
			failed++
		}
	}
	switch e := (&BreakerError{Reason: r, Last: mergesearch.CandidateOf(index)}); {
	case b.row >= breakerRow:
		e.Count, e.Of = b.row, b.row
		return e
	case failed >= breakerHalf:
		e.Count, e.Of = failed, len(b.last)
		return e
	}
	return nil
}

func (b *breaker) push(o outcome) {
	b.last = append(b.last[max(0, len(b.last)-breakerWindow+1):], o)
}

// judgeResult lets the breaker see a result whose turn has come.
func (l *loop) judgeResult(ctx context.Context, r *result) error {
	if l.progress.Phase != PhaseSearch || r.err != nil {
		return nil
	}
	l.breaker.sound(r.job.sound)
	var reason mergesearch.Reason
	if r.failure != nil {
		reason = r.failure.Reason
	}
	e := l.breaker.judge(r.trial.Index, reason)
	if e == nil {
		return nil
	}
	if _, ok := l.Recorder.(Journal); ok {
		err := l.Recorder.Event(ctx, EventBreaker, map[string]any{"reason": reason.Code, "text": reason.Text, "count": e.Count, "of": e.Of, "last": e.Last})
		if err != nil {
			return err
		}
	}
	return e
}
