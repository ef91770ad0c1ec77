package search

import (
	"cmp"
	"context"
	"math"
	"slices"

	"mergesearch"
	"mergesearch/search/pareto"
)

// pick returns the values at the given places.
func pick[T any](from []T, at []int) []T {
	out := make([]T, len(at))
	for k, i := range at {
		out[k] = from[i]
	}
	return out
}

// frontier returns those of a pool, best first, that no other of it dominates on
// all search items. Where they are more than n, the best comes first and then, one
// by one, whoever adds most to the hypervolume.
func (l *loop) frontier(pool []*attempt, n int) []*attempt {
	first := Front(l.Benchmark, trialsOf(pool))
	if len(first) <= n {
		return pick(pool, first)
	}
	points := make([][]float64, len(pool))
	for i, a := range pool {
		points[i] = l.Benchmark.Objectives(a.trial.Score)
	}
	reference := l.reference(scoresOf(scoredOf(l.parents)))
	chosen := [][]float64{points[first[0]]}
	out, rest := []*attempt{pool[first[0]]}, first[1:]
	for len(out) < n {
		best, most := 0, -1.0
		for k, i := range rest {
			if v := pareto.Hypervolume(append(slices.Clone(chosen), points[i]), reference); v > most {
				best, most = k, v
			}
		}
		out, chosen = append(out, pool[rest[best]]), append(chosen, points[rest[best]])
		rest = slices.Delete(slices.Clone(rest), best, best+1)
	}
	return out
}

// reference is the point from which hypervolumes are counted, by the parents' scores
// on the items in question.
func (l *loop) reference(parents []mergesearch.Score) []float64 {
	out := make([]float64, len(l.Benchmark.Objectives(parents[0])))
	for i := len(l.Benchmark.TaskObjectives()); i < len(out); i++ {
		for _, s := range parents {
			out[i] = min(out[i], 1.1*l.Benchmark.Objectives(s)[i])
		}
	}
	return out
}

func scoresOf(attempts []*attempt) []mergesearch.Score {
	out := make([]mergesearch.Score, len(attempts))
	for i, a := range attempts {
		out[i] = a.trial.Score
	}
	return out
}

// byMerit sorts finalists by their fitness with costs and constraints on items that
// they answered; without any they stay in order.
func (l *loop) byMerit(finalists []*attempt, items []mergesearch.ItemID) ([]*attempt, error) {
	if len(l.Benchmark.Constraints)+len(l.Benchmark.Costs) == 0 {
		return finalists, nil
	}
	scores, err := l.steerAll(finalists, items)
	if err != nil {
		return nil, err
	}
	merit := map[*attempt]float64{}
	for i, a := range finalists {
		merit[a] = scores[i].Merit()
	}
	out := slices.Clone(finalists)
	slices.SortStableFunc(out, func(a, b *attempt) int { return cmp.Compare(merit[b], merit[a]) })
	return out, nil
}

// steerAll scores attempts on items that they answered, with costs and constraints.
func (l *loop) steerAll(attempts []*attempt, items []mergesearch.ItemID) ([]mergesearch.Score, error) {
	references, err := l.referencesOn(items)
	if err != nil {
		return nil, err
	}
	out := make([]mergesearch.Score, len(attempts))
	for i, a := range attempts {
		if out[i], err = l.steer(a, items, references); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// front fills in the front of a run with several objectives. Finalists are the
// frontier, the winner first, as far as they answered validation items.
func (l *loop) front(ctx context.Context, r *mergesearch.Result, finalists []*attempt) error {
	if !l.Benchmark.Several() {
		return nil
	}
	validation := idsOf(l.Scorer.Items(mergesearch.ValidationSplit))
	heldOut := idsOf(l.Scorer.Items(mergesearch.HeldOutSplit))
	chosen := slices.Concat(l.rungs[len(l.rungs)-1], validation)
	able := slices.DeleteFunc(slices.Clone(finalists), func(a *attempt) bool { return a.answers.failed(heldOut) })
	members, err := l.undominated(able, chosen)
	if err != nil {
		return err
	}
	if err := l.examine(ctx, mergesearch.HeldOutSplit, heldOut, members); err != nil {
		return err
	}
	unable := func(a *attempt) bool { return len(a.answers.missing(heldOut)) > 0 }
	members = slices.DeleteFunc(members, unable)
	parents := slices.DeleteFunc(scoredOf(l.parents), unable)
	f := &mergesearch.Front{}
	rivals, err := l.rivals(parents, validation)
	if err != nil {
		return err
	}
	for _, a := range rivals {
		f.BestParents = append(f.BestParents, a.trial.Name)
	}
	before, err := l.steerAll(members, chosen)
	if err != nil {
		return err
	}
	for i, a := range members {
		m, err := l.frontMember(a, rivals, heldOut)
		if err != nil {
			return err
		}
		m.Chosen = l.Benchmark.Measures(before[i])
		f.Members = append(f.Members, m)
	}
	for _, m := range f.Members[0].Measures {
		f.Objectives = append(f.Objectives, m.Name)
	}
	if err := l.volumes(f, parents, heldOut); err != nil {
		return err
	}
	r.Front = f
	return nil
}

// undominated returns those of the finalists that no other dominates on the items,
// by their first objective, and the winner, the first of them, in any case.
func (l *loop) undominated(finalists []*attempt, items []mergesearch.ItemID) ([]*attempt, error) {
	scores, err := l.steerAll(finalists, items)
	if err != nil {
		return nil, err
	}
	points, violations := make([][]float64, len(scores)), make([]float64, len(scores))
	for i, s := range scores {
		points[i], violations[i] = l.Benchmark.Objectives(s), s.Violation
	}
	first := pareto.Constrained(points, violations)[0]
	if !slices.Contains(first, 0) {
		first = append(first, 0)
	}
	slices.SortStableFunc(first, func(i, j int) int { return slices.Compare(points[j], points[i]) })
	return pick(finalists, first), nil
}

// rivals returns for each objective of tasks the parent that is best at it.
func (l *loop) rivals(parents []*attempt, validation []mergesearch.ItemID) ([]*attempt, error) {
	out := make([]*attempt, len(l.Benchmark.TaskObjectives()))
	most := make([]float64, len(out))
	for _, a := range parents {
		if a.answers.failed(validation) {
			continue
		}
		s, err := l.Benchmark.Score(a.answers.on(validation), a.answers.fingerprint)
		if err != nil {
			return nil, err
		}
		for i, v := range l.Benchmark.Objectives(s)[:len(out)] {
			if out[i] == nil || v > most[i] {
				out[i], most[i] = a, v
			}
		}
	}
	return out, nil
}

// frontMember scores a member on held-out items and compares it, objective by
// objective, with the parent that is best there.
func (l *loop) frontMember(a *attempt, rivals []*attempt, heldOut []mergesearch.ItemID) (mergesearch.FrontMember, error) {
	f, err := l.finalist("", a, heldOut)
	if err != nil {
		return mergesearch.FrontMember{}, err
	}
	m := mergesearch.FrontMember{Finalist: f, Measures: l.Benchmark.Measures(l.Benchmark.Steer(f.HeldOut, a.trial.Recipe.Depth(l.Layers), nil))}
	for i, o := range l.Benchmark.TaskObjectives() {
		items := slices.DeleteFunc(slices.Clone(heldOut), func(id mergesearch.ItemID) bool {
			return !slices.ContainsFunc(o.Tasks, func(t mergesearch.TaskWeight) bool { return t.Task == id.Task() })
		})
		judge := l.JudgeOf(mergesearch.Benchmark{Tasks: o.Tasks})
		c, err := judge.Compare(a.answers.on(items), rivals[i].answers.on(items))
		if err != nil {
			return m, err
		}
		m.Gains = append(m.Gains, c)
	}
	return m, nil
}

// volumes fills in the hypervolumes.
func (l *loop) volumes(f *mergesearch.Front, parents []*attempt, heldOut []mergesearch.ItemID) error {
	scores, err := l.steerAll(parents, heldOut)
	if err != nil {
		return err
	}
	var points, theirs [][]float64
	for _, m := range f.Members {
		var point []float64
		for _, x := range m.Measures {
			point = append(point, x.Value)
		}
		points = append(points, point)
	}
	for _, s := range scores {
		theirs = append(theirs, l.Benchmark.Objectives(s))
	}
	f.Reference = l.reference(scores)
	f.Hypervolume = pareto.Hypervolume(points, f.Reference)
	f.ParentHypervolume = pareto.Hypervolume(theirs, f.Reference)
	return nil
}

// checkConstraints says what became of the constraints: the winner on held-out items.
func (l *loop) checkConstraints(r *mergesearch.Result, winner *attempt) error {
	heldOut := idsOf(l.Scorer.Items(mergesearch.HeldOutSplit))
	on := func(a *attempt, task string) (float64, error) {
		if len(a.answers.missing(heldOut)) > 0 {
			return math.NaN(), nil
		}
		s, err := l.Benchmark.Score(a.answers.on(heldOut), a.answers.fingerprint)
		i := slices.IndexFunc(s.Tasks, func(t mergesearch.TaskScore) bool { return t.Task == task })
		if err != nil {
			return 0, err
		}
		return s.Tasks[i].Value, nil
	}
	for i, c := range l.Benchmark.Constraints {
		c.Parent = l.keepers[i].trial.Name
		reference, err := on(l.keepers[i], c.Task)
		if err != nil {
			return err
		}
		if math.IsNaN(reference) {
			continue // it could not answer held-out items; an event says so
		}
		value, err := on(winner, c.Task)
		if err != nil {
			return err
		}
		r.Kept = append(r.Kept, mergesearch.Kept{Constraint: c, Value: value, Reference: reference})
	}
	return nil
}
