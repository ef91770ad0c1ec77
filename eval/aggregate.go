package eval

import (
	"math"
	"slices"

	"mergesearch/eval/port"
)

// aggregation puts the marks of a task's items together.
type aggregation struct {
	value  func(marks []mark) float64
	stderr func(marks []mark) float64 // nil: none is defined
}

// aggregations by the harness's names.
var aggregations = map[string]aggregation{
	"mean": {numbers(mean), numbers(meanStdErr)},
}

func aggregationNames() []string {
	var names []string
	for name := range aggregations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// numbers makes an aggregation of one of plain numbers.
func numbers(f func([]float64) float64) func([]mark) float64 {
	return func(marks []mark) float64 {
		xs := make([]float64, len(marks))
		for i, k := range marks {
			xs[i] = k.number
		}
		return f(xs)
	}
}

// portedAggregation is an aggregation that a task file names as a function.
func portedAggregation(p *port.Function) aggregation {
	return aggregation{value: func(marks []mark) float64 {
		ported := make([]port.Mark, len(marks))
		for i, k := range marks {
			ported[i] = k.ported
		}
		if p.Aggregation == nil {
			return math.NaN()
		}
		return p.Aggregation(ported)
	}}
}

func mean(xs []float64) float64 {
	var sum float64
	for _, x := range xs {
		sum += x
	}
	return sum / float64(len(xs))
}

func meanStdErr(xs []float64) float64 {
	m, n := mean(xs), float64(len(xs))
	var squares float64
	for _, x := range xs {
		squares += (x - m) * (x - m)
	}
	return math.Sqrt(squares/(n-1)) / math.Sqrt(n)
}
