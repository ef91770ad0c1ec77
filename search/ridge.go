package search

import (
	"math"
	"slices"

	"mergesearch"
	"mergesearch/search/surrogate"
)

// Ridge regresses the fitness on the genes and steps along the slopes. A round is one
// cohort, in which everything can be built and scored at the same time: mirrored pairs
// about the present centre, and from the second round on about the points that lie a
// half, one and two steps ahead of it too. The mean over the candidates about a point
// tells, on the same items, whether the step there was too long: the centre moves to
// the point with the best mean, and stays where none is better.
//
// The slopes come from all rounds, with an intercept for each group of candidates, and
// are shrunk as the evidence demands. Too long a step is worse than no search, so
// none is taken that was not checked. Ridge recommends the centre.
type Ridge struct {
	brief    Brief
	settings RidgeSettings
	pace     *pace

	coordinates coordinates
	start       mergesearch.Genome
	centre      []float64
	step        []float64 // nil before the first round

	ladder [][]float64 // points of the cohort asked last
	asked  []int       // by individual: its place on the ladder
	points [][]float64 // of all that has a fitness
	values []float64
	groups []int // of rounds and places
	told   bool
	round  int
}

// RidgeSettings tunes the regression search.
type RidgeSettings struct {
	Rounds   int     // that the budget is divided into
	Cohort   int     // candidates of a round where the budget does not say
	Items    int     // of each task, drawn anew for each round
	Complete int     // items of each task that parents and the recommendation answer
	Spread   float64 // standard deviation of the departures, as a share of the ranges
	Step     float64 // length of a step in units of Spread sqrt(d) / 2
}

// DefaultRidge returns the settings for a budget and so many tasks.
func DefaultRidge(b Budget, tasks, fixed int) RidgeSettings {
	answers := 50
	s := RidgeSettings{Rounds: 5, Cohort: 80, Spread: 0.1, Step: 0.4, Items: max(4, (answers+tasks/2)/tasks)}
	s.Complete = 120
	candidates := b.Candidates
	if b.ItemAnswers > 0 {
		s.Complete = min(120, max(20, b.ItemAnswers/(16*max(1, fixed*tasks))))
		if n := b.ItemAnswers / (s.Items * tasks); candidates == 0 || n < candidates {
			candidates = n
		}
	}
	s.Complete = max(s.Complete, s.Items+1)
	if candidates > 0 {
		s.Cohort = max(8, candidates/s.Rounds)
	}
	return s
}

// Race returns the race that goes with the settings.
func (s RidgeSettings) Race() Race {
	return Race{Rungs: []int{s.Items, s.Complete}, Items: FreshItems}
}

var _ Recommender = (*Ridge)(nil)

// NewRidge refuses a space in which no real gene can vary and a cohort of less than
// two pairs.
func NewRidge(b Brief, settings RidgeSettings) (*Ridge, error) {
	if len(newCoordinates(b.Space).genes) == 0 {
		return nil, &mergesearch.InputError{
			Field: "algorithm.name", Problem: "ridge has nothing to move: no gene is a number with a range",
			Hint: "list a gene such as weight: {min: 0, max: 1.5}, or use ga",
		}
	}
	if settings.Cohort < 4 {
		return nil, tooFewPairs(settings.Cohort)
	}
	if settings.Rounds < 1 || !(settings.Spread > 0) {
		return nil, &mergesearch.InputError{Field: "algorithm", Problem: "rounds and spread must be positive"}
	}
	return &Ridge{brief: b, settings: settings, pace: newPace(b, settings.Items, settings.Complete, 0)}, nil
}

// Tell fits the slopes, after the centre has moved to where the cohort was best.
func (a *Ridge) Tell(trials []mergesearch.Trial) {
	a.pace.tell(trials)
	if !a.told {
		a.told = true
		a.start = usualStarts(a.brief.Space, trials)[0]
		a.coordinates = newCoordinates(a.brief.Space).used(a.start)
		a.centre = a.coordinates.point(a.start)
		return
	}
	sums, counts := make([]float64, len(a.ladder)), make([]float64, len(a.ladder))
	for k, t := range trials {
		if _, ok := t.Member(); !ok {
			continue
		}
		at := a.asked[k]
		sums[at] += t.Score.Fitness
		counts[at]++
		a.points = append(a.points, a.coordinates.point(t.Individual.Genome))
		a.values = append(a.values, t.Score.Fitness)
		a.groups = append(a.groups, 8*a.round+at)
	}
	best := 0
	for at := range sums {
		if counts[at] > 0 && (counts[best] == 0 || sums[at]/counts[at] > sums[best]/counts[best]) {
			best = at
		}
	}
	a.centre = a.ladder[best]
	a.step = surrogate.Slopes(a.points, a.values, a.groups)
	norm := 0.0
	for _, v := range a.step {
		norm += v * v
	}
	length := a.settings.Step * a.settings.Spread * math.Sqrt(float64(len(a.centre))) / 2
	for j := range a.step {
		a.step[j] *= length / max(math.Sqrt(norm), 1e-12)
	}
}

// Ask draws the next round.
func (a *Ridge) Ask() []mergesearch.Individual {
	size, _ := a.pace.room(a.settings.Cohort, a.round, a.settings.Rounds)
	if size < 2 {
		return nil
	}
	a.round++
	a.pace.candidates += size
	a.ladder = [][]float64{slices.Clone(a.centre)}
	if a.step != nil {
		for _, times := range []float64{0.5, 1, 2} {
			x := make([]float64, len(a.centre))
			for j := range x {
				x[j] = min(1, max(0, a.centre[j]+times*a.step[j]))
			}
			a.ladder = append(a.ladder, x)
		}
	}
	out := make([]mergesearch.Individual, 0, size)
	a.asked = nil
	for k := range size / 2 {
		at := k % len(a.ladder)
		rng := stream(a.brief.Seed, "ridge", uint64(a.round), uint64(k))
		up, down := make([]float64, len(a.centre)), make([]float64, len(a.centre))
		for j, c := range a.ladder[at] {
			step := a.settings.Spread * rng.NormFloat64()
			up[j], down[j] = c+step, c-step
		}
		for _, x := range [][]float64{up, down} {
			out = append(out, mergesearch.Individual{Genome: a.coordinates.genome(x, a.start), Generation: a.round, Operator: "mirrored"})
			a.asked = append(a.asked, at)
		}
	}
	return out
}

// Recommend returns the centre, once it has been checked.
func (a *Ridge) Recommend() (mergesearch.Individual, bool) {
	if a.step == nil {
		return mergesearch.Individual{}, false
	}
	return mergesearch.Individual{Genome: a.coordinates.genome(a.centre, a.start), Generation: a.round, Operator: "centre"}, true
}

// ridge makes the algorithm with the race that goes with it.
func (b Brief) ridge() (Plan, error) {
	settings := DefaultRidge(b.Budget, len(b.Benchmark.Tasks), b.fixedRecipes())
	settings.Cohort = b.paired(settings.Cohort)
	a, err := NewRidge(b, settings)
	p, err := plan(a, err)
	if err == nil {
		race := settings.Race()
		p.Race = &race
	}
	return p, err
}

// fixedRecipes is how many recipes every run scores first: the parents, the soups and
// the usual recipes.
func (b Brief) fixedRecipes() int { return 2*len(b.Space.Experts) + len(b.Space.Baselines()) }

// used returns the coordinates that the genome's method uses.
func (c coordinates) used(g mergesearch.Genome) coordinates {
	out := coordinates{space: c.space}
	for k, in := range c.active(g) {
		if in {
			out.genes = append(out.genes, c.genes[k])
		}
	}
	return out
}
