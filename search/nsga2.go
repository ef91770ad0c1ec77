package search

import (
	"cmp"
	"fmt"
	"math/rand"
	"slices"
	"strings"

	"mergesearch"
)

// NSGA2Settings tunes NSGA-II. DefaultNSGA2 is the place to start.
type NSGA2Settings struct {
	Population int // individuals of each cohort, and parents that survive it
	Start      int // individuals of the first cohort, drawn without parents; 0 for Population

	// Uniform draws the first cohort over the whole space and leaves the usual
	// recipes out: for comparisons with published figures, too slow for merges.
	Uniform bool

	CrossoverRate float64 // odds that a pair is recombined
	CrossoverEta  float64 // of SBX: larger keeps children closer to their parents
	MutationRate  float64 // odds that a child is mutated
	MutationEta   float64 // of polynomial mutation: larger makes smaller steps
	ResetRate     float64 // odds that a mutation draws a choice anew: method or pair
	TogetherRate  float64 // odds that a mutation moves related genes together

	Spread float64 // of founders about a usual recipe, as a share of the range
	Jitter float64 // spread of the groups about a shared level in drawn genomes, as a share of the range
}

// DefaultNSGA2 returns the settings for merges: the operators of the paper as
// pymoo 0.6.2 sets them, the moves of related genes of the genetic algorithm, and
// the population that did best on the simulated families of searchtest with the
// answers of some 300 candidates.
func DefaultNSGA2() NSGA2Settings {
	return NSGA2Settings{
		Population: 40, Start: 80,
		CrossoverRate: 0.9, CrossoverEta: 15, MutationRate: 0.9, MutationEta: 20,
		ResetRate: 0.08, TogetherRate: 0.5,
		Spread: 0.1, Jitter: 0.05,
	}
}

// PlainNSGA2 returns the algorithm of the paper from a uniform start, with nothing
// of ours: what published figures are compared with.
func PlainNSGA2(population int) NSGA2Settings {
	s := DefaultNSGA2()
	s.Population, s.Start, s.Uniform, s.TogetherRate = population, population, true, 0
	return s
}

// With returns the settings with what a run file says.
func (n NSGA2Settings) With(s Settings) NSGA2Settings {
	if s.Population != 0 {
		n.Population, n.Start = s.Population, 2*s.Population
	}
	return n
}

// ForBudget returns the settings with a first cohort that leaves at least seven
// tenths of the candidates to breeding, but is no smaller than the population.
// Zero candidates stand for no bound.
func (n NSGA2Settings) ForBudget(candidates int) NSGA2Settings {
	if candidates > 0 {
		n.Start = max(n.Population, min(n.Start, candidates*3/10))
	}
	return n
}

func (n NSGA2Settings) check() error {
	for _, r := range []struct {
		field string
		value float64
	}{
		{"crossover_rate", n.CrossoverRate},
		{"mutation_rate", n.MutationRate},
		{"reset_rate", n.ResetRate},
		{"together_rate", n.TogetherRate},
		{"spread", n.Spread},
		{"jitter", n.Jitter},
	} {
		if !(r.value >= 0 && r.value <= 1) {
			return &mergesearch.InputError{Field: "algorithm." + r.field, Problem: fmt.Sprintf("%v is not between 0 and 1", r.value)}
		}
	}
	switch {
	case n.Population < 2:
		return &mergesearch.InputError{Field: "algorithm.population", Problem: "must be at least 2"}
	case n.Start < 0:
		return &mergesearch.InputError{Field: "algorithm.start", Problem: "cannot be negative"}
	case !(n.CrossoverEta >= 0) || !(n.MutationEta >= 0):
		return &mergesearch.InputError{Field: "algorithm", Problem: "crossover_eta and mutation_eta cannot be negative"}
	}
	return nil
}

// NSGA2 searches for the front of several objectives (Deb, Pratap, Agarwal and
// Meyarivan 2002, "A fast and elitist multiobjective genetic algorithm: NSGA-II").
// Parents are chosen by binary tournaments on front and crowding, recombined by
// SBX and mutated polynomially; parents and children survive by front, then
// crowding. Choices cross uniformly and are drawn anew at random. A genome that
// was asked before is bred again. The usual recipes are parents from the start.
//
// Fitness plays no part, and the answer is a front: see Front.
type NSGA2 struct {
	space     *mergesearch.Space
	benchmark mergesearch.Benchmark
	seed      uint64
	settings  NSGA2Settings
	mutator   *mutator
	founders  founders

	generation int // of the cohort asked last
	asked      int // individuals of it
	told       bool
	population []ranked        // best first
	known      map[string]bool // canonical forms of all that was told or asked
}

// ranked is a parent with its place among those that it survived with.
type ranked struct {
	trial mergesearch.Trial
	key   string // canonical form of its genome
	place place
}

// NewNSGA2 checks the settings. The benchmark says what the objectives are.
func NewNSGA2(space *mergesearch.Space, benchmark mergesearch.Benchmark, seed uint64, settings NSGA2Settings) (*NSGA2, error) {
	if err := settings.check(); err != nil {
		return nil, err
	}
	settings.Start = orElse(settings.Start, settings.Population)
	return &NSGA2{
		space: space, benchmark: benchmark, seed: seed, settings: settings,
		mutator: newMutator(space, GASettings{
			MutationEta: settings.MutationEta, ResetRate: settings.ResetRate,
			TogetherRate: settings.TogetherRate, Jitter: settings.Jitter,
		}),
		founders: founders{space: space, uniform: settings.Uniform, spread: settings.Spread, jitter: settings.Jitter},
		known:    map[string]bool{},
	}, nil
}

// Population returns the parents of the next cohort, best first.
func (a *NSGA2) Population() []mergesearch.Trial {
	out := make([]mergesearch.Trial, len(a.population))
	for i, p := range a.population {
		out[i] = p.trial
	}
	return out
}

// Ask draws the first cohort and breeds the others.
func (a *NSGA2) Ask() []mergesearch.Individual {
	a.generation++
	rng := stream(a.seed, "nsga2", uint64(a.generation))
	var out []mergesearch.Individual
	if a.generation > 1 && len(a.population) > 0 {
		out = a.breed(a.settings.Population, rng)
	} else {
		usual := a.Population()
		for k := range a.settings.Start {
			out = append(out, fresh(a.space, a.known, func() mergesearch.Individual { return a.founders.founder(k, a.generation, usual, rng) }))
		}
	}
	a.asked = len(out)
	return out
}

// Tell lets the cohort's members and the parents survive by front and crowding.
func (a *NSGA2) Tell(trials []mergesearch.Trial) {
	if a.told {
		checkTold(trials, a.asked)
	}
	first := !a.told
	a.told = true
	if first && a.settings.Uniform {
		return
	}
	pool := slices.Clone(a.population)
	held := map[string]bool{}
	for _, p := range pool {
		held[p.key] = true
	}
	for _, t := range trials {
		if _, ok := t.Member(); !ok || t.Individual.Genome == nil {
			continue
		}
		if key := a.space.Canonical(t.Individual.Genome); !held[key] { // a genome that was asked again counts once
			held[key], a.known[key] = true, true
			pool = append(pool, ranked{trial: t, key: key})
		}
	}
	a.population = a.survivors(pool)
}

func (a *NSGA2) survivors(pool []ranked) []ranked {
	trials := make([]mergesearch.Trial, len(pool))
	for i, p := range pool {
		trials[i] = p.trial
	}
	for i, p := range places(a.benchmark, trials) {
		pool[i].place = p
	}
	slices.SortFunc(pool, func(x, y ranked) int {
		return cmp.Or(x.place.compare(y.place), cmp.Compare(x.trial.Index, y.trial.Index))
	})
	return pool[:min(len(pool), a.settings.Population)]
}

// breed returns n children. Those of genomes that are known are bred again; where
// a space has hardly any others left, draws make up the number.
func (a *NSGA2) breed(n int, rng *rand.Rand) []mergesearch.Individual {
	var out []mergesearch.Individual
	pick := a.tournaments(rng)
	for tries := 0; len(out) < n && tries < 10*n; tries++ {
		for _, child := range a.mate(pick(), pick(), rng) {
			if key := a.space.Canonical(child.Genome); len(out) < n && !a.known[key] {
				a.known[key] = true
				out = append(out, child)
			}
		}
	}
	for k := len(out); k < n; k++ {
		out = append(out, fresh(a.space, a.known, func() mergesearch.Individual { return a.founders.founder(k, a.generation, nil, rng) }))
	}
	return out
}

// tournaments returns a function that picks parents, each the better of two by
// place, an even match by lot. Contestants come from random orders of the whole
// population, so that all compete equally often.
func (a *NSGA2) tournaments(rng *rand.Rand) func() ranked {
	var order []int
	next := func() ranked {
		if len(order) == 0 {
			order = rng.Perm(len(a.population))
		}
		p := a.population[order[0]]
		order = order[1:]
		return p
	}
	return func() ranked {
		p, q := next(), next()
		if c := p.place.compare(q.place); c < 0 || c == 0 && rng.Intn(2) == 0 {
			return p
		}
		return q
	}
}

// mate returns the two children of two parents.
func (a *NSGA2) mate(p, q ranked, rng *rand.Rand) [2]mergesearch.Individual {
	x, y := p.trial.Individual.Genome, q.trial.Individual.Genome
	of := [2][]mergesearch.CandidateID{{p.trial.ID()}, {q.trial.ID()}}
	var operators []string
	if rng.Float64() < a.settings.CrossoverRate {
		x, y = crossover(a.space, x, y, a.settings.CrossoverEta, rng)
		of = [2][]mergesearch.CandidateID{union(of[0], of[1]), union(of[1], of[0])}
		operators = []string{"crossover"}
	}
	var out [2]mergesearch.Individual
	for k, g := range []mergesearch.Genome{x, y} {
		operators := slices.Clone(operators)
		if rng.Float64() < a.settings.MutationRate {
			var operator string
			g, operator = a.mutate(g, rng)
			operators = append(operators, operator)
		}
		out[k] = mergesearch.Individual{Genome: g, Generation: a.generation, Operator: strings.Join(operators, ", "), Parents: of[k]}
	}
	return out
}

// mutate returns a changed copy of g and the operator's name. Unlike that of the
// genetic algorithm, polynomial mutation may change no gene at all: each changes
// with odds 1/n, at most 1/2.
func (a *NSGA2) mutate(g mergesearch.Genome, rng *rand.Rand) (mergesearch.Genome, string) {
	m := a.mutator
	choices, reals := m.active(g, mergesearch.Choice), m.active(g, mergesearch.Real)
	if len(choices) > 0 && (len(reals) == 0 || rng.Float64() < m.reset) {
		return a.space.Normalize(m.resetChoice(g, choices[rng.Intn(len(choices))], rng)), "reset"
	}
	g = g.Clone()
	operator := "polynomial"
	if moves := m.usable(g); len(moves) > 0 && rng.Float64() < m.together {
		operator = m.moveTogether(g, moves[rng.Intn(len(moves))], rng)
	} else {
		odds := min(0.5, 1/float64(len(reals)))
		for _, i := range reals {
			if gene := a.space.Genes[i]; rng.Float64() < odds {
				g[i] = polynomial(g[i], gene.Min, gene.Max, m.eta, rng)
			}
		}
	}
	return a.space.Normalize(g), operator
}
