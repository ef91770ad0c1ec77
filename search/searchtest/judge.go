package searchtest

import (
	"fmt"
	"math"

	"mergesearch"
	"mergesearch/search"
)

// Judge compares paired outcomes by the normal approximation: the gain is the
// weighted mean over tasks of the per-item differences, its error that of tasks
// taken as independent strata.
type Judge struct{ Benchmark mergesearch.Benchmark }

var _ search.Judge = Judge{}

// Compare refuses outcomes that are not of the same items.
func (j Judge) Compare(a, b []mergesearch.Outcome) (mergesearch.Comparison, error) {
	other := map[mergesearch.ItemID]float64{}
	for _, o := range b {
		other[o.Item] = o.Value
	}
	differences := map[string][]float64{}
	for _, o := range a {
		v, ok := other[o.Item]
		if !ok || len(a) != len(b) {
			return mergesearch.Comparison{}, fmt.Errorf("item %s was not answered by both", o.Item)
		}
		differences[o.Item.Task()] = append(differences[o.Item.Task()], o.Value-v)
	}
	var gain, variance, total float64
	for _, t := range j.Benchmark.Tasks {
		d := differences[t.Task]
		mean, squares, n := 0.0, 0.0, float64(len(d))
		for _, x := range d {
			mean += x / n
		}
		for _, x := range d {
			squares += (x - mean) * (x - mean)
		}
		gain += t.Weight * mean
		variance += t.Weight * t.Weight * squares / (n * max(1, n-1))
		total += t.Weight
	}
	gain, stderr := gain/total, math.Sqrt(variance)/total
	p := 1.0
	if stderr > 0 {
		p = math.Erfc(math.Abs(gain) / stderr / math.Sqrt2)
	} else if gain != 0 {
		p = 0
	}
	return mergesearch.Comparison{Gain: gain, CILow: gain - 1.96*stderr, CIHigh: gain + 1.96*stderr, PValue: p, Items: len(a)}, nil
}
