package search

import (
	"fmt"
	"math"

	"mergesearch"
)

// pace divides a budget into cohorts, for algorithms whose steps follow from how much
// is left. It counts what they were told.
type pace struct {
	budget  Budget
	reserve int // answers of a recommendation and of nominees
	each    int // answers of a candidate: as planned, then as in the last cohort

	candidates int // asked
	answers    int // told
	known      map[mergesearch.RecipeID]map[mergesearch.ItemID]bool
}

// perTask returns how many answers so many items of each task are.
func (b Brief) perTask(n int) int {
	have := map[string]int{}
	for _, item := range b.Items {
		have[item.Task]++
	}
	total := 0
	for _, h := range have {
		total += min(h, n)
	}
	return total
}

// newPace plans with candidates that answer so many items of each task, and with a
// recommendation and nominees that answer more.
func newPace(b Brief, items, complete, nominees int) *pace {
	return &pace{
		budget: b.Budget, reserve: (1 + nominees) * b.perTask(complete), each: b.perTask(items),
		known: map[mergesearch.RecipeID]map[mergesearch.ItemID]bool{},
	}
}

// tell counts the answers of trials, each recipe's to each item once.
func (p *pace) tell(trials []mergesearch.Trial) {
	each := 0
	for _, t := range trials {
		if p.known[t.RecipeID] == nil {
			p.known[t.RecipeID] = map[mergesearch.ItemID]bool{}
		}
		for _, o := range t.Outcomes {
			if !p.known[t.RecipeID][o.Item] {
				p.known[t.RecipeID][o.Item] = true
				p.answers++
			}
		}
		each = max(each, len(t.Outcomes))
	}
	if p.candidates > 0 && each > 0 {
		p.each = each
	}
}

// paired returns the size of a cohort of mirrored pairs: the population of the run
// file, an odd one plus one, else the default.
func (b Brief) paired(otherwise int) int {
	n := b.Settings.Population
	if n > 4 {
		n += n % 2
	}
	return orElse(n, otherwise)
}

// tooFewPairs refuses a cohort that room could make empty.
func tooFewPairs(cohort int) *mergesearch.InputError {
	return &mergesearch.InputError{
		Field: "algorithm.population", Problem: fmt.Sprintf("%d individuals are too few for mirrored pairs", cohort), Hint: "at least 4",
	}
}

// room returns the size of the next cohort, even, such that those that are left are
// about equal and about as large as asked, and which share of the budget is spent.
// Without a bound there is always room, and progress is measured against so many
// cohorts.
func (p *pace) room(size, cohort, cohorts int) (n int, progress float64) {
	left, bounded := math.Inf(1), false
	if b := p.budget.Candidates; b > 0 {
		left, bounded = float64(b-p.candidates), true
		progress = float64(p.candidates) / float64(b)
	}
	if b := p.budget.ItemAnswers; b > 0 {
		rest := float64(b - p.answers - p.reserve)
		left, bounded = min(left, rest/float64(max(1, p.each))), true
		progress = max(progress, 1-rest/float64(b))
	}
	if !bounded {
		return size - size%2, min(1, float64(cohort)/float64(cohorts))
	}
	rest := max(1, math.Round(left/float64(size)))
	return 2 * int(max(0, left)/rest/2), min(1, max(0, progress))
}
