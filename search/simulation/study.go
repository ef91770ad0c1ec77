package simulation

import (
	"context"
	"sync"

	"mergesearch"
	"mergesearch/search"
)

// Study is one search over one landscape.
type Study struct {
	Kind      Kind
	Dimension int
	Seed      uint64 // of the landscape and of the search
	Algorithm string // of search.Algorithms
	Settings  search.Settings
	Answers   int // to search items, those of parents and usual recipes included

	// Top is the fitness of the optimum, where it is known; 0 has it searched.
	Top float64

	// Race replaces the algorithm's own, which is all 40 items a task for everyone
	// where it has none.
	Race *search.Race

	// Plan replaces the algorithm of that name, which then is for reports alone.
	Plan func(search.Brief) (search.Plan, error)
}

// Result is what came of a study.
type Result struct {
	GapClosed  float64 // of the recommendation; without one, of the search's best on search items
	Winner     float64 // gap closed by the run's winner: validation items chose as well, and usual recipes took part
	Gap        float64 // between the usual recipe and the optimum, as a fitness
	Optimism   float64 // fitness on search items less the true one, of the best on search items
	Answers    int     // to search items
	Fixed      int     // of these, of parents, usual recipes and soups
	Candidates int     // of the search
	Why        string  // what the algorithm says of its choice
}

// defaultRace is that of algorithms without one of their own: about 100 items.
var defaultRace = search.Race{Rungs: []int{34}, Keep: 1}

// Search runs a study. The context ends it early, with an error.
func Search(ctx context.Context, s Study) (Result, error) {
	l := NewLandscape(s.Kind, s.Dimension, s.Seed)
	f, err := NewFamily(l)
	if err != nil {
		return Result{}, err
	}
	brief := search.Brief{
		Space: f.Space, Benchmark: f.Benchmark(), Items: f.Items(mergesearch.SearchSplit), Seed: s.Seed,
		Budget: search.Budget{ItemAnswers: s.Answers}, Settings: s.Settings,
	}
	create := s.Plan
	if create == nil {
		create = func(b search.Brief) (search.Plan, error) { return search.New(s.Algorithm, b) }
	}
	p, err := create(brief)
	if err != nil {
		return Result{}, err
	}
	race := defaultRace
	if p.Race != nil {
		race = *p.Race
	}
	if s.Race != nil {
		race = *s.Race
	}
	record := &record{}
	report, err := search.Run(ctx, search.Options{
		Space: f.Space, Benchmark: brief.Benchmark, Algorithm: p.Algorithm, Builder: f, Scorer: f,
		Judge: judge{}, Recorder: record, Seed: s.Seed, Race: race, Budget: brief.Budget, Workers: 1,
	})
	if err != nil {
		return Result{}, err
	}
	top := s.Top
	if top == 0 {
		_, top = l.Optimum()
	}
	middle := l.Fitness(l.Middle())
	closed := func(r mergesearch.Recipe) float64 { return (l.Fitness(f.Place(r)) - middle) / (top - middle) }
	best, fixed := record.summary(report.Candidates)
	return Result{
		GapClosed: closed(best.Recipe), Winner: closed(report.Best.Recipe), Gap: top - middle,
		Optimism: best.Score.Fitness - l.Fitness(f.Place(best.Recipe)),
		Answers:  report.ItemAnswers[mergesearch.SearchSplit], Fixed: fixed, Candidates: report.Candidates, Why: p.Why,
	}, nil
}

// record keeps the trials of one run, which is never resumed.
type record struct {
	mu     sync.Mutex
	trials []mergesearch.Trial
}

func (r *record) Begin(context.Context, mergesearch.Trial, string) error { return nil }

func (r *record) Known(context.Context, mergesearch.RecipeID) (mergesearch.Known, error) {
	return mergesearch.Known{}, nil
}

func (r *record) Answered(context.Context, mergesearch.Trial, mergesearch.Split, []mergesearch.Outcome) error {
	return nil
}

func (r *record) Stop(context.Context, int) error { return nil }

func (r *record) Stopped(context.Context) (int, bool, error) { return 0, false, nil }

func (r *record) Event(context.Context, string, map[string]any) error { return nil }

func (r *record) Finish(_ context.Context, t mergesearch.Trial) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.trials = append(r.trials, t)
	return nil
}

// summary returns the recommendation, which is the last trial when there are more
// than the candidates of the search, or else the best of these; and the answers of parents, usual recipes and soups.
func (r *record) summary(candidates int) (best mergesearch.Trial, fixed int) {
	seen := map[mergesearch.RecipeID]bool{}
	unnamed := 0
	for _, t := range r.trials {
		if t.Name == "" {
			unnamed++
		}
		if t.Name != "" && !seen[t.RecipeID] {
			seen[t.RecipeID] = true
			fixed += t.Score.Items
		}
		if t.State == mergesearch.Scored && t.Name == "" && t.Score.Fitness > best.Score.Fitness {
			best = t
		}
	}
	if last := r.trials[len(r.trials)-1]; unnamed > candidates && last.State == mergesearch.Scored {
		best = last
	}
	return best, fixed
}

// judge is not listened to: studies know the truth.
type judge struct{}

func (judge) Compare(a, b []mergesearch.Outcome) (mergesearch.Comparison, error) {
	return mergesearch.Comparison{Items: len(a)}, nil
}
