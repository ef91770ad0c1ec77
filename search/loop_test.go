package search_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/external/externaltest"
	"mergesearch/search/searchtest"
)

// The test binary is a proposer outside the process too: "propose".
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "propose" {
		if err := externaltest.Propose(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

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
