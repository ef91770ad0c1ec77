package search

import (
	"slices"

	"mergesearch"
)

// Near proposes genomes around the usual recipes: each a copy of the best of them
// three times in four, else of any of them, with normal departures in its real genes.
// What it recommends is the mean of the best tenth of what departed from the best recipe.
// That mean is worth far more than the best candidate, which is best by luck; it
// beats several published defaults and is what others have to beat at equal
// answers. It never finishes by itself.
type Near struct {
	space  *mergesearch.Space
	seed   uint64
	cohort int
	spread float64 // standard deviation of the departures, as a share of the ranges

	starts      []mergesearch.Genome // usual recipes, best first
	coordinates coordinates
	members     []mergesearch.Trial // that departed from the best start
	asked       []int               // starts of the cohort
	told        bool
	round       int
}

var _ Recommender = (*Near)(nil)

// NewNear returns a search with cohorts of the given size, at least 1, and
// departures of that share of each range, above 0.
func NewNear(space *mergesearch.Space, seed uint64, cohort int, spread float64) (*Near, error) {
	if cohort < 1 {
		return nil, &mergesearch.InputError{Field: "algorithm.population", Problem: "must be at least 1"}
	}
	if !(spread > 0) {
		return nil, &mergesearch.InputError{Field: "algorithm.spread", Problem: "must be positive"}
	}
	return &Near{space: space, seed: seed, cohort: cohort, spread: spread, coordinates: newCoordinates(space)}, nil
}

// Tell keeps the usual recipes, then what departed from the best of them.
func (a *Near) Tell(trials []mergesearch.Trial) {
	if !a.told {
		a.told = true
		a.starts = usualStarts(a.space, trials)
		return
	}
	for k, t := range trials {
		if _, ok := t.Member(); ok && a.asked[k] == 0 {
			a.members = append(a.members, t)
		}
	}
}

// usualStarts returns the genomes of the usual recipes that have a fitness, best
// first and each once; without any the default of the space.
func usualStarts(space *mergesearch.Space, trials []mergesearch.Trial) []mergesearch.Genome {
	var usual []mergesearch.Trial
	for _, t := range trials {
		if _, ok := t.Member(); ok && t.Individual.Genome != nil {
			usual = append(usual, t)
		}
	}
	slices.SortStableFunc(usual, byRank)
	var out []mergesearch.Genome
	for _, t := range usual {
		if !slices.ContainsFunc(out, t.Individual.Genome.Equal) {
			out = append(out, t.Individual.Genome)
		}
	}
	if len(out) == 0 {
		out = append(out, space.Normalize(space.Default()))
	}
	return out
}

// Ask draws the next cohort: at least about three quarters of it around the best
// recipe.
func (a *Near) Ask() []mergesearch.Individual {
	a.round++
	out := make([]mergesearch.Individual, a.cohort)
	a.asked = make([]int, a.cohort)
	for k := range out {
		rng := stream(a.seed, "near", uint64(a.round), uint64(k))
		if rng.Intn(4) == 0 {
			a.asked[k] = rng.Intn(len(a.starts))
		}
		start := a.starts[a.asked[k]]
		x := a.coordinates.point(start)
		for j := range x {
			x[j] += a.spread * rng.NormFloat64()
		}
		out[k] = mergesearch.Individual{Genome: a.coordinates.genome(x, start), Generation: a.round, Operator: "near"}
	}
	return out
}

// Recommend returns the mean of the best tenth, two at least.
func (a *Near) Recommend() (mergesearch.Individual, bool) {
	if len(a.members) < 2 {
		return mergesearch.Individual{}, false
	}
	best := slices.Clone(a.members)
	slices.SortStableFunc(best, byRank)
	best = best[:max(2, len(best)/10)]
	mean := make([]float64, len(a.coordinates.genes))
	var parents []mergesearch.CandidateID
	for _, t := range best {
		for j, v := range a.coordinates.point(t.Individual.Genome) {
			mean[j] += v / float64(len(best))
		}
		parents = append(parents, t.ID())
	}
	return mergesearch.Individual{
		Genome: a.coordinates.genome(mean, a.starts[0]), Generation: a.round, Operator: "mean", Parents: parents,
	}, true
}
