package search_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

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

func TestNoTimeStillEndsWithAVerdict(t *testing.T) {
	f, rec := searchtest.NewFamily(4, fewItems), searchtest.NewRecorder()
	r := run(t, options(f, rec, func(o *search.Options) { o.Now, o.Budget.Time = time.Now, 1 }))
	if r.Stop != search.StopTime || r.Candidates != 0 || len(rec.Trials()) != r.Evaluations || r.Verdict.Items != 72 {
		t.Errorf("stop %s, %d candidates, %d trials, verdict %+v", r.Stop, r.Candidates, len(rec.Trials()), r.Verdict)
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

// The time that ran out in one process has run out in the next, whose clock stands
// still, for every algorithm of the catalogue: what the first one recommended has the
// number that its next candidate would have had.
func TestTimeStopHolds(t *testing.T) {
	for _, name := range search.Algorithms() {
		if name == "external" {
			continue // needs a program
		}
		t.Run(name, func(t *testing.T) {
			start := func(rec *searchtest.Recorder, now func() time.Time) (search.Report, error) {
				f := searchtest.NewFamily(4, fewItems)
				b := search.Brief{Space: f.Space, Benchmark: f.Benchmark(), Items: f.Items(mergesearch.SearchSplit), Seed: 1, Budget: search.Budget{Candidates: 200, Time: 400 * time.Second}}
				plan := must(search.New(name, b))
				return search.Run(context.Background(), options(f, rec, func(o *search.Options) {
					o.Algorithm, o.Budget, o.Now = plan.Algorithm, b.Budget, now
					if plan.Race != nil {
						o.Race = *plan.Race
					}
				}))
			}
			var ticks atomic.Int64
			rec := searchtest.NewRecorder()
			want := must(start(rec, func() time.Time { return time.Unix(ticks.Add(1), 0) }))
			if want.Stop != search.StopTime && want.Stop != search.StopFinished {
				t.Fatalf("stop %s", want.Stop)
			}
			got := must(start(rec, func() time.Time { return time.Unix(0, 0) }))
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}
