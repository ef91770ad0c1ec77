package search

import (
	"math/rand"

	"mergesearch"
)

// What the tests of the package see beyond its interface.
var (
	SBX          = sbx
	Polynomial   = polynomial
	Crossover    = crossover
	Uniform      = uniform
	Stream       = stream
	Outranks     = outranks
	BestShares   = bestShares
	RelatedMoves = relatedMoves
)

func (m move) Name() string { return m.name }

func (m move) Sets() [][]int { return m.sets }

func Mutate(s *mergesearch.Space, settings GASettings, g mergesearch.Genome, rng *rand.Rand) (mergesearch.Genome, string) {
	return newMutator(s, settings).mutate(g, rng)
}

func Rungs(r Race, items []mergesearch.Item, seed uint64) [][]mergesearch.ItemID {
	return r.rungs(items, seed)
}

// Contender is a runner of a race.
type Contender struct {
	Trial    mergesearch.Trial
	Outcomes map[mergesearch.ItemID]mergesearch.Outcome
}

func Promote(r Race, b mergesearch.Benchmark, contenders []Contender, items []mergesearch.ItemID) []int {
	var runners []runner
	for _, c := range contenders {
		runners = append(runners, runner{c.Trial, c.Outcomes})
	}
	return r.contenders(b, runners, r.promote(b, runners, items), items)
}

// Parent is one of an island's parents as eaopt sees it.
type Parent struct {
	Genome    mergesearch.Genome
	Trial     *mergesearch.Trial
	Fitness   float64
	Evaluated bool
}

func Parents(a *GA) (out [][]Parent) {
	for _, island := range a.islands {
		var parents []Parent
		for _, p := range island {
			o := p.Genome.(*organism)
			parents = append(parents, Parent{o.genome, o.trial, p.Fitness, p.Evaluated})
		}
		out = append(out, parents)
	}
	return out
}

// Unscored counts the individuals of the last cohort that carry no fitness.
func Unscored(a *GA) (unscored, all int) {
	for _, o := range a.asked {
		if o.trial == nil {
			unscored++
		}
	}
	return unscored, len(a.asked)
}

func Structured(s *mergesearch.Space, jitter float64, rng *rand.Rand) mergesearch.Genome {
	return structured(s, jitter, rng, nil)
}
