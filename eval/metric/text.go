package metric

import "fmt"

// counts are the sufficient statistics of one item for a corpus metric: the metric of
// several items is a function of their sums.
type counts []float64

// corpus makes the statistic of answers with references. of counts one answer against
// some references; score is the metric of summed counts.
//
// The harness hands its metrics as many references for each item as the item with the
// fewest has, among those that are drawn. So counts are kept for every number.
func corpus(answers []string, references [][]string, width int, of func(answer string, references []string) counts, score func(counts) float64) (Statistic, error) {
	equal(len(answers), len(references))
	items := make([][]counts, len(answers))
	for i, refs := range references {
		if len(refs) == 0 {
			return Statistic{}, fmt.Errorf("item %d has no reference", i+1)
		}
		for n := range refs {
			items[i] = append(items[i], of(answers[i], refs[:n+1]))
		}
	}
	return Statistic{n: len(answers), start: func() func([]int32) float64 {
		total := make(counts, width)
		return func(places []int32) float64 {
			fewest := len(items[places[0]])
			for _, p := range places {
				fewest = min(fewest, len(items[p]))
			}
			clear(total)
			for _, p := range places {
				for k, c := range items[p][fewest-1] {
					total[k] += c
				}
			}
			return score(total)
		}
	}}, nil
}
