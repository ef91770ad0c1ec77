package search

import (
	"math"
	"math/rand"

	"mergesearch"
)

// mutator changes genomes of one space. It is immutable and safe for concurrent
// use.
type mutator struct {
	space    *mergesearch.Space
	eta      float64 // of polynomial mutation
	reset    float64 // odds that a choice is drawn anew
	jitter   float64 // of genes that come into use
	together float64 // odds that related genes move together instead of singly
	moves    []move
}

func newMutator(s *mergesearch.Space, g GASettings) *mutator {
	return &mutator{space: s, eta: g.MutationEta, reset: g.ResetRate, jitter: g.Jitter, together: g.TogetherRate, moves: relatedMoves(s)}
}

// mutate returns a changed copy of g and the name of the operator that made it:
// "reset" (a choice drawn anew), "scale ..." or "shift ..." (related genes
// together) or "polynomial" (genes one by one).
func (m *mutator) mutate(g mergesearch.Genome, rng *rand.Rand) (mergesearch.Genome, string) {
	g = g.Clone()
	name := ""
	if choices := m.active(g, mergesearch.Choice); len(choices) > 0 && rng.Float64() < m.reset {
		g = m.resetChoice(g, choices[rng.Intn(len(choices))], rng)
		name = "reset"
	} else if moves := m.usable(g); len(moves) > 0 && rng.Float64() < m.together {
		name = m.moveTogether(g, moves[rng.Intn(len(moves))], rng)
	} else if reals := m.active(g, mergesearch.Real); len(reals) > 0 {
		m.moveSingly(g, reals, rng)
		name = "polynomial"
	} else if len(choices) > 0 {
		g = m.resetChoice(g, choices[rng.Intn(len(choices))], rng)
		name = "reset"
	}
	return m.space.Normalize(g), name
}

// active lists the genes of a kind that the genome uses and that can vary.
func (m *mutator) active(g mergesearch.Genome, kind mergesearch.Kind) []int {
	var out []int
	for i, gene := range m.space.Genes {
		varies := gene.Max > gene.Min || len(gene.Options) > 1
		if gene.Kind == kind && varies && m.space.Active(g, i) {
			out = append(out, i)
		}
	}
	return out
}

// resetChoice draws another option than the present one; a choice of blocks or
// slots takes with odds 1/2 its successor along, and so on. Genes that only the new
// option uses are drawn too, around shared levels: their defaults would make most
// changes of method hopeless.
func (m *mutator) resetChoice(g mergesearch.Genome, i int, rng *rand.Rand) mergesearch.Genome {
	genes := m.space.Genes
	option := rng.Intn(len(genes[i].Options) - 1)
	if option >= int(g[i]) {
		option++
	}
	end := i + 1
	for end < len(genes) && familyOf(genes[i]) != "" && familyOf(genes[end]) == familyOf(genes[i]) && genes[end].Kind == mergesearch.Choice && rng.Intn(2) == 0 {
		end++
	}
	fresh := structured(m.space, m.jitter, rng, func(h mergesearch.Genome) {
		copyChoices(m.space, h, g)
		for k := i; k < end; k++ {
			h[k] = float64(option)
		}
	})
	for k := range fresh {
		if (k < i || k >= end) && m.space.Active(g, k) && m.space.Active(fresh, k) {
			fresh[k] = g[k]
		}
	}
	return fresh
}

// moveSingly applies polynomial mutation to each gene with odds 1/n, to at least
// one.
func (m *mutator) moveSingly(g mergesearch.Genome, genes []int, rng *rand.Rand) {
	sure := rng.Intn(len(genes))
	for k, i := range genes {
		if k == sure || rng.Intn(len(genes)) == 0 {
			gene := m.space.Genes[i]
			g[i] = polynomial(g[i], gene.Min, gene.Max, m.eta, rng)
		}
	}
}

// polynomial is bounded polynomial mutation (Deb and Goyal 1996, highly
// disruptive form): an additive step in units of the range, so that a
// coefficient at zero moves like any other; a larger eta makes smaller steps.
func polynomial(x, low, high, eta float64, rng *rand.Rand) float64 {
	width := high - low
	if width <= 0 {
		return x
	}
	u := rng.Float64()
	var delta float64
	if u < 0.5 {
		room := (x - low) / width
		delta = math.Pow(2*u+(1-2*u)*math.Pow(1-room, eta+1), 1/(eta+1)) - 1
	} else {
		room := (high - x) / width
		delta = 1 - math.Pow(2*(1-u)+(2*u-1)*math.Pow(1-room, eta+1), 1/(eta+1))
	}
	return min(max(x+delta*width, low), high)
}

// moveTogether scales or shifts all genes of a move by one draw. The size of the
// step is itself drawn, log-uniform between 2 and 30 percent, so that the same
// operator explores early and refines late.
func (m *mutator) moveTogether(g mergesearch.Genome, mv move, rng *rand.Rand) string {
	set := mv.sets[rng.Intn(len(mv.sets))]
	step := 0.02 * math.Pow(15, rng.Float64()) * rng.NormFloat64()
	scale := rng.Intn(2) == 0
	for _, i := range set {
		gene := m.space.Genes[i]
		if scale {
			g[i] *= math.Exp(step)
		} else {
			g[i] += step * (gene.Max - gene.Min)
		}
	}
	if scale {
		return "scale " + mv.name
	}
	return "shift " + mv.name
}
