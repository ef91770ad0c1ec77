package search_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var fewItems = searchtest.Items{Search: 24, Validation: 16, HeldOut: 24}

// options is a run of 60 candidates over a simulated family, two rungs.
func options(f *searchtest.Family, r *searchtest.Recorder, change ...func(*search.Options)) search.Options {
	o := search.Options{
		Space: f.Space, Benchmark: f.Benchmark(), Algorithm: newGA(f.Space, 3, sixty),
		Builder: f, Scorer: f, Judge: searchtest.Judge{Benchmark: f.Benchmark()}, Recorder: r,
		Seed: 3, Race: search.Race{Rungs: []int{6, 0}, Keep: 0.5}, Workers: 2,
		Budget: search.Budget{Candidates: 60},
	}
	for _, c := range change {
		c(&o)
	}
	return o
}

// sixty fits the first cohort to a budget of 60 candidates.
func sixty(g *search.GASettings) { *g = g.ForBudget(60) }

func run(t *testing.T, o search.Options) search.Report {
	t.Helper()
	r, err := search.Run(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestRunFindsABetterMerge(t *testing.T) {
	f, rec := searchtest.NewFamily(2, searchtest.Items{Search: 60, Validation: 60, HeldOut: 150}), searchtest.NewRecorder()
	r := run(t, options(f, rec, func(o *search.Options) {
		o.Budget.Candidates, o.Race = 150, search.Race{Rungs: []int{20, 0}, Keep: 0.5}
	}))
	if !r.Verdict.BeatsBestParent || r.Verdict.CILow <= 0 {
		t.Errorf("verdict %+v", r.Verdict)
	}
	names := []string{}
	for i, b := range r.Baselines {
		names = append(names, b.Name)
		if c := r.AgainstBaselines[i]; c.Gain != r.Best.HeldOut.Fitness-b.HeldOut.Fitness && c.Gain-(r.Best.HeldOut.Fitness-b.HeldOut.Fitness) > 1e-9 {
			t.Errorf("%s: gain %v, fitness %v against %v", b.Name, c.Gain, r.Best.HeldOut.Fitness, b.HeldOut.Fitness)
		}
	}
	if !slices.Contains(names, "naive soup") || names[len(names)-1] != "greedy soup" {
		t.Errorf("baselines %v", names)
	}
	if len(r.Parents) != 4 || r.Parents[0].Name != "base" {
		t.Errorf("parents %+v", r.Parents)
	}
	if r.Stop != search.StopCandidates || r.Candidates != 150 || r.Reached[0] != 150 || r.Reached[1] < 70 || r.Reached[1] > 90 {
		t.Errorf("stop %s, candidates %d, reached %v", r.Stop, r.Candidates, r.Reached)
	}
	if live, most := f.Candidates(); live != 0 || most > 2 {
		t.Errorf("%d candidates were never released, %d were built at a time with two workers", live, most)
	}
}

// The quantities of a run are those that its stages counted themselves.
func TestAnswersAreCountedOnce(t *testing.T) {
	f, rec := searchtest.NewFamily(1, fewItems), searchtest.NewRecorder()
	r := run(t, options(f, rec))
	total := 0
	for _, n := range r.ItemAnswers {
		total += n
	}
	asked, repeated := f.Answered()
	if repeated != 0 || rec.Repeated() != 0 {
		t.Errorf("%d items were asked twice, %d recorded twice", repeated, rec.Repeated())
	}
	if asked != total || rec.Answers() != total {
		t.Errorf("report counts %d answers, the scorer %d, the recorder %d", total, asked, rec.Answers())
	}
	if n := len(rec.Trials()); r.Evaluations != n || n != 60+4+len(r.Baselines)+2 { // two soups on the way to the greedy one
		t.Errorf("%d evaluations, %d trials, %d baselines", r.Evaluations, n, len(r.Baselines))
	}
	for _, trial := range rec.Trials() {
		want := 72
		if trial.State == mergesearch.Eliminated {
			want = 18
		}
		if trial.Score.Items != want || trial.Score.Fingerprint == "" || trial.Fingerprint != trial.Score.Fingerprint {
			t.Errorf("trial %d, %s: %d items, fingerprints %q and %q", trial.Index, trial.State, trial.Score.Items, trial.Fingerprint, trial.Score.Fingerprint)
		}
	}
}

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

// onSecondRung finds one recipe in four degenerate, but only when it is asked
// the items that the second rung adds.
func onSecondRung(r mergesearch.Recipe, items []mergesearch.ItemID) *mergesearch.Failure {
	if len(items) != 54 || r.ID()[0] > '3' {
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

func TestBudgetOfAnswersIsNeverExceeded(t *testing.T) {
	// Parents, baselines and soups take 16 recipes of 72 items; soups may repeat.
	for _, budget := range []int{1, 1300, 1500, 2000, 3001} {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		r := run(t, options(f, rec, func(o *search.Options) { o.Budget = search.Budget{ItemAnswers: budget} }))
		spent := r.ItemAnswers[mergesearch.SearchSplit]
		fixed := 72 * 17
		if spent > max(budget, fixed) || r.Stop != search.StopItemAnswers {
			t.Errorf("budget %d: spent %d, stop %s", budget, spent, r.Stop)
		}
		if budget > 1500 && spent < budget-72 {
			t.Errorf("budget %d: only %d spent", budget, spent)
		}
		if r.Best.Name != "winner" || r.Verdict.Items != 72 {
			t.Errorf("budget %d: no verdict", budget)
		}
	}
}

func TestBudgetOfCandidates(t *testing.T) {
	for _, n := range []int{1, 24, 25, 50} {
		f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
		r := run(t, options(f, rec, func(o *search.Options) { o.Budget.Candidates = n }))
		if r.Candidates != n || r.Stop != search.StopCandidates {
			t.Errorf("budget %d: %d candidates, stop %s", n, r.Candidates, r.Stop)
		}
	}
}

// With a clock that jumps in the middle of a cohort the search stops, the verdict
// is over what was finished, and the same run with more time goes on to the end
// of an uninterrupted one.
func TestTimeStopsBetweenCandidates(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	var ticks atomic.Int64
	clock := func() time.Time { return time.Unix(ticks.Add(1), 0) }
	r := run(t, options(f, rec, func(o *search.Options) { o.Now, o.Budget.Time = clock, 400*time.Second }))
	if r.Stop != search.StopTime || !slices.Contains(rec.Events, "time_budget") {
		t.Fatalf("stop %s, events %v", r.Stop, rec.Events)
	}
	pending := 0
	for _, trial := range rec.Trials() {
		if trial.State == mergesearch.Pending {
			pending++
		}
	}
	if pending == 0 || r.Candidates+pending != len(rec.Trials())-(r.Evaluations-r.Candidates) {
		t.Errorf("%d pending, %d candidates, %d evaluations of %d trials", pending, r.Candidates, r.Evaluations, len(rec.Trials()))
	}
	whole := searchtest.NewRecorder()
	want := run(t, options(searchtest.NewFamily(4, fewItems), whole))
	got := run(t, options(f, rec))
	if got.Best.RecipeID != want.Best.RecipeID || got.Candidates != want.Candidates {
		t.Errorf("resumed: winner %s of %d, want %s of %d", got.Best.RecipeID, got.Candidates, want.Best.RecipeID, want.Candidates)
	}
}

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

// A space with few points is searched to its end and no further.
func TestSmallSpaceIsExhausted(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	spec := f.Space.SpaceSpec
	spec.Ranges, spec.Methods = nil, searchtest.Methods()[:2]
	f.Space = searchtest.MustSpace(spec)
	r := run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) {
		o.Algorithm, o.Budget = newGA(f.Space, 1), search.Budget{ItemAnswers: 1 << 30}
	}))
	if _, repeated := f.Answered(); r.Stop != search.StopExhausted || repeated != 0 {
		t.Errorf("stop %s, %d items asked twice", r.Stop, repeated)
	}
}

func TestGreedySoupFinishes(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	r := run(t, options(f, rec, func(o *search.Options) {
		o.Algorithm, o.Budget = must(search.NewGreedySoup(f.Space)), search.Budget{}
	}))
	if r.Stop != search.StopFinished || r.Candidates != 2 {
		t.Errorf("stop %s after %d candidates", r.Stop, r.Candidates)
	}
	if _, repeated := f.Answered(); repeated != 0 {
		t.Errorf("%d answers asked twice: the same soups are a baseline", repeated)
	}
}

func TestProgressAddsUp(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	var last search.Progress
	phases := []search.Phase{}
	r := run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) {
		o.Progress = func(p search.Progress) {
			if p.Phase != last.Phase {
				phases = append(phases, p.Phase)
			}
			if p.Candidates < last.Candidates || p.ItemAnswers < last.ItemAnswers || p.Batch > p.BatchTotal || p.Best.Score.Fitness < last.Best.Score.Fitness {
				t.Errorf("progress went back: %+v after %+v", p, last)
			}
			last = p
		}
	}))
	want := []search.Phase{search.PhaseParents, search.PhaseBaselines, search.PhaseSearch, search.PhaseValidation, search.PhaseHeldOut}
	if !slices.Equal(phases, want) {
		t.Errorf("phases %v", phases)
	}
	if last.Candidates != r.Candidates || last.ItemAnswers != r.ItemAnswers[mergesearch.SearchSplit] || !slices.Equal(last.Reached, r.Reached) {
		t.Errorf("last progress %+v, report %+v", last, r)
	}
}

func TestBadOptionsAreRefused(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	for field, change := range map[string]func(*search.Options){
		"race.rungs": func(o *search.Options) { o.Race.Rungs = []int{30, 10} },
		"race.keep":  func(o *search.Options) { o.Race.Keep = 0 },
		"race.tie":   func(o *search.Options) { o.Race.Tie = -1 },
		"budget":     func(o *search.Options) { o.Budget.Candidates = -1 },
		"shortlist":  func(o *search.Options) { o.Shortlist = -1 },
		"tasks":      func(o *search.Options) { o.Benchmark.Tasks = nil },
		"tasks.poetry": func(o *search.Options) {
			o.Benchmark.Tasks = append(o.Benchmark.Tasks, mergesearch.TaskWeight{Task: "poetry", Weight: 1})
		},
		"tasks.arithmetic": func(o *search.Options) { o.Benchmark.Tasks = o.Benchmark.Tasks[1:] },
	} {
		rec := searchtest.NewRecorder()
		_, err := search.Run(context.Background(), options(f, rec, change))
		var input *mergesearch.InputError
		if !errors.As(err, &input) || input.Field != field {
			t.Errorf("%s: error %v", field, err)
		}
		if rec.Calls() != 0 {
			t.Errorf("%s: %d calls to the recorder before it was refused", field, rec.Calls())
		}
	}
	for _, bad := range []func(*search.GASettings){
		func(g *search.GASettings) { g.Population = 3 },
		func(g *search.GASettings) { g.Islands = 0 },
		func(g *search.GASettings) { g.MutationRate = 1.5 },
		func(g *search.GASettings) { g.Tournament = 0 },
		func(g *search.GASettings) { g.Elites = -1 },
	} {
		settings := search.DefaultGA()
		bad(&settings)
		if _, err := search.NewGA(f.Space, 1, settings); err == nil {
			t.Errorf("settings %+v were accepted", settings)
		}
	}
	if _, err := search.NewRandom(f.Space, 1, 0); err == nil {
		t.Error("a cohort of nobody was accepted")
	}
}

func ExampleRun() {
	f := searchtest.NewFamily(2, searchtest.Items{Search: 40, Validation: 40, HeldOut: 100})
	ga, err := search.NewGA(f.Space, 1, search.DefaultGA())
	if err != nil {
		panic(err)
	}
	r, err := search.Run(context.Background(), search.Options{
		Space: f.Space, Benchmark: f.Benchmark(), Algorithm: ga,
		Builder: f, Scorer: f, Judge: searchtest.Judge{Benchmark: f.Benchmark()}, Recorder: searchtest.NewRecorder(),
		Race: search.DefaultRace(), Budget: search.Budget{Candidates: 100}, Workers: 2,
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(r.Stop, r.Candidates, r.Verdict.BeatsBestParent)
	// Output: candidates 100 true
}
