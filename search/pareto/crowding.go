package pareto

import (
	"cmp"
	"math"
	"slices"
)

// Crowding returns the crowding distance of each point of a front (Deb et al.
// 2002, section III.B): the distance between its two neighbours in each objective,
// as a share of the front's range there, summed over the objectives. Points at an
// end of an objective have an infinite distance. Of equal points, which come about
// wherever objectives are shares of few items, one keeps its distance and the
// others get zero, so that a truncated front holds each once before any twice.
func Crowding(points [][]float64) []float64 {
	out := make([]float64, len(points))
	order := make([]int, len(points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return slices.Compare(points[i], points[j]) })
	order = slices.CompactFunc(order, func(i, j int) bool { return slices.Equal(points[i], points[j]) })
	if len(order) == 0 {
		return out
	}
	for m := range points[order[0]] {
		value := func(k int) float64 { return points[order[k]][m] }
		slices.SortFunc(order, func(i, j int) int {
			return cmp.Or(cmp.Compare(points[i][m], points[j][m]), slices.Compare(points[i], points[j]))
		})
		last := len(order) - 1
		width := value(last) - value(0)
		out[order[0]], out[order[last]] = math.Inf(1), math.Inf(1)
		if !(width > 0) {
			continue
		}
		for k := 1; k < last; k++ {
			out[order[k]] += (value(k+1) - value(k-1)) / width
		}
	}
	return out
}
