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

// small is a run over a small family that every algorithm of the catalogue can
// search: one recipe in nine cannot be built.
func small(name string, settings search.Settings, seed uint64) (*searchtest.Family, func(*searchtest.Recorder, int) search.Options) {
	f := searchtest.NewFamily(seed, searchtest.Items{Search: 6, Validation: 4, HeldOut: 6})
	f.Refuse = sometimes("not_finite", 9)
	return f, func(rec *searchtest.Recorder, workers int) search.Options {
		brief := search.Brief{
			Space: f.Space, Benchmark: f.Benchmark(), Items: f.Items(mergesearch.SearchSplit),
			Seed: seed, Budget: search.Budget{Candidates: 44}, Settings: settings,
		}
		plan := must(search.New(name, brief))
		return options(f, rec, func(o *search.Options) {
			o.Algorithm, o.Seed, o.Workers, o.Hold, o.Budget = plan.Algorithm, seed, workers, workers%3, brief.Budget
			o.Race = search.Race{Rungs: []int{2, 0}, Keep: 0.5}
			if plan.Race != nil {
				o.Race = *plan.Race
			}
		})
	}
}

// Neither workers nor kills change what any algorithm of the catalogue finds. The
// second run of each is killed five times, later each time, and goes on with
// another number of workers.
func TestEveryAlgorithmIsDeterministic(t *testing.T) {
	for at, name := range search.Algorithms() {
		for variant, settings := range settingsOf(name) {
			t.Run(name+variant, func(t *testing.T) {
				_, options := small(name, settings, uint64(at))
				whole := searchtest.NewRecorder()
				want := run(t, options(whole, 1))
				for _, workers := range []int{3, 8} {
					_, options := small(name, settings, uint64(at))
					rec := searchtest.NewRecorder()
					if d := cmp.Diff(want, run(t, options(rec, workers))); d != "" || rec.Hash() != whole.Hash() {
						t.Fatalf("%d workers, hash %s, with one %s: %s", workers, rec.Hash(), whole.Hash(), d)
					}
					if d := cmp.Diff(facts(whole), facts(rec)); d != "" {
						t.Fatalf("%d workers: %s", workers, d)
					}
				}
				f, options := small(name, settings, uint64(at))
				rec := searchtest.NewRecorder()
				for kill := range 5 {
					until := rec.Calls() + whole.Calls()*(kill+1)/9
					rec.Fault = func(call int) error {
						if call >= until {
							return errPower
						}
						return nil
					}
					if _, err := search.Run(context.Background(), options(rec, 1+kill)); !errors.Is(err, errPower) {
						t.Fatalf("kill %d: %v", kill, err)
					}
				}
				rec.Fault = nil
				if d := cmp.Diff(want, run(t, options(rec, 2))); d != "" || rec.Hash() != whole.Hash() {
					t.Fatalf("killed five times, hash %s, uninterrupted %s: %s", rec.Hash(), whole.Hash(), d)
				}
				if live, _ := f.Candidates(); live != 0 || rec.Repeated() != 0 {
					t.Fatalf("%d candidates were never released, %d items recorded twice", live, rec.Repeated())
				}
			})
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
