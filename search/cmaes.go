package search

import (
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/search/cma"
)

// CMAESSettings tunes CMAES. DefaultCMAES is the place to start.
type CMAESSettings struct {
	Population int     // individuals of a cohort; 0 for Factor times the usual number
	Factor     int     // 1 is what optimisation without noise wants
	Sigma      float64 // first step, as a share of each gene's range

	Separable bool // learn variances alone, no correlations
	Adapt     bool // adapt the learning rates to the noise

	// Start names the usual recipe to start at, one that the space can express;
	// empty, or where that one has failed, for the best.
	Start string

	// Answer is "mean", or empty, to recommend the mean, whose score nobody was
	// lucky with; "best" to leave the answer to the best candidate that was seen.
	Answer string

	// Earlier holds what another search of the same space has found, in any order:
	// the search starts at the distribution of its best tenth instead of at a
	// baseline with Sigma. The choices are still those of Start.
	Earlier []mergesearch.Member
}

// DefaultCMAES returns the settings for fitness with the noise of some hundred
// items: a large population against the noise, a small step because the usual
// recipes are near.
func DefaultCMAES() CMAESSettings {
	return CMAESSettings{Factor: 3, Sigma: 0.1}
}

// With returns the settings with what a run file says.
func (c CMAESSettings) With(s Settings) CMAESSettings {
	c.Population, c.Sigma = orElse(s.Population, c.Population), orElse(s.Sigma, c.Sigma)
	c.Separable, c.Adapt = s.Separable, s.Adapt
	c.Start, c.Answer = s.Start, s.Answer
	return c
}

func (c CMAESSettings) check() error {
	switch {
	case c.Population != 0 && c.Population < 4:
		return &mergesearch.InputError{Field: "algorithm.population", Problem: fmt.Sprintf("%d individuals are too few to rank", c.Population), Hint: "at least 4"}
	case c.Population == 0 && c.Factor < 1:
		return &mergesearch.InputError{Field: "algorithm.population", Problem: "neither a population nor a factor"}
	case !(c.Sigma > 0 && c.Sigma <= 1):
		return &mergesearch.InputError{Field: "algorithm.sigma", Problem: fmt.Sprintf("%v is not a share of a range", c.Sigma), Hint: "above 0, at most 1; 0.05 to 0.2 suit merges"}
	case !slices.Contains([]string{"", "mean", "best"}, c.Answer):
		in := mergesearch.UnknownWord("answer", c.Answer, []string{"mean", "best"})
		in.Field = "algorithm.answer"
		return in
	}
	return nil
}

// CMAES is CMA-ES over the coefficients of one method: the genes that the recipe
// it starts at uses, in units of their ranges. Choices stay as they are there.
// Points are compared unrounded, so that the grid of a gene is noise and no wall.
//
// Where the search has come to rest, it goes on from its mean, with the first step
// and twice the population (IPOP): the mean is thus never lost, and is the answer.
type CMAES struct {
	space    *mergesearch.Space
	seed     uint64
	settings CMAESSettings

	coordinates
	others     mergesearch.Genome // what the genes hold that do not vary
	es         *cma.ES
	told       bool
	generation int
	asked      [][]float64
	parents    []mergesearch.CandidateID // of the mean
	known      map[string]bool           // canonical forms of all that was told or asked
}

// NewCMAES checks the settings and that the space has genes to search.
func NewCMAES(space *mergesearch.Space, seed uint64, settings CMAESSettings) (*CMAES, error) {
	if err := settings.check(); err != nil {
		return nil, err
	}
	a := &CMAES{space: space, seed: seed, settings: settings, coordinates: newCoordinates(space), known: map[string]bool{}}
	if len(a.genes) == 0 {
		return nil, &mergesearch.InputError{Field: "algorithm.name", Problem: "cmaes searches numbers, and this space has choices alone", Hint: "use catcma or ga"}
	}
	if starts := startsOf(space); settings.Start != "" && !slices.Contains(starts, settings.Start) {
		in := mergesearch.UnknownWord("recipe to start at", settings.Start, starts)
		in.Field = "algorithm.start"
		return nil, in
	}
	return a, nil
}

// startsOf names the recipes that a run scores first and the space can express.
func startsOf(s *mergesearch.Space) []string {
	var names []string
	for _, b := range s.Baselines() {
		if b.Exact {
			names = append(names, b.Name)
		}
	}
	return append(names, "greedy soup")
}

// Ask draws the next cohort. It is empty where the recipe to start at has no genes
// that can vary.
func (a *CMAES) Ask() []mergesearch.Individual {
	if a.es == nil {
		return nil
	}
	a.generation++
	var genomes []mergesearch.Genome
	for attempt := range uint64(restarts) {
		if attempt > 0 || a.es.Stop() != "" {
			a.restart()
		}
		a.asked = a.es.Ask(stream(a.seed, "cmaes", uint64(a.generation), attempt))
		genomes = genomes[:0]
		for _, x := range a.asked {
			genomes = append(genomes, a.genome(x, a.others))
		}
		if learn(a.space, a.known, genomes) {
			break
		}
	}
	out := make([]mergesearch.Individual, len(genomes))
	for i, g := range genomes {
		out[i] = mergesearch.Individual{Genome: g, Generation: a.generation, Operator: "cmaes", Parents: a.parents}
	}
	return out
}

// restarts bounds how often an algorithm starts anew in one Ask because all that it
// drew was asked before: on a coarse grid a distribution can shrink to one genome.
const restarts = 4

// learn adds genomes to those known and reports whether one was new.
func learn(s *mergesearch.Space, known map[string]bool, genomes []mergesearch.Genome) bool {
	fresh := false
	for _, g := range genomes {
		c := s.Canonical(g)
		fresh = fresh || !known[c]
		known[c] = true
	}
	return fresh
}

// widest is how much larger than the first a population may get by restarts.
const widest = 8

func (a *CMAES) restart() {
	lambda := min(2*a.es.Lambda(), widest*a.population())
	a.es = cma.New(cma.Start{Mean: a.es.Mean(), Sigma: a.settings.Sigma}, a.strategy(lambda))
}

func (a *CMAES) population() int {
	return orElse(a.settings.Population, a.settings.Factor*cma.DefaultLambda(len(a.genes)))
}

func (a *CMAES) strategy(lambda int) cma.Settings {
	s := cma.Settings{Lambda: lambda, Separable: a.settings.Separable, Adapt: a.settings.Adapt}
	for range a.genes {
		s.Lower, s.Upper = append(s.Lower, 0), append(s.Upper, 1)
	}
	return s
}

// Tell starts the search at a usual recipe, then moves its distribution by the
// order of merit of each cohort.
func (a *CMAES) Tell(trials []mergesearch.Trial) {
	if !a.told {
		a.told = true
		a.begin(trials)
		return
	}
	checkTold(trials, len(a.asked))
	if len(trials) == 0 {
		return
	}
	order, scored := byMerit(trials)
	ranked := make([][]float64, len(order))
	var costs []float64
	for rank, k := range order {
		ranked[rank] = a.asked[k]
		if rank < scored {
			costs = append(costs, -standing(trials[k]))
		}
	}
	a.es.Tell(ranked, costs)
	a.parents = foremost(trials, order[:scored], a.parents)
	a.asked = nil
}

// begin chooses the recipe to start at.
func (a *CMAES) begin(trials []mergesearch.Trial) {
	a.others = a.space.Normalize(a.space.Default())
	if t, ok := startAt(trials, a.settings.Start); ok {
		a.others, a.parents = t.Individual.Genome, []mergesearch.CandidateID{t.ID()}
	}
	for _, t := range trials {
		if t.Individual.Genome != nil {
			a.known[a.space.Canonical(t.Individual.Genome)] = true
		}
	}
	var used []int
	for k, on := range a.active(a.others) {
		if on {
			used = append(used, a.genes[k])
		}
	}
	if a.genes = used; len(used) == 0 {
		return
	}
	start := cma.Start{Mean: a.point(a.others), Sigma: a.settings.Sigma}
	if points := a.earlier(); len(points) > 0 {
		start = cma.WarmStart(points, 0.1, 0.1)
	}
	a.es = cma.New(start, a.strategy(a.population()))
}

// earlier returns the points of the members of another search that made the same
// choices, best first.
func (a *CMAES) earlier() [][]float64 {
	members := slices.Clone(a.settings.Earlier)
	slices.SortStableFunc(members, func(x, y mergesearch.Member) int {
		switch {
		case x.Fitness() > y.Fitness():
			return -1
		case x.Fitness() < y.Fitness():
			return 1
		}
		return 0
	})
	var points [][]float64
	for _, m := range members {
		if g := m.Genome(); g != nil && sameChoices(a.space, g, a.others) {
			points = append(points, a.point(g))
		}
	}
	return points
}

// Recommend returns the mean of the distribution, once there was something to learn
// from.
func (a *CMAES) Recommend() (mergesearch.Individual, bool) {
	if a.es == nil || a.generation == 0 || a.settings.Answer == "best" {
		return mergesearch.Individual{}, false
	}
	return mergesearch.Individual{
		Genome: a.genome(a.es.Mean(), a.others), Generation: a.generation, Operator: "mean", Parents: a.parents,
	}, true
}

// startAt returns the trial to start at: the named one, else the best.
func startAt(trials []mergesearch.Trial, name string) (mergesearch.Trial, bool) {
	for _, t := range trials {
		if _, ok := t.Member(); ok && name != "" && t.Name == name && t.Individual.Genome != nil {
			return t, true
		}
	}
	return bestOf(trials)
}

func sameChoices(s *mergesearch.Space, a, b mergesearch.Genome) bool {
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Choice && a[i] != b[i] {
			return false
		}
	}
	return true
}

// byMerit returns the indices of a cohort's trials, best first, and how many of
// them have a fitness; failed ones are last.
func byMerit(trials []mergesearch.Trial) (order []int, scored int) {
	var failed []int
	for k, t := range trials {
		if _, ok := t.Member(); ok {
			order = append(order, k)
		} else {
			failed = append(failed, k)
		}
	}
	slices.SortStableFunc(order, func(x, y int) int { return byRank(trials[x], trials[y]) })
	return append(order, failed...), len(order)
}

// foremost returns the candidates with the largest shares in the next mean, at most
// four, for the lineage; the previous ones when nobody was scored.
func foremost(trials []mergesearch.Trial, scored []int, previous []mergesearch.CandidateID) []mergesearch.CandidateID {
	if len(scored) == 0 {
		return previous
	}
	var out []mergesearch.CandidateID
	for _, k := range scored[:min(4, len(scored))] {
		out = append(out, trials[k].ID())
	}
	return out
}
