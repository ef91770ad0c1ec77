package kernel

/*
#include "native/device/arguments.h"
*/
import "C"

import "mergesearch/merge/kernel/cuda"

// The operations on several models that return numbers.

// products writes the partial sums of each row, block and pair.
func (d *Device) products(g *C.msmerge_group, sums []float64) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_products_arguments](q)
		a.g = *g
		types := q.group(&a.g)
		rows := int(g.n / g.columns)
		parts := rows * blocksOf(g.columns)
		pairs := int(g.inputs * (g.inputs + 1) / 2)
		lanes := q.take(8 * C.MSMERGE_LANES * parts * pairs)
		place(&a.lanes, lanes)
		launch(q, "products"+variant(types...), a, at, C.MSMERGE_LANES*parts)
		q.join(sums[:parts*pairs], lanes)
	})
}

// columnProducts adds rows to the sums of some columns.
func (d *Device) columnProducts(g *C.msmerge_group, column, width int, sums []float64) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_products_arguments](q)
		a.g = *g
		q.group(&a.g)
		a.column, a.width = C.int64_t(column), C.int64_t(width)
		pairs, stride := int(g.inputs*(g.inputs+1)/2), int(g.columns)
		own := make([]float64, pairs*width)
		for p := range pairs {
			copy(own[p*width:(p+1)*width], sums[p*stride+column:])
		}
		on := q.copied(asBytes(own))
		place(&a.sums, on)
		launch(q, "column_products", a, at, width)
		q.receive(asBytes(own), on)
		for p := range pairs {
			copy(sums[p*stride+column:], own[p*width:(p+1)*width])
		}
	})
}

// divergence writes one number for each row.
func (d *Device) divergence(g *C.msmerge_group, kl []float32) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_divergence_arguments](q)
		a.g = *g
		q.group(&a.g)
		rows, blocks := int(g.n/g.columns), blocksOf(g.columns)
		out := q.take(4 * rows)
		place(&a.top, q.take(8*2*rows))
		place(&a.all, q.take(8*2*rows))
		place(&a.lanes, q.take(8*C.MSMERGE_LANES*2*rows*blocks))
		place(&a.kl, out)
		launch(q, "row_top", a, at, 2*rows)
		launch(q, "row_sums", a, at, C.MSMERGE_LANES*2*rows*blocks)
		launch(q, "row_all", a, at, 2*rows)
		launch(q, "row_terms", a, at, C.MSMERGE_LANES*rows*blocks)
		launch(q, "row_divergence", a, at, rows)
		q.receive(asBytes(kl[:rows]), out)
	})
}

// scoreArguments moves a group and the numbers of its lines to the device.
func (q *queue) scoreArguments(g *C.msmerge_group) (*C.msmerge_score_arguments, cuda.Address) {
	a, at := argumentsOf[C.msmerge_score_arguments](q)
	a.g = *g
	q.group(&a.g)
	slice(q, &a.g.line_value, int(g.lines))
	return a, at
}

// scoreHigh adds to the bins and returns how many scores are not zero.
func (d *Device) scoreHigh(g *C.msmerge_group, bins []uint32) (aboveZero int) {
	d.use(func(q *queue) {
		a, at := q.scoreArguments(g)
		counted, above := q.zeros(4*highBins), q.zeros(8*C.MSMERGE_SLOTS)
		place(&a.bins, counted)
		place(&a.counts, above)
		launch(q, "score_high", a, at, int(g.n))
		for i, n := range results[uint32](q, highBins, counted) {
			bins[i] += n
		}
		for _, n := range results[int64](q, C.MSMERGE_SLOTS, above) {
			aboveZero += int(n)
		}
	})
	return aboveZero
}

// scoreLow adds to the bins.
func (d *Device) scoreLow(g *C.msmerge_group, bins []uint32) {
	d.use(func(q *queue) {
		a, at := q.scoreArguments(g)
		counted := q.zeros(4 * len(bins))
		place(&a.bins, counted)
		launch(q, "score_low", a, at, int(g.n))
		for i, n := range results[uint32](q, len(bins), counted) {
			bins[i] += n
		}
	})
}

// scoreEqual returns how many scores are at the threshold, or with nth above 0 the
// place of the nth.
func (d *Device) scoreEqual(g *C.msmerge_group, nth int) (n int) {
	d.use(func(q *queue) {
		a, at := q.scoreArguments(g)
		blocks := blocksOf(g.n)
		counts := q.take(8 * blocks)
		place(&a.counts, counts)
		launch(q, "score_equal", a, at, blocks)
		each := results[int64](q, blocks, counts)
		block, rest := blockOfNth(each, nth)
		if nth == 0 || block < 0 {
			for _, c := range each {
				n += int(c)
			}
			return
		}
		a.nth, a.from, a.place = C.int64_t(rest), C.int64_t(block*TileMultiple), -1
		launch(q, "score_find", a, at, 1)
		fetch(q, a, at)
		n = int(a.place)
	})
	return n
}

// squares writes the sums of each block and model.
func (d *Device) squares(g *C.msmerge_group, sums []float64) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_group_arguments](q)
		a.g = *g
		q.group(&a.g)
		n := blocksOf(g.n) * int(g.inputs)
		lanes := q.take(8 * C.MSMERGE_LANES * n)
		place(&a.lanes, lanes)
		launch(q, "squares", a, at, C.MSMERGE_LANES*n)
		q.join(sums[:n], lanes)
	})
}

// countActive adds to the counts of each model.
func (d *Device) countActive(g *C.msmerge_group, counts []int64) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_group_arguments](q)
		a.g = *g
		q.group(&a.g)
		n := len(counts)
		parts := q.zeros(8 * C.MSMERGE_SLOTS * n)
		place(&a.counts, parts)
		launch(q, "count_active", a, at, C.MSMERGE_LANES*blocksOf(g.n))
		for i, c := range results[int64](q, C.MSMERGE_SLOTS*n, parts) {
			counts[i%n] += c
		}
	})
}
