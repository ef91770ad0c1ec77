package searchtest

import "mergesearch"

// Values returns the expected value of each task for a recipe on held-out items,
// without the luck of the items: what a front is judged by.
func (f *Family) Values(r mergesearch.Recipe) []float64 {
	abilities := f.abilities(r)
	out := make([]float64, len(f.skills))
	items := make([]float64, len(f.skills))
	for _, item := range f.items[mergesearch.HeldOutSplit] {
		t := f.traits[item.ID]
		out[t.task] += t.solves(abilities)
		items[t.task]++
	}
	for i := range out {
		out[i] /= items[i]
	}
	return out
}
