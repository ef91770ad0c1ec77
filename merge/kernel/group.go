package kernel

/*
#include "native/group.h"

#if !defined(__x86_64__)
#define msmerge_avx2_group msmerge_portable_group
#define msmerge_avx512_group msmerge_portable_group
#endif

static const msmerge_group_functions *group_level(int level) {
	switch (level) {
	case 3: return &msmerge_avx512_group;
	case 2: return &msmerge_avx2_group;
	}
	return &msmerge_portable_group;
}

static void call_products(int l, const msmerge_group *g, double *sums) { group_level(l)->products(g, sums); }
static void call_column_products(int l, const msmerge_group *g, int64_t column, int64_t width, double *sums) {
	group_level(l)->column_products(g, column, width, sums);
}
static void call_combine_lines(int l, msmerge_tile *t, const msmerge_group *g) { group_level(l)->combine_lines(t, g); }
static void call_nearswap(int l, msmerge_tile *t, const msmerge_group *g) { group_level(l)->nearswap(t, g); }
static void call_divergence(int l, const msmerge_group *g, float *kl, double *scratch) { group_level(l)->divergence(g, kl, scratch); }
static void call_fuse(int l, msmerge_tile *t, const msmerge_group *g) { group_level(l)->fuse(t, g); }
static int64_t call_score_high(int l, const msmerge_group *g, uint32_t *bins) { return group_level(l)->score_high(g, bins); }
static void call_score_low(int l, const msmerge_group *g, uint32_t *bins) { group_level(l)->score_low(g, bins); }
static int64_t call_score_equal(int l, const msmerge_group *g, int64_t nth) { return group_level(l)->score_equal(g, nth); }
static void call_squares(int l, const msmerge_group *g, double *sums) { group_level(l)->squares(g, sums); }
static void call_sce(int l, msmerge_tile *t, const msmerge_group *g) { group_level(l)->sce(t, g); }
static void call_count_active(int l, const msmerge_group *g, int64_t *counts) { group_level(l)->count_active(g, counts); }
static void call_ram(int l, msmerge_tile *t, const msmerge_group *g) { group_level(l)->ram(t, g); }
*/
import "C"

import (
	"fmt"
	"math"
	"runtime"
	"unsafe"
)

// Group is what an operation reads: tensors of several models, as task vectors
// where there is a base. Base may be nil.
type Group struct {
	Base   Source
	Models []Source
}

func (g Group) elements() int { return g.Models[0].Len() }

// call runs f on elements lo to hi of a group, with their memory pinned.
func (g Group) call(lo, hi int, f func(pin *runtime.Pinner, c *C.msmerge_group)) {
	if len(g.Models) < 1 || len(g.Models) > MaxModels {
		panic(fmt.Sprintf("kernel: %d models, want 1 to %d", len(g.Models), MaxModels))
	}
	if lo == hi {
		return
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	c := C.msmerge_group{n: C.int64_t(hi - lo), first: C.int64_t(lo), inputs: C.int64_t(len(g.Models)), columns: C.int64_t(hi - lo)}
	piece := func(s Source) C.msmerge_view {
		v := s.Slice(lo, hi)
		if v.Len() != hi-lo {
			panic(fmt.Sprintf("kernel: a piece of %d elements, want %d", v.Len(), hi-lo))
		}
		return view(&pin, v)
	}
	if g.Base != nil {
		c.base = piece(g.Base)
	}
	for i, s := range g.Models {
		c.x[i] = piece(s)
	}
	f(&pin, &c)
}

// write runs f on elements lo to hi and the output that takes them.
func (g Group) write(out View, lo, hi int, f func(pin *runtime.Pinner, t *C.msmerge_tile, c *C.msmerge_group)) Counts {
	if out.Len() != hi-lo {
		panic(fmt.Sprintf("kernel: an output of %d elements for %d", out.Len(), hi-lo))
	}
	firstElement(lo)
	var counts Counts
	g.call(lo, hi, func(pin *runtime.Pinner, c *C.msmerge_group) {
		t := tile(pin, out, len(g.Models))
		t.n, t.first = c.n, c.first
		f(pin, &t, c)
		counts = Counts{NaN: int64(t.nan), Inf: int64(t.inf)}
	})
	return counts
}

// Lines cuts a tensor into vectors: all of it, its rows or its columns. Count is
// their number, Length that of their elements. Lines of a tensor of more than two
// dimensions are those of the matrix of Count x Length, or Length x Count, elements.
type Lines struct {
	Count, Length int
	Columns       bool
}

// Whole is a tensor of n elements as one vector.
func Whole(n int) Lines { return Lines{Count: 1, Length: n} }

// rowLength returns the elements of a row of the matrix.
func (l Lines) rowLength() int {
	if l.Columns {
		return l.Count
	}
	return l.Length
}

func (l Lines) mustFit(n int) {
	if l.Count*l.Length != n {
		panic(fmt.Sprintf("kernel: %d lines of %d elements in a tensor of %d", l.Count, l.Length, n))
	}
}

// set tells C which line an element belongs to, and the numbers of the lines.
func (l Lines) set(pin *runtime.Pinner, c *C.msmerge_group, values []float32) {
	c.columns, c.lines, c.along_columns = C.int64_t(max(1, l.rowLength())), C.int64_t(l.Count), flag(l.Columns)
	c.line_value = pinned[C.float](pin, values)
}

// pinned returns the address of the first element for a structure that C reads.
func pinned[C, T any](pin *runtime.Pinner, s []T) *C {
	p := unsafe.SliceData(s)
	if len(s) > 0 {
		pin.Pin(p)
	}
	return (*C)(unsafe.Pointer(p))
}

// CombineLines writes base + sum of the task vectors, or the sum of the models,
// each multiplied by one weight for each of its lines: weights holds those of the
// first model's lines, then those of the second's. It computes elements lo to hi;
// lo is a multiple of TileMultiple.
func (k Kernel) CombineLines(out View, g Group, l Lines, weights []float32, lo, hi int) Counts {
	l.mustFit(g.elements())
	if len(weights) != len(g.Models)*l.Count {
		panic(fmt.Sprintf("kernel: %d weights for %d models of %d lines", len(weights), len(g.Models), l.Count))
	}
	return g.write(out, lo, hi, func(pin *runtime.Pinner, t *C.msmerge_tile, c *C.msmerge_group) {
		l.set(pin, c, weights)
		if k.device != nil {
			k.device.groupTile("combine_lines", t, c, len(weights))
			return
		}
		C.call_combine_lines(C.int(k.level), t, c)
	})
}

// Nearswap writes the other model where it is within t of the base, else the
// base moved towards it by t; differences below 1e-6 count as 1e-6. A t below
// zero counts as zero.
func (k Kernel) Nearswap(out View, g Group, t float32, lo, hi int) Counts {
	return g.write(out, lo, hi, func(_ *runtime.Pinner, to *C.msmerge_tile, c *C.msmerge_group) {
		step, slope, limit := nearswapSteps(t)
		c.near, c.slope, c.threshold = C.float(step), C.float(slope), activeLimit(limit)
		if k.device != nil {
			k.device.groupTile("nearswap", to, c, 0)
			return
		}
		C.call_nearswap(C.int(k.level), to, c)
	})
}

// nearswapSteps returns the step for differences from 1e-6 on, the share of smaller
// ones, and the largest difference that goes all the way, -1 for none.
func nearswapSteps(t float32) (step, slope, limit float32) {
	if t >= 1e-6 {
		return t, 1, t
	}
	step = max(t, 0)
	return step, float32(float64(step) / 1e-6), -1
}

// Fuse writes the other model where |x - base| times the divergence of the row
// reaches the threshold, else the base.
func (k Kernel) Fuse(out View, g Group, l Lines, divergence []float32, threshold float32, lo, hi int) Counts {
	l.mustFit(g.elements())
	return g.write(out, lo, hi, func(pin *runtime.Pinner, t *C.msmerge_tile, c *C.msmerge_group) {
		l.set(pin, c, divergence)
		c.limit = C.float(threshold)
		if k.device != nil {
			k.device.groupTile("fuse", t, c, len(divergence))
			return
		}
		C.call_fuse(C.int(k.level), t, c)
	})
}

// SCE writes base + sum c_i d_i / sum c_i over the models whose task vector d_i
// has the sign of the sum of all, at the elements that keep selects.
func (k Kernel) SCE(out View, g Group, keep Selection, c []float32, lo, hi int) Counts {
	return g.write(out, lo, hi, func(pin *runtime.Pinner, t *C.msmerge_tile, to *C.msmerge_group) {
		keep.set(to)
		to.model_value = pinned[C.float](pin, c)
		if k.device != nil {
			k.device.groupTile("sce", t, to, 0)
			return
		}
		C.call_sce(C.int(k.level), t, to)
	})
}

// RAM writes base + the mean of the task vectors whose magnitude at the element
// is above epsilon; one that is alone there is multiplied by its model's factor,
// unless alone is nil.
func (k Kernel) RAM(out View, g Group, epsilon float32, alone []float32, lo, hi int) Counts {
	return g.write(out, lo, hi, func(pin *runtime.Pinner, t *C.msmerge_tile, c *C.msmerge_group) {
		c.threshold = activeLimit(epsilon)
		if alone != nil {
			c.model_value = pinned[C.float](pin, alone)
		}
		if k.device != nil {
			k.device.groupTile("ram", t, c, 0)
			return
		}
		C.call_ram(C.int(k.level), t, c)
	})
}

// activeLimit returns the largest magnitude that is not active, below all of them
// for an epsilon below zero.
func activeLimit(epsilon float32) C.int32_t {
	if epsilon < 0 {
		return -1
	}
	return C.int32_t(math.Float32bits(epsilon) & 0x7fffffff)
}

func (k Kernel) products(g Group, lo, hi, rowLength int, sums []float64) {
	g.call(lo, hi, func(_ *runtime.Pinner, c *C.msmerge_group) {
		c.columns = C.int64_t(rowLength)
		if k.device != nil {
			k.device.products(c, sums)
			return
		}
		C.call_products(C.int(k.level), c, (*C.double)(&sums[0]))
	})
}

// columnProducts adds the rows from element lo to hi to the sums of some columns.
func (k Kernel) columnProducts(g Group, lo, hi, rowLength, column, width int, sums []float64) {
	g.call(lo, hi, func(_ *runtime.Pinner, c *C.msmerge_group) {
		c.columns = C.int64_t(rowLength)
		if k.device != nil {
			k.device.columnProducts(c, column, width, sums)
			return
		}
		C.call_column_products(C.int(k.level), c, C.int64_t(column), C.int64_t(width), (*C.double)(&sums[0]))
	})
}

func (k Kernel) divergence(g Group, lo, hi, rowLength int, kl []float32, scratch []float64) {
	g.call(lo, hi, func(_ *runtime.Pinner, c *C.msmerge_group) {
		c.columns = C.int64_t(rowLength)
		if k.device != nil {
			k.device.divergence(c, kl)
			return
		}
		C.call_divergence(C.int(k.level), c, (*C.float)(&kl[0]), (*C.double)(&scratch[0]))
	})
}

// highBins are those of the upper half of a score, twice; lowBins those of the
// lower half.
const (
	highBins, highTables = C.MSMERGE_HIGH_BINS, 2
	lowBins, maxPrefixes = C.MSMERGE_LOW_BINS, C.MSMERGE_MAX_PREFIXES
)

func (s Scores) call(lo, hi int, f func(c *C.msmerge_group)) {
	s.Group.call(lo, hi, func(pin *runtime.Pinner, c *C.msmerge_group) {
		c.score = C.MSMERGE_VARIANCE
		if s.Divergence != nil {
			c.score = C.MSMERGE_IMPORTANCE
			s.Lines.set(pin, c, s.Divergence)
		}
		f(c)
	})
}

func (k Kernel) scoreHigh(s Scores, lo, hi int, bins []uint32) (aboveZero int) {
	s.call(lo, hi, func(c *C.msmerge_group) {
		if k.device != nil {
			aboveZero = k.device.scoreHigh(c, bins)
			return
		}
		aboveZero = int(C.call_score_high(C.int(k.level), c, (*C.uint32_t)(&bins[0])))
	})
	return aboveZero
}

func (k Kernel) scoreLow(s Scores, lo, hi int, prefixes, bins []uint32) {
	s.call(lo, hi, func(c *C.msmerge_group) {
		for i := range c.prefix {
			c.prefix[i] = C.int32_t(prefixes[min(i, len(prefixes)-1)])
		}
		c.prefixes = C.int32_t(len(prefixes))
		if k.device != nil {
			k.device.scoreLow(c, bins)
			return
		}
		C.call_score_low(C.int(k.level), c, (*C.uint32_t)(&bins[0]))
	})
}

// scoreEqual returns the place in the tile of the nth element at the threshold,
// or with nth 0 how many there are.
func (k Kernel) scoreEqual(s Scores, lo, hi int, threshold uint32, nth int) (n int) {
	s.call(lo, hi, func(c *C.msmerge_group) {
		c.threshold = C.int32_t(threshold)
		if k.device != nil {
			n = k.device.scoreEqual(c, nth)
			return
		}
		n = int(C.call_score_equal(C.int(k.level), c, C.int64_t(nth)))
	})
	return n
}

// Selection says which elements of a tensor count: all, or those whose score is
// above that of Trim, and of those at it the ones numbered below its cut.
type Selection struct {
	Trimmed bool
	Trim    Trim
}

func (s Selection) set(c *C.msmerge_group) {
	c.trimmed, c.threshold, c.cut = flag(s.Trimmed), C.int32_t(s.Trim.Threshold), C.int64_t(s.Trim.Cut)
}

func (k Kernel) squares(g Group, keep Selection, lo, hi int, sums []float64) {
	g.call(lo, hi, func(_ *runtime.Pinner, c *C.msmerge_group) {
		keep.set(c)
		if k.device != nil {
			k.device.squares(c, sums)
			return
		}
		C.call_squares(C.int(k.level), c, (*C.double)(&sums[0]))
	})
}

// countActive adds to counts, for each model, how many of its active elements are
// alone and how many together with others.
func (k Kernel) countActive(g Group, epsilon float32, lo, hi int, counts []int64) {
	g.call(lo, hi, func(_ *runtime.Pinner, c *C.msmerge_group) {
		c.threshold = activeLimit(epsilon)
		if k.device != nil {
			k.device.countActive(c, counts)
			return
		}
		C.call_count_active(C.int(k.level), c, (*C.int64_t)(&counts[0]))
	})
}
