package eval

import (
	"slices"
	"strings"
)

// asking prepares a call: requests to the server of a session for the questions at
// places.
func (e *Evaluator) asking(p *plan, s Session, places []int) *asking {
	a := &asking{Evaluator: e, plan: p, connection: e.client.connect(s), places: places}
	a.connection.throttle = e.throttle
	a.memory = memoryOf(e.options.Cache, s, p.profile)
	a.order = make([]int, len(places))
	for i := range a.order {
		a.order[i] = i
	}
	rank := e.ranks()
	slices.SortFunc(a.order, func(i, j int) int { return int(rank[places[i]] - rank[places[j]]) })
	return a
}

// ranks orders all questions by what they begin with, so that those that share
// their examples are asked one after the other, and the server finds the examples
// in its prefix cache.
func (e *Evaluator) ranks() []int32 {
	e.ranked.Do(func() {
		order := make([]int32, len(e.questions))
		for i := range order {
			order[i] = int32(i)
		}
		slices.SortStableFunc(order, func(a, b int32) int {
			return strings.Compare(e.questions[a].prompt, e.questions[b].prompt)
		})
		e.rank = make([]int32, len(order))
		for place, i := range order {
			e.rank[i] = int32(place)
		}
	})
	return e.rank
}
