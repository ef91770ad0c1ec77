package search

import (
	"math/rand"
	"strings"

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

// owner is what the numbers that share a level belong to: all groups of a parameter
// and expert, in one block of layers or one slot of a path.
type owner struct {
	parameter, expert, block string
	slot                     int
}

func ownerOf(g mergesearch.Gene) owner { return owner{g.Parameter, g.Expert, g.Block, g.Slot} }

// structured draws a genome in which the genes of one parameter and expert share
// a level, uniform over the range, from which each group departs by a normal
// step of jitter times the range. Where layers want similar coefficients, which
// they mostly do, such draws reach far better points than independent ones: a
// mean over many independent genes hardly leaves the middle of the range.
// Choices are uniform, those of blocks and slots around a shared one; factors of
// slots lie around their default. pin, if not nil, may set some choices.
func structured(s *mergesearch.Space, jitter float64, rng *rand.Rand, pin func(mergesearch.Genome)) mergesearch.Genome {
	levels := map[owner]float64{}
	shared := sharedChoices{}
	g := make(mergesearch.Genome, len(s.Genes))
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice {
			g[i] = shared.draw(s, gene, rng)
			continue
		}
		if gene.Slot > 0 {
			g[i] = gene.Default + jitter*rng.NormFloat64()*(gene.Max-gene.Min)
			continue
		}
		o := ownerOf(gene)
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

// sharedChoices holds the common option of each family of choices, and the odds
// that one departs from it.
type sharedChoices map[string]struct{ option, depart float64 }

// draw draws an option. Blocks depart from the first one's with odds 1/2, slots
// from the layer of one model so that one to three do, or half of few: a path of
// independent slots is hardly ever a language model (SMM-Bench, arXiv 2509.02555).
func (c sharedChoices) draw(s *mergesearch.Space, gene mergesearch.Gene, rng *rand.Rand) float64 {
	family := familyOf(gene)
	common, known := c[family]
	switch {
	case family == "":
	case !known && gene.Slot > 0:
		common.option = float64(rng.Intn(len(s.Path.Models)))
		common.depart = min(0.5, (1+2*rng.Float64())/float64(s.Layers))
		c[family] = common
	case !known:
		common.option, common.depart = float64(rng.Intn(len(gene.Options))), 0.5
		c[family] = common
		return common.option
	}
	if family != "" && rng.Float64() >= common.depart {
		return common.option
	}
	return float64(rng.Intn(len(gene.Options)))
}

// familyOf names the choices that have the same options in each block, or in each
// slot of a path; "" for a choice that stands alone. A family stands together in
// the order of the space.
func familyOf(gene mergesearch.Gene) string {
	switch {
	case gene.Slot > 0:
		return "slots"
	case gene.Block != "":
		return strings.TrimSuffix(gene.Name, "."+gene.Block)
	}
	return ""
}

// copyChoices sets the choices of g to those of from.
func copyChoices(s *mergesearch.Space, g, from mergesearch.Genome) {
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice {
			g[i] = from[i]
		}
	}
}
