package cma

import (
	"math/rand"
	"slices"
)

// Strategy is what Minimise drives: an ES or an IPOP.
type Strategy interface {
	Ask(rng *rand.Rand) [][]float64
	Tell(ranked [][]float64, costs []float64)
}

// Minimise evaluates generation after generation until done. It serves
// measurements; a search of merges keeps its own loop.
func Minimise(s Strategy, rng *rand.Rand, cost func(x []float64) float64, done func() bool) {
	for !done() {
		points := s.Ask(rng)
		costs := make([]float64, len(points))
		for i, x := range points {
			costs[i] = cost(x)
		}
		order := Order(costs)
		s.Tell(pick(points, order), pick(costs, order))
	}
}

// Order returns the indices of the costs, lowest first, equal ones in their order.
func Order(costs []float64) []int {
	order := make([]int, len(costs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch {
		case costs[a] < costs[b]:
			return -1
		case costs[a] > costs[b]:
			return 1
		}
		return 0
	})
	return order
}

func pick[T any](from []T, order []int) []T {
	out := make([]T, len(order))
	for i, k := range order {
		out[i] = from[k]
	}
	return out
}
