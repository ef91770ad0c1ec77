package metric

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"mergesearch/eval/python"
)

// How often the harness draws for a standard error.
const (
	Iterations     = 100_000
	TextIterations = 100 // for BLEU, ChrF and TER
)

// Statistic is an aggregation over n items.
type Statistic struct {
	n int
	// start returns a function of the places of chosen items, with memory of its own.
	start func() func(places []int32) float64
}

// Value returns the statistic of all items.
func (s Statistic) Value() float64 {
	places := make([]int32, s.n)
	for i := range places {
		places[i] = int32(i)
	}
	return s.start()(places)
}

// Stderr returns the harness's bootstrap: the standard deviation of the statistic over
// iters draws of n items with replacement. Draws come in chunks of 1,000 (fewer for
// fewer iters; a last one that is not full is left out), chunk i from a generator with
// seed i. They are shared among workers (0: as many as there are processors), which
// changes nothing. False below two items or two draws.
func (s Statistic) Stderr(iters, workers int) (float64, bool) {
	if s.n < 2 || iters < 2 {
		return 0, false
	}
	size := min(1000, iters)
	chunks := iters / size
	values := make([]float64, chunks*size)
	if workers <= 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	var next atomic.Int64
	var done sync.WaitGroup
	for range min(workers, chunks) {
		done.Go(func() {
			of := s.start()
			places := make([]int32, s.n)
			var random python.Random
			for {
				chunk := int(next.Add(1)) - 1
				if chunk >= chunks {
					return
				}
				random.Seed(int64(chunk))
				for i := chunk * size; i < (chunk+1)*size; i++ {
					random.FillChoices(places, s.n)
					values[i] = of(places)
				}
			}
		})
	}
	done.Wait()
	return sampleSD(values), true
}

// still makes a statistic that needs no memory of its own.
func still(n int, of func(places []int32) float64) Statistic {
	some(n)
	return Statistic{n: n, start: func() func([]int32) float64 { return of }}
}

// Perplexity is exp of minus the mean log-likelihood of an item (not of a token).
func Perplexity(loglikelihoods []float64) Statistic {
	return still(len(loglikelihoods), func(places []int32) float64 {
		s := 0.0
		for _, p := range places {
			s += loglikelihoods[p]
		}
		return math.Exp(-(s / float64(len(places))))
	})
}

// NanMean is the mean of the values that are numbers; NaN if there are none.
func NanMean(xs []float64) Statistic {
	return still(len(xs), func(places []int32) float64 {
		s, n := 0.0, 0
		for _, p := range places {
			if x := xs[p]; !math.IsNaN(x) {
				s += x
				n++
			}
		}
		return s / float64(n)
	})
}

// Median is the middle value, of two in the middle the upper one.
func Median(xs []float64) Statistic {
	some(len(xs))
	order := make([]int, len(xs))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(xs[a], xs[b]) })
	rank := make([]int32, len(xs))
	for r, i := range order {
		rank[i] = int32(r)
	}
	return Statistic{n: len(xs), start: func() func([]int32) float64 {
		counts := make([]int32, len(xs))
		return func(places []int32) float64 {
			clear(counts)
			for _, p := range places {
				counts[rank[p]]++
			}
			below := int32(0)
			for r, c := range counts {
				if below += c; below > int32(len(places)/2) {
					return xs[order[r]]
				}
			}
			panic("metric: the ranks do not cover the items")
		}
	}}
}
