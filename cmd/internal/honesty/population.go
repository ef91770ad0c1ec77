package honesty

import (
	"math"
	"sort"
	"sync"
)

// expected returns the chance that a model of this ability solves an item drawn from
// the population, by the midpoint rule over 60 quantiles of each trait.
func expected(ability float64) float64 {
	sum := 0.0
	for _, a := range quantiles() {
		for _, b := range quantiles() {
			sum += logistic(math.Exp(slopeSD*a) * (ability - difficultyMean - difficultySD*b))
		}
	}
	return sum / float64(len(quantiles())*len(quantiles()))
}

// quantiles are those of the standard normal distribution at (k + 1/2) / 60.
var quantiles = sync.OnceValue(func() []float64 {
	const n = 60
	var out []float64
	for k := range n {
		out = append(out, math.Sqrt2*math.Erfinv(2*(float64(k)+0.5)/n-1))
	}
	return out
})

// step is the grid of the table of expectations, which runs from -8 to 8.
const step = 0.02

var expectations = sync.OnceValue(func() []float64 {
	var out []float64
	for x := -8.0; x <= 8; x += step {
		out = append(out, expected(x))
	}
	return out
})

// abilityFor returns the ability that has the expected value, kept within what the
// table holds.
func abilityFor(value float64) float64 {
	table := expectations()
	at := sort.SearchFloat64s(table, value)
	if at == 0 {
		return -8
	}
	if at == len(table) {
		return 8
	}
	share := (value - table[at-1]) / (table[at] - table[at-1])
	return -8 + step*(float64(at-1)+share)
}
