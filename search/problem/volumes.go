package problem

import (
	"mergesearch"
	"mergesearch/search/pareto"
)

// Populated is a Proposer with a population that stands for its front.
type Populated interface {
	Proposer
	Population() []mergesearch.Trial
}

// Volumes returns the hypervolume of the algorithm's population after so many
// evaluations, which ascend and are multiples of its cohorts.
func (m Multiple) Volumes(a Populated, evaluations ...int) []float64 {
	out := make([]float64, len(evaluations))
	Pursue(a, m.Values, evaluations[len(evaluations)-1], func(n int) bool {
		for i, at := range evaluations {
			if n == at {
				out[i] = m.volume(a.Population())
			}
		}
		return true
	})
	return out
}

func (m Multiple) volume(population []mergesearch.Trial) float64 {
	var points [][]float64
	for _, t := range population {
		points = append(points, m.Benchmark().Objectives(t.Score))
	}
	return pareto.Hypervolume(points, m.Reference())
}
