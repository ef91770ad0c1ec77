package kernel

/*
#include "call.h"
#cgo noescape call_rotary
#cgo nocallback call_rotary
#cgo noescape call_attention
#cgo nocallback call_attention
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// MaxHead is the longest head that the kernels take.
const MaxHead = 1024

// AttentionShape is what all rows and layers of a model share.
type AttentionShape struct {
	Heads   int // of the queries
	KVHeads int // of keys and values; divides Heads
	Head    int // elements of a head, even, at most MaxHead
	Scale   float32
	NormEps float32 // of query and key norms, where a model has them
}

// HeadPad returns the floats that a head takes in queries and in the cache: Head
// rounded up to a multiple of 16, zeros at the end.
func (s AttentionShape) HeadPad() int { return (s.Head + 15) / 16 * 16 }

// SlotLen returns the floats of one slot of a cache of keys, or of values.
func (s AttentionShape) SlotLen() int { return s.KVHeads * s.HeadPad() }

func (s AttentionShape) native(window int) C.lm_attention_shape {
	if s.KVHeads <= 0 || s.Heads%s.KVHeads != 0 || s.Head <= 0 || s.Head%2 != 0 || s.Head > MaxHead || window < 0 {
		panic(fmt.Sprintf("kernel: attention of shape %+v, window %d", s, window))
	}
	return C.lm_attention_shape{
		heads: C.int32_t(s.Heads), kv_heads: C.int32_t(s.KVHeads), head: C.int32_t(s.Head),
		head_pad: C.int32_t(s.HeadPad()), window: C.int32_t(window),
		scale: C.float(s.Scale), norm_eps: C.float(s.NormEps),
	}
}

// Rotary takes rows qkv[rows][(Heads+2 KVHeads) Head], norms queries and keys
// when their weights [Head] are given, turns them by their position and writes
// queries to q[rows][Heads][HeadPad], keys and values to the row's slot of
// keys and values, [slot][KVHeads][HeadPad]. cosSin is a table of RotaryTable.
// Positions and slots beyond the tables are not checked.
func Rotary(q, keys, values, qkv []float32, positions, slots []int32, cosSin, qNorm, kNorm []float32, s AttentionShape) {
	rows := len(positions)
	need("q", len(q), rows*s.Heads*s.HeadPad())
	need("qkv", len(qkv), rows*(s.Heads+2*s.KVHeads)*s.Head)
	need("slots", len(slots), rows)
	if rows == 0 {
		return
	}
	shape := s.native(0)
	C.call_rotary(level(), ptr(q), ptr(keys), ptr(values), ptr(qkv), ptr32(positions), ptr32(slots),
		ptr(cosSin), ptr(qNorm), ptr(kNorm), &shape, C.int64_t(rows))
}

// Contexts lists what each row of a batch sees: row r the slots
// Slots[Offset[r]:][:Length[r]], in the order of their positions, its own last.
type Contexts struct {
	Slots, Offset, Length []int32
}

// ScoresLen returns the floats of scratch that Attention takes for contexts of
// up to longest slots.
func (s AttentionShape) ScoresLen(longest int) int {
	return s.Heads / s.KVHeads * ((longest + 15) / 16 * 16)
}

// Attention sets out[rows][Heads][Head] for queries q[rows][Heads][HeadPad]. A
// positive window limits each row to its last window positions.
func Attention(out, q, keys, values []float32, c Contexts, scores []float32, s AttentionShape, window int) {
	rows := len(c.Offset)
	need("out", len(out), rows*s.Heads*s.Head)
	need("q", len(q), rows*s.Heads*s.HeadPad())
	need("lengths", len(c.Length), rows)
	if rows == 0 {
		return
	}
	shape := s.native(window)
	C.call_attention(level(), ptr(out), ptr(q), ptr(keys), ptr(values), ptr32(c.Slots), ptr32(c.Offset), ptr32(c.Length),
		ptr(scores), &shape, C.int64_t(rows))
}

func ptr32(s []int32) *C.int32_t { return (*C.int32_t)(unsafe.Pointer(unsafe.SliceData(s))) }
