package search

import (
	"fmt"

	"mergesearch"
)

// GASettings tunes the genetic algorithm. DefaultGA is the place to start.
type GASettings struct {
	Population int // individuals of each cohort, over all islands
	Start      int // individuals of the first cohort, drawn without parents; 0 for three times Population
	Islands    int // populations that breed apart

	// Elites is how many of an island's best stay among its parents against the
	// next cohort. With Elites as large as the island, parents are the best seen.
	Elites     int
	Tournament int // contestants of a selection; more is greedier

	CrossoverRate float64 // odds that two selected individuals are recombined
	MutationRate  float64 // odds that an individual is mutated afterwards
	CrossoverEta  float64 // of SBX: larger keeps children closer to their parents
	MutationEta   float64 // of polynomial mutation: larger makes smaller steps
	ResetRate     float64 // odds that a mutation draws a choice anew: method or pair
	TogetherRate  float64 // odds that a mutation moves related genes together

	Jitter float64 // spread of the groups about a shared level in drawn genomes, as a share of the range

	MigrateEvery int // generations between migrations, 0 for none
	Migrants     int // individuals that neighbouring islands exchange
}

// DefaultGA returns the settings that came closest to the optimum of the simulated
// families of searchtest with the answers of some 250 candidates: a first cohort
// of three times the population, parents that are the best seen. Two islands cost
// nothing measurable against one at that budget; more are for larger ones.
func DefaultGA() GASettings {
	return GASettings{
		Population: 24, Islands: 2,
		Elites: 24, Tournament: 3,
		CrossoverRate: 0.7, MutationRate: 0.7,
		CrossoverEta: 15, MutationEta: 5, ResetRate: 0.08, TogetherRate: 0.5,
		Jitter:       0.05,
		MigrateEvery: 3, Migrants: 2,
	}
}

// With returns the settings with what a run file says.
func (g GASettings) With(s Settings) GASettings {
	g.Population, g.Islands = orElse(s.Population, g.Population), orElse(s.Islands, g.Islands)
	return g
}

// ForBudget returns the settings with a first cohort that leaves at least seven
// tenths of the candidates to breeding, but is no smaller than the population.
// Zero candidates stand for no bound.
func (g GASettings) ForBudget(candidates int) GASettings {
	if candidates > 0 {
		g.Start = max(g.Population, min(g.start(), candidates*3/10))
	}
	return g
}

func (g GASettings) start() int {
	if g.Start == 0 {
		return 3 * g.Population
	}
	return g.Start
}

// check refuses settings that eaopt's operators cannot work with.
func (g GASettings) check() error {
	for _, r := range []struct {
		field string
		value float64
	}{
		{"crossover_rate", g.CrossoverRate},
		{"mutation_rate", g.MutationRate},
		{"reset_rate", g.ResetRate},
		{"together_rate", g.TogetherRate},
		{"jitter", g.Jitter},
	} {
		if !(r.value >= 0 && r.value <= 1) {
			return &mergesearch.InputError{Field: "algorithm." + r.field, Problem: fmt.Sprintf("%v is not between 0 and 1", r.value)}
		}
	}
	switch {
	case g.Islands < 1:
		return &mergesearch.InputError{Field: "algorithm.islands", Problem: "must be at least 1"}
	case g.Tournament < 1:
		return &mergesearch.InputError{Field: "algorithm.tournament", Problem: "must be at least 1"}
	case g.Population < g.Islands*(g.Tournament+1):
		return &mergesearch.InputError{
			Field: "algorithm.population", Problem: fmt.Sprintf("%d individuals on %d islands are too few for a tournament of %d", g.Population, g.Islands, g.Tournament),
			Hint: fmt.Sprintf("at least %d", g.Islands*(g.Tournament+1)),
		}
	case g.Start < 0 || g.Elites < 0 || g.MigrateEvery < 0 || g.Migrants < 0:
		return &mergesearch.InputError{Field: "algorithm", Problem: "start, elites, migrate_every and migrants cannot be negative"}
	case !(g.CrossoverEta >= 0) || !(g.MutationEta >= 0):
		return &mergesearch.InputError{Field: "algorithm", Problem: "crossover_eta and mutation_eta cannot be negative"}
	}
	return nil
}
