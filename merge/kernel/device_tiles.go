package kernel

/*
#include "native/device/arguments.h"
*/
import "C"

import (
	"unsafe"

	"mergesearch"
	"mergesearch/merge/kernel/cuda"
)

// The operations that write a tile. They take the structures of the CPU's calls, put
// addresses of the device into a copy, and bring the result home.

// typeOf returns the type of a view of C.
func typeOf(v C.msmerge_view) mergesearch.DType {
	return [...]mergesearch.DType{
		C.MSMERGE_BF16: mergesearch.BF16, C.MSMERGE_F16: mergesearch.F16, C.MSMERGE_F32: mergesearch.F32, C.MSMERGE_F64: mergesearch.F64,
		C.MSMERGE_F8_E4M3: mergesearch.F8E4M3, C.MSMERGE_F8_E5M2: mergesearch.F8E5M2,
	}[v.dtype]
}

// hostOf returns the host memory of a view of n elements.
func hostOf(v C.msmerge_view, n C.int64_t) []byte {
	return unsafe.Slice((*byte)(v.data), int(n)*typeOf(v).Size())
}

// view moves a view of n elements to the device.
func (q *queue) view(v *C.msmerge_view, n C.int64_t) {
	if v.data != nil {
		placeAny(&v.data, q.input(hostOf(*v, n)))
	}
}

// slice moves n numbers to the device.
func slice[T any](q *queue, field **T, n int) {
	if *field != nil {
		place(field, q.input(asBytes(unsafe.Slice(*field, n))))
	}
}

// placeAny is place for fields that C declares as an address of anything.
func placeAny(field *unsafe.Pointer, at cuda.Address) {
	*(*uintptr)(unsafe.Pointer(field)) = uintptr(at)
}

// output puts the tile's output on the device: where it is held, else where it is copied
// home from by the function that is returned.
func (q *queue) output(t *C.msmerge_tile) (home func()) {
	host := hostOf(C.msmerge_view{data: t.out, dtype: t.out_dtype}, t.n)
	if r := q.device.memory.borrow(host); r != nil {
		q.borrowed = append(q.borrowed, r)
		if at := r.at + cuda.Address(addressOf(host)-r.start); r.held && at%16 == 0 {
			placeAny(&t.out, at)
			return func() {}
		}
	}
	at := q.take(len(host))
	placeAny(&t.out, at)
	return func() { q.receive(host, at) }
}

// ofTile is how many threads work on n elements, 16 for each.
func ofTile(n C.int64_t) int { return (int(n) + 255) / 256 * 16 }

// blocksOf is how many partial sums n elements have.
func blocksOf(n C.int64_t) int { return (int(n) + TileMultiple - 1) / TileMultiple }

func (d *Device) weightedSum(t *C.msmerge_tile, in []C.msmerge_input) {
	d.tile("weighted_sum", t, in)
}

func (d *Device) combine(t *C.msmerge_tile, in []C.msmerge_input) {
	d.tile("combine", t, in)
}

func (d *Device) tile(entry string, t *C.msmerge_tile, in []C.msmerge_input) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_combine_arguments](q)
		a.t = *t
		home := q.output(&a.t)
		var types []mergesearch.DType
		if t.base.data != nil {
			types = append(types, typeOf(t.base))
		}
		q.view(&a.t.base, t.n)
		for i := range in {
			types = append(types, typeOf(in[i].x))
			a.in[i] = in[i]
			q.view(&a.in[i].x, t.n)
			slice(q, &a.in[i].bits, bitBytes(int(t.n)))
		}
		launch(q, entry+variant(types...), a, at, ofTile(t.n))
		home()
		fetch(q, a, at)
		t.nan, t.inf = a.t.nan, a.t.inf
	})
}

// group moves what an operation on several models reads to the device, and returns the
// types of the models.
func (q *queue) group(g *C.msmerge_group) []mergesearch.DType {
	var types []mergesearch.DType
	if g.base.data != nil {
		types = append(types, typeOf(g.base))
		q.view(&g.base, g.n)
	}
	for i := range int(g.inputs) {
		types = append(types, typeOf(g.x[i]))
		q.view(&g.x[i], g.n)
	}
	slice(q, &g.model_value, int(g.inputs))
	return types
}

// groupTile runs an operation on several models that writes a tile. values is how
// many numbers of lines it reads.
func (d *Device) groupTile(entry string, t *C.msmerge_tile, g *C.msmerge_group, values int) {
	d.use(func(q *queue) {
		a, at := argumentsOf[C.msmerge_group_arguments](q)
		a.t, a.g = *t, *g
		home := q.output(&a.t)
		types := q.group(&a.g)
		slice(q, &a.g.line_value, values)
		launch(q, entry+variant(types...), a, at, ofTile(t.n))
		home()
		fetch(q, a, at)
		t.nan, t.inf = a.t.nan, a.t.inf
	})
}
