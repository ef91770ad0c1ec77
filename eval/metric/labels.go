package metric

import (
	"fmt"
	"math"
)

// F1 is the harmonic mean of precision and recall for label 1, 0 if there is neither a
// gold nor a predicted 1. More than two different labels are refused, and so are two
// of which none is 1, as scikit-learn does.
func F1(gold, predicted []int) (Statistic, error) {
	equal(len(gold), len(predicted))
	seen := map[int]bool{}
	for i := range gold {
		seen[gold[i]], seen[predicted[i]] = true, true
	}
	if len(seen) > 2 {
		return Statistic{}, fmt.Errorf("f1 wants two labels, and the items have %d", len(seen))
	}
	if len(seen) == 2 && !seen[1] {
		return Statistic{}, fmt.Errorf("f1 is for label 1, and no item has it")
	}
	return still(len(gold), func(places []int32) float64 {
		hits, ones := 0, 0
		for _, p := range places {
			g, q := gold[p] == 1, predicted[p] == 1
			if g && q {
				hits++
			}
			if g {
				ones++
			}
			if q {
				ones++
			}
		}
		if ones == 0 {
			return 0
		}
		return 2 * float64(hits) / float64(ones)
	}), nil
}

// MCC is the correlation between gold and predicted labels of any number (Matthews
// 1975; Gorodkin 2004 for more than two); 0 where one side has one label only.
func MCC(gold, predicted []int) Statistic {
	equal(len(gold), len(predicted))
	index := map[int]int32{}
	number := func(labels []int) []int32 {
		out := make([]int32, len(labels))
		for i, l := range labels {
			if _, ok := index[l]; !ok {
				index[l] = int32(len(index))
			}
			out[i] = index[l]
		}
		return out
	}
	g, q := number(gold), number(predicted)
	return Statistic{n: len(gold), start: func() func([]int32) float64 {
		golds, predictions := make([]int64, len(index)), make([]int64, len(index))
		return func(places []int32) float64 {
			clear(golds)
			clear(predictions)
			hits, n := int64(0), int64(len(places))
			for _, p := range places {
				golds[g[p]]++
				predictions[q[p]]++
				if g[p] == q[p] {
					hits++
				}
			}
			both, gg, qq := int64(0), int64(0), int64(0)
			for k := range golds {
				both += golds[k] * predictions[k]
				gg += golds[k] * golds[k]
				qq += predictions[k] * predictions[k]
			}
			spread := float64(n*n-gg) * float64(n*n-qq)
			if spread == 0 {
				return 0
			}
			return float64(hits*n-both) / math.Sqrt(spread)
		}
	}}
}
