package cma

import (
	"math"
	"math/rand"

	"gonum.org/v1/gonum/mat"
)

// gaussian is the distribution N(m, sigma^2 C) and what it remembers of its way.
// Matrices are n x n in row order.
type gaussian struct {
	strategy
	separable bool

	mean  []float64
	sigma float64
	cov   []float64 // C

	basis []float64 // eigenvectors of C in columns: C = B D^2 B^T
	axes  []float64 // D, growing

	stepPath []float64 // p_sigma
	path     []float64 // p_c

	// stepPower is the expected |p_sigma|^2 if selection were blind: n, unless
	// coordinates are inactive.
	stepPower float64

	generation int
}

func newGaussian(s strategy, separable bool, mean []float64, sigma float64, cov []float64) gaussian {
	n := s.n
	g := gaussian{
		strategy: s, separable: separable,
		mean: append([]float64(nil), mean...), sigma: sigma, cov: append([]float64(nil), cov...),
		stepPath: make([]float64, n), path: make([]float64, n), stepPower: float64(n),
	}
	if cov == nil {
		g.cov = make([]float64, n*n)
		for i := range n {
			g.cov[i*n+i] = 1
		}
	}
	g.decompose()
	return g
}

// Lambda returns the number of points of a generation.
func (g *gaussian) Lambda() int { return g.lambda }

// Sigma returns the step size.
func (g *gaussian) Sigma() float64 { return g.sigma }

// Covariance returns C, n x n in row order.
func (g *gaussian) Covariance() []float64 { return append([]float64(nil), g.cov...) }

// decompose renews B and D from C. Eigenvalues that rounding made too small are
// lifted, and C with them.
func (g *gaussian) decompose() {
	n := g.n
	if n == 0 {
		return
	}
	g.basis, g.axes = make([]float64, n*n), make([]float64, n)
	if g.separable {
		for i := range n {
			g.basis[i*n+i] = 1
			g.axes[i] = math.Sqrt(max(g.cov[i*n+i], 1e-300))
			g.cov[i*n+i] = g.axes[i] * g.axes[i]
		}
		return
	}
	var eigen mat.EigenSym
	if !eigen.Factorize(mat.NewSymDense(n, g.cov), true) {
		panic("cma: the covariance has no eigenvalues")
	}
	values := eigen.Values(nil)
	eigen.VectorsTo(mat.NewDense(n, n, g.basis))
	least := max(1e-16*values[n-1], 1e-300)
	lifted := values[0] < least
	for i, v := range values {
		g.axes[i] = math.Sqrt(max(v, least))
	}
	if lifted {
		g.recompose()
	}
}

// recompose renews C from B and D.
func (g *gaussian) recompose() {
	n := g.n
	for i := range n {
		for j := range i + 1 {
			sum := 0.0
			for k, d := range g.axes {
				sum += g.basis[i*n+k] * d * d * g.basis[j*n+k]
			}
			g.cov[i*n+j], g.cov[j*n+i] = sum, sum
		}
	}
}

// draw returns y ~ N(0, C).
func (g *gaussian) draw(rng *rand.Rand) []float64 {
	z := make([]float64, g.n)
	for k := range z {
		z[k] = g.axes[k] * rng.NormFloat64()
	}
	y := make([]float64, g.n)
	for i := range y {
		for k, v := range z {
			y[i] += g.basis[i*g.n+k] * v
		}
	}
	return y
}

// whiten returns C^(-1/2) y.
func (g *gaussian) whiten(y []float64) []float64 {
	n := g.n
	out := make([]float64, n)
	for k := range n {
		sum := 0.0
		for i, v := range y {
			sum += g.basis[i*n+k] * v
		}
		sum /= g.axes[k]
		for i := range out {
			out[i] += g.basis[i*n+k] * sum
		}
	}
	return out
}

// update moves the distribution by the steps y ~ N(0, C) of lambda points, best
// first, of which so many were scored. masks, if not nil, tells for every point
// which coordinates it does not use; its steps there are set to zero. Without a
// scored point nothing moves.
func (g *gaussian) update(y [][]float64, scored int, masks *masks) {
	g.generation++
	w := g.weightsFor(scored)
	if w == nil || g.n == 0 {
		return
	}
	n := g.n
	step := make([]float64, n)  // y_w, eq. 41
	power := make([]float64, n) // of each coordinate: variance of y_w over that of y
	for i := range g.mu {
		for j, v := range y[i] {
			if masks.active(i, j) {
				step[j] += w[i] * v
				power[j] += w[i] * w[i]
			} else {
				y[i][j] = 0
			}
		}
	}
	for i := g.mu; i < len(y); i++ {
		for j := range y[i] {
			if !masks.active(i, j) {
				y[i][j] = 0
			}
		}
	}
	unit := make([]float64, n) // y_w with the variance of y: sqrt(mueff) y_w
	for j := range n {
		g.mean[j] = clampMean(g.mean[j] + g.sigma*step[j]) // eq. 42
		if power[j] > 0 {
			unit[j] = step[j] / math.Sqrt(power[j])
		}
	}

	// Step size, eq. 43 and 44.
	keep, add := 1-g.cs, g.cs*(2-g.cs)
	for j, v := range g.whiten(unit) {
		g.stepPath[j] = keep*g.stepPath[j] + math.Sqrt(add)*v
	}
	g.stepPower = keep*keep*g.stepPower + add*masks.power(g, w, power)
	length := norm(g.stepPath) / math.Sqrt(g.stepPower/float64(n))
	g.sigma *= math.Exp(min(1, g.cs/g.ds*(length/g.chi-1)))
	g.sigma = min(max(g.sigma, 1e-150), 1e32)

	// Covariance, eq. 45 to 47.
	stalled := 1.0 // 1 - h_sigma
	if length/math.Sqrt(1-math.Pow(keep, 2*float64(g.generation+1))) < (1.4+2/float64(n+1))*g.chi {
		stalled = 0
	}
	for j := range g.path {
		g.path[j] = (1-g.cc)*g.path[j] + (1-stalled)*math.Sqrt(g.cc*(2-g.cc))*unit[j]
	}
	sum := 0.0
	for _, v := range w {
		sum += v
	}
	next := make([]float64, n*n)
	decay := 1 + g.c1*stalled*g.cc*(2-g.cc) - g.c1 - g.cmu*sum
	for k, v := range g.cov {
		next[k] = decay * v
	}
	path, idle := g.path, make([]bool, n) // coordinates that nobody used keep their variance
	if masks != nil {
		path = append([]float64(nil), g.path...)
		for j := range n {
			if power[j] == 0 {
				path[j], idle[j] = 0, true
			}
		}
	}
	outer(next, path, g.c1)
	masks.fill(next, g, idle, g.c1)
	for i, v := range y {
		weight := g.cmu * w[i]
		if w[i] < 0 {
			z := g.whiten(v)
			weight *= float64(masks.used(i, n)) / (dot(z, z) + 1e-8)
		}
		outer(next, v, weight)
		masks.fillPoint(next, g, i, g.cmu*w[i])
	}
	g.cov = next
	if g.separable {
		for i := range n {
			for j := range n {
				if i != j {
					g.cov[i*n+j] = 0
				}
			}
		}
	}
	g.decompose()
}

// deviation returns sigma times the root of C's diagonal.
func (g *gaussian) deviation(j int) float64 { return g.sigma * math.Sqrt(g.cov[j*g.n+j]) }

// clampMean keeps a mean that selection drives away finite.
func clampMean(v float64) float64 { return min(1e32, max(-1e32, v)) }

// outer adds weight * v v^T to the matrix.
func outer(m, v []float64, weight float64) {
	if weight == 0 {
		return
	}
	n := len(v)
	for i, a := range v {
		a *= weight
		row := m[i*n : (i+1)*n]
		for j, b := range v[:i+1] {
			row[j] += a * b
			if i != j {
				m[j*n+i] = row[j]
			}
		}
	}
}

func dot(a, b []float64) float64 {
	sum := 0.0
	for i, v := range a {
		sum += v * b[i]
	}
	return sum
}

func norm(v []float64) float64 { return math.Sqrt(dot(v, v)) }
