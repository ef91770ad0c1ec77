package pareto

import (
	"cmp"
	"slices"
)

// Dominates reports whether a is at least as good as b in every objective and
// better in one.
func Dominates(a, b []float64) bool {
	if len(a) != len(b) {
		panic("pareto: points of different lengths")
	}
	better := false
	for i, x := range a {
		if !(x >= b[i]) {
			return false
		}
		better = better || x > b[i]
	}
	return better
}

// Fronts splits points by non-dominated sorting (Deb et al. 2002, section III.A):
// the first front holds those that no point dominates, each later one those that
// only points of earlier fronts dominate. Within a front indices ascend. It takes
// O(m n^2) steps for n points of m objectives.
func Fronts(points [][]float64) [][]int {
	dominated := make([][]int, len(points)) // by each point
	dominators := make([]int, len(points))  // of each point, not yet in a front
	for i, p := range points {
		for j := range i {
			switch q := points[j]; {
			case Dominates(p, q):
				dominated[i] = append(dominated[i], j)
				dominators[j]++
			case Dominates(q, p):
				dominated[j] = append(dominated[j], i)
				dominators[i]++
			}
		}
	}
	var front []int
	for i, n := range dominators {
		if n == 0 {
			front = append(front, i)
		}
	}
	var out [][]int
	for len(front) > 0 {
		out = append(out, front)
		var next []int
		for _, i := range front {
			for _, j := range dominated[i] {
				if dominators[j]--; dominators[j] == 0 {
					next = append(next, j)
				}
			}
		}
		slices.Sort(next)
		front = next
	}
	return out
}

// Constrained splits points of which some violate constraints, by how much: 0 is
// feasible. Fronts of feasible points come first, then the others by violation
// alone, equal ones together (Deb 2000).
func Constrained(points [][]float64, violations []float64) [][]int {
	if len(points) != len(violations) {
		panic("pareto: as many violations as points are needed")
	}
	var feasible, others []int
	var values [][]float64
	for i, v := range violations {
		if v > 0 {
			others = append(others, i)
			continue
		}
		feasible = append(feasible, i)
		values = append(values, points[i])
	}
	out := Fronts(values)
	for _, front := range out {
		for k, i := range front {
			front[k] = feasible[i]
		}
	}
	slices.SortStableFunc(others, func(i, j int) int { return cmp.Compare(violations[i], violations[j]) })
	for k, i := range others {
		if k == 0 || violations[i] != violations[others[k-1]] {
			out = append(out, nil)
		}
		last := len(out) - 1
		out[last] = append(out[last], i)
	}
	return out
}
