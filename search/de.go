package search

import (
	"fmt"
	"math/rand"
	"slices"

	"mergesearch"
)

// DESettings tunes differential evolution. DefaultDE is the place to start.
type DESettings struct {
	Population int // members, and individuals of each cohort; at least 4
	Start      int // individuals of the first cohort, drawn without parents; 0 for Population

	// Uniform draws the first cohort over the whole space and leaves the usual
	// recipes out: for comparisons with published figures, too slow for merges.
	Uniform bool

	Best          bool    // differences are added to the best member instead of a random one
	Factor        float64 // F: share of a difference that is added
	Dither        float64 // F of each challenger is drawn from Factor to Factor + Dither
	CrossoverRate float64 // CR: odds that a gene comes from the mutant

	Spread float64 // of founders about a usual recipe, as a share of the range
	Jitter float64 // spread of the groups about a shared level in drawn genomes, as a share of the range
}

// DefaultDE returns the settings for merges: DE/rand/1/bin, since the best member
// is best by luck too, with the usual F and CR.
func DefaultDE() DESettings {
	return DESettings{Population: 20, Start: 40, Factor: 0.5, CrossoverRate: 0.7, Spread: 0.1, Jitter: 0.05}
}

// With returns the settings with what a run file says.
func (d DESettings) With(s Settings) DESettings {
	if s.Population != 0 {
		d.Population, d.Start = s.Population, 2*s.Population
	}
	return d
}

// ForBudget returns the settings with a first cohort that leaves at least seven
// tenths of the candidates to breeding, but is no smaller than the population.
// Zero candidates stand for no bound.
func (d DESettings) ForBudget(candidates int) DESettings {
	if candidates > 0 {
		d.Start = max(d.Population, min(d.Start, candidates*3/10))
	}
	return d
}

func (d DESettings) check() error {
	switch {
	case d.Population < 4:
		return &mergesearch.InputError{Field: "algorithm.population", Problem: "differential evolution needs at least 4 members"}
	case d.Start < 0:
		return &mergesearch.InputError{Field: "algorithm.start", Problem: "cannot be negative"}
	case !(d.Factor > 0 && d.Factor <= 2):
		return &mergesearch.InputError{Field: "algorithm.factor", Problem: fmt.Sprintf("%v is not above 0 and at most 2", d.Factor)}
	case !(d.Dither >= 0 && d.Dither <= 2):
		return &mergesearch.InputError{Field: "algorithm.dither", Problem: fmt.Sprintf("%v is not between 0 and 2", d.Dither)}
	case !(d.CrossoverRate >= 0 && d.CrossoverRate <= 1):
		return &mergesearch.InputError{Field: "algorithm.crossover_rate", Problem: fmt.Sprintf("%v is not between 0 and 1", d.CrossoverRate)}
	case !(d.Spread >= 0 && d.Spread <= 1) || !(d.Jitter >= 0 && d.Jitter <= 1):
		return &mergesearch.InputError{Field: "algorithm", Problem: "spread and jitter are shares of the range"}
	}
	return nil
}

// DE is differential evolution (Storn and Price 1997), DE/best/1/bin or
// DE/rand/1/bin: each member is challenged by a genome that takes some genes from
// a mutant, a third member plus the scaled difference of two others, and gives
// way to a challenger that is no worse. Choices of the mutant are those of the
// third member; genes that only one side uses come from it.
//
// The population's mean is its recommendation: a single member is where it is by
// luck too.
type DE struct {
	space    *mergesearch.Space
	seed     uint64
	settings DESettings
	founders founders

	generation int // of the cohort asked last
	asked      int // individuals of it
	told       bool
	usual      []mergesearch.Trial  // usual recipes, best first
	members    []*mergesearch.Trial // by slot; nil where there is none
	known      map[string]bool      // canonical forms of all that was told or asked
}

var _ Recommender = (*DE)(nil)

// NewDE checks the settings.
func NewDE(space *mergesearch.Space, seed uint64, settings DESettings) (*DE, error) {
	if err := settings.check(); err != nil {
		return nil, err
	}
	settings.Start = max(settings.Start, settings.Population)
	return &DE{
		space: space, seed: seed, settings: settings,
		founders: founders{space: space, uniform: settings.Uniform, spread: settings.Spread, jitter: settings.Jitter},
		members:  make([]*mergesearch.Trial, settings.Population),
		known:    map[string]bool{},
	}, nil
}

// Population returns the members.
func (a *DE) Population() []mergesearch.Trial {
	var out []mergesearch.Trial
	for _, m := range a.members {
		if m != nil {
			out = append(out, *m)
		}
	}
	return out
}

// Ask draws the first cohort; later ones hold a challenger for each member, and a
// founder for each slot without one.
func (a *DE) Ask() []mergesearch.Individual {
	a.generation++
	n := len(a.members)
	if a.generation == 1 {
		n = a.settings.Start
	}
	leader, count := a.leader()
	out := make([]mergesearch.Individual, n)
	for k := range out {
		rng := stream(a.seed, "de", uint64(a.generation), uint64(k))
		draw := func() mergesearch.Individual { return a.founders.founder(k, a.generation, a.usual, rng) }
		if a.generation > 1 && count >= 4 && a.members[k] != nil { // a member and three others
			draw = func() mergesearch.Individual { return a.challenger(k, leader, rng) }
		}
		out[k] = fresh(a.space, a.known, draw)
	}
	a.asked = n
	return out
}

// Tell lets challengers that are no worse than their members take their place.
func (a *DE) Tell(trials []mergesearch.Trial) {
	if a.told {
		checkTold(trials, a.asked)
	}
	switch {
	case !a.told:
		a.told = true
		if !a.settings.Uniform {
			a.usual = a.best(trials)
		}
	case a.generation == 1:
		for k, t := range a.best(slices.Concat(a.usual, trials)) {
			if k < len(a.members) {
				a.members[k] = &t
			}
		}
	default:
		for k, t := range trials {
			if _, ok := t.Member(); ok && (a.members[k] == nil || !worse(t, *a.members[k])) {
				a.members[k] = &t
			}
		}
	}
}

// best returns the trials with a genome and a fitness, best first, each genome
// once.
func (a *DE) best(trials []mergesearch.Trial) []mergesearch.Trial {
	var out []mergesearch.Trial
	held := map[string]bool{}
	for _, t := range trials {
		if _, ok := t.Member(); !ok || t.Individual.Genome == nil {
			continue
		}
		if key := a.space.Canonical(t.Individual.Genome); !held[key] {
			held[key], a.known[key] = true, true
			out = append(out, t)
		}
	}
	slices.SortFunc(out, byRank)
	return out
}

// worse reports whether a later trial is worse than an earlier one, not just
// later.
func worse(later, earlier mergesearch.Trial) bool {
	later.Index = earlier.Index
	return outranks(earlier, later)
}

// leader returns the best member, and how many there are.
func (a *DE) leader() (best *mergesearch.Trial, count int) {
	for _, m := range a.members {
		if m == nil {
			continue
		}
		if count++; best == nil || outranks(*m, *best) {
			best = m
		}
	}
	return best, count
}

// challenger returns the genome that challenges the member of slot k: binomial
// crossover of the member with a mutant.
func (a *DE) challenger(k int, leader *mergesearch.Trial, rng *rand.Rand) mergesearch.Individual {
	s := a.space
	others := a.others(k, rng)
	target, plus, minus, third := a.members[k], others[0], others[1], others[2]
	if a.settings.Best {
		third = leader
	}
	t, base := target.Individual.Genome, third.Individual.Genome
	factor := a.settings.Factor + rng.Float64()*a.settings.Dither
	mask := a.mask(target, third, rng)
	child := t.Clone()
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice && mask[i] && s.Active(base, i) {
			child[i] = base[i]
		}
	}
	child = s.Normalize(child)
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice || !s.Active(child, i) {
			continue
		}
		inTarget, inBase := s.Active(t, i), s.Active(base, i)
		switch {
		case inBase && (mask[i] || !inTarget):
			difference := 0.0
			if s.Active(plus.Individual.Genome, i) && s.Active(minus.Individual.Genome, i) {
				difference = plus.Individual.Genome[i] - minus.Individual.Genome[i]
			}
			child[i] = inside(base[i]+factor*difference, base[i], gene.Min, gene.Max, rng)
		case inTarget:
			child[i] = t[i]
		}
	}
	parents := []mergesearch.CandidateID{target.ID()}
	for _, p := range []*mergesearch.Trial{third, plus, minus} {
		parents = union(parents, []mergesearch.CandidateID{p.ID()})
	}
	return mergesearch.Individual{Genome: s.Normalize(child), Generation: a.generation, Operator: "difference", Parents: parents}
}

// others draws three members besides that of slot k, all different.
func (a *DE) others(k int, rng *rand.Rand) []*mergesearch.Trial {
	var out []*mergesearch.Trial
	for _, j := range rng.Perm(len(a.members)) {
		if j != k && a.members[j] != nil {
			out = append(out, a.members[j])
		}
		if len(out) == 3 {
			break
		}
	}
	return out
}

// mask draws the genes that come from the mutant: each with odds CR, and one for
// sure that either side uses.
func (a *DE) mask(target, third *mergesearch.Trial, rng *rand.Rand) []bool {
	out := make([]bool, len(a.space.Genes))
	var used []int
	for i := range out {
		out[i] = rng.Float64() < a.settings.CrossoverRate
		if a.space.Active(target.Individual.Genome, i) || a.space.Active(third.Individual.Genome, i) {
			used = append(used, i)
		}
	}
	if len(used) > 0 {
		out[used[rng.Intn(len(used))]] = true
	}
	return out
}

// inside returns x, or where it is out of bounds a point between the bound and
// where the step began, so that members do not gather on bounds.
func inside(x, from, low, high float64, rng *rand.Rand) float64 {
	switch {
	case x < low:
		return low + rng.Float64()*(from-low)
	case x > high:
		return high - rng.Float64()*(high-from)
	}
	return x
}

// Recommend returns the mean of the members that share the most frequent choices,
// of equally frequent ones those of the best member. Members that left a race
// count only where none answered all items.
func (a *DE) Recommend() (mergesearch.Individual, bool) {
	members := a.best(a.Population())
	if len(members) == 0 {
		return mergesearch.Individual{}, false
	}
	best := members[0]
	members = slices.DeleteFunc(members, func(t mergesearch.Trial) bool { return compareClass(t, best) != 0 })
	count := map[string]int{}
	for _, t := range members {
		count[a.choices(t)]++
	}
	top := a.choices(best)
	for _, t := range members { // best first, so ties stay with the better
		if c := a.choices(t); count[c] > count[top] {
			top = c
		}
	}
	var mean mergesearch.Genome
	out := mergesearch.Individual{Generation: a.generation, Operator: "mean"}
	for _, t := range members {
		if a.choices(t) != top {
			continue
		}
		g := t.Individual.Genome
		if mean == nil {
			mean = make(mergesearch.Genome, len(g))
		}
		for i, x := range g {
			mean[i] += x / float64(count[top])
		}
		out.Parents = append(out.Parents, t.ID())
	}
	out.Genome = a.space.Normalize(mean)
	return out, true
}

// choices returns what a trial's genome chooses, as a key.
func (a *DE) choices(t mergesearch.Trial) string {
	g := a.space.Default()
	copyChoices(a.space, g, t.Individual.Genome)
	return a.space.Canonical(a.space.Normalize(g))
}
