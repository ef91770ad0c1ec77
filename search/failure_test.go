package search_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// failing fails every candidate from an index on.
type failing struct {
	*searchtest.Family
	from mergesearch.CandidateID
}

func (b failing) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	if id >= b.from {
		return mergesearch.Candidate{}, &mergesearch.Failure{Reason: mergesearch.Reason{Code: "io", Text: "disk full"}}
	}
	return b.Family.Build(ctx, id, r)
}

func TestFiveFailuresInARowEndTheRun(t *testing.T) {
	for _, workers := range []int{1, 8} {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		_, err := search.Run(context.Background(), options(f, rec, func(o *search.Options) { o.Builder, o.Workers = failing{f, "c0050"}, workers }))
		var breaker *search.BreakerError
		if !errors.As(err, &breaker) || breaker.Reason.Code != "io" || breaker.Count != 5 || breaker.Last != "c0054" {
			t.Fatalf("%d workers: error %v", workers, err)
		}
		if r := run(t, options(f, rec)); r.Candidates != 60 { // mended
			t.Errorf("the mended run tried %d candidates", r.Candidates)
		}
	}
}

// Failures of different reasons, or with a success between, are no streak; a
// failed candidate has no score and the run goes on.
func TestFailuresAreData(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	f.Refuse = sometimes("not_finite", 2)
	f.Degenerate = onSecondRung
	r := run(t, options(f, rec))
	counted := map[string]int{}
	for _, trial := range rec.Trials() {
		if trial.State == mergesearch.Failed {
			counted[trial.Reason.Code]++
			if trial.Score.Items != 0 {
				t.Errorf("trial %d failed and has a score", trial.Index)
			}
		}
	}
	if !maps.Equal(counted, r.Failures) || counted["not_finite"] == 0 || counted["degenerate"] == 0 {
		t.Errorf("failures %v, recorded %v", r.Failures, counted)
	}
}

// A parent that cannot answer is left out; with none left the run ends.
func TestParentsMayFail(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	refuse := func(models ...string) func(mergesearch.Recipe) *mergesearch.Failure {
		return func(r mergesearch.Recipe) *mergesearch.Failure {
			if r.Method == "passthrough" && slices.Contains(models, r.Models[0].Model) {
				return &mergesearch.Failure{Reason: mergesearch.Reason{Code: "not_finite", Text: "NaN"}}
			}
			return nil
		}
	}
	f.Refuse = refuse("reverse")
	r := run(t, options(f, searchtest.NewRecorder()))
	if len(r.Parents) != 3 {
		t.Errorf("%d parents in the result, want 3", len(r.Parents))
	}
	f.Refuse = refuse("base", "arithmetic", "reverse", "atlas")
	if _, err := search.Run(context.Background(), options(f, searchtest.NewRecorder())); err == nil || !strings.Contains(err.Error(), "no parent") {
		t.Errorf("error %v", err)
	}
}

// A finalist that fails on validation or held-out items gives way to the next.
func TestFinalistsMayFail(t *testing.T) {
	first := run(t, options(searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()))
	for _, split := range []string{"validation", "held-out"} {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		f.Degenerate = func(r mergesearch.Recipe, items []mergesearch.ItemID) *mergesearch.Failure {
			if r.ID() == first.Best.RecipeID && strings.Contains(string(items[0]), split) {
				return &mergesearch.Failure{Reason: mergesearch.Reason{Code: "degenerate", Text: "endless repetition"}}
			}
			return nil
		}
		r := run(t, options(f, rec))
		if r.Best.RecipeID == first.Best.RecipeID || !slices.Contains(rec.Events, "finalist_failed") {
			t.Errorf("%s: winner %s, events %v", split, r.Best.RecipeID, rec.Events)
		}
		if r.Result.Shortlist[0].Candidate != r.Best.Candidate {
			t.Errorf("%s: winner %s, first of the shortlist %s", split, r.Best.Candidate, r.Result.Shortlist[0].Candidate)
		}
	}
}

// A parent that a constraint refers to may fail after the search: what it was worth on
// search items stands in, and the run ends with a verdict.
func TestKeeperMayFail(t *testing.T) {
	for _, split := range []string{"validation", "held-out"} {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		f.Degenerate = func(r mergesearch.Recipe, items []mergesearch.ItemID) *mergesearch.Failure {
			if r.Method == "passthrough" && r.Models[0].Model == "reverse" && strings.Contains(string(items[0]), split) {
				return &mergesearch.Failure{Reason: mergesearch.Reason{Code: "degenerate", Text: "endless repetition"}}
			}
			return nil
		}
		r := run(t, options(f, rec, func(o *search.Options) {
			o.Benchmark.Constraints = []mergesearch.Constraint{{Task: "reverse", Keep: 0.9, Parent: "reverse"}}
		}))
		if r.Verdict.Items != 72 || !slices.Contains(rec.Events, "finalist_failed") {
			t.Errorf("%s: %d items, events %v", split, r.Verdict.Items, rec.Events)
		}
	}
}

// broken is a stage that fails for a reason that is no candidate's.
type broken struct {
	*searchtest.Family
	builds, scores error
}

func (b broken) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	if b.builds != nil && strings.HasPrefix(string(id), "c003") {
		return mergesearch.Candidate{}, b.builds
	}
	return b.Family.Build(ctx, id, r)
}

func (b broken) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	if b.scores != nil && strings.HasPrefix(string(c.ID), "c003") {
		return nil, b.scores
	}
	return b.Family.Score(ctx, c, items)
}

// An infrastructure fault ends the run, becomes no score, and is resumable.
func TestFaultsEndTheRun(t *testing.T) {
	whole := searchtest.NewRecorder()
	run(t, options(searchtest.NewFamily(4, fewItems), whole))
	fault := errors.New("connection refused")
	for _, b := range []broken{{builds: fault}, {scores: fault}} {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		b.Family = f
		_, err := search.Run(context.Background(), options(f, rec, func(o *search.Options) { o.Builder, o.Scorer = b, b }))
		if !errors.Is(err, fault) || !strings.Contains(err.Error(), "c003") {
			t.Fatalf("error %v", err)
		}
		for _, trial := range rec.Trials() {
			if trial.State == mergesearch.Failed {
				t.Errorf("trial %d was blamed", trial.Index)
			}
		}
		run(t, options(f, rec))
		if rec.Hash() != whole.Hash() {
			t.Error("another population hash after resuming")
		}
		if live, _ := f.Candidates(); live != 0 {
			t.Errorf("%d candidates were never released", live)
		}
	}
}

// alternating fails every second candidate of the search from an index on, for one
// reason or for two.
type alternating struct {
	*searchtest.Family
	from, every int
	codes       []string
}

func (b alternating) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	index, _ := strconv.Atoi(strings.TrimPrefix(string(id), "c"))
	if n := index - b.from; n >= 0 && n%b.every == 0 {
		return mergesearch.Candidate{}, &mergesearch.Failure{Reason: mergesearch.Reason{Code: b.codes[n/b.every%len(b.codes)], Text: "no numbers"}}
	}
	return b.Family.Build(ctx, id, r)
}

// Half of the last twenty candidates, failed for one reason, end the run at the same
// candidate for any number of workers; it goes on when the cause is mended. One in
// three, or two reasons in turns, are candidates that fail.
func TestHalfOfTwentyFailuresEndTheRun(t *testing.T) {
	for _, test := range []struct {
		algorithm string
		every     int
		codes     []string
		last      mergesearch.CandidateID
	}{
		{"random", 2, []string{"degenerate"}, "c0048"},
		{"random", 3, []string{"degenerate"}, ""},
		{"random", 2, []string{"degenerate", "io"}, ""},
		{"m2n2", 2, []string{"degenerate"}, "c0048"},
	} {
		for _, workers := range []int{1, 8} {
			f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
			plan := must(search.New(test.algorithm, search.Brief{Space: f.Space, Benchmark: f.Benchmark(), Items: f.Items(mergesearch.SearchSplit), Seed: 4, Budget: search.Budget{Candidates: 60}}))
			with := func(o *search.Options) {
				o.Algorithm, o.Workers = plan.Algorithm, workers
				o.Builder = alternating{f, 30, test.every, test.codes}
			}
			_, err := search.Run(context.Background(), options(f, rec, with))
			var breaker *search.BreakerError
			if errors.As(err, &breaker) != (test.last != "") || test.last == "" && err != nil {
				t.Fatalf("%v, %d workers: error %v", test, workers, err)
			}
			if breaker == nil {
				continue
			}
			if breaker.Count != 10 || breaker.Of > 20 || breaker.Last != test.last {
				t.Errorf("%v, %d workers: %+v", test, workers, breaker)
			}
			plan = must(search.New(test.algorithm, search.Brief{Space: f.Space, Benchmark: f.Benchmark(), Items: f.Items(mergesearch.SearchSplit), Seed: 4, Budget: search.Budget{Candidates: 60}}))
			if r := run(t, options(f, rec, func(o *search.Options) { o.Algorithm, o.Workers = plan.Algorithm, workers })); r.Candidates != 60 {
				t.Errorf("%v: the mended run tried %d candidates", test, r.Candidates)
			}
		}
	}
}
