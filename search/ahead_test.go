package search_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// steady makes a run of 60 candidates by dominated novelty search.
func steady(f *searchtest.Family, rec *searchtest.Recorder, change ...func(*search.Options)) search.Options {
	settings := search.DefaultDNS()
	settings.Population, settings.Start = 8, 8
	return options(f, rec, append([]func(*search.Options){func(o *search.Options) {
		o.Algorithm = must(search.NewDNS(f.Space, f.Benchmark(), 3, settings))
	}}, change...)...)
}

// diary is a steady state that notes the calls.
type diary struct {
	search.SteadyState
	calls []byte
}

func (d *diary) Ask() []mergesearch.Individual {
	d.calls = append(d.calls, 'a')
	return d.SteadyState.Ask()
}

func (d *diary) Tell(trials []mergesearch.Trial) {
	d.calls = append(d.calls, 't')
	d.SteadyState.Tell(trials)
}

// Eight cohorts are asked, then one is told for each that is asked, whoever is
// how fast.
func TestAskedAhead(t *testing.T) {
	for _, workers := range []int{1, 5} {
		var d *diary
		f := searchtest.NewFamily(4, fewItems)
		run(t, steady(f, searchtest.NewRecorder(), func(o *search.Options) {
			d = &diary{SteadyState: o.Algorithm.(search.SteadyState)}
			o.Algorithm, o.Workers, o.Budget.Candidates = d, workers, 12
		}))
		// The thirteenth cohort finds the budget spent.
		if got, want := string(d.calls), "taaaaaaaatatatatatattttttt"; got != want {
			t.Errorf("%d workers: calls %s, want %s", workers, got, want)
		}
		if live, most := f.Candidates(); live != 0 || most > workers {
			t.Errorf("%d workers: %d live at the end, %d at most", workers, live, most)
		}
	}
}

// slowest does not answer for one candidate before seven others have answered.
type slowest struct {
	*searchtest.Family
	wait mergesearch.CandidateID
	mu   sync.Mutex
	seen int
	free chan struct{}
}

func (s *slowest) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	if c.ID == s.wait {
		select {
		case <-s.free:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	} else if c.ID > s.wait {
		s.mu.Lock()
		if s.seen++; s.seen == 7 {
			close(s.free)
		}
		s.mu.Unlock()
	}
	return s.Family.Score(ctx, c, items)
}

// There is no barrier: while one candidate is slow, seven others are scored.
func TestNobodyWaitsForTheSlowest(t *testing.T) {
	first := mergesearch.CandidateID("")
	run(t, steady(searchtest.NewFamily(4, fewItems), searchtest.NewRecorder(), func(o *search.Options) {
		o.Algorithm = listener{o.Algorithm, func(trials []mergesearch.Trial) {
			if first == "" {
				first = mergesearch.CandidateOf(len(trials))
			}
		}}
	}))
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	f := searchtest.NewFamily(4, fewItems)
	s := &slowest{Family: f, wait: first, free: make(chan struct{})}
	o := steady(f, searchtest.NewRecorder(), func(o *search.Options) { o.Scorer, o.Workers = s, 2 })
	if _, err := search.Run(ctx, o); err != nil {
		t.Fatal(err)
	}
}

func TestAheadKeepsTheBudgetOfAnswers(t *testing.T) {
	for _, budget := range []int{1, 1300, 1500, 2000, 3001} {
		var want search.Report
		for _, workers := range []int{1, 8} {
			r := run(t, steady(searchtest.NewFamily(4, fewItems), searchtest.NewRecorder(), func(o *search.Options) {
				o.Budget, o.Workers = search.Budget{ItemAnswers: budget}, workers
			}))
			spent := r.ItemAnswers[mergesearch.SearchSplit]
			if fixed := 72 * 17; spent > max(budget, fixed) || r.Stop != search.StopItemAnswers {
				t.Errorf("budget %d: spent %d, stop %s", budget, spent, r.Stop)
			}
			if budget > 1500 && spent <= budget-72 {
				t.Errorf("budget %d: only %d spent", budget, spent)
			}
			if workers == 1 {
				want = r
			} else if d := cmp.Diff(want, r); d != "" {
				t.Errorf("budget %d: %s", budget, d)
			}
		}
	}
}

func TestAheadKeepsTheBudgetOfTokens(t *testing.T) {
	for _, budget := range []int{1, 60_000, 75_001} {
		var want search.Report
		hash := ""
		for _, workers := range []int{1, 3, 8} {
			f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
			f.Refuse = sometimes("not_finite", 9)
			r := run(t, steady(f, rec, func(o *search.Options) { o.Budget, o.Workers = search.Budget{Tokens: budget}, workers }))
			if r.Stop != search.StopTokens || r.Tokens > max(budget, 17*mostTokens)+mostTokens || r.Tokens < min(budget, 40_000) {
				t.Errorf("budget %d, %d workers: stop %s after %d tokens", budget, workers, r.Stop, r.Tokens)
			}
			if n := tokensOf(rec, f); n != r.Tokens {
				t.Errorf("budget %d, %d workers: %d tokens reported, %d recorded", budget, workers, r.Tokens, n)
			}
			if live, _ := f.Candidates(); live != 0 {
				t.Errorf("budget %d, %d workers: %d candidates were never released", budget, workers, live)
			}
			if workers == 1 {
				want, hash = r, rec.Hash()
			} else if d := cmp.Diff(want, r); d != "" || rec.Hash() != hash {
				t.Errorf("budget %d, %d workers, hash %s and %s: %s", budget, workers, hash, rec.Hash(), d)
			}
		}
	}
}

// When the time is up, what waits for a worker stays pending, and the same run with more
// time goes on to the end of an uninterrupted one.
func TestAheadStopsInTime(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	var ticks atomic.Int64
	clock := func() time.Time { return time.Unix(ticks.Add(1), 0) }
	r := run(t, steady(f, rec, func(o *search.Options) { o.Now, o.Budget.Time, o.Workers = clock, 400*time.Second, 1 }))
	pending := 0
	for _, trial := range rec.Trials() {
		if trial.State == mergesearch.Pending {
			pending++
		}
	}
	if r.Stop != search.StopTime || !slices.Contains(rec.Events, "time_budget") || pending == 0 || pending > search.DefaultLookahead {
		t.Errorf("stop %s, events %v, %d pending", r.Stop, rec.Events, pending)
	}
	whole := searchtest.NewRecorder()
	want := run(t, steady(searchtest.NewFamily(4, fewItems), whole))
	if d := cmp.Diff(want, run(t, steady(f, rec))); d != "" {
		t.Error(d)
	}
	if r := run(t, steady(f, searchtest.NewRecorder(), func(o *search.Options) { o.Now, o.Budget.Time = time.Now, 1 })); r.Candidates != 0 || r.Stop != search.StopTime {
		t.Errorf("no time: stop %s, %d candidates", r.Stop, r.Candidates)
	}
}

func TestAheadBreaksInAskOrder(t *testing.T) {
	for _, workers := range []int{1, 8} {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		_, err := search.Run(context.Background(), steady(f, rec, func(o *search.Options) { o.Builder, o.Workers = failing{f, "c0050"}, workers }))
		var breaker *search.BreakerError
		if !errors.As(err, &breaker) || breaker.Count != 5 || breaker.Last != "c0054" {
			t.Fatalf("%d workers: error %v", workers, err)
		}
		if live, _ := f.Candidates(); live != 0 {
			t.Errorf("%d candidates were never released", live)
		}
		if r := run(t, steady(f, rec)); r.Candidates != 60 { // mended
			t.Errorf("the mended run tried %d candidates", r.Candidates)
		}
	}
}

func TestAheadProgressAddsUp(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	f.Refuse = sometimes("not_finite", 9)
	var last search.Progress
	r := run(t, steady(f, searchtest.NewRecorder(), func(o *search.Options) {
		o.Workers = 3
		o.Progress = func(p search.Progress) {
			if p.Candidates < last.Candidates || p.ItemAnswers < last.ItemAnswers || p.Batch > p.BatchTotal {
				t.Errorf("progress went back: %+v after %+v", p, last)
			}
			last = p
		}
	}))
	if last.Candidates != r.Candidates || last.ItemAnswers != r.ItemAnswers[mergesearch.SearchSplit] || last.Failed == 0 {
		t.Errorf("last progress %+v, report %+v", last, r)
	}
}

// A space with few points is searched to its end and no further.
func TestAheadExhaustsASmallSpace(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	spec := f.Space.SpaceSpec
	spec.Ranges, spec.Methods = nil, searchtest.Methods()[:2]
	f.Space = searchtest.MustSpace(spec)
	r := run(t, steady(f, searchtest.NewRecorder(), func(o *search.Options) { o.Budget = search.Budget{ItemAnswers: 1 << 30} }))
	if _, repeated := f.Answered(); r.Stop != search.StopExhausted || repeated != 0 {
		t.Errorf("stop %s, %d items asked twice", r.Stop, repeated)
	}
}
