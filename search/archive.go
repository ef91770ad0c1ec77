package search

import (
	"math/rand"
	"slices"
	"strings"

	"mergesearch"
)

// resident is a member of an archive: a scored trial and what it answered.
type resident struct {
	trial mergesearch.Trial
	row   []float64 // value on each item, in the order of the archive's items
}

// responses turns trials into residents that can be compared item by item: those
// that answered the very items that the first one did.
type responses struct {
	weight map[string]float64 // of each task in the fitness
	items  []mergesearch.ItemID
	share  []float64 // of each item in the fitness; sums to 1
}

func newResponses(b mergesearch.Benchmark) *responses {
	r := &responses{weight: map[string]float64{}}
	for _, t := range b.Tasks {
		r.weight[t.Task] = t.Weight
	}
	return r
}

// resident returns false for trials that failed, left a race, have no genome or
// answered other items.
func (r *responses) resident(t mergesearch.Trial) (resident, bool) {
	if _, ok := t.Member(); !ok || t.State != mergesearch.Scored || t.Individual.Genome == nil || len(t.Outcomes) == 0 {
		return resident{}, false
	}
	if r.items == nil {
		r.settle(t.Outcomes)
	}
	if len(t.Outcomes) != len(r.items) {
		return resident{}, false
	}
	out := resident{trial: t, row: make([]float64, len(r.items))}
	out.trial.Outcomes = nil
	for j, o := range t.Outcomes {
		if o.Item != r.items[j] {
			return resident{}, false
		}
		out.row[j] = o.Value
	}
	return out, true
}

// admit appends a trial to the archive if it can be compared and no resident has its
// recipe.
func (r *responses) admit(archive []resident, t mergesearch.Trial) []resident {
	x, ok := r.resident(t)
	if !ok || slices.ContainsFunc(archive, func(o resident) bool { return o.trial.RecipeID == t.RecipeID && t.RecipeID != "" }) {
		return archive
	}
	return append(archive, x)
}

// settle fixes the items, and the share of each in the fitness: its task's weight
// over the number of the task's items.
func (r *responses) settle(outcomes []mergesearch.Outcome) {
	count := map[string]float64{}
	for _, o := range outcomes {
		count[o.Item.Task()]++
	}
	total := 0.0
	for _, o := range outcomes {
		task := o.Item.Task()
		share := orElse(r.weight[task], 1) / count[task]
		r.items, r.share = append(r.items, o.Item), append(r.share, share)
		total += share
	}
	for j := range r.share {
		r.share[j] /= total
	}
}

// breeder makes the children of archives: steady state, one a cohort, none that
// was asked before if the operators can help it.
type breeder struct {
	space     *mergesearch.Space
	seed      uint64
	purpose   string
	lookahead int
	mutator   *mutator
	place     []int // of each gene in the order that a split cuts
	places    int
	seeds     []mergesearch.Genome // the experts, as far as the space can express them
	told      bool
	asked     int
	known     map[string]bool // canonical forms of all that was told or asked
}

func newBreeder(space *mergesearch.Space, seed uint64, purpose string, lookahead int) breeder {
	b := breeder{
		space: space, seed: seed, purpose: purpose, lookahead: lookahead,
		mutator: newMutator(space, DefaultGA()), known: map[string]bool{}, seeds: expertGenomes(space),
	}
	b.place, b.places = cutOrder(space)
	return b
}

// Lookahead returns how many children are asked before the first is told.
func (b *breeder) Lookahead() int { return b.lookahead }

// cutOrder orders the genes for splits by what they are for: block of layers, slot
// of a path, knot of a gradient, group of tensors, so that a split falls between
// two parts of the model; what is for all of it comes first. Where all genes are,
// a split falls anywhere between two of them.
func cutOrder(s *mergesearch.Space) (place []int, places int) {
	type part [4]int
	var parts []part
	of := make([]part, len(s.Genes))
	for i, gene := range s.Genes {
		block := slices.IndexFunc(s.Blocks, func(b mergesearch.Block) bool { return b.Name == gene.Block })
		group := slices.IndexFunc(s.Groups, func(g mergesearch.Group) bool { return g.Name == gene.Group })
		of[i] = part{block, gene.Slot, gene.Knot, group}
		parts = append(parts, of[i])
	}
	order := func(a, b part) int { return slices.Compare(a[:], b[:]) }
	slices.SortFunc(parts, order)
	parts = slices.Compact(parts)
	place = make([]int, len(s.Genes))
	for i := range place {
		place[i] = i
		if len(parts) > 1 {
			place[i], _ = slices.BinarySearchFunc(parts, of[i], order)
		}
	}
	if len(parts) > 1 {
		return place, len(parts)
	}
	return place, len(place)
}

// expertGenomes returns for each expert the genome that is all of it and nothing
// of the others, under the first method that gives each expert a weight. A range
// that ends below one gives as much of the expert as it can.
func expertGenomes(s *mergesearch.Space) []mergesearch.Genome {
	for _, method := range s.Methods {
		start := s.Default()
		for i, gene := range s.Genes {
			if m := slices.Index(gene.Options, method.Name); m >= 0 && strings.HasPrefix(gene.Name, mergesearch.MethodGene) {
				start[i] = float64(m)
			}
		}
		start = s.Normalize(start)
		weights := false
		var out []mergesearch.Genome
		for _, e := range s.Experts {
			g := start.Clone()
			for i, gene := range s.Genes {
				if gene.Parameter != "weight" || gene.Expert == "" || !s.Active(start, i) {
					continue
				}
				weights = true
				g[i] = 0
				if gene.Expert == e {
					g[i] = 1
				}
			}
			out = append(out, s.Normalize(g))
		}
		if weights {
			return out
		}
	}
	return nil
}

// mix returns a child of two genomes: (1-t) a + t b for the genes before the
// split and t a + (1-t) b for those from it on. A choice comes from the parent
// with the larger share in its place, a gene that one parent alone uses from that
// parent. On linear methods a child of children is still one table of coefficients,
// whose breakpoints are all the splits of its ancestors. The second result is the
// share of b.
func (b *breeder) mix(x, y mergesearch.Genome, t float64, split int) (mergesearch.Genome, float64) {
	child := b.space.Default()
	share := 0.0
	for i, gene := range b.space.Genes {
		s := t
		if b.place[i] >= split {
			s = 1 - t
		}
		share += s / float64(len(child))
		inX, inY := b.space.Active(x, i), b.space.Active(y, i)
		switch {
		case !inX && !inY:
		case !inY, inX && gene.Kind == mergesearch.Choice && s < 0.5:
			child[i] = x[i]
		case !inX, gene.Kind == mergesearch.Choice:
			child[i] = y[i]
		default:
			child[i] = (1-s)*x[i] + s*y[i]
		}
	}
	return b.space.Normalize(child), share
}

// cross mixes two genomes with a random ratio and a random split.
func (b *breeder) cross(x, y mergesearch.Genome, rng *rand.Rand) (mergesearch.Genome, float64) {
	return b.mix(x, y, rng.Float64(), rng.Intn(max(1, b.places)))
}

// begin takes the usual recipes that were told first and returns true then.
func (b *breeder) begin(trials []mergesearch.Trial) bool {
	if b.told {
		return false
	}
	b.told = true
	for _, t := range trials {
		if t.Individual.Genome != nil {
			b.known[b.space.Canonical(t.Individual.Genome)] = true
		}
	}
	return true
}

// next returns the stream of the next child, counted from 0.
func (b *breeder) next() (int, *rand.Rand) {
	b.asked++
	return b.asked - 1, stream(b.seed, b.purpose, uint64(b.asked-1))
}

// founder proposes the k-th individual that has no parents: the experts first, then
// random mixes of two of them or, where the space has none, and every other time,
// a draw around shared levels.
func (b *breeder) founder(k int, rng *rand.Rand) mergesearch.Individual {
	for ; k < len(b.seeds); k++ {
		if !b.known[b.space.Canonical(b.seeds[k])] {
			return mergesearch.Individual{Genome: b.seeds[k], Operator: "seed"}
		}
	}
	if n := len(b.seeds); n > 1 && k%2 == 0 {
		x := rng.Intn(n)
		y := (x + 1 + rng.Intn(n-1)) % n
		g, _ := b.cross(b.seeds[x], b.seeds[y], rng)
		return mergesearch.Individual{Genome: g, Operator: "mix"}
	}
	return mergesearch.Individual{Genome: b.drawn(rng), Operator: "draw"}
}

func (b *breeder) drawn(rng *rand.Rand) mergesearch.Genome {
	return structured(b.space, DefaultGA().Jitter, rng, nil)
}

// child proposes a mix of two residents, the first of which is asked for by the
// ratio.
func (b *breeder) child(x, y resident, rng *rand.Rand) mergesearch.Individual {
	g, share := b.cross(x.trial.Individual.Genome, y.trial.Individual.Genome, rng)
	if share > 0.5 {
		x, y = y, x
	}
	return b.offspring(g, "mix", x, y)
}

func (b *breeder) offspring(g mergesearch.Genome, operator string, parents ...resident) mergesearch.Individual {
	i := mergesearch.Individual{Genome: g, Operator: operator}
	for _, p := range parents {
		if id := p.trial.ID(); !slices.Contains(i.Parents, id) {
			i.Parents = append(i.Parents, id)
		}
	}
	return i
}

// mutate applies one mutation.
func (b *breeder) mutate(i *mergesearch.Individual, rng *rand.Rand) {
	g, operator := b.mutator.mutate(i.Genome, rng)
	i.Genome, i.Operator = g, i.Operator+", "+operator
}

// cohort makes an individual new, by at most ten mutations and then by a draw, and
// returns it as a cohort. A space may be too small for either.
func (b *breeder) cohort(i mergesearch.Individual, rng *rand.Rand) []mergesearch.Individual {
	operator := i.Operator
	for range 10 {
		if !b.known[b.space.Canonical(i.Genome)] {
			break
		}
		i.Operator = operator
		b.mutate(&i, rng)
	}
	if b.known[b.space.Canonical(i.Genome)] {
		i = mergesearch.Individual{Genome: b.drawn(rng), Operator: "draw"}
	}
	b.known[b.space.Canonical(i.Genome)] = true
	i.Generation = b.asked
	return []mergesearch.Individual{i}
}

// roulette draws an index with odds proportional to the weights, which must not be
// negative; uniform when all are zero.
func roulette(weights []float64, rng *rand.Rand) int {
	total := 0.0
	for _, w := range weights {
		total += w
	}
	if total <= 0 {
		return rng.Intn(len(weights))
	}
	at := rng.Float64() * total
	for i, w := range weights {
		if at -= w; at < 0 {
			return i
		}
	}
	return len(weights) - 1
}

// checkArchive refuses settings that all archives share.
func checkArchive(population, lookahead int) error {
	switch {
	case population < 2:
		return &mergesearch.InputError{Field: "algorithm.population", Problem: "an archive needs at least 2 residents"}
	case lookahead < 1:
		return &mergesearch.InputError{Field: "algorithm.lookahead", Problem: "must be at least 1"}
	}
	return nil
}
