package search

import (
	"cmp"
	"math"
	"slices"

	"mergesearch"
	"mergesearch/search/surrogate"
)

// Surrogate learns from single answers how skills depend on the genes (package
// surrogate) and moves to where the model expects the highest fitness. Each cohort is
// a mirrored design about the present centre: pairs of candidates that depart from it
// in opposite directions. All candidates of a cohort answer the same few items, those
// that tell candidates of their expected abilities apart, and a few that were asked
// least. The model is fitted to all answers of the search, and its maximum is the
// next centre and, in the end, the recommendation.
//
// It moves the real genes that the method of its start uses; choices stay as they
// are in the best usual recipe. It ends by itself when the budget of answers or
// candidates has no room for another cohort.
type Surrogate struct {
	brief    Brief
	settings SurrogateSettings
	items    map[mergesearch.ItemID]int // their numbers in the model
	tasks    map[string]int
	means    []int // of each task, the item that stands for an outcome-less score

	coordinates coordinates
	from        mergesearch.Genome // where to start; nil for the best usual recipe
	start       mergesearch.Genome
	model       *surrogate.Model
	centre      []float64
	low, high   []float64 // abilities of the last cohort, by task
	calm        float64   // factor of the spread, less than 1 after cohorts that failed

	generation int
	begun      float64 // share of the budget that was spent before it, less than 1
	known      map[mergesearch.RecipeID]*learned
	pace       *pace
	last       []mergesearch.Trial // told
	centres    [][]float64         // that the search was at, the latest last
	placed     []placed            // candidates with a place in the model
	told       bool
	fitted     bool // to a candidate of the search
}

// learned is what the model has of a recipe.
type learned struct {
	number int // of the candidate in the model
	items  map[mergesearch.ItemID]bool
}

// placed is a candidate with its number in the model.
type placed struct {
	genome mergesearch.Genome
	number int
}

// SurrogateSettings tunes the surrogate search. DefaultSurrogate is the place to
// start.
type SurrogateSettings struct {
	Cohort   int       // candidates of a cohort; even
	Items    int       // of each task, that a candidate answers
	Complete int       // items of each task that parents and the recommendation answer
	Spreads  []float64 // standard deviation of the departures, as a share of the ranges, from the start to the end of the budget
	Explore  float64   // share of a cohort's items that go to those asked least
	Reach    float64   // how far the centre may move at a time, as a share of the ranges
	Nominees int       // that answer Complete items beside the recommendation, at most
}

// DefaultSurrogate returns the settings for a budget and so many tasks. About 50
// answers a candidate were as good as half and twice as many. A centre that may go
// anywhere follows the model to where nothing was ever asked, which cost most where
// the start was far from the optimum. Parents and usual recipes, of which there are so
// many, take a sixteenth of the answers.
func DefaultSurrogate(b Budget, tasks, fixed int) SurrogateSettings {
	s := SurrogateSettings{Spreads: []float64{0.14, 0.09, 0.06}, Explore: 0.25, Reach: 0.15, Complete: 120}
	answers := 90
	if b.ItemAnswers > 0 {
		answers = min(120, max(24, b.ItemAnswers/500))
		s.Complete = min(120, max(20, b.ItemAnswers/(16*max(1, fixed*tasks))))
	}
	s.Items = max(4, (answers+tasks/2)/tasks)
	s.Complete = max(s.Complete, s.Items+1)
	s.Nominees = 6
	if b.ItemAnswers > 0 { // at most a twentieth of the answers
		s.Nominees = min(6, max(0, b.ItemAnswers/(20*tasks*s.Complete)-1))
	}
	candidates := 480
	if b.Candidates > 0 {
		candidates = b.Candidates
	}
	if b.ItemAnswers > 0 {
		candidates = min(candidates, b.ItemAnswers/answers)
	}
	s.Cohort = 2 * min(20, max(4, candidates/24))
	return s
}

// Race returns the race that goes with the settings: few telling items for everyone,
// and none that goes on but what is recommended.
func (s SurrogateSettings) Race() Race {
	return Race{Rungs: []int{s.Items, s.Complete}, Items: UndecidedItems}
}

var (
	_ Nominator   = (*Surrogate)(nil)
	_ ItemChooser = (*Surrogate)(nil)
)

// NewSurrogate refuses a space in which no real gene can vary and a cohort of less
// than two pairs.
func NewSurrogate(b Brief, settings SurrogateSettings) (*Surrogate, error) {
	if len(newCoordinates(b.Space).genes) == 0 {
		return nil, &mergesearch.InputError{
			Field: "algorithm.name", Problem: "surrogate has nothing to move: no gene is a number with a range",
			Hint: "list a gene such as weight: {min: 0, max: 1.5}, or use ga",
		}
	}
	if settings.Cohort < 4 {
		return nil, tooFewPairs(settings.Cohort)
	}
	a := &Surrogate{
		brief: b, settings: settings, calm: 1, pace: newPace(b, settings.Items, settings.Complete, settings.Nominees),
		items: map[mergesearch.ItemID]int{}, tasks: map[string]int{}, known: map[mergesearch.RecipeID]*learned{},
	}
	for t, task := range b.Benchmark.Tasks {
		a.tasks[task.Task] = t
	}
	return a, nil
}

// Tell takes answers over and fits the model to all there are.
func (a *Surrogate) Tell(trials []mergesearch.Trial) {
	if !a.told {
		a.told = true
		a.begin(trials)
		a.take(trials)
		a.model.Fit()
		return
	}
	failed := a.take(trials)
	if 2*failed > len(trials) { // too far out
		a.calm /= 2
	}
	a.settle()
}

// take adds trials to the model and returns how many failed.
func (a *Surrogate) take(trials []mergesearch.Trial) (failed int) {
	a.pace.tell(trials)
	for _, t := range trials {
		a.learn(t)
		if t.State == mergesearch.Failed {
			failed++
		} else if t.Individual.Operator != "parent" && t.Individual.Operator != "baseline" {
			a.fitted = true
		}
	}
	a.last = trials
	return failed
}

// settle fits the model, moves the centre to its maximum and says which abilities the
// next cohort will have. It does nothing before a candidate of the search has a score.
func (a *Surrogate) settle() {
	a.model.Fit()
	if !a.fitted {
		return
	}
	a.centre = a.model.Maximise(a.centre, a.settings.Reach*a.calm)
	a.centres = append(a.centres, a.centre)
	a.expect(a.last)
}

// begin places the search at the best usual recipe and makes the model.
func (a *Surrogate) begin(trials []mergesearch.Trial) {
	a.start = a.from
	if a.start == nil {
		a.start = usualStarts(a.brief.Space, trials)[0]
	}
	a.coordinates = newCoordinates(a.brief.Space).used(a.start)
	a.centre = a.coordinates.point(a.start)

	var itemTasks []int
	for i, item := range a.brief.Items {
		a.items[item.ID] = i
		itemTasks = append(itemTasks, a.tasks[item.Task])
	}
	var weights []float64
	for _, t := range a.brief.Benchmark.Tasks {
		weights = append(weights, t.Weight)
	}
	a.model = surrogate.New(itemTasks, weights, surrogate.NewBasis(a.centre, a.tracks()))
	a.model.Worst = a.brief.Benchmark.Aim == mergesearch.WorstTask
	for t := range weights {
		a.means = append(a.means, a.model.AddMean(t))
	}
	a.low, a.high = make([]float64, len(weights)), make([]float64, len(weights))
	for t := range weights {
		a.low[t], a.high[t] = -1, 1
	}
}

// tracks puts the coordinates of one parameter and expert in a row, in the order of
// the groups: through all blocks and slots, whose neighbours are alike too.
func (a *Surrogate) tracks() [][]int {
	place := map[owner]int{}
	var out [][]int
	for k, i := range a.coordinates.genes {
		g := a.brief.Space.Genes[i]
		o := owner{parameter: g.Parameter, expert: g.Expert}
		if _, ok := place[o]; !ok {
			place[o] = len(out)
			out = append(out, nil)
		}
		out[place[o]] = append(out[place[o]], k)
	}
	return out
}

// learn adds a trial's answers to the model, each once. A recipe that the start's
// choices do not lead to has no place there, but its answers still tell which items
// are hard.
func (a *Surrogate) learn(t mergesearch.Trial) {
	if _, ok := t.Member(); !ok {
		return
	}
	k := a.known[t.RecipeID]
	if k == nil || t.RecipeID == "" {
		k = &learned{number: -1, items: map[mergesearch.ItemID]bool{}}
		a.known[t.RecipeID] = k
	}
	var answers []surrogate.Observation
	for _, o := range t.Outcomes {
		if k.items[o.Item] {
			continue
		}
		k.items[o.Item] = true
		if i, ok := a.items[o.Item]; ok && !o.Missing {
			answers = append(answers, surrogate.Observation{Item: i, Value: o.Value, Weight: 1})
		}
	}
	if len(t.Outcomes) == 0 { // a bare score: as if each task had reached the fitness
		for _, i := range a.means {
			answers = append(answers, surrogate.Observation{Item: i, Value: t.Score.Fitness, Weight: float64(t.Score.Items) / float64(len(a.means))})
		}
	}
	if k.number >= 0 {
		a.model.Answer(k.number, answers)
		return
	}
	var place []float64
	if g := t.Individual.Genome; g != nil && a.sameChoices(g) {
		place = a.coordinates.point(g)
	}
	k.number = a.model.Add(place, answers)
	if place != nil && t.Individual.Operator != "baseline" {
		a.placed = append(a.placed, placed{t.Individual.Genome, k.number})
	}
}

func (a *Surrogate) sameChoices(g mergesearch.Genome) bool {
	for i, gene := range a.brief.Space.Genes {
		if gene.Kind == mergesearch.Choice && a.brief.Space.Active(a.start, i) && g[i] != a.start[i] {
			return false
		}
	}
	return true
}

// expect says which abilities the next cohort will have: those about the centre, as
// wide as the last cohort.
func (a *Surrogate) expect(trials []mergesearch.Trial) {
	mean := a.model.Expected(a.centre)
	var last [][]float64
	for _, trial := range trials {
		if g := trial.Individual.Genome; g != nil && a.sameChoices(g) {
			last = append(last, a.model.Expected(a.coordinates.point(g)))
		}
	}
	for t := range mean {
		var n, s, ss float64
		for _, at := range last {
			n, s, ss = n+1, s+at[t], ss+at[t]*at[t]
		}
		spread := 0.12
		if n > 1 {
			spread = 1.2 * max(0.1, math.Sqrt(max(0, ss/n-s*s/n/n)))
		}
		a.low[t], a.high[t] = mean[t]-spread, mean[t]+spread
	}
}

// Ask draws the next cohort.
func (a *Surrogate) Ask() []mergesearch.Individual {
	size, progress := a.pace.room(a.settings.Cohort, a.generation, 12)
	if size < 2 {
		return nil
	}
	progress = max(0, progress-a.begun) / (1 - a.begun)
	a.generation++
	a.pace.candidates += size
	spread := a.settings.Spreads[min(len(a.settings.Spreads)-1, int(progress*float64(len(a.settings.Spreads))))] * a.calm
	out := make([]mergesearch.Individual, 0, size)
	for k := range size / 2 {
		rng := stream(a.brief.Seed, "surrogate", uint64(a.generation), uint64(k))
		up, down := make([]float64, len(a.centre)), make([]float64, len(a.centre))
		for j, c := range a.centre {
			step := spread * rng.NormFloat64()
			up[j], down[j] = c+step, c-step
		}
		for _, x := range [][]float64{up, down} {
			out = append(out, mergesearch.Individual{
				Genome: a.coordinates.genome(x, a.start), Generation: a.generation, Operator: "mirrored",
			})
		}
	}
	return out
}

// ChooseItems returns for each task the items that say most about the abilities
// expected, and those asked least.
func (a *Surrogate) ChooseItems(perTask int) []mergesearch.ItemID {
	var out []mergesearch.ItemID
	for t := range a.low {
		order := a.model.Informative(t, a.low[t], a.high[t])
		n := min(perTask, len(order))
		telling := n - int(a.settings.Explore*float64(n)+0.5)
		rest := slices.Clone(order[telling:])
		shuffle := stream(a.brief.Seed, "surrogate items", uint64(a.generation), uint64(t))
		shuffle.Shuffle(len(rest), func(i, j int) { rest[i], rest[j] = rest[j], rest[i] })
		slices.SortStableFunc(rest, func(i, j int) int {
			return int(a.model.Items[i].Answers) - int(a.model.Items[j].Answers)
		})
		for _, i := range append(order[:telling:telling], rest[:n-telling]...) {
			out = append(out, a.brief.Items[i].ID)
		}
	}
	return out
}

// Recommend returns the model's maximum, or the usual recipe where the model expects
// no more of it. Before the first cohort was told there is none.
func (a *Surrogate) Recommend() (mergesearch.Individual, bool) {
	if !a.fitted {
		return mergesearch.Individual{}, false
	}
	g := a.coordinates.genome(a.centre, a.start)
	if a.model.Fitness(a.coordinates.point(g)) < a.model.Fitness(a.coordinates.point(a.start)) {
		g = a.start
	}
	return mergesearch.Individual{Genome: g, Generation: a.generation, Operator: "model"}, true
}

// Nominees is how many Nominate returns at most.
func (a *Surrogate) Nominees() int { return a.settings.Nominees }

// Nominate returns in turns the candidates of which the model believes most and the
// maxima that the model had before its last.
func (a *Surrogate) Nominate() []mergesearch.Individual {
	best, ok := a.Recommend()
	if !ok {
		return nil
	}
	levels := make([]float64, len(a.placed))
	order := make([]int, len(a.placed))
	for i, p := range a.placed {
		mean, _ := a.model.Ability(p.number)
		levels[i], order[i] = a.model.Level(mean), i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(levels[j], levels[i]) })
	seen := []mergesearch.Genome{best.Genome}
	var out []mergesearch.Individual
	nominate := func(g mergesearch.Genome, operator string) {
		again := slices.ContainsFunc(seen, func(other mergesearch.Genome) bool { return slices.Equal(other, g) })
		if !again && len(out) < a.settings.Nominees {
			seen = append(seen, g)
			out = append(out, mergesearch.Individual{Genome: g, Generation: a.generation, Operator: operator})
		}
	}
	for k := range max(len(order), len(a.centres)) {
		if k < len(order) {
			nominate(a.placed[order[k]].genome.Clone(), "believed")
		}
		if earlier := len(a.centres) - 2 - k; earlier >= 0 {
			nominate(a.coordinates.genome(a.centres[earlier], a.start), "model")
		}
	}
	return out
}

// surrogate makes the algorithm with the race that goes with it.
func (b Brief) surrogate() (Plan, error) {
	settings := DefaultSurrogate(b.Budget, len(b.Benchmark.Tasks), b.fixedRecipes())
	settings.Cohort = b.paired(settings.Cohort)
	a, err := NewSurrogate(b, settings)
	p, err := plan(a, err)
	if err == nil {
		race := settings.Race()
		p.Race = &race
	}
	return p, err
}
