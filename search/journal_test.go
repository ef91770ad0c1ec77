package search_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// A run says once what changed its decisions, whatever the workers and however often
// it is killed and resumed.
func TestEventsAreWrittenOnce(t *testing.T) {
	refused := func() *searchtest.Family {
		f := searchtest.NewFamily(4, fewItems)
		f.Refuse, f.Degenerate = sometimes("not_finite", 9), onSecondRung
		return f
	}
	whole := searchtest.NewRecorder()
	run(t, options(refused(), whole))
	for _, want := range []string{"new_best c00", "quarantine ", "budget candidates 50", "budget candidates 80", "budget candidates 100"} {
		if !slices.ContainsFunc(whole.Notes, func(n string) bool { return strings.HasPrefix(n, want) }) {
			t.Errorf("no event %q among %v", want, whole.Notes)
		}
	}
	pieces := searchtest.NewRecorder()
	for kill := 20; kill < whole.Calls(); kill += whole.Calls() / 7 {
		until := pieces.Calls() + kill
		pieces.Fault = func(call int) error {
			if call >= until {
				return errPower
			}
			return nil
		}
		if _, err := search.Run(context.Background(), options(refused(), pieces, func(o *search.Options) { o.Workers = 3 })); err != nil && !errors.Is(err, errPower) {
			t.Fatal(err)
		}
	}
	pieces.Fault = nil
	run(t, options(refused(), pieces))
	if !slices.Equal(pieces.Notes, whole.Notes) {
		t.Errorf("events of a run in pieces %v, of the whole one %v", pieces.Notes, whole.Notes)
	}
}

// slowly scores as the family does, but waits for a word.
type slowly struct {
	*searchtest.Family
	begun   chan mergesearch.CandidateID
	proceed chan struct{}
}

func (s slowly) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	s.begun <- c.ID
	select {
	case <-s.proceed:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return s.Family.Score(ctx, c, items)
}

// What is in flight when a run is interrupted comes to its end and is kept; nothing
// more is begun, and the same call goes on from there.
func TestDrainFinishesWhatIsInFlight(t *testing.T) {
	for _, algorithm := range []string{"random", "m2n2"} {
		whole := searchtest.NewRecorder()
		plan := func() search.Algorithm {
			f := searchtest.NewFamily(4, fewItems)
			return must(search.New(algorithm, search.Brief{Space: f.Space, Benchmark: f.Benchmark(), Items: f.Items(mergesearch.SearchSplit), Seed: 4, Budget: search.Budget{Candidates: 60}})).Algorithm
		}
		run(t, options(searchtest.NewFamily(4, fewItems), whole, func(o *search.Options) { o.Algorithm = plan() }))
		for _, at := range []int{2, 30} { // among the parents, in the search
			f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
			s := slowly{f, make(chan mergesearch.CandidateID), make(chan struct{})}
			drain := make(chan struct{})
			var ended sync.WaitGroup
			var err error
			ended.Go(func() {
				_, err = search.Run(context.Background(), options(f, rec, func(o *search.Options) {
					o.Algorithm, o.Scorer, o.Workers, o.Drain = plan(), s, 3, drain
				}))
			})
			for range at {
				<-s.begun
				s.proceed <- struct{}{}
			}
			<-s.begun // one is in flight, and perhaps others are about to be
			close(drain)
			close(s.proceed)
			after := 0
			done := make(chan struct{})
			go func() { ended.Wait(); close(done) }()
			for open := true; open; {
				select {
				case <-s.begun:
					after++
				case <-done:
					open = false
				case <-time.After(time.Minute):
					t.Fatal("the run does not end")
				}
			}
			if !errors.Is(err, context.Canceled) || after > 2 {
				t.Fatalf("%s: error %v, %d begun after the interruption", algorithm, err, after)
			}
			if live, _ := f.Candidates(); live != 0 {
				t.Errorf("%s: %d candidates were never released", algorithm, live)
			}
			asked, _ := f.Answered()
			if asked != rec.Answers() {
				t.Errorf("%s: %d answers given, %d kept", algorithm, asked, rec.Answers())
			}
			run(t, options(f, rec, func(o *search.Options) { o.Algorithm = plan() }))
			if rec.Hash() != whole.Hash() {
				t.Errorf("%s: another population after an interruption", algorithm)
			}
		}
	}
}

// Whoever looks after the disk may make a run wait, or end it.
func TestReadyIsAskedBeforeWork(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	calls, none := 0, errors.New("no room")
	with := func(o *search.Options) {
		o.Ready = func(context.Context) error {
			if calls++; calls == 5 {
				return none
			}
			return nil
		}
	}
	if _, err := search.Run(context.Background(), options(f, rec, with)); !errors.Is(err, none) {
		t.Fatalf("error %v", err)
	}
	run(t, options(f, rec, with))
	before := calls
	run(t, options(f, rec, with))
	if calls != before {
		t.Errorf("a replay asked %d times", calls-before)
	}
}

// A run that has filled its share of the disk stops as for its time, and a replay
// stops at the same trial whether there is room or not.
func TestFullStopsTheSearch(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	began := 0
	r := run(t, options(f, rec, func(o *search.Options) {
		o.Full = func() bool { began++; return began > 40 }
	}))
	if r.Stop != search.StopDisk || r.Candidates >= 60 {
		t.Fatalf("stopped for %s after %d candidates", r.Stop, r.Candidates)
	}
	hash := rec.Hash()
	again := run(t, options(f, rec, func(o *search.Options) { o.Full = func() bool { return false } }))
	if again.Stop != search.StopDisk || again.Candidates != r.Candidates || rec.Hash() != hash {
		t.Errorf("a replay stopped for %s after %d candidates, first %d", again.Stop, again.Candidates, r.Candidates)
	}
	if n := slices.Index(rec.Notes, "budget disk 100"); n < 0 {
		t.Errorf("events %v", rec.Notes)
	}
}
