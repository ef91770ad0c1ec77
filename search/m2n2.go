package search

import (
	"math"
	"slices"

	"mergesearch"
)

// M2N2Settings tunes natural niches. DefaultM2N2 is the place to start.
type M2N2Settings struct {
	Population int     // residents of the archive; a larger one starts slower and ends better
	Start      int     // individuals without parents that are asked first, the experts among them
	Alpha      float64 // how much credit is shared: 0 not at all, 1 fully, above 1 fighting costs
	Attraction bool    // whether the second parent is drawn for what the first one lacks
	Mutation   float64 // odds that a child is mutated
	Lookahead  int     // children asked before the first is told
}

// DefaultM2N2 returns the published settings where they carry over: full sharing
// and an archive of the published size. Attraction is off and children are
// mutated, since coefficients, unlike whole weights, leave little to mix.
func DefaultM2N2() M2N2Settings {
	return M2N2Settings{Population: 20, Start: 20, Alpha: 1, Mutation: 0.7, Lookahead: DefaultLookahead}
}

// With returns the settings with what a run file says.
func (m M2N2Settings) With(s Settings) M2N2Settings {
	m.Population, m.Lookahead = orElse(s.Population, m.Population), orElse(s.Lookahead, m.Lookahead)
	m.Attraction = m.Attraction || s.Attraction
	return m
}

// M2N2 is "model merging of natural niches" (Abrantes, Lange and Tang 2025, arXiv
// 2508.16204) in the space of coefficients. A resident earns credit on every item
// that it solves, shared with all others that solve it too, so that a model that
// alone solves rare items stays although its mean is low. Children are mixes of
// two residents with a ratio and a split point: the coefficients of the layers
// before the split lean to one parent, those after it to the other.
//
// It is a steady state: one child at a time. Residents have answered the same
// items, all search items; others are not let in.
type M2N2 struct {
	breeder
	settings  M2N2Settings
	responses *responses
	archive   []resident
}

// NewM2N2 checks the settings.
func NewM2N2(space *mergesearch.Space, b mergesearch.Benchmark, seed uint64, s M2N2Settings) (*M2N2, error) {
	if err := checkArchive(s.Population, s.Lookahead); err != nil {
		return nil, err
	}
	if !(s.Alpha >= 0) || !(s.Mutation >= 0 && s.Mutation <= 1) || s.Start < 0 {
		return nil, &mergesearch.InputError{Field: "algorithm", Problem: "alpha and start cannot be negative, and mutation is a share"}
	}
	return &M2N2{breeder: newBreeder(space, seed, "m2n2", s.Lookahead), settings: s, responses: newResponses(b)}, nil
}

// Ask proposes one child.
func (a *M2N2) Ask() []mergesearch.Individual {
	k, rng := a.next()
	if k < a.settings.Start || len(a.archive) < 2 {
		return a.cohort(a.founder(k, rng), rng)
	}
	fitness := sharedCredit(a.archive, a.responses.share, a.settings.Alpha)
	x := roulette(fitness, rng)
	odds := fitness
	if a.settings.Attraction {
		if g := attraction(a.archive, a.responses.share, x); slices.Max(g) > 0 {
			odds = g
		}
	}
	y := roulette(odds, rng)
	child := a.child(a.archive[x], a.archive[y], rng)
	if rng.Float64() < a.settings.Mutation {
		a.mutate(&child, rng)
	}
	return a.cohort(child, rng)
}

// Tell lets the trials compete for the archive.
func (a *M2N2) Tell(trials []mergesearch.Trial) {
	a.begin(trials)
	for _, t := range trials {
		a.archive = a.responses.admit(a.archive, t)
		if len(a.archive) <= a.settings.Population {
			continue
		}
		worst, least := 0, math.Inf(1)
		for i, f := range sharedCredit(a.archive, a.responses.share, a.settings.Alpha) {
			if f <= least { // of equals the newest leaves
				worst, least = i, f
			}
		}
		a.archive = slices.Delete(a.archive, worst, worst+1)
	}
}

// credit keeps a division by an item's competition finite.
const credit = 1e-9

// sharedCredit returns the fitness of each resident: the sum over items j of
// c_j s_ij / z_j^alpha, where z_j is how much all residents together have of item
// j and c_j, its capacity, is the most that one has. With alpha 1 an item is worth
// c_j for all its solvers together, with alpha 0 each has it for itself. Items
// count by their share in the fitness of the run.
func sharedCredit(archive []resident, share []float64, alpha float64) []float64 {
	out := make([]float64, len(archive))
	capacity, competition := crowd(archive, len(share))
	for j := range share {
		worth := share[j] * capacity[j] / (math.Pow(competition[j], alpha) + credit)
		for i, r := range archive {
			out[i] += worth * r.row[j]
		}
	}
	return out
}

// attraction returns how much each resident has of what resident x lacks: the sum
// over items j of c_j / z_j max(0, s_ij - s_xj).
func attraction(archive []resident, share []float64, x int) []float64 {
	out := make([]float64, len(archive))
	capacity, competition := crowd(archive, len(share))
	for j := range share {
		worth := share[j] * capacity[j] / (competition[j] + credit)
		for i, r := range archive {
			out[i] += worth * max(0, r.row[j]-archive[x].row[j])
		}
	}
	return out
}

// crowd returns for each item the most that a resident has of it and what all have
// together.
func crowd(archive []resident, items int) (most, sum []float64) {
	most, sum = make([]float64, items), make([]float64, items)
	for _, r := range archive {
		for j, v := range r.row {
			most[j] = max(most[j], v)
			sum[j] += v
		}
	}
	return most, sum
}
