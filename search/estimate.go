package search

import (
	"math"

	"mergesearch"
	"mergesearch/search/surrogate"
)

// Estimator makes candidates comparable that answered different items, and says which
// items tell candidates apart. It fits a difficulty and a slope for each search item
// and an ability for each task to what parents, baselines and candidates answered; it
// knows nothing of their genes.
//
// A level is the fitness on all search items that the abilities behind some answers
// lead to. It is no score: it leans on the model, and the fewer the answers, on the
// other candidates. Where all answered the same items the score needs no such help.
type Estimator struct {
	benchmark mergesearch.Benchmark
	ids       []mergesearch.ItemID
	items     map[mergesearch.ItemID]int
	model     *surrogate.Model
	known     map[mergesearch.RecipeID]bool // in the model
}

// NewEstimator knows nothing yet of the items of the search split.
func NewEstimator(b mergesearch.Benchmark, items []mergesearch.Item) *Estimator {
	e := &Estimator{benchmark: b, items: map[mergesearch.ItemID]int{}, known: map[mergesearch.RecipeID]bool{}}
	place, weights := map[string]int{}, []float64{}
	for t, task := range b.Tasks {
		place[task.Task] = t
		weights = append(weights, task.Weight)
	}
	var tasks []int
	for i, item := range items {
		e.items[item.ID] = i
		e.ids = append(e.ids, item.ID)
		tasks = append(tasks, place[item.Task])
	}
	e.model = surrogate.New(tasks, weights, surrogate.NewBasis(nil, nil))
	e.model.Worst = b.Aim == mergesearch.WorstTask
	e.model.Fit()
	return e
}

// Tell takes over what the trials answered.
func (e *Estimator) Tell(trials []mergesearch.Trial) {
	for _, t := range trials {
		if e.known[t.RecipeID] && t.RecipeID != "" || len(t.Outcomes) == 0 {
			continue
		}
		e.known[t.RecipeID] = true
		e.model.Add(nil, e.observed(t.Outcomes))
	}
	e.model.Fit()
}

// observed leaves out answers that are missing and items of no use.
func (e *Estimator) observed(outcomes []mergesearch.Outcome) []surrogate.Observation {
	var out []surrogate.Observation
	for _, o := range outcomes {
		if i, ok := e.items[o.Item]; ok && !o.Missing {
			out = append(out, surrogate.Observation{Item: i, Value: o.Value, Weight: 1})
		}
	}
	return out
}

// Level estimates the fitness on all search items of whoever answered so.
func (e *Estimator) Level(outcomes []mergesearch.Outcome) mergesearch.Estimate {
	mean, variance := e.model.Locate(e.observed(outcomes))
	level, stderr := e.model.Uncertain(mean, variance)
	return mergesearch.Estimate{Fitness: level, StdErr: stderr}
}

// Undecided returns so many items of each task, or all of a task that has no more,
// those first whose answers say most about candidates of the usual abilities: those
// that about half of these solve, and of them those with the steepest curve.
func (e *Estimator) Undecided(perTask int) []mergesearch.ItemID {
	var out []mergesearch.ItemID
	mean, _ := e.model.Locate(nil)
	spread := 1.2 * math.Sqrt(e.model.Hyper.Residual)
	for t := range e.benchmark.Tasks {
		order := e.model.Informative(t, mean[t]-spread, mean[t]+spread)
		for _, i := range order[:min(perTask, len(order))] {
			out = append(out, e.ids[i])
		}
	}
	return out
}
