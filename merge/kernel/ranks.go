package kernel

/*
#include "native/kernel.h"

static void call_keep_ranked(int l, const msmerge_ranks *r) { msmerge_level(l)->keep_ranked(r); }
*/
import "C"

import (
	"cmp"
	"math"
	"runtime"
	"slices"
	"sync"
	"unsafe"
)

// Ranks describes a random mask in which the probability to be kept follows the
// rank of an element's magnitude in its row: it rises evenly from Low for the
// smallest to Low + Width for the largest. A row of one element has the
// probability Low + Width/2.
type Ranks struct {
	Mask       Mask // KeepBelow is not used
	Low, Width float64
	Row        int // elements of a row
}

// NewRanks returns the mask of a model's tensor with the mean probability density
// and density - epsilon and density + epsilon at the ends, which must lie in (0, 1).
func NewRanks(seed uint64, model, tensor string, density, epsilon float64, row int) Ranks {
	r := Ranks{Mask: NewMask(seed, model, tensor, 0), Low: density - epsilon, Width: 2 * epsilon, Row: row}
	if row == 1 {
		r.Low, r.Width = density, 0
	}
	return r
}

// Bound returns the bound below which a draw keeps the element of a rank, from 0
// for the smallest magnitude of the row.
func (r Ranks) Bound(rank int) uint32 {
	p := r.Low + float64(r.Width*float64(rank))/float64(max(1, r.Row-1))
	return uint32(p * (1 << 32))
}

// RanksReference returns, by sorting each row of d, which elements are kept.
func RanksReference(d []float32, r Ranks) []bool {
	kept := make([]bool, len(d))
	for from := 0; from < len(d); from += r.Row {
		order := make([]int, r.Row)
		for i := range order {
			order[i] = from + i
		}
		slices.SortStableFunc(order, func(a, b int) int {
			return cmp.Compare(math.Float32bits(d[a])&0x7fffffff, math.Float32bits(d[b])&0x7fffffff)
		})
		for rank, e := range order {
			kept[e] = r.Mask.Draw(e) < r.Bound(rank)
		}
	}
	return kept
}

// BitBytes is the size of the bits of a block of 256 elements. In it, bit by bit,
// stand the elements in the order of the draws (see native/keep.h).
const BitBytes = C.MSMERGE_BLOCK / 8

func bitBytes(n int) int { return (n + C.MSMERGE_BLOCK - 1) / C.MSMERGE_BLOCK * BitBytes }

// bitSet reports whether element e of a run of bits is set.
func bitSet(bits []byte, e int) bool {
	pair, half := e%256/2, e%2
	r, q := pair/16, pair%16
	place := 4*(r/2*16+q) + 2*(r%2) + half
	return bits[e/256*BitBytes+place/8]>>(place%8)&1 == 1
}

// KeepRanked returns which elements from lo up to hi of x - base are kept, one
// bit each, BitBytes for a block of 256. lo is a multiple of TileMultiple. Rows
// that begin before lo or end after hi are read whole.
func (k Kernel) KeepRanked(base, x Source, r Ranks, lo, hi int) []byte {
	if lo >= hi {
		return nil
	}
	const block = C.MSMERGE_BLOCK
	firstRow, endRow := lo/r.Row, (hi+r.Row-1)/r.Row
	firstBlock, endBlock := firstRow*r.Row/block, (endRow*r.Row+block-1)/block
	bits := make([]byte, (endBlock-firstBlock)*BitBytes)
	skip := (lo/block - firstBlock) * BitBytes
	wanted := bits[skip : skip+bitBytes(hi-lo)]
	first, end := firstRow*r.Row, endRow*r.Row
	if k.device != nil {
		k.device.keepRanked(base.Slice(first, end), x.Slice(first, end), r, first, bits)
	} else {
		k.keepRows(base.Slice(first, end), x.Slice(first, end), r, firstRow, bits)
	}
	return wanted
}

// keepRows sets the bits of rows of which the first has the number firstRow.
func (k Kernel) keepRows(base, x View, r Ranks, firstRow int, bits []byte) {
	mustMatch(base, x)
	work := workspaces.Get().(*workspace)
	defer workspaces.Put(work)
	work.grow(41*(r.Row+3*C.MSMERGE_BLOCK) + 8192) // see keep_ranked
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(&work.bytes[0])
	pin.Pin(&bits[0])
	C.call_keep_ranked(C.int(k.level), &C.msmerge_ranks{
		base: view(&pin, base), x: view(&pin, x), first: C.int64_t(firstRow * r.Row), n: C.int64_t(r.Row), rows: C.int64_t(x.Len() / r.Row),
		mask: r.Mask.c(), low: C.double(r.Low), width: C.double(r.Width), work: unsafe.Pointer(&work.bytes[0]), bits: (*C.uint8_t)(&bits[0]),
	})
}

// workspace is memory that calls hand on to each other.
type workspace struct{ bytes []byte }

var workspaces = sync.Pool{New: func() any { return new(workspace) }}

func (w *workspace) grow(n int) {
	if len(w.bytes) < n {
		w.bytes = make([]byte, n)
	}
}
