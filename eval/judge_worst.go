package eval

import (
	"math"
	"slices"

	"mergesearch"
)

// compareWorst compares two models by the value of their worst tasks, which need not
// be the same. Resamples and exchanges are those of Compare; each task's values are
// resampled for both models by the same draws.
func compareWorst(strata []stratum, items, n int) mergesearch.Comparison {
	var firsts, seconds []float64
	for _, s := range strata {
		firsts, seconds = append(firsts, average(s.first)), append(seconds, average(s.second()))
	}
	c := mergesearch.Comparison{Items: items, Gain: slices.Min(firsts) - slices.Min(seconds)}
	resamples := max(n, 40)
	first, second := slices.Repeat([]float64{1}, resamples), slices.Repeat([]float64{1}, resamples)
	extra := 0.0
	for k, s := range strata {
		s.worsen(first, s.first, firsts[k])
		s.worsen(second, s.second(), seconds[k])
		extra = max(extra, 1/float64(len(s.differences)))
	}
	for r := range first {
		first[r] -= second[r] + c.Gain
	}
	low, high := quantiles(first, extra)
	c.CILow, c.CIHigh = max(c.Gain+min(low, 0), -1), min(c.Gain+max(high, 0), 1)
	c.PValue = exchanges(strata, firsts, seconds, c.Gain, n)
	return c
}

// worsen lowers each resample's worst value to this task's, if that is below.
func (s stratum) worsen(worst, values []float64, mean float64) {
	s.differences, s.share = values, 1
	deviations := make([]float64, len(worst))
	s.resample(deviations)
	for r, d := range deviations {
		worst[r] = min(worst[r], mean+d)
	}
}

// second returns the values of the second model.
func (s stratum) second() []float64 {
	out := make([]float64, len(s.first))
	for i, v := range s.first {
		out[i] = v - s.differences[i]
	}
	return out
}

func average(x []float64) float64 {
	var sum float64
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// exchanges returns the two-sided p-value of a difference between worst tasks, as
// signFlips does for means.
func exchanges(strata []stratum, firsts, seconds []float64, gain float64, n int) float64 {
	count, limit := 0, math.Abs(gain)-1e-12
	var randoms []stream
	for _, s := range strata {
		randoms = append(randoms, stream(s.seed+1))
	}
	for range n {
		first, second := math.Inf(1), math.Inf(1)
		for k, s := range strata {
			var moved float64 // from the first model to the second
			for i := 0; i < len(s.differences); i += 64 {
				bits := randoms[k].next()
				for _, d := range s.differences[i:min(i+64, len(s.differences))] {
					moved += d * float64(bits&1)
					bits >>= 1
				}
			}
			moved /= float64(len(s.differences))
			first, second = min(first, firsts[k]-moved), min(second, seconds[k]+moved)
		}
		if math.Abs(first-second) >= limit {
			count++
		}
	}
	return float64(count+1) / float64(n+1)
}
