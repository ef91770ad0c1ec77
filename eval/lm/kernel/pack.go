package kernel

/*
#include "call.h"
#cgo noescape call_pack
#cgo nocallback call_pack
#cgo noescape call_widen
#cgo nocallback call_widen
*/
import "C"

import (
	"fmt"
	"unsafe"

	"mergesearch"
)

// panelWidth is the number of columns of a panel, at every level.
const panelWidth = 16

// Packed is a weight matrix [N][K] (out features, in features, as Hugging Face
// checkpoints hold it) in float32 and in panels of 16 columns: element (c, i) is
// Data[c/16*16*K + i*16 + c%16]. The last panel is filled up with zeros.
type Packed struct {
	N, K int
	Data []float32 // PackedLen(N, K) elements
}

// PackedLen returns the floats that a packed [n][k] matrix takes.
func PackedLen(n, k int) int { return (n + panelWidth - 1) / panelWidth * panelWidth * k }

// Pack writes rows [n][w.K] of a checkpoint, of type BF16, F16 or F32, to the
// columns of w from column on. Several matrices may share one Packed (queries,
// keys and values do); calls for different columns may run at the same time only
// if they start at multiples of 16. The padding of the last panel is the
// caller's to clear.
func (w *Packed) Pack(column int, src []byte, dtype mergesearch.DType, n int) {
	need("src", len(src), n*w.K*dtype.Size())
	need("packed", len(w.Data), PackedLen(w.N, w.K))
	if column < 0 || column+n > w.N {
		panic(fmt.Sprintf("kernel: columns %d to %d of %d", column, column+n, w.N))
	}
	if n == 0 || w.K == 0 {
		return
	}
	C.call_pack(level(), ptr(w.Data), C.int64_t(column), unsafe.Pointer(unsafe.SliceData(src)), code(dtype),
		C.int64_t(n), C.int64_t(w.K))
}

// ClearPadding zeroes the columns of the last panel that are beyond N.
func (w *Packed) ClearPadding() {
	used := w.N % panelWidth
	if used == 0 {
		return
	}
	last := w.Data[w.N/panelWidth*panelWidth*w.K:][:panelWidth*w.K]
	for i := 0; i < len(last); i += panelWidth {
		clear(last[i+used : i+panelWidth])
	}
}

// Widen sets dst to the elements of src, of type BF16, F16 or F32.
func Widen(dst []float32, src []byte, dtype mergesearch.DType) {
	need("src", len(src), len(dst)*dtype.Size())
	if len(dst) == 0 {
		return
	}
	C.call_widen(level(), ptr(dst), unsafe.Pointer(unsafe.SliceData(src)), code(dtype), C.int64_t(len(dst)))
}

// Packable reports whether weights of this type can be packed and widened.
func Packable(d mergesearch.DType) bool {
	return d == mergesearch.BF16 || d == mergesearch.F16 || d == mergesearch.F32
}

func code(d mergesearch.DType) C.int {
	switch d {
	case mergesearch.BF16:
		return C.LM_BF16
	case mergesearch.F16:
		return C.LM_F16
	case mergesearch.F32:
		return C.LM_F32
	}
	panic("kernel: weights of type " + string(d))
}
