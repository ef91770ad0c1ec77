package problem

import (
	"fmt"

	"mergesearch"
)

// Cube returns a space of n real genes in [0, 1] without a grid, one for each
// group of layers: where algorithms of search meet functions of n variables.
func Cube(n int) *mergesearch.Space {
	spec := mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"},
		Methods: []mergesearch.Method{{Name: "point", Parameters: []mergesearch.Parameter{{Name: "x", Max: 1}}}},
		Ranges:  []mergesearch.GeneRange{{Parameter: "x", Max: 1, PerGroup: true}},
	}
	for i := range n {
		g := mergesearch.Group{Name: fmt.Sprintf("%04d", i)}
		if i < n-1 {
			g.Filters = []string{g.Name}
		}
		spec.Groups = append(spec.Groups, g)
	}
	s, err := mergesearch.NewSpace(spec)
	if err != nil {
		panic(err)
	}
	return s
}

// Proposer is what Pursue needs of search.Algorithm.
type Proposer interface {
	Ask() []mergesearch.Individual
	Tell([]mergesearch.Trial)
}

// Pursue lets an algorithm over a Cube evaluate points until so many were
// evaluated, cohorts whole. After each cohort it calls watch with the number of
// evaluations, and ends when that says no. Every point is scored, each objective as a task of its own; there
// are no usual recipes.
func Pursue(a Proposer, values func(x []float64) []float64, evaluations int, watch func(evaluations int) bool) {
	a.Tell(nil)
	for n := 0; n < evaluations; {
		cohort := a.Ask()
		if len(cohort) == 0 {
			return
		}
		trials := make([]mergesearch.Trial, len(cohort))
		for i, individual := range cohort {
			trials[i] = mergesearch.Trial{Index: n + i, Individual: individual, State: mergesearch.Scored, Score: score(values(individual.Genome))}
		}
		a.Tell(trials)
		if n += len(cohort); !watch(n) {
			return
		}
	}
}

func score(values []float64) mergesearch.Score {
	s := mergesearch.Score{Items: 1}
	for k, v := range values {
		s.Tasks = append(s.Tasks, mergesearch.TaskScore{Task: task(k), Value: v, Items: 1})
		s.Fitness += v / float64(len(values))
	}
	return s
}

func task(objective int) string { return fmt.Sprintf("objective %d", objective) }
