package cma

import (
	"math"
	"slices"
)

// margin keeps integer coordinates moving: rounding hides small steps from
// selection, so without it sigma falls until a coordinate never leaves its level
// again. Section 4 of the CatCMA with margin paper.
type margin struct {
	levels [][]float64 // of each integer coordinate
	limits [][]float64 // halfway between levels
	alpha  float64     // least probability of leaving a level

	scale   []float64 // A: stretches a coordinate beyond what sigma and C give it
	mutate  []float64 // probability of leaving the level after the last correction
	success []bool    // whether one of the best left it in the last generation
}

func newMargin(levels [][]float64, alpha float64) margin {
	m := margin{levels: levels, alpha: alpha, success: make([]bool, len(levels))}
	for _, l := range levels {
		var limits []float64
		for i := range len(l) - 1 {
			limits = append(limits, (l[i]+l[i+1])/2)
		}
		m.limits = append(m.limits, limits)
		m.scale = append(m.scale, 1)
		m.mutate = append(m.mutate, 0.5-1e-8)
	}
	return m
}

// round returns the level of integer coordinate k nearest to v.
func (m *margin) round(k int, v float64) float64 {
	return m.levels[k][m.below(k, v)]
}

// below counts the limits of integer coordinate k that are lower than v.
func (m *margin) below(k int, v float64) int {
	i, _ := slices.BinarySearch(m.limits[k], v)
	return i
}

// centre moves the best points, given raw, to the levels that they were evaluated
// at where these differ from the mean's, and moves those that stayed to make up
// for the bias, as far as their own levels. Points do not count where they are
// inactive.
func (m *margin) centre(best [][]float64, mean []float64, offset int, masks *masks) {
	for k := range m.levels {
		j := offset + k
		home := m.below(k, mean[j])
		m.success[k] = false
		var bias, up, down float64
		for i, v := range best {
			if !masks.active(i, j) {
				continue
			}
			d := m.round(k, v[j]) - v[j]
			if m.below(k, v[j]) != home {
				m.success[k] = true
				bias += d
			} else if d > 0 {
				up += d
			} else {
				down += d
			}
		}
		share := 0.0
		if bias*up < 0 {
			share = min(1, -bias/up)
		} else if bias*down < 0 {
			share = min(1, -bias/down)
		}
		for i, v := range best {
			if !masks.active(i, j) {
				continue
			}
			d := m.round(k, v[j]) - v[j]
			if m.below(k, v[j]) != home {
				v[j] += d
			} else if bias*d < 0 {
				v[j] += share * d
			}
		}
	}
}

// correct moves the mean of each integer coordinate and stretches it, so that the
// probability of leaving the mean's level is at least the margin, and without a
// success no higher than before.
func (m *margin) correct(g *gaussian, offset int) {
	for k, limits := range m.limits {
		j := offset + k
		at := m.below(k, g.mean[j])
		low, high := limits[max(0, at-1)], limits[min(at, len(limits)-1)]
		unit := g.deviation(j)
		under := normalCDF((low - g.mean[j]) / (unit * m.scale[k]))
		over := normalCDF((g.mean[j] - high) / (unit * m.scale[k]))
		if max(under, over) > 0.5 {
			m.correctEdge(g, k, j, high, min(under, over), unit)
		} else {
			m.correctMiddle(g, k, j, low, high, under, over, unit)
		}
	}
}

// correctEdge is for a mean at the lowest or the highest level: there is one limit,
// and p the probability of being beyond it.
func (m *margin) correctEdge(g *gaussian, k, j int, limit, p, unit float64) {
	p = max(p, m.alpha)
	if !m.success[k] {
		p = min(p, m.mutate[k])
	}
	p = min(max(p, 1e-8), 0.5-1e-8)
	reach := math.Abs(m.round(k, g.mean[j]) - limit)
	m.scale[k] = max(m.scale[k], reach/(unit*upperQuantile(m.alpha)))
	away := unit * m.scale[k] * upperQuantile(p)
	if g.mean[j] < limit {
		away = -away
	}
	g.mean[j] = limit + away
	m.mutate[k] = p
}

// correctMiddle is for a mean between two limits, with the probabilities of being
// under the low one and over the high one.
func (m *margin) correctMiddle(g *gaussian, k, j int, low, high, under, over, unit float64) {
	half := m.alpha / 2
	stay := 1 - under - over
	under, over = max(under, half), max(over, half)
	room := under + over + stay - 3*half
	if !m.success[k] {
		stay = max(stay, 1-m.mutate[k])
		room = under + over + stay - m.alpha - (1 - m.mutate[k])
	}
	if excess := 1 - under - over - stay; room > 0 {
		under, over = under+excess/room*(under-half), over+excess/room*(over-half)
	}
	under = min(max(under, 1e-8), 0.5-1e-8)
	over = min(max(over, 1e-8), 0.5-1e-8)
	a, b := upperQuantile(under), upperQuantile(over)
	m.scale[k] = (high - low) / ((a + b) * unit)
	g.mean[j] = (low*b + high*a) / (a + b)
	m.mutate[k] = under + over
}

// normalCDF is the standard normal distribution function.
func normalCDF(x float64) float64 { return 0.5 * math.Erfc(-x/math.Sqrt2) }

// upperQuantile returns the x that a standard normal number exceeds with
// probability p.
func upperQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(1-2*p) }
