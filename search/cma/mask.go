package cma

import (
	"math"
	"slices"

	"gonum.org/v1/gonum/mat"
)

// masks tells which coordinates the points of a generation do not use. A nil
// *masks stands for points that use all of them.
//
// The step of an unused coordinate is zero. Left at that, the covariance would
// shrink along coordinates that nobody uses, and the step size with it; so the
// covariance is given back what it would keep on average, given the coordinates
// that are used (fill), and the step-size path is compared with the length that
// it has under blind selection (power).
type masks struct {
	inactive [][]bool // by rank, then coordinate

	seen   [][]bool    // distinct masks met so far
	spread [][]float64 // and the matrix that fill adds for each
}

// newMasks returns nil when everything is active.
func newMasks(inactive [][]bool) *masks {
	for _, m := range inactive {
		if slices.Contains(m, true) {
			return &masks{inactive: inactive}
		}
	}
	return nil
}

func (m *masks) active(i, j int) bool {
	return m == nil || m.inactive[i] == nil || !m.inactive[i][j]
}

// used returns the bound that a point's squared length is scaled to when its
// weight is negative: n, less the one that fill adds.
func (m *masks) used(i, n int) int {
	if m == nil || !slices.Contains(m.inactive[i], true) {
		return n
	}
	return n - 1
}

// power returns the expected squared length of C^(-1/2) times the step, with every
// coordinate scaled to the variance of a single point, if selection were blind.
// share holds for each coordinate the sum of squared weights of those that use it.
func (m *masks) power(g *gaussian, w, share []float64) float64 {
	n := g.n
	if m == nil {
		return float64(n)
	}
	precision := g.precision()
	sum := 0.0
	for j := range n {
		for k := range n {
			both := 0.0
			for i := range g.mu {
				if m.active(i, j) && m.active(i, k) {
					both += w[i] * w[i]
				}
			}
			if both > 0 {
				sum += precision[j*n+k] * g.cov[j*n+k] * both / math.Sqrt(share[j]*share[k])
			}
		}
	}
	return sum
}

// fillPoint adds the fill of the point at rank i.
func (m *masks) fillPoint(next []float64, g *gaussian, i int, weight float64) {
	if m != nil && m.inactive[i] != nil {
		m.fill(next, g, m.inactive[i], weight)
	}
}

// fill adds weight times the covariance of the masked coordinates given the
// others, a matrix between 0 and C: the Schur complement, the inverse of that
// block of C's inverse.
func (m *masks) fill(next []float64, g *gaussian, mask []bool, weight float64) {
	if m == nil || weight == 0 || !slices.Contains(mask, true) {
		return
	}
	k := slices.IndexFunc(m.seen, func(s []bool) bool { return slices.Equal(s, mask) })
	if k < 0 {
		k = len(m.seen)
		m.seen, m.spread = append(m.seen, mask), append(m.spread, g.conditional(mask))
	}
	for i, v := range m.spread[k] {
		next[i] += weight * v
	}
}

// precision returns the inverse of C.
func (g *gaussian) precision() []float64 {
	n := g.n
	out := make([]float64, n*n)
	for i := range n {
		for j := range n {
			for k, d := range g.axes {
				out[i*n+j] += g.basis[i*n+k] * g.basis[j*n+k] / (d * d)
			}
		}
	}
	return out
}

// conditional returns the n x n matrix that holds, in the rows and columns of the
// masked coordinates, their covariance given the others, and zeros elsewhere.
func (g *gaussian) conditional(mask []bool) []float64 {
	n := g.n
	var at []int
	for j, masked := range mask {
		if masked {
			at = append(at, j)
		}
	}
	precision := g.precision()
	block := mat.NewSymDense(len(at), nil)
	for a, i := range at {
		for b, j := range at[:a+1] {
			block.SetSym(a, b, precision[i*n+j])
		}
	}
	out := make([]float64, n*n)
	var chol mat.Cholesky
	var inverse mat.SymDense
	if !chol.Factorize(block) || chol.InverseTo(&inverse) != nil {
		return out // C is all but singular: give nothing back
	}
	for a, i := range at {
		for b, j := range at {
			out[i*n+j] = inverse.At(a, b)
		}
	}
	return out
}
