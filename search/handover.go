package search

import (
	"slices"

	"mergesearch"
)

// Handover searches twice: coarsely over the choices of a space, then finely over the
// numbers within the choice that won.
//
// The coarse part draws, for each of the best choices so far, genomes in which all
// groups of a parameter and expert share a level, about those of its best member; a
// choice is dropped when the means of others' best thirds lie above its own. It takes
// a share of the budget. The fine part is a Surrogate that was told everything, so
// that answers of the coarse part within its choice have a place in its model, and
// all others still tell which items are hard.
type Handover struct {
	brief    Brief
	share    float64 // of the budget, for the coarse part
	settings SurrogateSettings
	pace     *pace

	told   [][]mergesearch.Trial // by call
	trials []mergesearch.Trial   // of the search, with a fitness
	round  int
	fine   *Surrogate
}

var (
	_ Recommender = (*Handover)(nil)
	_ ItemChooser = (*Handover)(nil)
)

// NewHandover returns a search that gives the coarse part a share of the budget,
// between 0 and 1.
func NewHandover(b Brief, share float64, settings SurrogateSettings) (*Handover, error) {
	if _, err := NewSurrogate(b, settings); err != nil {
		return nil, err
	}
	return &Handover{brief: b, share: share, settings: settings, pace: newPace(b, settings.Items, settings.Complete)}, nil
}

// Tell keeps everything for the fine part, or hands it on.
func (a *Handover) Tell(trials []mergesearch.Trial) {
	if a.fine != nil {
		a.fine.Tell(trials)
		return
	}
	a.told = append(a.told, trials)
	a.pace.tell(trials)
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
		a.refine()
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
		genome := sharedSteps(a.brief.Space, head.Individual.Genome, 0.15, rng.NormFloat64)
		out[k] = mergesearch.Individual{Genome: genome, Generation: a.round, Operator: "level", Parents: []mergesearch.CandidateID{head.ID()}}
	}
	return out
}

// sharedSteps moves all groups of a parameter and expert by one normal step of that
// share of the range.
func sharedSteps(s *mergesearch.Space, g mergesearch.Genome, spread float64, normal func() float64) mergesearch.Genome {
	type owner struct{ parameter, expert string }
	steps := map[owner]float64{}
	out := g.Clone()
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice || !s.Active(g, i) {
			continue
		}
		o := owner{gene.Parameter, gene.Expert}
		if _, ok := steps[o]; !ok {
			steps[o] = spread * normal()
		}
		out[i] += steps[o] * (gene.Max - gene.Min)
	}
	return s.Normalize(out)
}

// heads returns the best member of each choice that is still in the race, the best
// choice first: all at first, a third of them in the end.
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
		c := byChoice[name]
		if c == nil {
			c = &camp{head: t}
			byChoice[name] = c
			camps = append(camps, c)
		}
		if standing(t) > standing(c.head) {
			c.head = t
		}
		c.members = append(c.members, standing(t))
	}
	for _, c := range camps {
		slices.SortFunc(c.members, func(x, y float64) int {
			if x > y {
				return -1
			}
			return 1
		})
		best := c.members[:(len(c.members)+2)/3]
		for _, m := range best {
			c.merit += m / float64(len(best))
		}
	}
	slices.SortStableFunc(camps, func(x, y *camp) int {
		switch {
		case x.merit > y.merit:
			return -1
		case x.merit < y.merit:
			return 1
		}
		return 0
	})
	keep := len(camps)
	for range a.round - 1 {
		keep = (keep + 1) / 2
	}
	var out []mergesearch.Trial
	for _, c := range camps[:min(len(camps), max(1, keep))] {
		out = append(out, c.head)
	}
	return out
}

// refine begins the fine part, from the best choice's best member.
func (a *Handover) refine() {
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
	fine.generation, fine.pace.candidates = a.round, a.pace.candidates
	fine.settle()
	a.fine, a.told = fine, nil
}

// ChooseItems leaves the coarse part's to the race.
func (a *Handover) ChooseItems(perTask int) []mergesearch.ItemID {
	if a.fine == nil {
		return nil
	}
	return a.fine.ChooseItems(perTask)
}

// Recommend returns what the fine part recommends.
func (a *Handover) Recommend() (mergesearch.Individual, bool) {
	if a.fine == nil {
		return mergesearch.Individual{}, false
	}
	return a.fine.Recommend()
}

// handover makes the algorithm with the race that goes with it.
func (b Brief) handover(reason string) (Plan, error) {
	settings := DefaultSurrogate(b.Budget, len(b.Benchmark.Tasks), b.fixedRecipes())
	settings.Cohort = orElse(b.Settings.Population, settings.Cohort)
	a, err := NewHandover(b, 0.35, settings)
	p, err := plan(a, err)
	if err == nil {
		race := settings.Race()
		p.Race, p.Why = &race, "surrogate after a coarse search: "+reason
	}
	return p, err
}
