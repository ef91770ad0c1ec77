package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/zeebo/xxh3"

	"mergesearch"
)

// Judge compares two models that answered the same items. It is a pure function
// of its arguments: its random streams are seeded by the item names alone.
type Judge struct {
	Benchmark mergesearch.Benchmark

	// Resamples is the number of bootstrap resamples and of sign flips behind a
	// comparison; 0: 10,000. Fewer than 40 leave no tail to cut.
	Resamples int
}

// Compare returns the gain of a over b: the mean over tasks, by weight, of the
// mean difference on equal items; with the aim WorstTask, a's worst task minus b's.
// Both must hold the same items, in any order, and every task of the benchmark at
// least one.
//
// The interval is that of a bootstrap of the paired differences, resampled within
// each task (Efron and Tibshirani 1993, chapter 16; Davison and Hinkley 1997,
// section 3.2): the percentile interval, with each task's deviations scaled by
// sqrt(n/(n-1)), without which intervals of small tasks are too narrow. A bootstrap
// knows nothing of differences that the sample happens to lack, so each resample is
// given two more items, each of which may go either way by 1 (compare Agresti and
// Coull 1998 for one proportion, Bonett and Price 2012 for paired ones): without
// them, four items won and none lost out of thirty would be a gain. On hundreds of
// differing items they do not show. BCa would add a correction for skew that is
// nil for means of hundreds of differences in [-1, 1].
//
// The p-value is that of the paired randomisation test (Fisher's sign flips):
// (count+1)/(n+1), where count is how many of n random exchanges of the two models'
// values on each item give a gain at least as far from zero, either way. For right
// and wrong answers it is McNemar's test.
func (j Judge) Compare(a, b []mergesearch.Outcome) (mergesearch.Comparison, error) {
	strata, err := j.pair(a, b)
	if err != nil {
		return mergesearch.Comparison{}, err
	}
	n := j.Resamples
	if n == 0 {
		n = 10_000
	}
	if j.Benchmark.Aim == mergesearch.WorstTask {
		return compareWorst(strata, len(a), n), nil
	}
	c := mergesearch.Comparison{Items: len(a), Gain: gain(strata)}
	deviations := make([]float64, max(n, 40))
	for _, s := range strata {
		s.resample(deviations)
	}
	low, high := quantiles(deviations, influence(strata, len(a)))
	c.CILow, c.CIHigh = max(c.Gain+low, -1), min(c.Gain+high, 1)
	c.PValue = signFlips(strata, c.Gain, n)
	return c, nil
}

// stratum holds the paired differences of one task.
type stratum struct {
	share       float64 // of the task in the fitness; all shares sum to one
	differences []float64
	first       []float64 // the values of the first model, in the same order
	seed        uint64    // from the item names
}

func (s stratum) mean() float64 {
	var sum float64
	for _, d := range s.differences {
		sum += d
	}
	return sum / float64(len(s.differences))
}

func gain(strata []stratum) float64 {
	var g float64
	for _, s := range strata {
		g += s.share * s.mean()
	}
	return g
}

// pair matches outcomes by item and sorts them into tasks.
func (j Judge) pair(a, b []mergesearch.Outcome) ([]stratum, error) {
	if len(a) != len(b) {
		return nil, fmt.Errorf("compare: %d items against %d", len(a), len(b))
	}
	a, b = byItem(a), byItem(b)
	strata := make([]stratum, len(j.Benchmark.Tasks))
	place := map[string]int{}
	var total float64
	for i, t := range j.Benchmark.Tasks {
		place[t.Task] = i
		total += t.Weight
	}
	for i := range a {
		item := a[i].Item
		if item != b[i].Item || i > 0 && item == a[i-1].Item {
			return nil, fmt.Errorf("compare: different items or one of them twice: %s and %s", item, b[i].Item)
		}
		k, ok := place[item.Task()]
		if !ok {
			return nil, fmt.Errorf("compare: item %s belongs to no task of the benchmark", item)
		}
		d := a[i].Value - b[i].Value
		if !(math.Abs(d) <= 1) {
			return nil, fmt.Errorf("compare: item %s: values %v and %v are not both in [0, 1]", item, a[i].Value, b[i].Value)
		}
		s := &strata[k]
		s.differences, s.first = append(s.differences, d), append(s.first, a[i].Value)
		s.seed = s.seed*0x9e3779b97f4a7c15 + xxh3.HashString(string(item))
	}
	for i, t := range j.Benchmark.Tasks {
		if strata[i].differences == nil {
			return nil, fmt.Errorf("compare: task %s has no items", t.Task)
		}
		strata[i].share = t.Weight / total
	}
	return strata, nil
}

func byItem(outcomes []mergesearch.Outcome) []mergesearch.Outcome {
	sorted := slices.Clone(outcomes)
	slices.SortFunc(sorted, func(x, y mergesearch.Outcome) int { return strings.Compare(string(x.Item), string(y.Item)) })
	return sorted
}

// stream is splitmix64 (Steele, Lea and Flood 2014): one addition and a mix for
// 64 bits, which two draws share.
type stream uint64

func (s *stream) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// influence returns by how much one item moves the gain when its difference changes
// by 1: the root of the mean square over items.
func influence(strata []stratum, items int) float64 {
	var sum float64
	for _, s := range strata {
		sum += s.share * s.share / float64(len(s.differences))
	}
	return math.Sqrt(sum / float64(items))
}

// quantiles returns the ends of the middle 95 % of the deviations, to each of which
// the sum of two more items was added that move it by extra, either way. Exchanging
// the two models gives the mirrored interval: the draws depend on item names only and
// the two ranks are symmetric.
func quantiles(deviations []float64, extra float64) (low, high float64) {
	n := 4 * len(deviations)
	all := make([]float64, 0, n)
	for _, d := range deviations {
		all = append(all, d-2*extra, d, d, d+2*extra)
	}
	slices.Sort(all)
	tail := n / 40
	return all[tail-1], all[n-tail]
}

// resample adds the deviation of this task's mean in every resample, weighted.
func (s stratum) resample(into []float64) {
	n := len(s.differences)
	if n < 2 {
		return // one difference says nothing about its spread
	}
	mean := s.mean()
	scale := math.Sqrt(float64(n) / float64(n-1))
	centred := make([]float64, n)
	for i, d := range s.differences {
		centred[i] = (d - mean) * scale
	}
	random := stream(s.seed)
	factor := s.share / float64(n)
	for r := range into {
		var even, odd float64
		for range n / 2 {
			x := random.next()
			even += centred[(x&0xffffffff)*uint64(n)>>32]
			odd += centred[(x>>32)*uint64(n)>>32]
		}
		if n%2 == 1 {
			even += centred[(random.next()>>32)*uint64(n)>>32]
		}
		into[r] += factor * (even + odd)
	}
}

// signFlips returns the two-sided p-value of the gain.
func signFlips(strata []stratum, gain float64, flips int) float64 {
	var terms []float64 // each item's part of the gain; zeros change nothing
	seed := uint64(1)
	for _, s := range strata {
		seed = seed*0x9e3779b97f4a7c15 + s.seed
		for _, d := range s.differences {
			if d != 0 {
				terms = append(terms, d*s.share/float64(len(s.differences)))
			}
		}
	}
	// Sums of the same terms in another order differ by rounding; what is equal
	// but for that counts as equally far.
	limit := math.Abs(gain) - 1e-12
	sign := [2]float64{-1, 1}
	random, count := stream(seed), 0
	for range flips {
		var sum float64
		for i := 0; i < len(terms); i += 64 {
			bits := random.next()
			for _, x := range terms[i:min(i+64, len(terms))] {
				sum += x * sign[bits&1]
				bits >>= 1
			}
		}
		if math.Abs(sum) >= limit {
			count++
		}
	}
	return float64(count+1) / float64(flips+1)
}
