package metric

import (
	"fmt"
	"math"
)

// Mean returns the sum over the number; xs must not be empty.
func Mean(xs []float64) float64 {
	some(len(xs))
	return sum(xs) / float64(len(xs))
}

// sum adds from left to right, as Python 3.11 does.
func sum(xs []float64) float64 {
	s := 0.0
	for _, x := range xs {
		s += x
	}
	return s
}

func some(n int) {
	if n == 0 {
		panic("metric: no items")
	}
}

func equal(a, b int) {
	some(a)
	if a != b {
		panic(fmt.Sprintf("metric: %d items on one side and %d on the other", a, b))
	}
}

// sampleSD returns the standard deviation with n-1 below; xs needs two values.
func sampleSD(xs []float64) float64 {
	m := Mean(xs)
	s := 0.0
	for _, x := range xs {
		s += (x - m) * (x - m)
	}
	return math.Sqrt(s / float64(len(xs)-1))
}

// MeanStderr returns the standard error of Mean; false below two items.
func MeanStderr(xs []float64) (float64, bool) {
	if len(xs) < 2 {
		return 0, false
	}
	return sampleSD(xs) / math.Sqrt(float64(len(xs))), true
}

// ClusteredStderr returns the standard error of Mean for items that come in clusters
// (questions about one text): the root of the summed squares of each cluster's
// deviation, over n. corrected multiplies it by the root of C/(C-1) for C clusters.
// False below two clusters.
func ClusteredStderr(xs []float64, cluster []int, corrected bool) (float64, bool) {
	equal(len(xs), len(cluster))
	m := Mean(xs)
	place := map[int]int{}
	var deviations []float64
	for i, x := range xs {
		p, ok := place[cluster[i]]
		if !ok {
			p = len(deviations)
			place[cluster[i]] = p
			deviations = append(deviations, 0)
		}
		deviations[p] += x - m
	}
	c := float64(len(deviations))
	if c < 2 {
		return 0, false
	}
	s := 0.0
	for _, d := range deviations {
		s += d * d
	}
	if corrected {
		s *= c / (c - 1)
	}
	return math.Sqrt(s) / float64(len(xs)), true
}

// PooledStderr returns the standard error of a mean over several tasks, weighted by
// size, from those of the tasks. False if no task has more than one item.
func PooledStderr(stderrs []float64, sizes []int) (float64, bool) {
	equal(len(stderrs), len(sizes))
	s, n := 0.0, 0
	for i, e := range stderrs {
		size := float64(sizes[i])
		s += (size - 1) * (e * e) * size
		n += sizes[i]
	}
	if n <= len(sizes) {
		return 0, false
	}
	return math.Sqrt(s / float64(n-len(sizes)) / float64(n)), true
}

// GroupMean returns the mean over tasks, each weighted by its size.
func GroupMean(values []float64, sizes []int) float64 {
	equal(len(values), len(sizes))
	s, n := 0.0, 0
	for i, v := range values {
		s += v * float64(sizes[i])
		n += sizes[i]
	}
	return s / float64(n)
}

// WeightedPerplexity returns exp of minus the summed log-likelihoods over the summed
// weights: the word_perplexity (weights: words) and byte_perplexity (UTF-8 bytes) of
// rolling log-likelihoods.
func WeightedPerplexity(loglikelihoods, weights []float64) float64 {
	equal(len(loglikelihoods), len(weights))
	return math.Exp(-(sum(loglikelihoods) / sum(weights)))
}

// BitsPerByte returns minus the summed log-likelihoods over the summed bytes, in bits.
func BitsPerByte(loglikelihoods, bytes []float64) float64 {
	equal(len(loglikelihoods), len(bytes))
	return -(sum(loglikelihoods) / sum(bytes)) / math.Ln2
}

// Softmax returns the probabilities of choices by their log-likelihoods.
func Softmax(loglikelihoods []float64) []float64 {
	some(len(loglikelihoods))
	most := loglikelihoods[0]
	for _, x := range loglikelihoods {
		most = math.Max(most, x)
	}
	out := make([]float64, len(loglikelihoods))
	for i, x := range loglikelihoods {
		out[i] = math.Exp(x - most)
	}
	s := sum(out)
	for i := range out {
		out[i] /= s
	}
	return out
}

// Brier returns the mean over items of the squared distance between the probabilities
// of the choices and the truth: 0 is right and sure, 2 wrong and sure (Brier 1950, in
// its first form). All items must have the same number of choices.
func Brier(gold []int, probabilities [][]float64) (float64, error) {
	equal(len(gold), len(probabilities))
	scores := make([]float64, len(gold))
	for i, p := range probabilities {
		switch {
		case len(p) != len(probabilities[0]):
			return 0, fmt.Errorf("item %d has %d choices and the first one %d: brier_score wants the same number", i+1, len(p), len(probabilities[0]))
		case gold[i] < 0 || gold[i] >= len(p):
			return 0, fmt.Errorf("item %d: the right choice is number %d of %d", i+1, gold[i], len(p))
		}
		for k, x := range p {
			if k == gold[i] {
				x--
			}
			scores[i] += x * x
		}
	}
	return Mean(scores), nil
}

// PassAtK returns the unbiased estimate of the chance that one of k answers is right,
// of n answers with c right ones: 1 - C(n-c, k) / C(n, k).
func PassAtK(n, c, k int) float64 {
	if c < 0 || c > n || k < 1 || k > n {
		panic(fmt.Sprintf("metric: pass@%d of %d right among %d", k, c, n))
	}
	if n-c < k {
		return 1
	}
	p := 1.0
	for i := n - c + 1; i <= n; i++ {
		p *= 1 - float64(k)/float64(i)
	}
	return 1 - p
}
