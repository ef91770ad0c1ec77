package searchtest

import (
	"math/rand/v2"

	"mergesearch"
)

// Reference returns the fitness of a good task_arithmetic recipe, found by hill
// climbing on the true fitness from weights near the skills' needs. No search
// gets to see that much; gaps to it compare searches over different families.
func (f *Family) Reference(steps int) float64 {
	rng := rand.New(rand.NewPCG(f.seed, 0xc11b))
	start := map[string]float64{"arithmetic": 0.9, "reverse": 0.27, "atlas": 0.8}
	g := f.Space.Default()
	for i, gene := range f.Space.Genes {
		switch {
		case gene.Name == mergesearch.MethodGene:
			g[i] = 2
		case gene.Parameter == "weight":
			g[i] = start[gene.Expert]
		}
	}
	best := f.Fitness(f.Space.Decode(f.Space.Normalize(g)))
	for k := range steps {
		h := g.Clone()
		for i, gene := range f.Space.Genes {
			if gene.Parameter == "weight" && rng.IntN(5) == 0 {
				h[i] += []float64{0.3, 0.1, 0.03}[k%3] * rng.NormFloat64()
			}
		}
		h = f.Space.Normalize(h)
		if x := f.Fitness(f.Space.Decode(h)); x > best {
			g, best = h, x
		}
	}
	return best
}
