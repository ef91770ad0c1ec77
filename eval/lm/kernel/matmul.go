package kernel

/*
#include "call.h"
#cgo noescape call_matmul
#cgo nocallback call_matmul
#cgo noescape call_dot_column
#cgo nocallback call_dot_column
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// MatMul sets out[m][n] = x[m][k] wᵀ (+ bias), or adds the product to out when
// add is true; rows are dense. bias has n elements or is nil. Element (r, c) is
//
//	s = 0; for i in 0..k: s = fma(x[r][i], w[c][i], s)
//
// followed by one addition for the bias and one for add.
func MatMul(out, x []float32, w *Packed, bias []float32, add bool, m int) {
	need("out", len(out), m*w.N)
	need("x", len(x), m*w.K)
	if bias != nil {
		need("bias", len(bias), w.N)
	}
	if m == 0 || w.N == 0 {
		return
	}
	var adds C.int
	if add {
		adds = 1
	}
	C.call_matmul(level(), ptr(out), C.int64_t(w.N), ptr(x), C.int64_t(w.K), ptr(w.Data), ptr(bias),
		adds, C.int64_t(m), C.int64_t(w.N), C.int64_t(w.K))
}

// DotColumn returns the element of the product for one row x[k] and one column of
// w, by the same chain as MatMul and so with the same bits.
func DotColumn(x []float32, w *Packed, column int) float32 {
	need("x", len(x), w.K)
	if column < 0 || column >= w.N {
		panic(fmt.Sprintf("kernel: column %d of %d", column, w.N))
	}
	return float32(C.call_dot_column(level(), ptr(x), ptr(w.Data), C.int64_t(column), C.int64_t(w.K)))
}

func level() C.int { return C.int(current.Load()) }

func ptr(s []float32) *C.float { return (*C.float)(unsafe.Pointer(unsafe.SliceData(s))) }

func need(what string, have, want int) {
	if have < want {
		panic(fmt.Sprintf("kernel: %s has %d elements, want %d", what, have, want))
	}
}
