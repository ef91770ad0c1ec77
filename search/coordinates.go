package search

import "mergesearch"

// coordinates maps the real genes of a space that can vary to the unit cube, in
// the order of the space: what numeric algorithms work in.
type coordinates struct {
	space *mergesearch.Space
	genes []int // indices in the space
}

func newCoordinates(s *mergesearch.Space) coordinates {
	c := coordinates{space: s}
	for i, g := range s.Genes {
		if g.Kind == mergesearch.Real && g.Max > g.Min {
			c.genes = append(c.genes, i)
		}
	}
	return c
}

// point returns where a genome stands.
func (c coordinates) point(g mergesearch.Genome) []float64 {
	x := make([]float64, len(c.genes))
	for k, i := range c.genes {
		gene := c.space.Genes[i]
		x[k] = (g[i] - gene.Min) / (gene.Max - gene.Min)
	}
	return x
}

// genome returns the normalized genome at x, which is clipped to the cube, with
// the other genes taken from the given genome.
func (c coordinates) genome(x []float64, others mergesearch.Genome) mergesearch.Genome {
	g := others.Clone()
	for k, i := range c.genes {
		gene := c.space.Genes[i]
		g[i] = gene.Min + min(1, max(0, x[k]))*(gene.Max-gene.Min)
	}
	return c.space.Normalize(g)
}

// active tells for each coordinate whether the genome's method uses it.
func (c coordinates) active(g mergesearch.Genome) []bool {
	out := make([]bool, len(c.genes))
	for k, i := range c.genes {
		out[k] = c.space.Active(g, i)
	}
	return out
}

// bestOf returns the best trial that has a genome and a fitness, and false when
// none has: the usual recipe to start from.
func bestOf(trials []mergesearch.Trial) (mergesearch.Trial, bool) {
	var best mergesearch.Trial
	found := false
	for _, t := range trials {
		if _, ok := t.Member(); !ok || t.Individual.Genome == nil {
			continue
		}
		if !found || outranks(t, best) {
			best, found = t, true
		}
	}
	return best, found
}
