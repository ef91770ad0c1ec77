package search

import "mergesearch"

// Random proposes genomes drawn uniformly from the space: the honest baseline
// that every other algorithm has to beat at equal answers. It ignores what it is
// told and never finishes by itself.
type Random struct {
	space  *mergesearch.Space
	seed   uint64
	cohort int
	asked  int
	round  int
}

// NewRandom returns a random search that asks cohorts of the given size, at
// least 1; it is the number of candidates that race against each other.
func NewRandom(space *mergesearch.Space, seed uint64, cohort int) (*Random, error) {
	if cohort < 1 {
		return nil, &mergesearch.InputError{Field: "cohort", Problem: "must be at least 1"}
	}
	return &Random{space: space, seed: seed, cohort: cohort}, nil
}

// Ask draws the next cohort. Individual k of a run depends on the seed and k alone.
func (r *Random) Ask() []mergesearch.Individual {
	r.round++
	out := make([]mergesearch.Individual, r.cohort)
	for i := range out {
		out[i] = mergesearch.Individual{
			Genome:     uniform(r.space, stream(r.seed, "random", uint64(r.asked))),
			Generation: r.round,
			Operator:   "random",
		}
		r.asked++
	}
	return out
}

// Tell does nothing.
func (r *Random) Tell([]mergesearch.Trial) {}
