package search

import (
	"math"
	"slices"

	"mergesearch"
	"mergesearch/search/cma"
)

// CatCMA is CatCMA with margin over choices and coefficients together. Genes that
// a genome's method does not use say nothing in its name: they neither move the
// distribution nor are moved. A real gene whose grid has few values is an integer
// coordinate, one with two values a choice.
//
// It starts at the usual recipes: each gene at the value of the best one that uses
// it, half of the odds of a choice on what the best one has. A restart goes on
// from the mean with twice the population. The answer is the mean, with the
// likeliest options.
type CatCMA struct {
	space    *mergesearch.Space
	seed     uint64
	settings CMAESSettings

	reals    []int     // genes that are real coordinates, in units of their ranges
	integers []lattice // genes that are integer coordinates
	choices  []lattice

	dist       *cma.CatCMA
	told       bool
	generation int
	asked      []cma.CatPoint
	parents    []mergesearch.CandidateID
	known      map[string]bool
}

// lattice is a gene with few values.
type lattice struct {
	gene   int
	values []float64 // growing
}

// fewValues is the largest grid that is searched as one: beyond it, steps of the
// grid are small against the width of the search.
const fewValues = 24

// NewCatCMA checks the settings. Of them Separable, Adapt, Earlier and Start are
// for CMAES alone.
func NewCatCMA(space *mergesearch.Space, seed uint64, settings CMAESSettings) (*CatCMA, error) {
	if err := settings.check(); err != nil {
		return nil, err
	}
	a := &CatCMA{space: space, seed: seed, settings: settings, known: map[string]bool{}}
	for i, gene := range space.Genes {
		values := latticeOf(gene)
		switch {
		case gene.Kind == mergesearch.Choice && len(values) > 1, len(values) == 2:
			a.choices = append(a.choices, lattice{i, values})
		case len(values) > 2:
			a.integers = append(a.integers, lattice{i, values})
		case gene.Kind == mergesearch.Real && values == nil:
			a.reals = append(a.reals, i)
		}
	}
	if a.size() == 0 {
		return nil, &mergesearch.InputError{Field: "algorithm.name", Problem: "catcma has nothing to search: no gene can vary"}
	}
	return a, nil
}

// latticeOf returns the values that a gene can hold, or nil when they are too many.
func latticeOf(g mergesearch.Gene) []float64 {
	var values []float64
	switch {
	case g.Kind == mergesearch.Choice:
		for o := range g.Options {
			values = append(values, float64(o))
		}
		return values
	case g.Min == g.Max:
		return []float64{g.Min}
	case g.Step == 0 || (g.Max-g.Min)/g.Step > fewValues:
		return nil
	}
	values = append(values, g.Snap(g.Min), g.Snap(g.Max))
	for k := math.Ceil(g.Min / g.Step); k*g.Step <= g.Max; k++ {
		values = append(values, g.Snap(k*g.Step))
	}
	slices.Sort(values)
	return slices.Compact(values)
}

func (a *CatCMA) size() int { return len(a.reals) + len(a.integers) + len(a.choices) }

func (a *CatCMA) population() int {
	return orElse(a.settings.Population, a.settings.Factor*cma.DefaultLambda(a.size()))
}

// Ask draws the next cohort.
func (a *CatCMA) Ask() []mergesearch.Individual {
	a.generation++
	var genomes []mergesearch.Genome
	for attempt := range uint64(restarts) {
		if attempt > 0 {
			a.restart()
		}
		a.asked = a.dist.Ask(stream(a.seed, "catcma", uint64(a.generation), attempt))
		genomes = genomes[:0]
		for i := range a.asked {
			g := a.genome(a.asked[i])
			a.mask(&a.asked[i], g)
			genomes = append(genomes, g)
		}
		if learn(a.space, a.known, genomes) {
			break
		}
	}
	out := make([]mergesearch.Individual, len(genomes))
	for i, g := range genomes {
		out[i] = mergesearch.Individual{Genome: g, Generation: a.generation, Operator: "catcma", Parents: a.parents}
	}
	return out
}

// Tell starts the search at the usual recipes, then moves its distribution by the
// order of merit of each cohort.
func (a *CatCMA) Tell(trials []mergesearch.Trial) {
	if !a.told {
		a.told = true
		a.begin(trials)
		return
	}
	checkTold(trials, len(a.asked))
	order, scored := byMerit(trials)
	ranked := make([]cma.CatPoint, len(order))
	for rank, k := range order {
		ranked[rank] = a.asked[k]
	}
	a.dist.Tell(ranked, scored)
	a.parents = foremost(trials, order[:scored], a.parents)
}

// Recommend returns the mean of the distribution, once there was something to learn
// from.
func (a *CatCMA) Recommend() (mergesearch.Individual, bool) {
	if a.generation == 0 || a.settings.Answer == "best" {
		return mergesearch.Individual{}, false
	}
	return mergesearch.Individual{
		Genome: a.genome(a.dist.Mean()), Generation: a.generation, Operator: "mean", Parents: a.parents,
	}, true
}

// begin places the distribution among the usual recipes.
func (a *CatCMA) begin(trials []mergesearch.Trial) {
	order, scored := byMerit(trials)
	var usual []mergesearch.Genome // best first
	for _, k := range order[:scored] {
		if g := trials[k].Individual.Genome; g != nil {
			if len(usual) == 0 {
				a.parents = []mergesearch.CandidateID{trials[k].ID()}
			}
			usual = append(usual, g)
			a.known[a.space.Canonical(g)] = true
		}
	}
	if len(usual) == 0 {
		usual = append(usual, a.space.Normalize(a.space.Default()))
	}
	g := usual[0].Clone()
	for i := range g {
		for _, u := range usual {
			if a.space.Active(u, i) {
				g[i] = u[i]
				break
			}
		}
	}
	a.place(g, a.population())
}

// place makes the distribution anew, of lambda points, around a genome.
func (a *CatCMA) place(g mergesearch.Genome, lambda int) {
	var d cma.Domain
	var start cma.CatStart
	for _, i := range a.reals {
		gene := a.space.Genes[i]
		d.Lower, d.Upper = append(d.Lower, 0), append(d.Upper, 1)
		start.Mean = append(start.Mean, (g[i]-gene.Min)/(gene.Max-gene.Min))
		start.Deviations = append(start.Deviations, a.settings.Sigma)
	}
	for _, l := range a.integers {
		first, last := l.values[0], l.values[len(l.values)-1]
		var levels []float64
		for _, v := range l.values {
			levels = append(levels, (v-first)/(last-first))
		}
		d.Levels = append(d.Levels, levels)
		start.Mean = append(start.Mean, (g[l.gene]-first)/(last-first))
		start.Deviations = append(start.Deviations, max(a.settings.Sigma, 0.5/float64(len(levels)-1)))
	}
	for _, l := range a.choices {
		k := len(l.values)
		odds := make([]float64, k)
		for o := range odds {
			odds[o] = 0.5 / float64(k)
			if l.values[o] == g[l.gene] {
				odds[o] += 0.5
			}
		}
		d.Options, start.Odds = append(d.Options, k), append(start.Odds, odds)
	}
	a.dist = cma.NewCatCMA(d, start, lambda)
}

func (a *CatCMA) restart() {
	a.place(a.full(a.dist.Mean()), min(2*a.dist.Lambda(), widest*a.population()))
}

// full returns the genome at p before inactive genes are set to their defaults.
func (a *CatCMA) full(p cma.CatPoint) mergesearch.Genome {
	g := a.space.Default()
	for k, i := range a.reals {
		gene := a.space.Genes[i]
		g[i] = gene.Min + p.X[k]*(gene.Max-gene.Min)
	}
	for k, l := range a.integers {
		first, last := l.values[0], l.values[len(l.values)-1]
		g[l.gene] = first + p.Z[k]*(last-first)
	}
	for k, l := range a.choices {
		g[l.gene] = l.values[p.C[k]]
	}
	return g
}

func (a *CatCMA) genome(p cma.CatPoint) mergesearch.Genome { return a.space.Normalize(a.full(p)) }

// mask marks what the genome at p does not use.
func (a *CatCMA) mask(p *cma.CatPoint, g mergesearch.Genome) {
	for _, i := range a.reals {
		p.Inactive = append(p.Inactive, !a.space.Active(g, i))
	}
	for _, l := range a.integers {
		p.Inactive = append(p.Inactive, !a.space.Active(g, l.gene))
	}
	for _, l := range a.choices {
		p.InactiveChoices = append(p.InactiveChoices, !a.space.Active(g, l.gene))
	}
}
