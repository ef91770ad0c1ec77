package search

import (
	"cmp"
	"slices"

	"mergesearch"
)

// Handover searches twice: coarsely over the choices of a space, then finely over the
// numbers within the choice that won.
//
// The coarse part draws, for each of the best choices so far, genomes in which all
// groups of a parameter and expert share a level, about those of its best member. The
// third of the choices whose three best members are the worst is dropped after each
// cohort. It takes a share of the budget. The fine part is a Surrogate that was told everything, so
// that answers of the coarse part within its choice have a place in its model, and
// all others still tell which items are hard.
type Handover struct {
	brief    Brief
	share    float64 // of the budget, for the coarse part
	settings SurrogateSettings
	pace     *pace

	estimator *Estimator
	told      [][]mergesearch.Trial // by call
	trials    []mergesearch.Trial   // that have a genome and a fitness
	round     int
	fine      *Surrogate
}

var (
	_ Nominator   = (*Handover)(nil)
	_ ItemChooser = (*Handover)(nil)
)

// NewHandover returns a search that gives the coarse part a share of the budget,
// between 0 and 1.
func NewHandover(b Brief, share float64, settings SurrogateSettings) (*Handover, error) {
	if _, err := NewSurrogate(b, settings); err != nil {
		return nil, err
	}
	return &Handover{brief: b, share: share, settings: settings, pace: newPace(b, settings.Items, settings.Complete, settings.Nominees), estimator: NewEstimator(b.Benchmark, b.Items)}, nil
}

// Tell keeps everything for the fine part, or hands it on.
func (a *Handover) Tell(trials []mergesearch.Trial) {
	if a.fine != nil {
		a.fine.Tell(trials)
		return
	}
	a.told = append(a.told, trials)
	a.pace.tell(trials)
	a.estimator.Tell(trials)
	for _, t := range trials {
		if _, ok := t.Member(); ok && t.Individual.Genome != nil {
			a.trials = append(a.trials, t)
		}
	}
}

// Ask draws a coarse cohort, or asks the fine part.
func (a *Handover) Ask() []mergesearch.Individual {
	size, progress := a.pace.room(a.settings.Cohort, a.round, 12)
	if a.fine == nil && (a.round >= 2 && progress >= a.share || size < 2) {
		a.refine(min(progress, 0.9))
	}
	if a.fine != nil {
		return a.fine.Ask()
	}
	a.round++
	a.pace.candidates += size
	heads := a.heads()
	out := make([]mergesearch.Individual, size)
	for k := range out {
		rng := stream(a.brief.Seed, "coarse", uint64(a.round), uint64(k))
		if len(heads) == 0 || a.round == 1 && k%2 == 1 { // any choice, any level
			out[k] = mergesearch.Individual{Genome: structured(a.brief.Space, 0.03, rng, nil), Generation: a.round, Operator: "structured"}
			continue
		}
		head := heads[k%len(heads)]
		genome := sharedSteps(a.brief.Space, head.Individual.Genome, coarseStep, rng.NormFloat64)
		out[k] = mergesearch.Individual{Genome: genome, Generation: a.round, Operator: "level", Parents: []mergesearch.CandidateID{head.ID()}}
	}
	return out
}

// coarseStep is the standard deviation of a shared step, as a share of the range.
const coarseStep = 0.2

// sharedSteps moves all numbers of an owner by one normal step of that share of the
// range.
func sharedSteps(s *mergesearch.Space, g mergesearch.Genome, spread float64, normal func() float64) mergesearch.Genome {
	steps := map[owner]float64{}
	out := g.Clone()
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice || !s.Active(g, i) {
			continue
		}
		o := ownerOf(gene)
		if _, ok := steps[o]; !ok {
			steps[o] = spread * normal()
		}
		out[i] += steps[o] * (gene.Max - gene.Min)
	}
	return s.Normalize(out)
}

// heads returns the best member of each choice that is still in the race, the best
// choice first: all at first, then two thirds after each cohort.
func (a *Handover) heads() []mergesearch.Trial {
	type camp struct {
		head    mergesearch.Trial
		members []float64
		merit   float64
	}
	byChoice := map[string]*camp{}
	var camps []*camp
	for _, t := range a.trials {
		name := choicesOf(a.brief.Space, t.Individual.Genome)
		level := t.Score.Fitness
		if len(t.Outcomes) > 0 {
			level = a.estimator.Level(t.Outcomes).Fitness
		}
		c := byChoice[name]
		if c == nil {
			c = &camp{}
			byChoice[name] = c
			camps = append(camps, c)
		}
		if len(c.members) == 0 || level > slices.Max(c.members) {
			c.head = t
		}
		c.members = append(c.members, level)
	}
	for _, c := range camps {
		slices.SortFunc(c.members, func(x, y float64) int { return cmp.Compare(y, x) })
		best := c.members[:min(3, len(c.members))]
		for _, m := range best {
			c.merit += m / float64(len(best))
		}
	}
	slices.SortStableFunc(camps, func(x, y *camp) int { return cmp.Compare(y.merit, x.merit) })
	keep := len(camps)
	for range a.round - 1 {
		keep = (2*keep + 2) / 3
	}
	var out []mergesearch.Trial
	for _, c := range camps[:min(len(camps), max(1, keep))] {
		out = append(out, c.head)
	}
	return out
}

// refine begins the fine part, from the best choice's best member, when that share of
// the budget is spent.
func (a *Handover) refine(progress float64) {
	fine, err := NewSurrogate(a.brief, a.settings)
	if err != nil {
		panic("search: " + err.Error()) // NewHandover made one
	}
	heads := a.heads()
	if len(heads) > 0 {
		fine.from = heads[0].Individual.Genome
	}
	for k, trials := range a.told {
		if k == 0 {
			fine.Tell(trials)
			continue
		}
		fine.take(trials)
	}
	fine.generation, fine.begun, fine.pace.candidates = a.round, progress, a.pace.candidates
	fine.settle()
	a.fine, a.told = fine, nil
}

// ChooseItems returns the items that tell abilities apart: of all candidates in the
// coarse part, of those to come in the fine one.
func (a *Handover) ChooseItems(perTask int) []mergesearch.ItemID {
	if a.fine == nil {
		return a.estimator.Undecided(perTask)
	}
	return a.fine.ChooseItems(perTask)
}

// Recommend returns what the fine part recommends. A search that was stopped in its
// coarse part recommends the best member of the best choice, once a cohort was told:
// in its race nobody else is scored.
func (a *Handover) Recommend() (mergesearch.Individual, bool) {
	if a.fine != nil {
		return a.fine.Recommend()
	}
	if len(a.told) < 2 || len(a.trials) == 0 {
		return mergesearch.Individual{}, false
	}
	head := a.heads()[0]
	return mergesearch.Individual{
		Genome: head.Individual.Genome.Clone(), Generation: a.round, Operator: "head", Parents: []mergesearch.CandidateID{head.ID()},
	}, true
}

// Nominees is how many Nominate returns at most.
func (a *Handover) Nominees() int { return a.settings.Nominees }

// Nominate returns those of the fine part.
func (a *Handover) Nominate() []mergesearch.Individual {
	if a.fine == nil {
		return nil
	}
	return a.fine.Nominate()
}

// handover makes the algorithm with the race that goes with it.
func (b Brief) handover(reason string) (Plan, error) {
	settings := DefaultSurrogate(b.Budget, len(b.Benchmark.Tasks), b.fixedRecipes())
	settings.Cohort = b.paired(settings.Cohort)
	a, err := NewHandover(b, 0.35, settings)
	p, err := plan(a, err)
	if err == nil {
		race := settings.Race()
		p.Race, p.Why = &race, "surrogate after a coarse search: "+reason
	}
	return p, err
}
