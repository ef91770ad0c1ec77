package pareto

import (
	"cmp"
	"slices"
)

// Hypervolume returns the volume of what the points dominate above the reference:
// the union of the boxes between it and each point (Zitzler and Thiele 1998).
// Points that are not above the reference in every objective add nothing. It is
// exact: by a sweep for one to three objectives, by the exclusive volumes of WFG
// (While et al. 2012) for more, whose cost may grow exponentially with their
// number.
func Hypervolume(points [][]float64, reference []float64) float64 {
	var above [][]float64 // relative to the reference
	for _, p := range points {
		if len(p) != len(reference) {
			panic("pareto: a point and the reference have different lengths")
		}
		q := make([]float64, len(p))
		inside := len(p) > 0
		for i, x := range p {
			q[i] = x - reference[i]
			inside = inside && q[i] > 0
		}
		if inside {
			above = append(above, q)
		}
	}
	return volume(above)
}

// volume is the hypervolume above the origin of points in the open positive
// orthant. It may reorder them.
func volume(points [][]float64) float64 {
	switch {
	case len(points) == 0:
		return 0
	case len(points) == 1:
		return box(points[0])
	case len(points[0]) == 1:
		return slices.MaxFunc(points, slices.Compare)[0]
	case len(points[0]) == 2:
		return area(points)
	case len(points[0]) == 3:
		return solid(points)
	}
	return wfg(points)
}

func box(p []float64) float64 {
	v := 1.0
	for _, x := range p {
		v *= x
	}
	return v
}

// area sweeps down the first objective; each point that rises above all before it
// adds a rectangle.
func area(points [][]float64) float64 {
	slices.SortFunc(points, func(p, q []float64) int { return cmp.Or(-cmp.Compare(p[0], q[0]), -cmp.Compare(p[1], q[1])) })
	sum, height := 0.0, 0.0
	for _, p := range points {
		if p[1] > height {
			sum += p[0] * (p[1] - height)
			height = p[1]
		}
	}
	return sum
}

// solid sweeps down the third objective with the area that the points so far
// dominate in the first two, whose corners it keeps.
func solid(points [][]float64) float64 {
	slices.SortFunc(points, func(p, q []float64) int { return -cmp.Compare(p[2], q[2]) })
	var s staircase
	sum := 0.0
	for i, p := range points {
		s.add(p[0], p[1])
		below := 0.0
		if i+1 < len(points) {
			below = points[i+1][2]
		}
		sum += s.area * (p[2] - below)
	}
	return sum
}

// staircase is a set of corners none of which dominates another, x ascending and
// y descending, and the area under it.
type staircase struct {
	corners [][2]float64
	area    float64
}

// add puts in a corner and takes out those that it dominates.
func (s *staircase) add(x, y float64) {
	first, _ := slices.BinarySearchFunc(s.corners, x, func(c [2]float64, x float64) int { return cmp.Compare(c[0], x) })
	if first < len(s.corners) && s.corners[first][1] >= y {
		return // the corner to the right, or at the same x, is no lower
	}
	// Corners to the left that are no higher, and one at the same x, fall away.
	begin, end := first, first
	if end < len(s.corners) && s.corners[end][0] == x {
		end++
	}
	for begin > 0 && s.corners[begin-1][1] <= y {
		begin--
	}
	left := 0.0
	if begin > 0 {
		left = s.corners[begin-1][0]
	}
	right := 0.0 // height of what stays to the right
	if end < len(s.corners) {
		right = s.corners[end][1]
	}
	// New area: the strip from left to x up to y, less what was under it.
	old, from := 0.0, left
	for _, c := range s.corners[begin:end] {
		old += (c[0] - from) * c[1]
		from = c[0]
	}
	if from < x {
		old += (x - from) * right
	}
	s.area += (x-left)*y - old
	s.corners = slices.Replace(s.corners, begin, end, [2]float64{x, y})
}

// wfg adds up the exclusive volume of each point: its box, less what the points
// after it dominate of that box. In ascending order of the last objective that
// part reaches as far down as the box does, so one objective falls away.
func wfg(points [][]float64) float64 {
	last := len(points[0]) - 1
	slices.SortFunc(points, func(p, q []float64) int { return cmp.Compare(p[last], q[last]) })
	sum := 0.0
	for i, p := range points {
		sum += p[last] * (box(p[:last]) - volume(limited(points[i+1:], p[:last])))
	}
	return sum
}

// limited returns the points cut down to the box of p, without those that another
// of them covers.
func limited(points [][]float64, p []float64) [][]float64 {
	var out [][]float64
	for _, q := range points {
		cut := make([]float64, len(p))
		for i := range cut {
			cut[i] = min(p[i], q[i])
		}
		if slices.ContainsFunc(out, func(o []float64) bool { return covers(o, cut) }) {
			continue
		}
		out = slices.DeleteFunc(out, func(o []float64) bool { return covers(cut, o) })
		out = append(out, cut)
	}
	return out
}

// covers reports whether a is at least as good as b in every objective.
func covers(a, b []float64) bool {
	for i, x := range a {
		if x < b[i] {
			return false
		}
	}
	return true
}
