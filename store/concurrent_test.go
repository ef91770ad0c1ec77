package store_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// TestReadersWhileWriting has readers of their own process-wide handle look at
// everything while workers write: each look must show one sound moment.
func TestReadersWhileWriting(t *testing.T) {
	defer goleak.VerifyNone(t)
	dir := t.TempDir()
	db, err := store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	s := storetest.Sample{Recipes: 30}
	const trials = 40
	for i := range trials {
		trial, genome := s.Trial(i)
		must(t, db.Begin(t.Context(), trial, genome))
	}
	done := make(chan struct{})
	var readers sync.WaitGroup
	for range 3 {
		readers.Go(func() { lookUntil(t, dir, done) })
	}
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := w; i < trials; i += 4 {
				trial, _ := s.Trial(i)
				trial.Fingerprint = storetest.Fingerprint(trial.RecipeID)
				o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 50)
				err := errors.Join(db.Answered(t.Context(), trial, mergesearch.SearchSplit, o),
					db.Finish(t.Context(), s.Finished(trial, o)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	writers.Wait()
	close(done)
	readers.Wait()
	c, err := db.Counts(t.Context())
	if err != nil || c.ItemAnswers != 30*50 || c.ByState[mergesearch.Scored] != trials {
		t.Errorf("%+v, %v", c, err)
	}
	must(t, db.Close())
}

func lookUntil(t *testing.T, dir string, done <-chan struct{}) {
	r, err := store.OpenReadOnly(context.Background(), dir)
	if err != nil {
		t.Error(err)
		return
	}
	defer r.Close()
	for last := 0; ; {
		report, err := r.Check(context.Background())
		if err != nil || len(report.Problems) > 0 || report.Answers%50 != 0 || report.Answers < last {
			t.Errorf("%+v after %d answers, %v", report, last, err)
		}
		last = report.Answers
		select {
		case <-done:
			return
		case <-time.After(time.Millisecond):
		}
	}
}

// TestCancelled gives calls a context that is done: nothing of them is recorded,
// and the store goes on.
func TestCancelledContext(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	must(t, err)
	defer db.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	trial, genome := storetest.Sample{}.Trial(0)
	for name, err := range map[string]error{
		"begin": db.Begin(ctx, trial, genome),
		"event": db.Event(ctx, "note", nil),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
	}
	if _, err := db.Known(ctx, trial.RecipeID); !errors.Is(err, context.Canceled) {
		t.Errorf("known: got %v", err)
	}
	must(t, db.Begin(t.Context(), trial, genome))
	if events, err := db.Events(t.Context(), 0, 0); err != nil || len(events) != 0 {
		t.Errorf("%v, %v", events, err)
	}
}

// TestReplayWritesNothing replays a finished trial and looks at the file.
func TestReplayWritesNothing(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	must(t, err)
	defer db.Close()
	var s storetest.Sample
	replay := func() {
		for i := range 4 {
			trial, genome := s.Trial(i)
			must(t, db.Begin(t.Context(), trial, genome))
			known, err := db.Known(t.Context(), trial.RecipeID)
			must(t, err)
			trial.Fingerprint = storetest.Fingerprint(trial.RecipeID)
			o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 20)
			if len(known.Outcomes) == 0 {
				must(t, db.Answered(t.Context(), trial, mergesearch.SearchSplit, o))
			}
			must(t, db.Finish(t.Context(), s.Finished(trial, o)))
		}
	}
	replay()
	before := store.Writes()
	replay()
	if n := store.Writes() - before; n != 0 {
		t.Errorf("a replay took %d transactions", n)
	}
}
