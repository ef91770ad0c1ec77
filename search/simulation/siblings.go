package simulation

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/surrogate"
)

// Ranker is a way to choose items for siblings and to rank them by their answers.
type Ranker string

// The rankers, from the plainest on.
const (
	RandomMean    Ranker = "random items, mean"          // random items
	UndecidedMean Ranker = "undecided items, mean"       // those with a pass rate nearest to one half
	RaceLevel     Ranker = "race: telling items, levels" // search.Estimator
	Explained     Ranker = "surrogate: levels by genes"  // surrogate.Model
)

// Rankers lists them.
func Rankers() []Ranker { return []Ranker{RandomMean, UndecidedMean, RaceLevel, Explained} }

// Ranking is how well a ranker did.
type Ranking struct {
	Tau    float64 // Kendall's, tau-b, between estimates and true fitness
	Error  float64 // root mean square of the estimated less the true fitness
	Regret float64 // true fitness of the best less that of the one ranked first
}

const (
	siblings    = 40
	forebears   = 100 // that answered before, 100 items each
	forebearAsk = 100
	siblingStep = 0.1 // standard deviation about the usual recipe
)

// Rank draws 40 siblings about the usual recipe and ranks them with so many items,
// after 100 forebears of the same kind answered 100 random items each.
func Rank(l *Landscape, r Ranker, items int) Ranking {
	rng := rand.New(rand.NewPCG(l.Seed, 0x51b))
	draw := func() []float64 {
		x := l.Middle()
		for j := range x {
			x[j] = min(1, max(0, x[j]+siblingStep*rng.NormFloat64()))
		}
		return x
	}
	e := newRanking(l, r)
	var places [][]float64
	var asked [][]int
	for range forebears {
		places, asked = append(places, draw()), append(asked, rng.Perm(searchItems)[:forebearAsk])
	}
	e.tell(places, asked)
	places = nil
	for range siblings {
		places = append(places, draw())
	}
	chosen := e.choose(rng, items)
	estimates := e.rank(places, chosen)
	var truth []float64
	for _, x := range places {
		truth = append(truth, l.Fitness(x))
	}
	out := Ranking{Tau: kendall(estimates, truth)}
	first := 0
	for i := range truth {
		d := estimates[i] - truth[i]
		out.Error += d * d / float64(len(truth))
		if estimates[i] > estimates[first] {
			first = i
		}
	}
	out.Error = math.Sqrt(out.Error)
	out.Regret = slices.Max(truth) - truth[first]
	return out
}

// ranking is a ranker at work.
type ranking struct {
	*Landscape
	ranker    Ranker
	estimator *search.Estimator
	model     *surrogate.Model
	asked     []float64 // by item
	solved    []float64
	benchmark mergesearch.Benchmark
	number    map[mergesearch.ItemID]int
}

func newRanking(l *Landscape, r Ranker) *ranking {
	e := &ranking{Landscape: l, ranker: r, asked: make([]float64, searchItems), solved: make([]float64, searchItems), number: map[mergesearch.ItemID]int{}}
	var items []mergesearch.Item
	var tasks []int
	for i := range searchItems {
		items = append(items, mergesearch.Item{ID: itemID(l, i), Task: taskNames[l.items[i].skill]})
		tasks = append(tasks, l.items[i].skill)
		e.number[itemID(l, i)] = i
	}
	for _, t := range taskNames {
		e.benchmark.Tasks = append(e.benchmark.Tasks, mergesearch.TaskWeight{Task: t, Weight: 1})
	}
	e.estimator = search.NewEstimator(e.benchmark, items)
	track := make([]int, l.Dimension)
	for j := range track {
		track[j] = j
	}
	basis := surrogate.NewBasis(l.Middle(), [][]int{track})
	e.model = surrogate.New(tasks, []float64{1, 1, 1}, basis)
	return e
}

func itemID(l *Landscape, i int) mergesearch.ItemID {
	return mergesearch.ItemID(fmt.Sprintf("%s/%04d", taskNames[l.items[i].skill], i))
}

// answers asks items of the candidate at x.
func (e *ranking) answers(x []float64, items []int) (outcomes []mergesearch.Outcome, observed []surrogate.Observation) {
	values, mark := e.Skills(x), e.mark(x)
	for _, i := range items {
		v := 0.0
		if e.solves(i, values, mark) {
			v = 1
		}
		outcomes = append(outcomes, mergesearch.Outcome{Item: itemID(e.Landscape, i), Value: v})
		observed = append(observed, surrogate.Observation{Item: i, Value: v, Weight: 1})
	}
	return outcomes, observed
}

// tell gives the ranker what the candidates at the places answered, each its items.
func (e *ranking) tell(places [][]float64, items [][]int) {
	var trials []mergesearch.Trial
	for k, x := range places {
		outcomes, observed := e.answers(x, items[k])
		trials = append(trials, mergesearch.Trial{Outcomes: outcomes})
		for _, o := range observed {
			e.asked[o.Item]++
			e.solved[o.Item] += o.Value
		}
		if e.ranker == Explained {
			e.model.Add(x, observed)
		}
	}
	switch e.ranker {
	case RaceLevel:
		e.estimator.Tell(trials)
	case Explained:
		e.settle()
	}
}

// settle fits the model as often as a search of some cohorts would have.
func (e *ranking) settle() {
	for range 4 {
		e.model.Fit()
	}
}

// choose returns about n items, as many of each task.
func (e *ranking) choose(rng *rand.Rand, n int) []int {
	each := (n + skills - 1) / skills
	var out []int
	switch e.ranker {
	case RandomMean:
		return rng.Perm(searchItems)[:n]
	case UndecidedMean:
		order := rng.Perm(searchItems)
		off := func(i int) float64 { return math.Abs((e.solved[i]+1)/(e.asked[i]+2) - 0.5) }
		slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(off(a), off(b)) })
		return order[:n]
	case RaceLevel:
		for _, id := range e.estimator.Undecided(each) {
			out = append(out, e.number[id])
		}
	case Explained:
		mean, _ := e.model.Abilities(e.Middle())
		for t := range skills {
			out = append(out, e.model.Informative(t, mean[t]-0.2, mean[t]+0.2)[:each]...)
		}
	}
	return out
}

// rank estimates the fitness of the candidates from their answers.
func (e *ranking) rank(places [][]float64, items []int) (estimates []float64) {
	same := make([][]int, len(places))
	for k := range same {
		same[k] = items
	}
	e.tell(places, same)
	for k, x := range places {
		outcomes, _ := e.answers(x, items)
		switch e.ranker {
		case RaceLevel:
			estimates = append(estimates, e.estimator.Level(outcomes).Fitness)
		case Explained:
			mean, _ := e.model.Ability(forebears + k)
			estimates = append(estimates, e.model.Level(mean))
		default:
			s, err := e.benchmark.Score(outcomes, "")
			if err != nil {
				panic("simulation: " + err.Error())
			}
			estimates = append(estimates, s.Fitness)
		}
	}
	return estimates
}

// kendall returns tau-b: pairs in the same order less those in the other, over the
// geometric mean of the pairs that are not tied on either side.
func kendall(a, b []float64) float64 {
	var s, na, nb float64
	for i := range a {
		for j := range i {
			x, y := cmp.Compare(a[i], a[j]), cmp.Compare(b[i], b[j])
			s += float64(x * y)
			na += float64(x * x)
			nb += float64(y * y)
		}
	}
	if na == 0 || nb == 0 {
		return 0
	}
	return s / math.Sqrt(na*nb)
}
