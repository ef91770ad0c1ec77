package kernel

import (
	"slices"
	"sync"
)

// Scores gives each element of a tensor a number of at least zero, by which
// elements are chosen. With Divergence, one number for each of Lines, it is the
// importance |x - base| times the divergence of the row; without, the variance of
// the models' task vectors, times their number.
type Scores struct {
	Group
	Lines      Lines
	Divergence []float32
}

// Counted is a histogram of the upper halves of all scores.
type Counted struct {
	bins      []int
	AboveZero int // scores that are not zero
}

// Count counts the upper halves of all scores, in one pass.
func (k Kernel) Count(s Scores, tileSize int, run Runner) Counted {
	n := s.elements()
	tiles := tilesOf(n, tileSize)
	above := make([]int, tiles)
	tables := tables{size: highTables * highBins}
	run(tiles, func(i int) {
		lo, hi := bounds(i, tileSize, n)
		tables.use(func(bins []uint32) { above[i] = k.scoreHigh(s, lo, hi, bins) })
	})
	c := Counted{bins: make([]int, highBins)}
	for b, n := range tables.sum() {
		c.bins[b%highBins] += n
	}
	for _, a := range above {
		c.AboveZero += a
	}
	return c
}

// Order is a score by its place among all: its bits, how many of those equal to
// it come before that place, and how many there are.
type Order struct {
	Bits          uint32
	Before, Equal int
}

// Select returns the scores that stand at these places in ascending order,
// counted from zero; at most three places. It is radix selection: the upper
// halves were counted, and one pass counts the lower halves of the scores that
// share the upper half of one that is sought.
func (k Kernel) Select(s Scores, c Counted, places []int, tileSize int, run Runner) []Order {
	var prefixes []uint32
	high, rest := make([]uint32, len(places)), make([]int, len(places))
	for i, place := range places {
		bin, before := findBin(c.bins, place)
		high[i], rest[i] = uint32(bin), before
		if !slices.Contains(prefixes, high[i]) {
			prefixes = append(prefixes, high[i])
		}
	}
	if len(prefixes) > maxPrefixes {
		panic("kernel: more than three places to select")
	}
	n := s.elements()
	tables := tables{size: len(prefixes) * lowBins}
	run(tilesOf(n, tileSize), func(i int) {
		lo, hi := bounds(i, tileSize, n)
		tables.use(func(bins []uint32) { k.scoreLow(s, lo, hi, prefixes, bins) })
	})
	sums := tables.sum()
	out := make([]Order, len(places))
	for i := range places {
		low := sums[slices.Index(prefixes, high[i])*lowBins:]
		bin, before := findBin(low, rest[i])
		out[i] = Order{Bits: high[i]<<15 | uint32(bin), Before: before, Equal: low[bin]}
	}
	return out
}

// findBin returns the bin of the value at a place, and how many values of that bin
// come before it.
func findBin(bins []int, place int) (bin, before int) {
	for place >= bins[bin] {
		place -= bins[bin]
		bin++
	}
	return bin, place
}

// Largest returns the Trim of the keep elements with the largest scores, of equal
// ones those with the lowest numbers.
func (k Kernel) Largest(s Scores, c Counted, keep, tileSize int, run Runner) Trim {
	n := s.elements()
	if keep >= n {
		return Trim{Cut: n}
	}
	if keep <= 0 {
		return Trim{Threshold: 1<<31 - 1}
	}
	o := k.Select(s, c, []int{n - keep}, tileSize, run)[0]
	if o.Before == 0 {
		return Trim{Threshold: o.Bits, Cut: n}
	}
	tiles, nth := tilesOf(n, tileSize), o.Equal-o.Before
	equal := make([]int, tiles)
	run(tiles, func(i int) {
		lo, hi := bounds(i, tileSize, n)
		equal[i] = k.scoreEqual(s, lo, hi, o.Bits, 0)
	})
	for i, e := range equal {
		if nth > e {
			nth -= e
			continue
		}
		lo, hi := bounds(i, tileSize, n)
		return Trim{Threshold: o.Bits, Cut: lo + k.scoreEqual(s, lo, hi, o.Bits, nth) + 1}
	}
	panic("kernel: fewer elements at the threshold than were counted")
}

// tables lends each worker a histogram of its own.
type tables struct {
	size int
	mu   sync.Mutex
	free [][]uint32
}

func (t *tables) use(f func(bins []uint32)) {
	t.mu.Lock()
	var bins []uint32
	if n := len(t.free); n > 0 {
		bins, t.free = t.free[n-1], t.free[:n-1]
	}
	t.mu.Unlock()
	if bins == nil {
		bins = make([]uint32, t.size)
	}
	f(bins)
	t.mu.Lock()
	t.free = append(t.free, bins)
	t.mu.Unlock()
}

// sum adds up all histograms once no worker has one.
func (t *tables) sum() []int {
	sum := make([]int, t.size)
	for _, bins := range t.free {
		for b, n := range bins {
			sum[b] += int(n)
		}
	}
	return sum
}
