package kernel

/*
#include "native/kernel.h"

static void call_survey(int l, msmerge_survey *s) { msmerge_level(l)->survey(s); }
*/
import "C"

import (
	"encoding/binary"
	"math"
	"math/bits"
	"runtime"
	"slices"
	"unsafe"

	"mergesearch"
)

// The selection of large tensors: a sample says between which two magnitudes the
// k-th one lies, but for bad luck; one pass over the tensor counts what is above,
// at and between them and collects the few between, among which the k-th is found.
// Counts are exact, so luck decides about time alone.

const (
	nearLeast  = 1 << 16 // elements for which it is worth while
	sampleRun  = 32      // neighbours that are sampled together
	sampleMost = 1 << 16
)

// selectNear returns false when the sample misled.
func (k Kernel) selectNear(base, x Source, keep, tileSize int, run Runner) (Trim, bool) {
	n := x.Len()
	if n < nearLeast {
		return Trim{}, false
	}
	low, high := nearLimits(sampleMagnitudes(base, x, run), float64(keep)/float64(n))
	parts := make([]surveyed, tilesOf(n, tileSize))
	run(len(parts), func(i int) {
		lo, hi := bounds(i, tileSize, n)
		parts[i] = k.survey(base.Slice(lo, hi), x.Slice(lo, hi), low, high)
	})
	var all surveyed
	for _, p := range parts {
		all.above, all.atHigh, all.atLow, all.between = all.above+p.above, all.atHigh+p.atHigh, all.atLow+p.atLow, all.between+p.between
		all.full = all.full || p.full
	}
	rest := keep - all.above // to keep of those at high and below
	var threshold int32
	var at func(surveyed) int // how many elements of a tile are at the threshold
	switch {
	case rest <= 0 || all.full && rest > all.atHigh && rest <= all.atHigh+all.between:
		return Trim{}, false
	case rest <= all.atHigh:
		threshold, at = high, func(s surveyed) int { return s.atHigh }
	case rest <= all.atHigh+all.between:
		rest -= all.atHigh
		threshold, rest = nthLargest(parts, rest, low, high)
		at = func(s surveyed) int { return countOf(s.found, threshold) }
	case rest <= all.atHigh+all.between+all.atLow:
		rest -= all.atHigh + all.between
		threshold, at = low, func(s surveyed) int { return s.atLow }
	default:
		return Trim{}, false
	}
	return Trim{Threshold: uint32(threshold), Cut: k.cutAmong(base, x, tileSize, parts, uint32(threshold), rest, at)}, true
}

// cutAmong returns the number after that of the nth element at the threshold, or
// the number of all elements if there is no other.
func (k Kernel) cutAmong(base, x Source, tileSize int, parts []surveyed, threshold uint32, nth int, at func(surveyed) int) int {
	for i, p := range parts {
		c := at(p)
		if nth > c {
			nth -= c
			continue
		}
		rest := c - nth
		for _, q := range parts[i+1:] {
			rest += at(q)
		}
		if rest == 0 {
			return x.Len()
		}
		lo, hi := bounds(i, tileSize, x.Len())
		return lo + k.findEqual(base.Slice(lo, hi), x.Slice(lo, hi), threshold, nth) + 1
	}
	panic("kernel: fewer elements at the threshold than were counted")
}

// surveyed is what msmerge_survey says of a tile.
type surveyed struct {
	above, atHigh, atLow, between int
	found                         []int32 // those between
	full                          bool    // not all of them are in found
}

func (k Kernel) survey(base, x View, low, high int32) surveyed {
	mustMatch(base, x)
	work := workspaces.Get().(*workspace)
	defer workspaces.Put(work)
	room := x.Len()/4 + 64
	work.grow(4 * room)
	found := unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(work.bytes))), room)
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&found[0])
	s := C.msmerge_survey{
		base: view(&pin, base), x: view(&pin, x), n: C.int64_t(x.Len()), low: C.int32_t(low), high: C.int32_t(high),
		room: C.int64_t(room), found: (*C.int32_t)(&found[0]),
	}
	if k.device != nil {
		k.device.survey(&s)
	} else {
		C.call_survey(C.int(k.level), &s)
	}
	out := surveyed{above: int(s.above), atHigh: int(s.at_high), between: int(s.between), full: int(s.between) > room}
	if low != high {
		out.atLow = int(s.at_low)
	}
	if !out.full {
		out.found = slices.Clone(found[:s.between])
	}
	return out
}

// sampleMagnitudes returns the magnitudes of runs of elements, one at a scattered
// place of each of as many equal parts: at even distances they could all lie in the
// same columns.
func sampleMagnitudes(base, x Source, run Runner) []int32 {
	n := x.Len()
	runs := min(sampleMost, max(1<<12, n/32)) / sampleRun
	out := make([]int32, runs*sampleRun)
	distance := n / runs
	const (
		share  = 64         // runs that are one piece of work
		golden = 2654435769 // 2^32 divided by the golden ratio
	)
	run((runs+share-1)/share, func(i int) {
		for j := i * share; j < min(runs, (i+1)*share); j++ {
			lo := j*distance + int(uint64(uint32(j)*golden)*uint64(distance-sampleRun+1)>>32)
			magnitudes(out[j*sampleRun:(j+1)*sampleRun], base.Slice(lo, lo+sampleRun), x.Slice(lo, lo+sampleRun))
		}
	})
	return out
}

// magnitudes fills out with the bits of |x - base|.
func magnitudes(out []int32, base, x View) {
	if base.DType == mergesearch.BF16 && x.DType == mergesearch.BF16 {
		for e := range out {
			b := uint32(binary.LittleEndian.Uint16(base.Data[2*e:])) << 16
			v := uint32(binary.LittleEndian.Uint16(x.Data[2*e:])) << 16
			out[e] = int32(math.Float32bits(math.Float32frombits(v)-math.Float32frombits(b)) & 0x7fffffff)
		}
		return
	}
	for e, v := range TaskVectorReference(Load(base), Load(x)) {
		out[e] = int32(math.Float32bits(v) & 0x7fffffff)
	}
}

// nearLimits returns two magnitudes of the sample, five standard deviations of a
// fair one around the place where that which keeps the share should be.
func nearLimits(sample []int32, share float64) (low, high int32) {
	size := float64(len(sample))
	place, spread := share*size, 5*math.Sqrt(size*share*(1-share))+8
	first, last := max(1, int(place-spread)), min(len(sample), max(1, int(place+spread)))
	near, above, least, most := between(sample, first, last)
	high, _ = nthLargest(near, first-above, least, most)
	low, _ = nthLargest(near, last-above, least, most)
	return low, high
}

// between returns the part of the sample, above least and below most, in which its
// first-th to last-th largest magnitudes are, and how many are larger.
func between(sample []int32, first, last int) (near []surveyed, above int, least, most int32) {
	const shift = 20
	var bins [1 << 11]int
	for _, m := range sample {
		bins[m>>shift]++
	}
	top := int32(len(bins) - 1)
	for above+bins[top] < first {
		above += bins[top]
		top--
	}
	bottom := top
	for sum := above + bins[top]; sum < last; sum += bins[bottom] {
		bottom--
	}
	least, most = bottom<<shift-1, math.MaxInt32
	if top+1 < int32(len(bins)) {
		most = (top + 1) << shift
	}
	found := make([]int32, 0, len(sample)/4)
	for _, m := range sample {
		if m > least && m < most {
			found = append(found, m)
		}
	}
	return []surveyed{{found: found}}, above, least, most
}

// nthLargest returns the nth largest of what was found, which lies between low and
// high, and how many of its equals it still takes, itself included.
func nthLargest(parts []surveyed, nth int, low, high int32) (value int32, rest int) {
	first, size := int64(low)+1, int64(high)-int64(low) // values are first up to first+size-1
	for {
		shift := max(0, bits.Len64(uint64(size))-11)
		var bins [1 << 11]int
		for _, p := range parts {
			for _, v := range p.found {
				bins[(int64(v)-first)>>shift]++
			}
		}
		bin := int64(len(bins) - 1)
		for bins[bin] < nth {
			nth -= bins[bin]
			bin--
		}
		first, size = first+bin<<shift, 1<<shift
		if shift == 0 {
			return int32(first), nth
		}
		var inside []int32
		for _, p := range parts {
			for _, v := range p.found {
				if d := int64(v) - first; d >= 0 && d < size {
					inside = append(inside, v)
				}
			}
		}
		parts = []surveyed{{found: inside}}
	}
}

func countOf(x []int32, v int32) (n int) {
	for _, y := range x {
		if y == v {
			n++
		}
	}
	return n
}
