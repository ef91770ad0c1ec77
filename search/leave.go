package search

import (
	"mergesearch"
	"mergesearch/search/evidence"
)

// contenders returns those of the runners at the given indices, best first, that may
// still come out before the first of them: whoever is worse beyond reasonable doubt
// leaves, however many the race would keep.
//
// The doubt is an e-process over the differences on the items that both answered, so
// that it may be asked at every rung: whoever is in truth as good as the first leaves
// in any of its races, however long, with a chance of at most Race.Leave for each rung
// at which another is first. Items weigh as their tasks do. A process over rungs of
// which some lack a task keeps the promise for each rung by itself.
//
// With several objectives, or the worst task as the aim, there is no mean difference,
// and with costs and constraints it is not all that counts: then nobody leaves.
func (r Race) contenders(b mergesearch.Benchmark, runners []runner, order []int, items []mergesearch.ItemID) []int {
	if r.Leave == 0 || len(order) < 2 || b.Aim != mergesearch.MeanTask || len(b.Costs)+len(b.Constraints) > 0 {
		return order
	}
	weights := influences(b, items)
	first := runners[order[0]]
	out := order[:1:1]
	for _, i := range order[1:] {
		var p evidence.Process
		for _, id := range items {
			p.Add(weights[id.Task()] * (runners[i].outcomes[id].Value - first.outcomes[id].Value))
		}
		if !p.Rejects(r.Leave) {
			out = append(out, i)
		}
	}
	return out
}

// influences returns by task how much an item moves the fitness, in units of the item
// that moves it most.
func influences(b mergesearch.Benchmark, items []mergesearch.ItemID) map[string]float64 {
	counts, out := map[string]float64{}, map[string]float64{}
	for _, id := range items {
		counts[id.Task()]++
	}
	most := 0.0
	for _, t := range b.Tasks {
		out[t.Task] = t.Weight / counts[t.Task]
		most = max(most, out[t.Task])
	}
	for _, t := range b.Tasks {
		out[t.Task] /= most
	}
	return out
}
