package cma

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
)

// categories are independent distributions over the options of choices, moved
// along the natural gradient with adaptive steps (ASNG). The length of a step is
// relative to the Fisher metric over all choices together.
type categories struct {
	odds  [][]float64 // q: of each choice, of its options; sums to 1
	least []float64   // of each choice: the margin, which no option falls below

	step  float64   // delta of the last update
	trust float64   // Delta: 1/step of the next
	path  []float64 // s: discounted sum of unit gradients
	power float64   // gamma: its expected squared length if selection were blind
}

func newCategories(options []int, odds [][]float64, alpha float64) categories {
	c := categories{step: 1, trust: 1}
	free := 0
	for k, n := range options {
		q := make([]float64, n)
		for o := range q {
			q[o] = 1 / float64(n)
		}
		if odds != nil {
			if len(odds[k]) != n {
				panic(fmt.Sprintf("cma: %d odds for a choice of %d", len(odds[k]), n))
			}
			copy(q, odds[k])
		}
		c.odds = append(c.odds, q)
		c.least = append(c.least, alpha/float64(n-1))
		free += n - 1
	}
	c.path = make([]float64, free)
	for k := range c.odds {
		c.lift(k)
	}
	return c
}

// draw returns an option of each choice.
func (c *categories) draw(rng *rand.Rand) []int {
	out := make([]int, len(c.odds))
	for k, q := range c.odds {
		u := rng.Float64()
		for out[k] = 0; out[k] < len(q)-1 && u >= q[out[k]]; out[k]++ {
			u -= q[out[k]]
		}
	}
	return out
}

// mode returns the likeliest options, the first of equal ones.
func (c *categories) mode() []int {
	out := make([]int, len(c.odds))
	for k, q := range c.odds {
		out[k] = slices.Index(q, slices.Max(q))
	}
	return out
}

// update moves the odds towards the options of the best points, which have
// positive weights. A point says nothing of a choice that is inactive in it.
func (c *categories) update(best []CatPoint, weights []float64) {
	gradient := make([][]float64, len(c.odds))
	var v []float64 // gradient times the root of the Fisher information
	for k, q := range c.odds {
		g := make([]float64, len(q))
		for i, p := range best {
			if p.InactiveChoices != nil && p.InactiveChoices[k] {
				continue
			}
			for o := range g {
				g[o] -= weights[i] * q[o]
			}
			g[p.C[k]] += weights[i]
		}
		gradient[k] = g
		last, sum := q[len(q)-1], 0.0
		for _, x := range g[:len(g)-1] {
			sum += x
		}
		for o, x := range g[:len(g)-1] {
			v = append(v, x/math.Sqrt(q[o])+math.Sqrt(q[o])*sum/(last+math.Sqrt(last)))
		}
	}
	length := norm(v)
	if length == 0 {
		return // every choice is inactive, or the best agree with the odds
	}
	for k, g := range gradient {
		for o := range g {
			c.odds[k][o] += c.step / (length + 1e-8) * g[o]
		}
	}
	c.step = 1 / c.trust
	beta := min(1, c.step/math.Sqrt(float64(len(c.path))))
	for i := range c.path {
		c.path[i] = (1-beta)*c.path[i] + math.Sqrt(beta*(2-beta))*v[i]/length
	}
	c.power = (1-beta)*(1-beta)*c.power + beta*(2-beta)
	c.trust *= math.Exp(beta * (c.power - dot(c.path, c.path)/1.5))
	for k := range c.odds {
		c.lift(k)
	}
}

// lift raises the odds of choice k to the margin and takes the excess from the
// others in proportion to what they have above it.
func (c *categories) lift(k int) {
	q, least := c.odds[k], c.least[k]
	sum := 0.0
	for o := range q {
		q[o] = max(q[o], least)
		sum += q[o]
	}
	above := sum - least*float64(len(q))
	for o := range q {
		if above > 0 {
			q[o] -= (sum - 1) * (q[o] - least) / above
		}
	}
}
