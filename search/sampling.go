package search

import (
	"math/rand"

	"mergesearch"
)

// uniform draws a genome: each choice uniform over its options, each active real
// gene uniform in its range.
func uniform(s *mergesearch.Space, rng *rand.Rand) mergesearch.Genome {
	g := make(mergesearch.Genome, len(s.Genes))
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice {
			g[i] = float64(rng.Intn(len(gene.Options)))
		} else {
			g[i] = gene.Min + rng.Float64()*(gene.Max-gene.Min)
		}
	}
	return s.Normalize(g)
}

// structured draws a genome in which the genes of one parameter and expert share
// a level, uniform over the range, from which each group departs by a normal
// step of jitter times the range. Where layers want similar coefficients, which
// they mostly do, such draws reach far better points than independent ones: a
// mean over many independent genes hardly leaves the middle of the range.
// Choices are uniform; pin, if not nil, may set some of them.
func structured(s *mergesearch.Space, jitter float64, rng *rand.Rand, pin func(mergesearch.Genome)) mergesearch.Genome {
	type owner struct{ parameter, expert string }
	levels := map[owner]float64{}
	g := make(mergesearch.Genome, len(s.Genes))
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice {
			g[i] = float64(rng.Intn(len(gene.Options)))
			continue
		}
		o := owner{gene.Parameter, gene.Expert}
		level, ok := levels[o]
		if !ok {
			level = rng.Float64()
			levels[o] = level
		}
		g[i] = gene.Min + (level+jitter*rng.NormFloat64())*(gene.Max-gene.Min)
	}
	if pin != nil {
		pin(g)
	}
	return s.Normalize(g)
}

// copyChoices sets the choices of g to those of from.
func copyChoices(s *mergesearch.Space, g, from mergesearch.Genome) {
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice {
			g[i] = from[i]
		}
	}
}
