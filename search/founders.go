package search

import (
	"math/rand"

	"mergesearch"
)

// founders draws the individuals that an algorithm starts from.
type founders struct {
	space   *mergesearch.Space
	uniform bool    // over the whole space, for comparisons; usual recipes are left aside
	spread  float64 // standard deviation of the levels about a usual recipe, as a share of the range
	jitter  float64 // of the groups about their level, as a share of the range
}

// founder draws individual k of a first cohort: in turn around a shared level and
// around one of the known trials, which are best first; without any, all around
// shared levels, methods in turn.
func (f founders) founder(k, generation int, known []mergesearch.Trial, rng *rand.Rand) mergesearch.Individual {
	if f.uniform {
		return mergesearch.Individual{Genome: uniform(f.space, rng), Generation: generation, Operator: "random"}
	}
	if k%2 == 1 && len(known) > 0 {
		from := known[k/2%len(known)]
		return mergesearch.Individual{
			Genome: f.around(from.Individual.Genome, rng), Generation: generation,
			Operator: "around", Parents: []mergesearch.CandidateID{from.ID()},
		}
	}
	if len(known) > 0 {
		k /= 2
	}
	method := f.space.Gene(mergesearch.MethodGene)
	return mergesearch.Individual{
		Genome: structured(f.space, f.jitter, rng, func(g mergesearch.Genome) {
			if method >= 0 {
				g[method] = float64(k % len(f.space.Methods))
			}
		}),
		Generation: generation, Operator: "draw",
	}
}

// around draws a genome near another of the same choices: the genes of one
// parameter, expert and block move by a shared normal step, and each by one of its
// own; factors of slots by that alone.
func (f founders) around(g mergesearch.Genome, rng *rand.Rand) mergesearch.Genome {
	type owner struct{ parameter, expert, block string }
	steps := map[owner]float64{}
	g = g.Clone()
	for i, gene := range f.space.Genes {
		if gene.Kind == mergesearch.Choice {
			continue
		}
		o := owner{gene.Parameter, gene.Expert, gene.Block}
		step, ok := steps[o]
		if !ok && gene.Slot == 0 {
			step = f.spread * rng.NormFloat64()
			steps[o] = step
		}
		g[i] += (step + f.jitter*rng.NormFloat64()) * (gene.Max - gene.Min)
	}
	return f.space.Normalize(g)
}

// fresh draws until a genome is not known, at most ten times, and makes it known.
// Where a space is too small for that the last draw stands: a genome that is
// asked again costs nothing, since its recipe is known.
func fresh(s *mergesearch.Space, known map[string]bool, draw func() mergesearch.Individual) mergesearch.Individual {
	x := draw()
	for range 9 {
		if !known[s.Canonical(x.Genome)] {
			break
		}
		x = draw()
	}
	known[s.Canonical(x.Genome)] = true
	return x
}
