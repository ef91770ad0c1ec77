package kernel

/*
#include "native/device/arguments.h"
*/
import "C"

import (
	"unsafe"

	"mergesearch/merge/kernel/cuda"
)

// The operations that look through one task vector, or several models, and return
// numbers.

// scanArguments moves a scan to the device.
func (q *queue) scanArguments(s *C.msmerge_scan) (*C.msmerge_scan_arguments, cuda.Address) {
	a, at := argumentsOf[C.msmerge_scan_arguments](q)
	a.s = *s
	q.view(&a.s.base, s.n)
	q.view(&a.s.x, s.n)
	slice(q, &a.s.bits, bitBytes(int(s.n)))
	return a, at
}

// histogram adds to the bins.
func (d *Device) histogram(s *C.msmerge_scan, bins []uint32) {
	d.use(func(q *queue) {
		a, at := q.scanArguments(s)
		counted := q.zeros(4 * len(bins))
		place(&a.bins, counted)
		launch(q, "histogram", a, at, int(s.n))
		for i, n := range results[uint32](q, len(bins), counted) {
			bins[i] += n
		}
	})
}

func (d *Device) countEqual(s *C.msmerge_scan) int {
	var n int64
	d.use(func(q *queue) {
		a, at := q.scanArguments(s)
		for _, c := range q.equalIn(a, at) {
			n += c
		}
	})
	return int(n)
}

// equalIn counts the elements at the threshold, block by block.
func (q *queue) equalIn(a *C.msmerge_scan_arguments, at cuda.Address) []int64 {
	blocks := blocksOf(a.s.n)
	counts := q.take(8 * blocks)
	place(&a.counts, counts)
	launch(q, "count_equal", a, at, blocks)
	return results[int64](q, blocks, counts)
}

// findEqual returns the place of the nth element at the threshold, or -1. One thread
// goes through the block in which it is.
func (d *Device) findEqual(s *C.msmerge_scan, nth int) int {
	place := -1
	d.use(func(q *queue) {
		a, at := q.scanArguments(s)
		block, rest := blockOfNth(q.equalIn(a, at), nth)
		if block < 0 {
			return
		}
		a.nth, a.from, a.place = C.int64_t(rest), C.int64_t(block*TileMultiple), -1
		launch(q, "find_equal", a, at, 1)
		fetch(q, a, at)
		place = int(a.place)
	})
	return place
}

// blockOfNth returns the block in which the nth is, counted from 1, and which it is
// there; -1 if there are not as many.
func blockOfNth(counts []int64, nth int) (block, rest int) {
	for i, c := range counts {
		if nth <= int(c) {
			return i, nth
		}
		nth -= int(c)
	}
	return -1, 0
}

// survey fills in what C's survey does; found lies at the front of s.found.
func (d *Device) survey(s *C.msmerge_survey) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_survey_arguments](q)
		a.s = *s
		q.view(&a.s.base, s.n)
		q.view(&a.s.x, s.n)
		threads := C.MSMERGE_LANES * blocksOf(s.n)
		slots := min(C.MSMERGE_SLOTS, threads)
		counts, found := q.zeros(slots*C.sizeof_msmerge_survey_counts), q.take(4*int(s.room))
		a.slots = C.int64_t(slots)
		place(&a.counts, counts)
		place(&a.s.found, found)
		launch(q, "survey"+variant(typeOf(s.base), typeOf(s.x)), a, at, threads)
		out, room, full := unsafe.Slice((*int32)(unsafe.Pointer(s.found)), int(s.room)), int(s.room)/slots, false
		for slot, c := range results[C.msmerge_survey_counts](q, slots, counts) {
			s.above, s.at_high, s.at_low = s.above+c.above, s.at_high+c.at_high, s.at_low+c.at_low
			n := int(c.between)
			full = full || n > room
			if !full && n > 0 {
				q.receive(asBytes(out[s.between:int(s.between)+n]), found+cuda.Address(4*room*slot))
			}
			s.between += c.between
		}
		if full && s.between <= s.room {
			s.between = s.room + 1 // not all of them are there
		}
	})
}

// blockSums writes the sums of magnitudes of each block, and of those that are kept
// unless all are.
func (d *Device) blockSums(s *C.msmerge_scan, keep Keep, trim, drop Trim, sums, kept []float64) {
	d.use(func(q *queue) {
		a, at := q.scanArguments(s)
		a.in.keep, a.in.kept, a.in.dropped, a.in.mask, a.in.bits = C.int32_t(keep), trim.c(), drop.c(), s.mask, a.s.bits
		blocks := blocksOf(s.n)
		all, some := q.take(8*C.MSMERGE_LANES*blocks), q.take(8*C.MSMERGE_LANES*blocks)
		place(&a.lanes, all)
		place(&a.kept, some)
		launch(q, "sums"+variant(typeOf(s.base), typeOf(s.x)), a, at, 8*blocks)
		q.join(sums[:blocks], all)
		if keep != KeepAll {
			q.join(kept[:blocks], some)
		}
	})
}

// join reads sums whose lanes are on the device.
func (q *queue) join(sums []float64, lanes cuda.Address) {
	a, at := argumentsOf[C.msmerge_join_arguments](q)
	to := q.take(8 * len(sums))
	place(&a.lanes, lanes)
	place(&a.sums, to)
	launch(q, "join", a, at, len(sums))
	q.receive(asBytes(sums), to)
}

// keepRanked sets the bits of whole rows, in the blocks from the one in which element
// first lies.
func (d *Device) keepRanked(base, x View, r Ranks, first int, bits []byte) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_ranks_arguments](q)
		n := x.Len()
		a.r.first, a.r.n, a.r.rows = C.int64_t(first), C.int64_t(r.Row), C.int64_t(n/r.Row)
		a.r.mask, a.r.low, a.r.width = r.Mask.c(), C.double(r.Low), C.double(r.Width)
		a.r.base.dtype, a.r.x.dtype = code(base.DType), code(x.DType)
		placeAny(&a.r.base.data, q.input(base.Data))
		placeAny(&a.r.x.data, q.input(x.Data))
		place(&a.m, q.take(4*n))
		set := q.take(len(bits))
		place(&a.r.bits, set)
		launch(q, "magnitudes", a, at, n)
		launch(q, "keep_ranked", a, at, len(bits)/BitBytes*8)
		q.receive(bits, set)
	})
}
