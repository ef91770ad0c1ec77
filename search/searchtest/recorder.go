package searchtest

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"mergesearch"
	"mergesearch/search"
)

// Recorder keeps a run in memory, as a store keeps it on disk. It is safe for
// concurrent use.
type Recorder struct {
	// Fault, if set, is asked before each call that writes, with the number of
	// such calls so far. When it returns an error the call does nothing.
	Fault func(call int) error

	mu      sync.Mutex
	calls   int
	trials  map[int]mergesearch.Trial
	genomes map[int]string
	recipes map[mergesearch.RecipeID]*mergesearch.Known
	twice   int // items recorded again
	stopped []int
	Events  []string // kinds
	Notes   []string // kinds and keys of those that are kept once
}

var (
	_ search.Recorder = (*Recorder)(nil)
	_ search.Journal  = (*Recorder)(nil)
)

// NewRecorder returns an empty one.
func NewRecorder() *Recorder {
	return &Recorder{
		trials: map[int]mergesearch.Trial{}, genomes: map[int]string{},
		recipes: map[mergesearch.RecipeID]*mergesearch.Known{},
	}
}

// write counts a writing call under the lock and asks Fault.
func (r *Recorder) write(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	call := r.calls
	r.calls++
	if r.Fault != nil {
		return r.Fault(call)
	}
	return nil
}

// Begin keeps a trial as pending, or checks that a replay proposes the same.
func (r *Recorder) Begin(ctx context.Context, t mergesearch.Trial, genome string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write(ctx); err != nil {
		return err
	}
	if old, ok := r.trials[t.Index]; ok {
		if old.RecipeID != t.RecipeID || r.genomes[t.Index] != genome {
			return fmt.Errorf("trial %d: replay went astray: %s, recorded %s", t.Index, t.RecipeID, old.RecipeID)
		}
		return nil
	}
	if t.Index != len(r.trials) {
		return fmt.Errorf("trial %d begun after %d others", t.Index, len(r.trials))
	}
	r.trials[t.Index], r.genomes[t.Index] = t, genome
	return nil
}

// Known returns what is recorded of a recipe.
func (r *Recorder) Known(_ context.Context, id mergesearch.RecipeID) (mergesearch.Known, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k := r.recipes[id]
	if k == nil {
		return mergesearch.Known{}, nil
	}
	return mergesearch.Known{Fingerprint: k.Fingerprint, Outcomes: slices.Clone(k.Outcomes), Failure: k.Failure}, nil
}

// Answered adds outcomes to a recipe and counts those that it already had.
func (r *Recorder) Answered(ctx context.Context, t mergesearch.Trial, _ mergesearch.Split, outcomes []mergesearch.Outcome) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write(ctx); err != nil {
		return err
	}
	k := r.recipe(t.RecipeID)
	k.Fingerprint = t.Fingerprint
	for _, o := range outcomes {
		if slices.ContainsFunc(k.Outcomes, func(p mergesearch.Outcome) bool { return p.Item == o.Item }) {
			r.twice++
		}
	}
	k.Outcomes = append(k.Outcomes, outcomes...)
	return nil
}

// Finish keeps the trial's outcome.
func (r *Recorder) Finish(ctx context.Context, t mergesearch.Trial) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write(ctx); err != nil {
		return err
	}
	if old := r.trials[t.Index]; t.BuildSeconds == 0 && t.EvalSeconds == 0 {
		t.BuildSeconds, t.EvalSeconds = old.BuildSeconds, old.EvalSeconds
	}
	r.trials[t.Index] = t
	if t.State == mergesearch.Failed {
		r.recipe(t.RecipeID).Failure = &t.Reason
	}
	return nil
}

// Event keeps the kind.
func (r *Recorder) Event(ctx context.Context, kind string, _ map[string]any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write(ctx); err != nil {
		return err
	}
	r.Events = append(r.Events, kind)
	return nil
}

// Once keeps the kind, and the kind with its key, unless the two are there.
func (r *Recorder) Once(ctx context.Context, kind, key string, _ map[string]any) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.Contains(r.Notes, kind+" "+key) {
		return nil
	}
	if err := r.write(ctx); err != nil {
		return err
	}
	r.Events, r.Notes = append(r.Events, kind), append(r.Notes, kind+" "+key)
	return nil
}

// Stop keeps the number, and the event that a store makes of it.
func (r *Recorder) Stop(ctx context.Context, trials int) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.write(ctx); err != nil {
		return err
	}
	r.stopped = append(r.stopped, trials)
	r.Events = append(r.Events, "time_budget")
	return nil
}

// Stopped returns the first number.
func (r *Recorder) Stopped(context.Context) (int, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.stopped) == 0 {
		return 0, false, nil
	}
	return r.stopped[0], true, nil
}

func (r *Recorder) recipe(id mergesearch.RecipeID) *mergesearch.Known {
	if r.recipes[id] == nil {
		r.recipes[id] = &mergesearch.Known{}
	}
	return r.recipes[id]
}

// Calls returns how many writing calls there were.
func (r *Recorder) Calls() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

// Repeated returns how many items were recorded for a recipe that had them.
func (r *Recorder) Repeated() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.twice
}

// Answers returns how many outcomes are recorded.
func (r *Recorder) Answers() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, k := range r.recipes {
		n += len(k.Outcomes)
	}
	return n
}

// Outcomes returns what is recorded of all recipes, in no order.
func (r *Recorder) Outcomes() []mergesearch.Outcome {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []mergesearch.Outcome
	for _, k := range r.recipes {
		out = append(out, k.Outcomes...)
	}
	return out
}

// Trials returns the recorded trials in ask order.
func (r *Recorder) Trials() []mergesearch.Trial {
	r.mu.Lock()
	defer r.mu.Unlock()
	var out []mergesearch.Trial
	for _, i := range slices.Sorted(maps.Keys(r.trials)) {
		out = append(out, r.trials[i])
	}
	return out
}

// Hash returns the population hash of what is recorded.
func (r *Recorder) Hash() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var records []mergesearch.Record
	for _, i := range slices.Sorted(maps.Keys(r.trials)) {
		t := r.trials[i]
		record := mergesearch.Record{
			Index: i, Generation: t.Individual.Generation, Genome: r.genomes[i],
			RecipeID: t.RecipeID, State: t.State, ReasonCode: t.Reason.Code,
		}
		if k := r.recipes[t.RecipeID]; k != nil {
			record.Outcomes = k.Outcomes
		}
		records = append(records, record)
	}
	return mergesearch.PopulationHash(records)
}
