package kernel

import (
	"math/bits"
)

// Trim describes the elements of a task vector that keep_magnitude keeps: those
// whose magnitude is above Threshold, and of those at it the ones numbered below
// Cut. Threshold holds the float32 bits of a magnitude.
type Trim struct {
	Threshold uint32
	Cut       int
}

// Runner calls f(i) for every i below n, in any order and perhaps at once, and
// returns when all have returned. It is how a selection uses the caller's
// threads.
type Runner func(n int, f func(i int))

// Serial is the Runner that uses the caller's thread alone.
func Serial(n int, f func(i int)) {
	for i := range n {
		f(i)
	}
}

// SelectMagnitude returns the Trim that keeps exactly the k elements of x - base
// with the largest magnitudes, of equal ones those with the lowest numbers. k is
// clamped to [0, n]. The data is read in tiles of the given size, a multiple of
// TileMultiple.
//
// A large tensor is first tried with selectNear, which reads it once. Otherwise it
// is a radix selection: three histograms, of the magnitude's upper 11, middle
// 10 and lower 10 bits, each over the elements that share the digits found so
// far; then the tie at place k is looked up.
func (k Kernel) SelectMagnitude(base, x Source, keep, tileSize int, run Runner) Trim {
	n := x.Len()
	if keep >= n {
		return Trim{Threshold: 0, Cut: n}
	}
	if keep <= 0 {
		return Trim{Threshold: 1<<31 - 1}
	}
	if trim, ok := k.selectNear(base, x, keep, tileSize, run); ok {
		return trim
	}
	return k.selectRadix(base, x, keep, tileSize, run)
}

func (k Kernel) selectRadix(base, x Source, keep, tileSize int, run Runner) Trim {
	n, tiles := x.Len(), tilesOf(x.Len(), tileSize)
	var threshold uint32
	rest, ties := keep, 0 // elements still to keep among those that share the digits; how many share them
	for _, digit := range []struct{ shift, width int }{{20, 11}, {10, 10}, {0, 10}} {
		prefixShift := digit.shift + digit.width
		bins := k.histogram(base, x, tileSize, tiles, digit.shift, prefixShift, threshold>>min(prefixShift, 31), run)
		bin := 1<<digit.width - 1
		for bins[bin] < rest {
			rest -= bins[bin]
			bin--
		}
		threshold |= uint32(bin) << digit.shift
		ties = bins[bin]
	}
	if rest == ties {
		return Trim{Threshold: threshold, Cut: n}
	}
	return Trim{Threshold: threshold, Cut: k.cut(base, x, tileSize, tiles, threshold, rest, run)}
}

// cut returns the number after that of the nth element at the threshold.
func (k Kernel) cut(base, x Source, tileSize, tiles int, threshold uint32, nth int, run Runner) int {
	counts := make([]int, tiles)
	run(tiles, func(i int) {
		lo, hi := bounds(i, tileSize, x.Len())
		counts[i] = k.countEqual(base.Slice(lo, hi), x.Slice(lo, hi), threshold)
	})
	for i, c := range counts {
		if nth > c {
			nth -= c
			continue
		}
		lo, hi := bounds(i, tileSize, x.Len())
		return lo + k.findEqual(base.Slice(lo, hi), x.Slice(lo, hi), threshold, nth) + 1
	}
	panic("kernel: fewer elements at the threshold than the histogram counted")
}

func tilesOf(n, tileSize int) int {
	if tileSize <= 0 || tileSize%TileMultiple != 0 || bits.Len(uint(tileSize)) > 32 {
		panic("kernel: tile size must be a positive multiple of TileMultiple below 2^32")
	}
	return (n + tileSize - 1) / tileSize
}

func bounds(i, tileSize, n int) (lo, hi int) { return i * tileSize, min((i+1)*tileSize, n) }
