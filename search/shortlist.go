package search

import (
	"slices"

	"mergesearch"
)

// shortlist returns the best trials on all search items, best first, each recipe
// once and parents left out, and on top of their number those of unselected that
// are not among them. With several objectives it is the front.
func (l *loop) shortlist() []*attempt {
	listed := map[mergesearch.RecipeID]bool{}
	for _, p := range l.parents {
		listed[p.trial.RecipeID] = true
	}
	pool := scoredOf(l.trials)
	slices.SortStableFunc(pool, attemptsByRank)
	pool = slices.DeleteFunc(pool, func(a *attempt) bool {
		again := listed[a.trial.RecipeID]
		listed[a.trial.RecipeID] = true
		return again
	})
	n := orElse(l.Shortlist, 8)
	if l.Benchmark.Several() {
		return l.frontier(pool, n)
	}
	unselected := l.unselected()
	var out []*attempt
	for i, a := range pool {
		if i < n || slices.ContainsFunc(unselected, a.same) {
			out = append(out, a)
		}
	}
	return out
}

// unselected returns those that no search score was the highest of many for: what
// the algorithm recommends, and the best of the usual recipes.
func (l *loop) unselected() []*attempt {
	var out []*attempt
	if l.recommended != nil {
		out = scoredOf([]*attempt{l.recommended})
	}
	baselines := scoredOf(l.baselines)
	if len(baselines) > 0 {
		slices.SortStableFunc(baselines, attemptsByRank)
		out = append(out, baselines[0])
	}
	return out
}

// attemptsByRank orders attempts by outranks, best first.
func attemptsByRank(a, b *attempt) int { return byRank(a.trial, b.trial) }

// same reports whether two trials are of one recipe.
func (a *attempt) same(b *attempt) bool { return a.trial.RecipeID == b.trial.RecipeID }

// choose sorts the shortlist, which answered validation items: the winner comes
// first, then those that take its place if it cannot answer held-out items.
//
// They are ranked by their fitness over search and validation items taken together:
// validation items alone are few. But search items flatter whoever was selected on
// them, so the first must also be ahead on validation items alone of those that
// were not selected: otherwise what looks better is luck, and the best of these wins.
func (l *loop) choose(shortlist []*attempt, validation []mergesearch.ItemID) ([]*attempt, error) {
	finalists, err := l.rankSteered(shortlist, validation, slices.Concat(l.rungs[len(l.rungs)-1], validation))
	if err != nil || len(finalists) == 0 {
		return finalists, err
	}
	var fair []*attempt
	unselected := l.unselected()
	if slices.ContainsFunc(unselected, finalists[0].same) {
		return finalists, nil
	}
	for _, a := range finalists[1:] {
		if slices.ContainsFunc(unselected, a.same) {
			fair = append(fair, a)
		}
	}
	if fair, err = l.rankSteered(append(fair, finalists[0]), validation, validation); err != nil {
		return nil, err
	}
	k := slices.Index(finalists, fair[0])
	return slices.Concat(finalists[k:k+1], finalists[:k], finalists[k+1:]), nil
}

// rankSteered is rank with costs and constraints taken in.
func (l *loop) rankSteered(attempts []*attempt, asked, on []mergesearch.ItemID) ([]*attempt, error) {
	ranked, err := l.rank(attempts, asked, on)
	if err != nil {
		return nil, err
	}
	return l.byMerit(ranked, on)
}

// resamples is the number of bootstrap resamples behind Shortlisted.BestShare.
const resamples = 1000

// describe says of the shortlist, in this order, how it did on validation items, and
// how often each would have been the best there if other items had been drawn: the
// bootstrap within tasks, with the same draws for all.
func (l *loop) describe(shortlist []*attempt, validation []mergesearch.ItemID) ([]mergesearch.Shortlisted, error) {
	var out []mergesearch.Shortlisted
	var outcomes [][]mergesearch.Outcome
	for _, a := range shortlist {
		search, err := l.found(a)
		if err != nil {
			return nil, err
		}
		s, err := l.Benchmark.Score(a.answers.on(validation), a.answers.fingerprint)
		if err != nil {
			return nil, err
		}
		name := a.trial.Name
		if l.recommended != nil && a.same(l.recommended) {
			name = "recommendation"
		}
		out = append(out, mergesearch.Shortlisted{
			Name: name, Candidate: a.trial.ID(), RecipeID: a.trial.RecipeID, Search: search, Validation: s,
		})
		outcomes = append(outcomes, a.answers.on(validation))
	}
	for i, share := range BestShares(l.Benchmark, outcomes, l.Seed) {
		out[i].BestShare = share
	}
	return out, nil
}

// BestShares returns for each model, of which all answered the same items in one
// order, the share of resamples in which its fitness is the highest. Equal ones share
// a resample.
func BestShares(b mergesearch.Benchmark, models [][]mergesearch.Outcome, seed uint64) []float64 {
	shares := make([]float64, len(models))
	if len(models) == 0 {
		return shares
	}
	places := make([][]int, len(b.Tasks)) // of each task's items
	for at, o := range models[0] {
		task := slices.IndexFunc(b.Tasks, func(t mergesearch.TaskWeight) bool { return t.Task == o.Item.Task() })
		places[task] = append(places[task], at)
	}
	rng := stream(seed, "shortlist")
	fitness := make([]float64, len(models))
	for range resamples {
		for m := range fitness {
			fitness[m] = 0
		}
		worst := slices.Repeat([]float64{1}, len(models))
		for task, items := range places {
			values := make([]float64, len(models))
			for range items {
				at := items[rng.Intn(len(items))]
				for m := range models {
					values[m] += models[m][at].Value
				}
			}
			for m := range models {
				fitness[m] += b.Tasks[task].Weight * values[m] / float64(len(items))
				worst[m] = min(worst[m], values[m]/float64(len(items)))
			}
		}
		if b.Aim == mergesearch.WorstTask {
			copy(fitness, worst)
		}
		best, ties := slices.Max(fitness), 0.0
		for _, f := range fitness {
			if f >= best-1e-12 {
				ties++
			}
		}
		for m, f := range fitness {
			if f >= best-1e-12 {
				shares[m] += 1 / (ties * resamples)
			}
		}
	}
	return shares
}
