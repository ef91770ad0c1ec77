package plan

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/zeebo/xxh3"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/search"
)

// Work is what a search takes, whatever the machine.
type Work struct {
	Candidates int               `json:"candidates"` // of the algorithm
	Trials     int               `json:"trials"`     // with parents, usual recipes and a recommendation
	Parents    int               `json:"parents"`
	Builds     int               `json:"builds"` // merges, those that are built again included
	Calls      int               `json:"calls"`  // times that a model is put before the endpoint
	Rungs      []Rung            `json:"rungs"`
	Stop       search.StopReason `json:"stop"`

	Search     int            `json:"search_answers"`
	Validation int            `json:"validation_answers"`
	HeldOut    int            `json:"held_out_answers"`
	ByTask     map[string]int `json:"answers_by_task"` // all splits

	// LoopSeconds are those of the algorithm, the race and the verdict on this machine.
	LoopSeconds float64 `json:"loop_seconds"`

	// Share of the search that was rehearsed; the rest is extrapolated.
	Share float64 `json:"share"`
}

// Answers counts those of all splits.
func (w Work) Answers() int { return w.Search + w.Validation + w.HeldOut }

// Rung says how many candidates answer so many items.
type Rung struct {
	Items      int `json:"items"`
	Candidates int `json:"candidates"`
}

// Rehearsal bounds a rehearsal.
type Rehearsal struct {
	Items Items
	Costs *Costs        // nil: nothing is known, so budgets of tokens and hours do not end it
	Limit time.Duration // of this process's time; what is left then is extrapolated. 0: 20 s
}

// Rehearse runs the search on a family in numbers alone: each recipe has an ability for
// each task, which falls with the distance of its genes from a point drawn at random,
// and each item a difficulty. Of the options it takes what decides, and replaces
// builder, scorer, judge, recorder and clock.
func Rehearse(ctx context.Context, o search.Options, r Rehearsal) (Work, error) {
	if r.Limit == 0 {
		r.Limit = 20 * time.Second
	}
	s := &stage{space: o.Space, r: r, began: time.Now(), seed: o.Seed, genomes: map[mergesearch.RecipeID]mergesearch.Genome{}, work: Work{ByTask: map[string]int{}}}
	s.draw()
	o.Builder, o.Scorer, o.Recorder, o.Workers = s, s, s, 1
	o.Now = s.now
	o.Judge = quick{s, o.Benchmark}
	o.JudgeOf = func(b mergesearch.Benchmark) search.Judge { return quick{s, b} }
	if o.Budget.Time == 0 || r.Costs == nil {
		o.Budget.Time = endless
	}
	budget := o.Budget
	o.Progress = s.progress
	if _, outside := o.Algorithm.(search.Outside); outside { // no program is started
		a, err := search.NewRandom(o.Space, o.Seed, 24)
		if err != nil {
			return Work{}, err
		}
		o.Algorithm = a
	}
	report, err := search.Run(ctx, o)
	if err != nil {
		return Work{}, fmt.Errorf("rehearse: %w", err)
	}
	w := s.work
	w.Candidates, w.Stop = report.Candidates, report.Stop
	w.Search, w.Validation, w.HeldOut = report.ItemAnswers[mergesearch.SearchSplit], report.ItemAnswers[mergesearch.ValidationSplit], report.ItemAnswers[mergesearch.HeldOutSplit]
	w.Share = 1
	for i, n := range report.Reached {
		w.Rungs = append(w.Rungs, Rung{Items: s.rungItems(o.Race, i), Candidates: n})
	}
	w.LoopSeconds = max(0, time.Since(s.began).Seconds()-s.staged.Seconds()) + s.judging.Seconds()
	if s.late {
		w.stretch(s.at, s.before, budget)
	}
	return w, nil
}

// endless is a budget of time that no search reaches.
const endless = 100 * 365 * 24 * time.Hour

// stretch extrapolates a search that was cut short.
func (w *Work) stretch(at, before search.Progress, b search.Budget) {
	share := 0.0
	for _, x := range []struct{ spent, budget int }{{at.Candidates, b.Candidates}, {at.ItemAnswers, b.ItemAnswers}, {at.Tokens, b.Tokens}} {
		if x.budget > 0 {
			share = max(share, float64(x.spent)/float64(x.budget))
		}
	}
	if share <= 0 || share >= 1 {
		return
	}
	w.Share = share
	more := func(n, fixed int) int { return fixed + int(math.Round(float64(n-fixed)/share)) }
	grown := float64(more(w.Search, before.ItemAnswers)-w.Search) / float64(max(1, w.Search))
	for t, n := range w.ByTask {
		all := float64(w.Answers())
		w.ByTask[t] = n + int(math.Round(float64(n)/all*grown*float64(w.Search)))
	}
	w.Search = more(w.Search, before.ItemAnswers)
	w.Builds, w.Calls, w.Trials = more(w.Builds, 0), more(w.Calls, 0), more(w.Trials, 0)
	w.Candidates = more(w.Candidates, 0)
	for i := range w.Rungs {
		w.Rungs[i].Candidates = more(w.Rungs[i].Candidates, 0)
	}
	w.LoopSeconds /= share
}

// stage builds, scores and records a rehearsal, with one worker. The loop looks at the
// clock meanwhile.
type stage struct {
	space *mergesearch.Space
	r     Rehearsal
	seed  uint64
	began time.Time

	running sync.Mutex    // holds the clock and the counts
	virtual time.Duration // that builds and answers would take
	staged  time.Duration // that this stage itself took
	judging time.Duration // that judges will take on top
	late    bool
	at      search.Progress
	before  search.Progress // when the search began

	mu      sync.Mutex
	genomes map[mergesearch.RecipeID]mergesearch.Genome
	target  []float64
	traits  map[mergesearch.ItemID]trait
	tasks   []string
	work    Work
}

// trait is what an item is like; see draw.
type trait struct {
	task                    int
	slope, difficulty, luck float64
	steady                  bool
}

// draw draws items as in package honesty: abilities of 0 solve about half, and two in
// five items flip with every change of the weights.
func (s *stage) draw() {
	s.traits = map[mergesearch.ItemID]trait{}
	place := map[string]int{}
	for _, items := range s.r.Items {
		for _, item := range items {
			if _, ok := place[item.Task]; !ok {
				place[item.Task] = 0
				s.tasks = append(s.tasks, item.Task)
			}
		}
	}
	slices.Sort(s.tasks)
	for i, t := range s.tasks {
		place[t] = i
	}
	for _, items := range s.r.Items {
		for _, item := range items {
			h := func(k uint64) float64 { return unit(xxh3.HashStringSeed(string(item.ID), s.seed*64+k)) }
			s.traits[item.ID] = trait{
				task: place[item.Task], slope: math.Exp(0.4 * normal(h(0), h(1))), difficulty: 1.3 * normal(h(2), h(3)), luck: h(4), steady: h(5) >= 0.4,
			}
		}
	}
	for i := range s.space.Genes {
		s.target = append(s.target, 0.25+0.5*unit(xxh3.HashStringSeed(s.space.Genes[i].Name, s.seed)))
	}
}

// now is the time that the run would see: what this process needs for the loop, and
// what builds and answers would take.
func (s *stage) now() time.Time {
	s.running.Lock()
	defer s.running.Unlock()
	real := time.Since(s.began)
	if s.late = s.late || real > s.r.Limit; s.late {
		return s.began.Add(2 * endless)
	}
	return s.began.Add(real + s.virtual)
}

func (s *stage) progress(p search.Progress) {
	if p.Phase == search.PhaseSearch {
		s.at = p
		if s.before.Phase == "" {
			s.before = p
		}
	}
}

// spend lets time pass.
func (s *stage) spend(seconds float64) { s.virtual += time.Duration(seconds * float64(time.Second)) }

// Items lists a split.
func (s *stage) Items(split mergesearch.Split) []mergesearch.Item { return s.r.Items[split] }

// Build makes a candidate of nothing.
func (s *stage) Build(_ context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	s.running.Lock()
	defer s.running.Unlock()
	if r.Method != "passthrough" || len(r.Models) != 1 {
		s.work.Builds++
		if c := s.r.Costs; c != nil {
			s.spend(c.Build.Mean / c.overlap())
		}
	}
	return mergesearch.Candidate{ID: id, Recipe: r.ID(), Fingerprint: "rehearsed-" + string(r.ID())}, nil
}

// Score answers the items.
func (s *stage) Score(_ context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	s.running.Lock()
	defer s.running.Unlock()
	began := time.Now()
	defer func() { s.staged += time.Since(began) }()
	s.work.Calls++
	abilities := s.abilities(c.Recipe)
	seed := xxh3.HashStringSeed(string(c.Recipe), s.seed)
	out := make([]mergesearch.Outcome, len(items))
	tokens := 0.0
	for i, id := range items {
		t := s.traits[id]
		luck := t.luck
		if !t.steady {
			luck = unit(xxh3.HashStringSeed(string(id), seed))
		}
		out[i].Item = id
		if luck < 1/(1+math.Exp(-t.slope*(abilities[t.task]-t.difficulty))) {
			out[i].Value = 1
		}
		task := s.tasks[t.task]
		s.work.ByTask[task]++
		if s.r.Costs != nil {
			n := s.r.Costs.Tokens[task]
			out[i].PromptTokens, out[i].CompletionTokens = int(math.Round(n.Prompt)), int(math.Round(n.Completion))
			tokens += n.Prompt + n.Completion
		}
	}
	if k := s.r.Costs; k != nil {
		s.spend((k.Call + tokens*k.Token) / k.overlap())
	}
	return out, nil
}

// abilities of a recipe, one a task.
func (s *stage) abilities(id mergesearch.RecipeID) []float64 {
	s.mu.Lock()
	g := s.genomes[id]
	s.mu.Unlock()
	level, n, distance := 0.0, 0, 0.0
	for i, gene := range s.space.Genes {
		if g == nil || gene.Kind == mergesearch.Choice || gene.Max <= gene.Min || !s.space.Active(g, i) {
			continue
		}
		d := (g[i]-gene.Min)/(gene.Max-gene.Min) - s.target[i]
		distance += d * d
		n++
	}
	if n > 0 {
		level = 0.6 - 2.5*math.Sqrt(distance/float64(n))
	}
	out := make([]float64, len(s.tasks))
	for i, t := range s.tasks {
		out[i] = level + 0.3*(unit(xxh3.HashStringSeed(string(id)+t, s.seed))-0.5)
	}
	return out
}

// Begin notes the genome behind a recipe.
func (s *stage) Begin(_ context.Context, t mergesearch.Trial, _ string) error {
	s.running.Lock()
	defer s.running.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.work.Trials++
	if t.Individual.Operator == "parent" {
		s.work.Parents++
	}
	if c := s.r.Costs; c != nil {
		s.spend(c.Record)
	}
	if t.Individual.Genome != nil {
		s.genomes[t.RecipeID] = t.Individual.Genome
	}
	return nil
}

// Known knows nothing.
func (s *stage) Known(context.Context, mergesearch.RecipeID) (mergesearch.Known, error) {
	return mergesearch.Known{}, nil
}

// Answered keeps nothing, and neither do the others.
func (s *stage) Answered(context.Context, mergesearch.Trial, mergesearch.Split, []mergesearch.Outcome) error {
	return nil
}

// Finish is of the recorder.
func (s *stage) Finish(context.Context, mergesearch.Trial) error { return nil }

// Stop is of the recorder.
func (s *stage) Stop(context.Context, int) error { return nil }

// Stopped is of the recorder.
func (s *stage) Stopped(context.Context) (int, bool, error) { return 0, false, nil }

// Event is of the recorder.
func (s *stage) Event(context.Context, string, map[string]any) error { return nil }

// rungItems returns how many items a rung holds, all tasks together.
func (s *stage) rungItems(r search.Race, rung int) int {
	have := map[string]int{}
	for _, item := range s.r.Items[mergesearch.SearchSplit] {
		have[item.Task]++
	}
	total := 0
	for _, n := range have {
		if len(r.Rungs) > 0 && r.Rungs[rung] > 0 {
			n = min(n, r.Rungs[rung])
		}
		total += n
	}
	return total
}

// quick judges with a tenth of the resamples and charges for all of them.
type quick struct {
	s         *stage
	benchmark mergesearch.Benchmark
}

// Compare is that of search.Judge.
func (q quick) Compare(a, b []mergesearch.Outcome) (mergesearch.Comparison, error) {
	began := time.Now()
	c, err := eval.Judge{Benchmark: q.benchmark, Resamples: 1000}.Compare(a, b)
	q.s.judging += 9 * time.Since(began)
	return c, err
}

// unit maps a hash to (0, 1).
func unit(h uint64) float64 { return (float64(h>>11) + 0.5) / (1 << 53) }

// normal maps two numbers in (0, 1) to one of a normal distribution (Box and Muller).
func normal(u, v float64) float64 { return math.Sqrt(-2*math.Log(u)) * math.Cos(2*math.Pi*v) }

// Items lists the items of each split. It is a search.Scorer that only lists.
type Items map[mergesearch.Split][]mergesearch.Item

// Items lists a split.
func (i Items) Items(split mergesearch.Split) []mergesearch.Item { return i[split] }

// Score panics: there is nobody to answer.
func (i Items) Score(context.Context, mergesearch.Candidate, []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	panic("plan: a list of items cannot score")
}
