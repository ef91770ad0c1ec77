package search_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// facts is what of a trial must not depend on workers, order or kills.
func facts(rec *searchtest.Recorder) []mergesearch.Trial {
	trials := rec.Trials()
	for i := range trials {
		trials[i].BuildSeconds, trials[i].EvalSeconds = 0, 0
	}
	return trials
}

func TestWorkersChangeNothing(t *testing.T) {
	var reports []search.Report
	var recorders []*searchtest.Recorder
	for _, workers := range []int{1, 8} {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		f.Refuse, f.Degenerate = sometimes("not_finite", 9), onSecondRung
		reports = append(reports, run(t, options(f, rec, func(o *search.Options) { o.Workers, o.Hold = workers, workers%3 })))
		recorders = append(recorders, rec)
		if live, most := f.Candidates(); live != 0 || most > workers+workers%3 {
			t.Errorf("%d workers: %d live, %d at most", workers, live, most)
		}
	}
	if d := cmp.Diff(reports[0], reports[1]); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(facts(recorders[0]), facts(recorders[1])); d != "" {
		t.Error(d)
	}
	if a, b := recorders[0].Hash(), recorders[1].Hash(); a != b {
		t.Errorf("population hashes %s and %s", a, b)
	}
	if len(reports[0].Failures) == 0 {
		t.Error("no candidate failed, so the test shows less than it should")
	}
}

// sometimes fails one recipe in n, told by its identity; parents and baselines
// are left alone.
func sometimes(code string, n int) func(mergesearch.Recipe) *mergesearch.Failure {
	return func(r mergesearch.Recipe) *mergesearch.Failure {
		if r.Method != "task_arithmetic" && r.Method != "slerp" || len(r.Canonical())%n != 0 {
			return nil
		}
		return &mergesearch.Failure{Reason: mergesearch.Reason{Code: code, Text: "tensor lm_head.weight: NaN"}}
	}
}

// onSecondRung finds one recipe in eight degenerate, but only when it is asked
// the items that the second rung adds.
func onSecondRung(r mergesearch.Recipe, items []mergesearch.ItemID) *mergesearch.Failure {
	if len(items) != 54 || r.ID()[0] > '1' {
		return nil
	}
	return &mergesearch.Failure{Reason: mergesearch.Reason{Code: "degenerate", Text: "endless repetition"}}
}

var errPower = errors.New("power cut")

// Wherever the recorder dies, the same run on what it kept ends the same, and no
// answer that was recorded is asked again.
func TestKilledAnywhereResumesTheSame(t *testing.T) {
	whole := searchtest.NewRecorder()
	f := searchtest.NewFamily(4, fewItems)
	f.Refuse, f.Degenerate = sometimes("not_finite", 9), onSecondRung
	want := run(t, options(f, whole))
	asked, _ := f.Answered()
	for kill := 0; kill < whole.Calls(); kill += 13 {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		f.Refuse, f.Degenerate = sometimes("not_finite", 9), onSecondRung
		rec.Fault = func(call int) error {
			if call >= kill {
				return errPower
			}
			return nil
		}
		if _, err := search.Run(context.Background(), options(f, rec)); !errors.Is(err, errPower) {
			t.Fatalf("killed at %d: %v", kill, err)
		}
		rec.Fault = nil
		recorded := rec.Answers()
		before, _ := f.Answered()
		got := run(t, options(f, rec, func(o *search.Options) { o.Workers = 3 }))
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("killed at %d: %s", kill, d)
		}
		if rec.Hash() != whole.Hash() {
			t.Fatalf("killed at %d: another population hash", kill)
		}
		after, _ := f.Answered()
		if rec.Repeated() != 0 || after-before != asked-recorded {
			t.Fatalf("killed at %d: %d items recorded twice, %d asked after it, want %d", kill, rec.Repeated(), after-before, asked-recorded)
		}
		if live, _ := f.Candidates(); live != 0 {
			t.Fatalf("killed at %d: %d candidates were never released", kill, live)
		}
	}
}

func TestCancelledResumesTheSame(t *testing.T) {
	whole := searchtest.NewRecorder()
	calls := int64(0)
	want := run(t, options(searchtest.NewFamily(4, fewItems), whole, func(o *search.Options) {
		o.Progress = func(search.Progress) { calls++ }
	}))
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	for round, after := range []int64{0, 3, calls / 10, calls / 5, calls / 3} {
		ctx, cancel := context.WithCancel(context.Background())
		var shown atomic.Int64
		_, err := search.Run(ctx, options(f, rec, func(o *search.Options) {
			o.Progress = func(search.Progress) {
				if shown.Add(1) > after {
					cancel()
				}
			}
		}))
		cancel()
		if !errors.Is(err, context.Canceled) {
			t.Fatalf("round %d: %v", round, err)
		}
	}
	got := run(t, options(f, rec))
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if rec.Hash() != whole.Hash() || rec.Repeated() != 0 {
		t.Errorf("another hash, or %d items recorded twice", rec.Repeated())
	}
	if live, _ := f.Candidates(); live != 0 {
		t.Errorf("%d candidates were never released", live)
	}
}

func TestReplayThatGoesAstrayIsRefused(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	run(t, options(f, rec))
	_, err := search.Run(context.Background(), options(f, rec, func(o *search.Options) { o.Algorithm = newGA(f.Space, 99) }))
	if err == nil || !strings.Contains(err.Error(), "astray") {
		t.Errorf("error %v", err)
	}
}

// other builds tensors with another fingerprint, as changed models would.
type other struct{ *searchtest.Family }

func (b other) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	c, err := b.Family.Build(ctx, id, r)
	c.Fingerprint += "-changed"
	return c, err
}

func TestChangedTensorsAreRefused(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	rec.Fault = func(call int) error {
		if call > 100 {
			return errPower
		}
		return nil
	}
	search.Run(context.Background(), options(f, rec))
	rec.Fault = nil
	_, err := search.Run(context.Background(), options(f, rec, func(o *search.Options) { o.Builder = other{f} }))
	if err == nil || !strings.Contains(err.Error(), "were the models or the program changed?") {
		t.Errorf("error %v", err)
	}
}
