package cma

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
)

// Domain is what a CatCMA searches. The Gaussian's coordinates are the real ones
// first, then the integer ones.
type Domain struct {
	Lower, Upper []float64   // of the real coordinates
	Levels       [][]float64 // values of each integer coordinate, growing, at least 2
	Options      []int       // of each choice, at least 2
}

// gaussian returns the number of the Gaussian's coordinates.
func (d Domain) gaussian() int { return len(d.Lower) + len(d.Levels) }

// size returns the number of coordinates and choices.
func (d Domain) size() int { return d.gaussian() + len(d.Options) }

func (d Domain) check() {
	if d.size() == 0 || len(d.Lower) != len(d.Upper) {
		panic("cma: a domain without coordinates, or with bounds of two lengths")
	}
	for _, levels := range d.Levels {
		if len(levels) < 2 || !slices.IsSorted(levels) {
			panic(fmt.Sprintf("cma: levels %v", levels))
		}
	}
	for _, k := range d.Options {
		if k < 2 {
			panic(fmt.Sprintf("cma: a choice of %d", k))
		}
	}
}

// CatStart is where a CatCMA begins. Zero values take the defaults of the paper's
// code: the middle of the domain, a twelfth of the width for a real coordinate, a
// tenth for an integer one, equal odds.
type CatStart struct {
	Mean       []float64 // of the Gaussian
	Deviations []float64 // of each of its coordinates, above 0
	Odds       [][]float64
}

// CatPoint is a point of a domain.
type CatPoint struct {
	X []float64 // real coordinates, within bounds
	Z []float64 // integer coordinates, on their levels
	C []int     // an option of each choice

	// Inactive and InactiveChoices are set by whoever evaluates the point, before
	// Tell: which of the Gaussian's coordinates and of the choices made no
	// difference to it. Nil where all did.
	Inactive        []bool
	InactiveChoices []bool

	raw []float64 // the Gaussian's coordinates as drawn
}

// CatCMA is CatCMA with margin: one Gaussian over real and integer coordinates and
// one categorical distribution for each choice, all moved by the same ranks.
// Margins keep every integer step and every option within reach. Real coordinates
// out of bounds are clipped. Calls alternate: Ask, Tell.
type CatCMA struct {
	gaussian
	domain  Domain
	margin  margin
	choices categories
}

// NewCatCMA returns a CatCMA of lambda points a generation, 0 for DefaultLambda.
func NewCatCMA(d Domain, at CatStart, lambda int) *CatCMA {
	d.check()
	if lambda == 0 {
		lambda = DefaultLambda(d.size())
	}
	n := d.gaussian()
	mean, cov := at.Mean, make([]float64, n*n)
	if mean == nil {
		for j := range n {
			low, high := d.bounds(j)
			mean = append(mean, (low+high)/2)
		}
	}
	if len(mean) != n || at.Deviations != nil && len(at.Deviations) != n || at.Odds != nil && len(at.Odds) != len(d.Options) {
		panic("cma: a start of another domain")
	}
	for j := range n {
		low, high := d.bounds(j)
		deviation := (high - low) / 12
		if j >= len(d.Lower) {
			deviation = (high - low) / 10
		}
		if at.Deviations != nil {
			deviation = at.Deviations[j]
		}
		cov[j*n+j] = deviation * deviation
	}
	alpha := 0.0
	if discrete := len(d.Levels) + len(d.Options); discrete > 0 {
		alpha = 1 - math.Pow(0.73, 1/float64(discrete))
	}
	return &CatCMA{
		gaussian: newGaussian(newStrategy(n, lambda, false, false), false, mean, 1, cov),
		domain:   d,
		margin:   newMargin(d.Levels, alpha),
		choices:  newCategories(d.Options, at.Odds, alpha),
	}
}

// bounds returns the range of the Gaussian's coordinate j.
func (d Domain) bounds(j int) (low, high float64) {
	if j < len(d.Lower) {
		return d.Lower[j], d.Upper[j]
	}
	levels := d.Levels[j-len(d.Lower)]
	return levels[0], levels[len(levels)-1]
}

// Ask draws the points of the next generation. Equal generators give equal points.
func (c *CatCMA) Ask(rng *rand.Rand) []CatPoint {
	out := make([]CatPoint, c.lambda)
	for i := range out {
		raw := c.drawRaw(rng)
		out[i] = CatPoint{
			X: slices.Clone(raw[:len(c.domain.Lower)]), Z: c.levels(raw),
			C: c.choices.draw(rng), raw: raw,
		}
	}
	return out
}

// drawRaw draws m + sigma A y, with the real coordinates clipped. To draw again, as
// an ES does, would take from integer coordinates that are correlated with them
// the margin that they have.
func (c *CatCMA) drawRaw(rng *rand.Rand) []float64 {
	v := c.draw(rng)
	for j, y := range v {
		v[j] = c.mean[j] + c.sigma*c.scale(j)*y
		if j < len(c.domain.Lower) {
			v[j] = clip(v[j], c.domain.Lower, c.domain.Upper, j)
		}
	}
	return v
}

// scale returns the factor A of the Gaussian's coordinate j: 1 for a real one.
func (c *CatCMA) scale(j int) float64 {
	if reals := len(c.domain.Lower); j >= reals {
		return c.margin.scale[j-reals]
	}
	return 1
}

// levels rounds the integer coordinates of a raw point to their levels.
func (c *CatCMA) levels(raw []float64) []float64 {
	z := make([]float64, len(c.domain.Levels))
	for k := range z {
		z[k] = c.margin.round(k, raw[len(c.domain.Lower)+k])
	}
	return z
}

// Mean returns the answer: the mean of the Gaussian, rounded, and the likeliest
// option of every choice.
func (c *CatCMA) Mean() CatPoint {
	x := slices.Clone(c.mean[:len(c.domain.Lower)])
	for j := range x {
		x[j] = clip(x[j], c.domain.Lower, c.domain.Upper, j)
	}
	return CatPoint{X: x, Z: c.levels(c.mean), C: c.choices.mode()}
}

// Odds returns the probabilities of the options of choice k.
func (c *CatCMA) Odds(k int) []float64 { return slices.Clone(c.choices.odds[k]) }

// Deviation returns the standard deviation of the Gaussian's coordinate j.
func (c *CatCMA) Deviation(j int) float64 { return c.scale(j) * c.deviation(j) }

// Tell moves the distributions. ranked holds the lambda points that were asked,
// best first, of which the first scored have a cost; the others take no part in
// the mean. Without a scored point nothing moves.
func (c *CatCMA) Tell(ranked []CatPoint, scored int) {
	if len(ranked) != c.lambda || scored < 0 || scored > c.lambda {
		panic(fmt.Sprintf("cma: told %d points, %d scored, of a generation of %d", len(ranked), scored, c.lambda))
	}
	if scored == 0 {
		return
	}
	w := c.weightsFor(scored)
	if c.n > 0 {
		y := make([][]float64, len(ranked))
		inactive := make([][]bool, len(ranked))
		for i, p := range ranked {
			y[i], inactive[i] = slices.Clone(p.raw), p.Inactive
			if p.Inactive != nil && len(p.Inactive) != c.n {
				panic("cma: a mask of another domain")
			}
		}
		masks := newMasks(inactive)
		c.margin.centre(y[:min(scored, c.mu)], c.mean, len(c.domain.Lower), masks)
		for i := range y {
			for j := range y[i] {
				y[i][j] = (y[i][j] - c.mean[j]) / (c.sigma * c.scale(j))
			}
		}
		c.update(y, scored, masks)
		c.margin.correct(&c.gaussian, len(c.domain.Lower))
	}
	c.choices.update(ranked[:c.mu], w)
}
