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
	RelatedMoves = relatedMoves
	SharedSteps  = sharedSteps
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

// archiveOf wraps rows as residents whose fitness is their weighted mean.
func archiveOf(rows [][]float64, share []float64) []resident {
	var out []resident
	for i, row := range rows {
		r := resident{trial: mergesearch.Trial{Index: i, State: mergesearch.Scored}, row: row}
		for j, v := range row {
			r.trial.Score.Fitness += share[j] * v
		}
		out = append(out, r)
	}
	return out
}

func SharedCredit(rows [][]float64, share []float64, alpha float64) []float64 {
	return sharedCredit(archiveOf(rows, share), share, alpha)
}

func Attraction(rows [][]float64, share []float64, x int) []float64 {
	return attraction(archiveOf(rows, share), share, x)
}

// Residents lists the recipes of an archive.
func Residents(a Algorithm) (out []mergesearch.RecipeID) {
	var archive []resident
	switch a := a.(type) {
	case *DNS:
		archive = a.archive
	case *M2N2:
		archive = a.archive
	}
	for _, r := range archive {
		out = append(out, r.trial.RecipeID)
	}
	return out
}

func DominatedNovelty(rows [][]float64, share []float64, k int) []float64 {
	return dominatedNovelty(archiveOf(rows, share), share, k)
}

func Mix(s *mergesearch.Space, x, y mergesearch.Genome, ratio float64, split int) mergesearch.Genome {
	b := newBreeder(s, 1, "mix", 1)
	g, _ := b.mix(x, y, ratio, split)
	return g
}
