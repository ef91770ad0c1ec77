package search

import (
	"math/rand"
	"slices"

	"github.com/MaxHalford/eaopt"

	"mergesearch"
)

// GA is a genetic algorithm over method choice and coefficients together. Each
// generation is one cohort over all islands. The parts are eaopt's (the Genome
// contract, the generational model, tournament selection, populations, ring
// migration); the loop is ours, because eaopt's own loop hands a stale fitness
// to the second child of each crossover and cannot be resumed. Only models that
// do not evaluate by themselves can be used here: ModGenerational.
//
// The first cohort is drawn around shared levels (structured) and around the
// usual recipes; the usual recipes themselves are parents from the start, with
// the fitness that they were told with.
type GA struct {
	space    *mergesearch.Space
	seed     uint64
	settings GASettings
	mutator  *mutator
	model    eaopt.ModGenerational
	migrator eaopt.MigRing

	generation int // of the cohort asked last
	told       bool
	islands    []eaopt.Individuals // parents, best first; empty while nothing has a fitness
	asked      []*organism         // the cohort, in ask order
	home       []int               // island of each of the cohort
	known      map[string]bool     // canonical forms of all that was told or asked
}

// NewGA checks the settings.
func NewGA(space *mergesearch.Space, seed uint64, settings GASettings) (*GA, error) {
	if err := settings.check(); err != nil {
		return nil, err
	}
	settings.Start = settings.start()
	model := eaopt.ModGenerational{
		Selector: eaopt.SelTournament{NContestants: uint(settings.Tournament)},
		MutRate:  settings.MutationRate, CrossRate: settings.CrossoverRate,
	}
	if err := model.Validate(); err != nil {
		return nil, &mergesearch.InputError{Field: "algorithm", Problem: err.Error()}
	}
	return &GA{
		space: space, seed: seed, settings: settings, model: model,
		mutator:  newMutator(space, settings),
		migrator: eaopt.MigRing{NMigrants: uint(settings.Migrants)},
		islands:  make([]eaopt.Individuals, settings.Islands),
		known:    map[string]bool{},
	}, nil
}

// Ask draws the first cohort and breeds the others.
func (a *GA) Ask() []mergesearch.Individual {
	a.generation++
	a.asked, a.home = nil, nil
	if a.generation > 1 {
		a.migrate()
	}
	for i := range a.islands {
		for _, o := range a.brood(i) {
			a.asked = append(a.asked, o)
			a.home = append(a.home, i)
		}
	}
	out := make([]mergesearch.Individual, len(a.asked))
	for k, o := range a.asked {
		out[k] = o.individual(a.generation)
	}
	return out
}

// Tell makes the cohort's members parents of their islands; usual recipes, told
// first, of every island.
func (a *GA) Tell(trials []mergesearch.Trial) {
	if a.told {
		checkTold(trials, len(a.asked))
	}
	newcomers := make([][]*organism, len(a.islands))
	for k, t := range trials {
		if _, ok := t.Member(); !ok || t.Individual.Genome == nil {
			continue
		}
		o := &organism{ga: a, genome: t.Individual.Genome, trial: &t}
		if a.told {
			newcomers[a.home[k]] = append(newcomers[a.home[k]], o)
			continue
		}
		a.known[a.space.Canonical(o.genome)] = true
		for i := range newcomers {
			newcomers[i] = append(newcomers[i], o)
		}
	}
	for i := range a.islands {
		a.islands[i] = a.survivors(a.islands[i], newcomers[i], a.size(a.settings.Population, i))
	}
	a.told = true
}

// survivors joins the elites of the parents with the newcomers and returns the
// best n, each trial once.
func (a *GA) survivors(parents eaopt.Individuals, newcomers []*organism, n int) eaopt.Individuals {
	var pool []*organism
	for _, p := range parents[:min(a.settings.Elites, len(parents))] {
		pool = append(pool, p.Genome.(*organism))
	}
	pool = append(pool, newcomers...)
	slices.SortFunc(pool, func(x, y *organism) int { return byRank(*x.trial, *y.trial) })
	pool = slices.CompactFunc(pool, func(x, y *organism) bool { return x.trial.Index == y.trial.Index })
	var out eaopt.Individuals
	for _, o := range pool[:min(n, len(pool))] {
		out = append(out, scored(o))
	}
	return out
}

// size returns island i's share of n individuals.
func (a *GA) size(n, i int) int {
	share := n / len(a.islands)
	if i < n%len(a.islands) {
		share++
	}
	return share
}

// migrate exchanges parents between neighbouring islands. MigRing swaps by
// position, so it sees as many of each island as the smallest has.
func (a *GA) migrate() {
	s := a.settings
	if len(a.islands) < 2 || s.MigrateEvery == 0 || s.Migrants == 0 || a.generation%s.MigrateEvery != 0 {
		return
	}
	smallest := len(a.islands[0])
	for _, island := range a.islands {
		smallest = min(smallest, len(island))
	}
	if smallest < s.Migrants {
		return
	}
	pops := make(eaopt.Populations, len(a.islands))
	for i, island := range a.islands {
		pops[i].Individuals = island[:smallest] // shares the island's array
	}
	a.migrator.Apply(pops, stream(a.seed, "migration", uint64(a.generation)))
}

// brood returns an island's share of the next cohort, no genome of which was
// asked before if the operators can help it.
func (a *GA) brood(island int) []*organism {
	rng := stream(a.seed, "brood", uint64(a.generation), uint64(island))
	var out []*organism
	if a.generation == 1 || len(a.islands[island]) == 0 {
		for k := range a.size(a.settings.Start, island) {
			out = append(out, a.founder(island, k, rng))
		}
	} else {
		out = a.offspring(a.islands[island], a.size(a.settings.Population, island), rng)
	}
	for _, o := range out {
		a.renew(o, rng)
	}
	return out
}

// founder draws an individual of the first cohort: one in four is a mutated usual
// recipe where there is one, the others are drawn around shared levels.
func (a *GA) founder(island, k int, rng *rand.Rand) *organism {
	if parents := a.islands[island]; k%4 == 3 && len(parents) > 0 {
		o := parents[k/4%len(parents)].Genome.Clone().(*organism)
		o.Mutate(rng)
		return o
	}
	method := a.space.Gene(mergesearch.MethodGene)
	return a.drawn(rng, func(g mergesearch.Genome) {
		if method >= 0 { // methods in turn, over all islands
			g[method] = float64((k*len(a.islands) + island) % len(a.space.Methods))
		}
	})
}

func (a *GA) drawn(rng *rand.Rand, pin func(mergesearch.Genome)) *organism {
	return &organism{ga: a, genome: structured(a.space, a.settings.Jitter, rng, pin), operators: []string{"draw"}}
}

// offspring applies the generational model to n parents, taking them in turn
// again where there are fewer.
func (a *GA) offspring(parents eaopt.Individuals, n int, rng *rand.Rand) []*organism {
	pop := eaopt.Population{RNG: rng}
	for k := range n {
		pop.Individuals = append(pop.Individuals, parents[k%len(parents)])
	}
	if err := a.model.Apply(&pop); err != nil {
		panic("search: " + err.Error()) // check made sure that the island is large enough
	}
	var out []*organism
	for _, child := range pop.Individuals {
		out = append(out, child.Genome.(*organism))
	}
	return out
}

// renew mutates an organism until its genome is new, at most ten times; then a
// fresh draw takes its place. A space may be too small for either: a genome asked
// again costs nothing, since its recipe is known.
func (a *GA) renew(o *organism, rng *rand.Rand) {
	for range 10 {
		if o.trial == nil && !a.known[a.space.Canonical(o.genome)] {
			break
		}
		o.Mutate(rng)
	}
	if a.known[a.space.Canonical(o.genome)] {
		*o = *a.drawn(rng, nil)
	}
	a.known[a.space.Canonical(o.genome)] = true
}
