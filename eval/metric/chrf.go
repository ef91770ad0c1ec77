package metric

import (
	"strings"

	"mergesearch/eval/python"
)

const (
	chrfOrder = 6 // characters in the longest n-gram
	chrfBeta2 = 4 // beta squared: how much more recall counts than precision
)

// ChrF is sacrebleu's corpus_chrf with its defaults: the F2 of n-grams of up to six
// characters, without white space, no words; from 0 to 100. Of several references the
// one with the best score counts, the first of equal ones.
func ChrF(answers []string, references [][]string) (Statistic, error) {
	return corpus(answers, references, 3*chrfOrder, chrfCounts, chrfScore)
}

// chrfCounts returns, for each order, the n-grams of the answer, of the reference, and
// of both.
func chrfCounts(answer string, references []string) counts {
	mine := characterGrams(answer)
	var best counts
	bestScore := -1.0
	for _, ref := range references {
		theirs := characterGrams(ref)
		c := make(counts, 3*chrfOrder)
		for n := range chrfOrder {
			for gram, k := range mine[n] {
				c[3*n] += float64(k)
				c[3*n+2] += float64(min(k, theirs[n][gram]))
			}
			for _, k := range theirs[n] {
				c[3*n+1] += float64(k)
			}
			if len(theirs[n]) == 0 {
				c[3*n] = 0
			}
		}
		if s := chrfScore(c); s > bestScore {
			best, bestScore = c, s
		}
	}
	return best
}

func characterGrams(s string) [chrfOrder]map[string]int {
	r := []rune(strings.Join(python.Split(s), ""))
	var out [chrfOrder]map[string]int
	for n := range out {
		out[n] = map[string]int{}
		for i := 0; i+n+1 <= len(r); i++ {
			out[n][string(r[i:i+n+1])]++
		}
	}
	return out
}

func chrfScore(c counts) float64 {
	precision, recall, orders := 0.0, 0.0, 0.0
	for n := range chrfOrder {
		mine, theirs, both := c[3*n], c[3*n+1], c[3*n+2]
		if mine > 0 && theirs > 0 {
			precision += both / mine
			recall += both / theirs
			orders++
		}
	}
	if precision+recall == 0 {
		return 0
	}
	precision /= orders
	recall /= orders
	return 100 * ((1 + chrfBeta2) * precision * recall / (chrfBeta2*precision + recall))
}
