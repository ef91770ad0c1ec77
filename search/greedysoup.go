package search

import (
	"cmp"
	"math"
	"slices"

	"mergesearch"
)

// soup grows a greedy soup (Wortsman et al. 2022, arXiv 2203.05482, recipe 1):
// experts sorted by their own fitness, best first, each added to a uniform
// average if the average's fitness on search items does not fall.
type soup struct {
	order   []string // experts, best first
	members []string // accepted so far
	fitness float64  // of the members' average
	next    int      // in order
}

// newSoup starts from the best expert. Experts without a fitness are left out;
// with none left the soup is empty.
func newSoup(experts []string, fitness map[string]float64) *soup {
	s := &soup{next: 1}
	for _, e := range experts {
		if _, ok := fitness[e]; ok {
			s.order = append(s.order, e)
		}
	}
	slices.SortStableFunc(s.order, func(a, b string) int { return cmp.Compare(fitness[b], fitness[a]) })
	if len(s.order) > 0 {
		s.members, s.fitness = s.order[:1], fitness[s.order[0]]
	}
	return s
}

// propose returns the members of the next soup to score, or nil when all experts
// were tried.
func (s *soup) propose() []string {
	if s.next >= len(s.order) {
		return nil
	}
	return append(slices.Clone(s.members), s.order[s.next])
}

// tell decides on the soup that propose returned; NaN stands for a failed one.
func (s *soup) tell(fitness float64) {
	if fitness >= s.fitness {
		s.members, s.fitness = s.propose(), fitness
	}
	s.next++
}

// soupRecipe returns the uniform average of the members: linear, which divides by
// the sum of the weights, with weight 1 for them and 0 for the other experts, so
// that it is a point of the space where the space has a weight per expert. One
// member is that model unchanged. The genome is nil when the space cannot express
// the recipe.
func soupRecipe(space *mergesearch.Space, members []string) (mergesearch.Recipe, mergesearch.Genome) {
	if len(members) == 1 {
		return mergesearch.Passthrough(members[0], space.DType), nil
	}
	r := mergesearch.Recipe{Method: "linear", DType: space.DType}
	for _, e := range space.Experts {
		w := 0.0
		if slices.Contains(members, e) {
			w = 1
		}
		r.Models = append(r.Models, mergesearch.Input{Model: e, Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(w)}})
	}
	if g, exact := space.Encode(r); exact {
		return space.Decode(g), g
	}
	return r, nil
}

// GreedySoup is the greedy soup as a search of its own: one individual a cohort,
// as many as there are experts less one. The loop scores the same soup as a
// baseline of every run.
type GreedySoup struct {
	space *mergesearch.Space
	soup  *soup
	round int
}

// NewGreedySoup refuses a space that cannot express soups: it needs the method
// linear and a weight for each expert that spans zero and one.
func NewGreedySoup(space *mergesearch.Space) (*GreedySoup, error) {
	if err := checkSoups(space, "greedy-soup"); err != nil {
		return nil, err
	}
	return &GreedySoup{space: space}, nil
}

// Ask proposes the next soup.
func (a *GreedySoup) Ask() []mergesearch.Individual {
	if a.soup == nil {
		return nil
	}
	members := a.soup.propose()
	if members == nil {
		return nil
	}
	a.round++
	_, g := soupRecipe(a.space, members)
	return []mergesearch.Individual{{Genome: g, Generation: a.round, Operator: "soup"}}
}

// Tell takes the parents' fitness first, then each soup's.
func (a *GreedySoup) Tell(trials []mergesearch.Trial) {
	if a.soup == nil {
		a.soup = newSoup(a.space.Experts, parentFitness(trials))
		return
	}
	for _, t := range trials {
		a.soup.tell(fitnessOf(t))
	}
}

// fitnessOf returns a trial's fitness, NaN when it has none.
func fitnessOf(t mergesearch.Trial) float64 {
	if m, ok := t.Member(); ok {
		return m.Fitness()
	}
	return math.NaN()
}

// parentFitness returns the fitness of the parents that have one, by name.
func parentFitness(trials []mergesearch.Trial) map[string]float64 {
	out := map[string]float64{}
	for _, t := range trials {
		if m, ok := t.Member(); ok && t.Individual.Operator == "parent" {
			out[t.Name] = m.Fitness()
		}
	}
	return out
}
