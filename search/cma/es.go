package cma

import (
	"fmt"
	"math"
	"math/rand"
)

// Start is where a search begins: the distribution N(Mean, Sigma^2 Cov).
type Start struct {
	Mean  []float64
	Sigma float64   // above 0
	Cov   []float64 // n x n in row order, positive definite; nil for the identity
}

// Settings tune an ES. The zero value is CMA-ES as the tutorial has it.
type Settings struct {
	Lambda    int  // points of a generation, at least 2; 0 for DefaultLambda
	Passive   bool // no negative weights: bad points are forgotten, not avoided
	Separable bool // learn variances alone, in linear time
	Adapt     bool // adapt the learning rates to the noise (LRA-CMA-ES)

	// Lower and Upper bound the coordinates; nil for none. A point outside is drawn
	// again, up to 100 times, then clipped.
	Lower, Upper []float64
}

// ES is CMA-ES. Calls alternate: Ask, Tell, Ask, Tell.
type ES struct {
	gaussian
	settings Settings
	rates    rates

	sigma0 float64
	bests  []float64 // lowest cost of the last generations, newest last
	worsts []float64 // highest
}

// New returns an ES at its start.
func New(at Start, s Settings) *ES {
	n := len(at.Mean)
	switch {
	case n == 0 || !(at.Sigma > 0):
		panic("cma: a start needs a mean and a positive sigma")
	case at.Cov != nil && len(at.Cov) != n*n:
		panic(fmt.Sprintf("cma: a covariance of %d numbers for %d coordinates", len(at.Cov), n))
	case s.Lower != nil && len(s.Lower) != n || s.Upper != nil && len(s.Upper) != n:
		panic("cma: bounds of another dimension")
	}
	if s.Lambda == 0 {
		s.Lambda = DefaultLambda(n)
	}
	return &ES{
		gaussian: newGaussian(newStrategy(n, s.Lambda, s.Passive, s.Separable), s.Separable, at.Mean, at.Sigma, at.Cov),
		settings: s, rates: newRates(n), sigma0: at.Sigma,
	}
}

// Mean returns the mean of the distribution: the answer. With bounds it lies
// within them.
func (e *ES) Mean() []float64 { return append([]float64(nil), e.mean...) }

// Ask draws the points of the next generation. Equal generators give equal points.
func (e *ES) Ask(rng *rand.Rand) [][]float64 {
	points := make([][]float64, e.lambda)
	for i := range points {
		points[i] = e.gaussian.within(rng, e.settings.Lower, e.settings.Upper)
	}
	return points
}

// within draws m + sigma y. A point with a coordinate out of its bounds is drawn anew
// as a whole, up to 100 times; the last draw is clipped. Coordinates beyond the
// length of the bounds have none.
func (g *gaussian) within(rng *rand.Rand, lower, upper []float64) []float64 {
	for attempt := 0; ; attempt++ {
		x := g.draw(rng)
		inside := true
		for j, y := range x {
			x[j] = g.mean[j] + g.sigma*y
			if j < len(lower) && x[j] < lower[j] || j < len(upper) && x[j] > upper[j] {
				inside = false
			}
		}
		if inside {
			return x
		}
		if attempt == 100 {
			for j := range x {
				x[j] = clip(x[j], lower, upper, j)
			}
			return x
		}
	}
}

func clip(v float64, lower, upper []float64, j int) float64 {
	if j < len(lower) {
		v = max(v, lower[j])
	}
	if j < len(upper) {
		v = min(v, upper[j])
	}
	return v
}

// Tell moves the distribution. ranked holds lambda points, best first: those that
// were asked, or others. costs holds the costs of the first of them, in the same
// order; points beyond them have none and take no part in the mean. Costs only
// serve Stop, and need not be sorted.
func (e *ES) Tell(ranked [][]float64, costs []float64) {
	if len(ranked) != e.lambda || len(costs) > e.lambda {
		panic(fmt.Sprintf("cma: told %d points and %d costs of a generation of %d", len(ranked), len(costs), e.lambda))
	}
	e.remember(costs)
	y := make([][]float64, len(ranked))
	for i, x := range ranked {
		y[i] = make([]float64, e.n)
		for j, v := range x {
			y[i][j] = (v - e.mean[j]) / e.sigma
		}
	}
	if !e.settings.Adapt {
		e.update(y, len(costs), nil)
		return
	}
	before := e.gaussian
	before.mean = e.Mean()
	e.update(y, len(costs), nil)
	if len(costs) > 0 {
		e.rates.adapt(&before, &e.gaussian)
	}
}

// remember keeps the extremes of the last generations.
func (e *ES) remember(costs []float64) {
	if len(costs) == 0 {
		return
	}
	low, high := costs[0], costs[0]
	for _, c := range costs {
		low, high = min(low, c), max(high, c)
	}
	e.bests, e.worsts = append(e.bests, low), append(e.worsts, high)
	if more := len(e.bests) - e.horizon(); more > 0 {
		e.bests, e.worsts = e.bests[more:], e.worsts[more:]
	}
}

// horizon is the number of generations over which costs must differ.
func (e *ES) horizon() int {
	return 10 + int(math.Ceil(30*float64(e.n)/float64(e.lambda)))
}

// Reasons to stop, as Stop gives them.
const (
	TolFun    = "tolfun"    // costs of the last generations span less than 1e-12
	TolX      = "tolx"      // every deviation is below 1e-12 of the first sigma
	TolXUp    = "tolxup"    // the largest deviation has grown 1e4-fold
	NoEffect  = "noeffect"  // a step no longer changes the mean
	Condition = "condition" // the condition number of C exceeds 1e14
)

// Stop returns why going on is of no use, or "".
func (e *ES) Stop() string {
	if len(e.bests) == e.horizon() {
		low, high := math.Inf(1), math.Inf(-1)
		for i := range e.bests {
			low, high = min(low, e.bests[i]), max(high, e.worsts[i])
		}
		if high-low < 1e-12 {
			return TolFun
		}
	}
	small, still := true, false
	for j, m := range e.mean {
		d := e.deviation(j)
		small = small && d < 1e-12*e.sigma0 && e.sigma*math.Abs(e.path[j]) < 1e-12*e.sigma0
		still = still || m == m+0.2*d
	}
	long, short := e.axes[0], e.axes[0]
	for _, d := range e.axes {
		long, short = max(long, d), min(short, d)
	}
	axis := e.generation % e.n
	frozen := true
	for j, m := range e.mean {
		frozen = frozen && m == m+0.1*e.sigma*e.axes[axis]*e.basis[j*e.n+axis]
	}
	switch {
	case small:
		return TolX
	case e.sigma*long > 1e4*e.sigma0:
		return TolXUp
	case still || frozen:
		return NoEffect
	case long > 1e7*short:
		return Condition
	}
	return ""
}
