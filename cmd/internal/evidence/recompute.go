package evidence

import (
	"encoding/json"
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/eval"
	"mergesearch/search"
	"mergesearch/search/pareto"
	"mergesearch/store"
)

// RunFile returns the run file as it was frozen.
func RunFile(run store.Run) (*runfile.RunFile, error) {
	f := &runfile.RunFile{}
	if err := json.Unmarshal([]byte(run.Effective), f); err != nil {
		return nil, fmt.Errorf("the frozen run file: %w", err)
	}
	return f, nil
}

// BenchmarkEvent is the kind of the event that keeps the names of the tasks, which are
// in the task files, with their weights.
const BenchmarkEvent = "benchmark"

// Benchmark returns what the run optimises. Runs without the event have it from the
// run file, if it lists as many task files as there are tasks.
func Benchmark(e store.Evidence) (mergesearch.Benchmark, error) {
	f, err := RunFile(e.Run)
	if err != nil {
		return mergesearch.Benchmark{}, err
	}
	for _, c := range f.Constraints {
		if c.Keep == nil {
			return mergesearch.Benchmark{}, fmt.Errorf("the frozen run file: a constraint without a share to keep")
		}
	}
	for _, x := range e.Events {
		if x.Kind != BenchmarkEvent {
			continue
		}
		var b struct {
			Tasks []mergesearch.TaskWeight `json:"tasks"`
		}
		if err := json.Unmarshal(x.Attrs, &b); err != nil {
			return mergesearch.Benchmark{}, fmt.Errorf("event %d: %w", x.Seq, err)
		}
		return checked(f.Benchmark(b.Tasks))
	}
	for _, t := range e.Trials {
		if _, ok := t.Member(); !ok {
			continue
		}
		if len(t.Score.Tasks) != len(f.Tasks) {
			return mergesearch.Benchmark{}, fmt.Errorf("%d tasks of %d task files, whose weights were not recorded", len(t.Score.Tasks), len(f.Tasks))
		}
		var tasks []mergesearch.TaskWeight
		for i, s := range t.Score.Tasks {
			w := 1.0
			if f.Tasks[i].Weight != nil {
				w = *f.Tasks[i].Weight
			}
			tasks = append(tasks, mergesearch.TaskWeight{Task: s.Task, Weight: w})
		}
		return checked(f.Benchmark(tasks))
	}
	return mergesearch.Benchmark{}, fmt.Errorf("no candidate has a score yet")
}

// checked refuses a benchmark that no run could have had.
func checked(b mergesearch.Benchmark) (mergesearch.Benchmark, error) {
	seen := map[string]bool{}
	for _, t := range b.Tasks {
		if seen[t.Task] || !(t.Weight > 0 && t.Weight < 1e300) {
			return b, fmt.Errorf("the weight of task %s is %v, or it is listed twice", t.Task, t.Weight)
		}
		seen[t.Task] = true
	}
	if len(b.Tasks) == 0 {
		return b, fmt.Errorf("no tasks")
	}
	var parents []string // any name will do
	for _, c := range b.Constraints {
		parents = append(parents, c.Parent)
	}
	return b, b.Check(parents)
}

// judge is what is needed to compute a result again.
type judge struct {
	store.Evidence
	b      mergesearch.Benchmark
	trials map[mergesearch.CandidateID]store.Trial
}

// Recompute returns the result of a run as its answers give it. The candidates are
// those of the recorded result.
func Recompute(e store.Evidence) (r mergesearch.Result, err error) {
	if e.Ending == nil {
		return r, fmt.Errorf("the run has no result yet")
	}
	j := judge{Evidence: e, trials: map[mergesearch.CandidateID]store.Trial{}}
	if j.b, err = Benchmark(e); err != nil {
		return r, err
	}
	for _, t := range e.Trials {
		j.trials[t.ID()] = t
	}
	was := e.Ending.Result
	if r.Best, err = j.finalist(was.Best); err != nil {
		return r, err
	}
	if r.Parents, r.AgainstParents, err = j.against(r.Best, was.Parents); err != nil {
		return r, err
	}
	if r.Baselines, r.AgainstBaselines, err = j.against(r.Best, was.Baselines); err != nil {
		return r, err
	}
	if err := j.verdict(&r); err != nil {
		return r, err
	}
	if r.Shortlist, err = j.shortlist(was.Shortlist); err != nil {
		return r, err
	}
	if r.Kept, err = j.kept(was); err != nil {
		return r, err
	}
	r.Front, err = j.front(was, r.Parents)
	return r, err
}

func (j judge) trial(id mergesearch.CandidateID) (store.Trial, error) {
	t, ok := j.trials[id]
	if !ok {
		return t, fmt.Errorf("no candidate %s", id)
	}
	return t, nil
}

// found is a trial's score on the search items, with the fitness that it measured.
func (j judge) found(t store.Trial) (mergesearch.Score, error) {
	a := j.Answers[t.RecipeID]
	s, err := j.b.Score(a.On(mergesearch.SearchSplit), a.Fingerprint)
	s.Layers, s.Cost, s.Violation = t.Score.Layers, t.Score.Cost, t.Score.Violation
	return s, err
}

func (j judge) finalist(was mergesearch.Finalist) (mergesearch.Finalist, error) {
	t, err := j.trial(was.Candidate)
	if err != nil {
		return mergesearch.Finalist{}, err
	}
	f := mergesearch.Finalist{Name: was.Name, Candidate: t.ID(), RecipeID: t.RecipeID, Recipe: t.Recipe}
	if was.Recipe.ID() == t.RecipeID {
		f.Recipe = was.Recipe // the order of its models, which the trial does not keep
	}
	if f.Search, err = j.found(t); err != nil {
		return f, fmt.Errorf("%s: %w", t.ID(), err)
	}
	a := j.Answers[t.RecipeID]
	if f.HeldOut, err = j.b.Score(a.On(mergesearch.HeldOutSplit), a.Fingerprint); err != nil {
		return f, fmt.Errorf("%s: %w", t.ID(), err)
	}
	return f, nil
}

func (j judge) against(winner mergesearch.Finalist, was []mergesearch.Finalist) ([]mergesearch.Finalist, []mergesearch.Comparison, error) {
	var finalists []mergesearch.Finalist
	var gains []mergesearch.Comparison
	for _, w := range was {
		f, err := j.finalist(w)
		if err != nil {
			return nil, nil, err
		}
		mine, theirs := j.Answers[winner.RecipeID], j.Answers[f.RecipeID]
		first := mine.On(mergesearch.HeldOutSplit)
		c := mergesearch.Comparison{PValue: 1, Items: len(first)}
		if mine.Fingerprint != theirs.Fingerprint {
			if c, err = (eval.Judge{Benchmark: j.b}).Compare(first, theirs.On(mergesearch.HeldOutSplit)); err != nil {
				return nil, nil, fmt.Errorf("%s: %w", f.Name, err)
			}
		}
		finalists, gains = append(finalists, f), append(gains, c)
	}
	return finalists, gains, nil
}

// verdict names the best parent and the best of the usual recipes, and says whether
// the winner is ahead.
func (j judge) verdict(r *mergesearch.Result) error {
	best, most := -1, 0.0
	for i, f := range r.Parents {
		a := j.Answers[f.RecipeID]
		s, err := j.b.Score(append(a.On(mergesearch.SearchSplit), a.On(mergesearch.ValidationSplit)...), a.Fingerprint)
		if err != nil {
			return err
		}
		if best < 0 || s.Fitness > most {
			best, most = i, s.Fitness
		}
	}
	if best < 0 {
		return fmt.Errorf("a result without parents")
	}
	behind := func(c mergesearch.Comparison) bool { return !c.Ahead() }
	r.BestParent = r.Parents[best].Name
	r.Verdict = mergesearch.Verdict{BeatsBestParent: !slices.ContainsFunc(r.AgainstParents, behind), Comparison: r.AgainstParents[best]}
	var usual []int
	for i := range r.Baselines {
		usual = append(usual, i)
	}
	slices.SortStableFunc(usual, func(a, b int) int {
		x, y := j.steered(r.Baselines[a]), j.steered(r.Baselines[b])
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	if len(usual) > 0 {
		r.BestBaseline = r.Baselines[usual[0]].Name
	}
	return nil
}

// steered is the merit by which the search ranked a finalist.
func (j judge) steered(f mergesearch.Finalist) float64 { return j.trials[f.Candidate].Score.Merit() }

func (j judge) shortlist(was []mergesearch.Shortlisted) ([]mergesearch.Shortlisted, error) {
	var out []mergesearch.Shortlisted
	var outcomes [][]mergesearch.Outcome
	for _, w := range was {
		t, err := j.trial(w.Candidate)
		if err != nil {
			return nil, err
		}
		x := mergesearch.Shortlisted{Name: w.Name, Candidate: t.ID(), RecipeID: t.RecipeID}
		a := j.Answers[t.RecipeID]
		on := a.On(mergesearch.ValidationSplit)
		if x.Search, err = j.found(t); err != nil {
			return nil, fmt.Errorf("%s: %w", t.ID(), err)
		}
		if x.Validation, err = j.b.Score(on, a.Fingerprint); err != nil {
			return nil, fmt.Errorf("%s: %w", t.ID(), err)
		}
		if len(outcomes) > 0 && len(on) != len(outcomes[0]) {
			return nil, fmt.Errorf("%s: %d validation answers, others have %d", t.ID(), len(on), len(outcomes[0]))
		}
		out, outcomes = append(out, x), append(outcomes, on)
	}
	for i, share := range search.BestShares(j.b, outcomes, j.Run.Seed) {
		out[i].BestShare = share
	}
	return out, nil
}

func (j judge) kept(was mergesearch.Result) ([]mergesearch.Kept, error) {
	var out []mergesearch.Kept
	value := func(f mergesearch.Finalist, task string) (float64, error) {
		s, err := j.finalist(f)
		for _, t := range s.HeldOut.Tasks {
			if t.Task == task {
				return t.Value, err
			}
		}
		return 0, fmt.Errorf("constraint: no task %s (%w)", task, err)
	}
	for _, k := range was.Kept {
		i := slices.IndexFunc(was.Parents, func(f mergesearch.Finalist) bool { return f.Name == k.Parent })
		if i < 0 {
			return nil, fmt.Errorf("constraint: no parent %s", k.Parent)
		}
		x := mergesearch.Kept{Constraint: k.Constraint}
		var err error
		if x.Value, err = value(was.Best, k.Task); err != nil {
			return nil, err
		}
		if x.Reference, err = value(was.Parents[i], k.Task); err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

// front computes the front of a run with several objectives. Whom the gains are over
// is taken from the record, as is what the members were chosen by.
func (j judge) front(was mergesearch.Result, parents []mergesearch.Finalist) (*mergesearch.Front, error) {
	if was.Front == nil {
		return nil, nil
	}
	w := was.Front
	f := &mergesearch.Front{Objectives: w.Objectives, BestParents: w.BestParents}
	var points, theirs [][]float64
	objectives := j.b.TaskObjectives()
	if len(w.BestParents) != len(objectives) {
		return nil, fmt.Errorf("front: %d best parents for %d objectives", len(w.BestParents), len(objectives))
	}
	for _, m := range w.Members {
		x := mergesearch.FrontMember{Chosen: m.Chosen}
		var err error
		if x.Finalist, err = j.finalist(m.Finalist); err != nil {
			return nil, err
		}
		x.Measures = j.b.Measures(j.b.Steer(x.HeldOut, x.Search.Layers, nil))
		for i, o := range objectives {
			k := slices.IndexFunc(parents, func(p mergesearch.Finalist) bool { return p.Name == w.BestParents[i] })
			if k < 0 {
				return nil, fmt.Errorf("front: no parent %s", w.BestParents[i])
			}
			c, err := eval.Judge{Benchmark: mergesearch.Benchmark{Tasks: o.Tasks}}.Compare(j.ofTasks(x.RecipeID, o), j.ofTasks(parents[k].RecipeID, o))
			if err != nil {
				return nil, err
			}
			x.Gains = append(x.Gains, c)
		}
		var point []float64
		for _, v := range x.Measures {
			point = append(point, v.Value)
		}
		f.Members, points = append(f.Members, x), append(points, point)
	}
	for _, p := range parents {
		theirs = append(theirs, j.b.Objectives(j.b.Steer(p.HeldOut, p.Search.Layers, nil)))
	}
	if len(points) == 0 || len(theirs) == 0 {
		return nil, fmt.Errorf("front: empty")
	}
	f.Reference = make([]float64, len(points[0]))
	for i := len(objectives); i < len(f.Reference); i++ {
		for _, p := range theirs {
			f.Reference[i] = min(f.Reference[i], 1.1*p[i])
		}
	}
	f.Hypervolume, f.ParentHypervolume = pareto.Hypervolume(points, f.Reference), pareto.Hypervolume(theirs, f.Reference)
	return f, nil
}

// ofTasks returns a recipe's held-out outcomes of an objective's tasks.
func (j judge) ofTasks(id mergesearch.RecipeID, o mergesearch.Objective) []mergesearch.Outcome {
	return slices.DeleteFunc(j.Answers[id].On(mergesearch.HeldOutSplit), func(x mergesearch.Outcome) bool {
		return !slices.ContainsFunc(o.Tasks, func(t mergesearch.TaskWeight) bool { return t.Task == x.Item.Task() })
	})
}
