package search

import (
	"math"
	"math/rand"

	"mergesearch"
)

// crossover recombines two genomes into two. Each child takes its method, and
// each other choice, from either parent with equal odds. A real gene that both
// parents use is recombined by bounded SBX with odds 1/2 and otherwise handed on;
// one that a single parent uses comes from that parent, since the other holds
// only a default there.
func crossover(s *mergesearch.Space, a, b mergesearch.Genome, eta float64, rng *rand.Rand) (mergesearch.Genome, mergesearch.Genome) {
	c, d := a.Clone(), b.Clone()
	for i, gene := range s.Genes {
		inA, inB := s.Active(a, i), s.Active(b, i)
		switch {
		case !inA && !inB:
		case !inB:
			d[i] = a[i]
		case !inA:
			c[i] = b[i]
		case gene.Kind == mergesearch.Choice:
			if rng.Intn(2) == 0 {
				c[i], d[i] = b[i], a[i]
			}
		case rng.Intn(2) == 0:
			c[i], d[i] = sbx(a[i], b[i], gene.Min, gene.Max, eta, rng)
		}
	}
	return s.Normalize(c), s.Normalize(d)
}

// sbx is simulated binary crossover (Deb and Agrawal 1995) in the bounded form of
// NSGA-II's code: the children lie symmetrically about the parents' midpoint, at
// a distance whose density falls with a larger eta, truncated at the nearer
// bound. The children are exchanged with odds 1/2, so neither keeps to a side.
func sbx(a, b, low, high, eta float64, rng *rand.Rand) (float64, float64) {
	u, swap := rng.Float64(), rng.Intn(2) == 0
	lower, upper := min(a, b), max(a, b)
	distance := upper - lower
	if distance < 1e-12 {
		return a, b
	}
	spread := func(room float64) float64 {
		alpha := 2 - math.Pow(1+2*room/distance, -(eta+1))
		if u <= 1/alpha {
			return math.Pow(u*alpha, 1/(eta+1))
		}
		return math.Pow(1/(2-u*alpha), 1/(eta+1))
	}
	middle := (lower + upper) / 2
	c := middle - spread(lower-low)*distance/2
	d := middle + spread(high-upper)*distance/2
	c, d = min(max(c, low), high), min(max(d, low), high)
	if swap {
		return d, c
	}
	return c, d
}
