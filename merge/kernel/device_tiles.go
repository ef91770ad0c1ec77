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

// slice moves n numbers to the device. Where they lie in host memory they are read now.
func slice[T any](q *queue, field **T, n int) {
	if *field != nil {
		place(field, q.copied(asBytes(unsafe.Slice(*field, n))))
	}
}

// place for fields whose type C gives as an address of anything.
func placeAny(field *unsafe.Pointer, at cuda.Address) { *(*uintptr)(unsafe.Pointer(field)) = uintptr(at) }

// tile is the output of an operation, on both sides.
type outputTile struct {
	host []byte
	at   cuda.Address
}

// output puts the tile's output on the device.
func (q *queue) output(t *C.msmerge_tile) outputTile {
	v := C.msmerge_view{data: t.out, dtype: t.out_dtype}
	o := outputTile{host: hostOf(v, t.n)}
	o.at = q.take(len(o.host))
	placeAny(&t.out, o.at)
	return o
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
		out := q.output(&a.t)
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
		q.receive(out.host, out.at)
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
		out := q.output(&a.t)
		types := q.group(&a.g)
		slice(q, &a.g.line_value, values)
		launch(q, entry+variant(types...), a, at, ofTile(t.n))
		q.receive(out.host, out.at)
		fetch(q, a, at)
		t.nan, t.inf = a.t.nan, a.t.inf
	})
}
