package kernel

import (
	"bytes"
	"fmt"
	"math/rand/v2"

	"mergesearch"
	"mergesearch/merge/kernel/cuda"
)

// A device is checked before it is used: each operation merges small tensors there and
// on the CPU, and must give the same bits. A driver that compiled a kernel wrongly, or
// memory that forgets, would otherwise show as a model that is a little worse.

const (
	checkedElements = 9 * checkedRow // three blocks, the last of them not whole
	checkedRow      = 1001
	largeElements   = 70_001 // enough for a selection by survey
)

// check returns an error that names the first operation whose bits differ.
func (d *Device) check() (err error) {
	var now string
	wrong := func(how string) error {
		return &cuda.Error{Doing: fmt.Sprintf("check the kernels on %s", d.gpu), Text: now + " gives " + how}
	}
	defer func() {
		switch r := recover().(type) {
		case nil:
		case DeviceFailure:
			err = r.Err
		default: // a selection among numbers that contradict each other
			err = wrong(fmt.Sprint("impossible numbers: ", r))
		}
	}()
	for _, dtype := range []mergesearch.DType{mergesearch.BF16, mergesearch.F32, mergesearch.F16} {
		on, off := checkedOperations(d.Kernel(), dtype), checkedOperations(New(Best), dtype)
		for i := range on {
			now = fmt.Sprintf("%s of %s", on[i].name, dtype)
			if got, want := on[i].run(), off[i].run(); !bytes.Equal(got, want) {
				return wrong("other bits than the CPU")
			}
		}
	}
	return nil
}

// checked is an operation with inputs of its own, and its result as bytes.
type checked struct {
	name string
	run  func() []byte
}

// checkedTensor is a model near others, the same for every seed.
func checkedTensor(seed uint64, n int, dtype mergesearch.DType) View {
	base, own := rand.New(rand.NewPCG(1, 1)), rand.New(rand.NewPCG(2, seed))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(0.02*base.NormFloat64() + 0.002*own.NormFloat64())
	}
	v := View{DType: dtype, Data: make([]byte, n*dtype.Size())}
	Store(v, x)
	return v
}

// checkedOperations returns every operation of a level.
func checkedOperations(k Kernel, dtype mergesearch.DType) []checked {
	const n, tile = checkedElements, 2 * TileMultiple
	base, x, y := checkedTensor(0, n, dtype), checkedTensor(3, n, dtype), checkedTensor(4, n, dtype)
	largeBase, large := checkedTensor(0, largeElements, dtype), checkedTensor(3, largeElements, dtype)
	g := Group{Base: base, Models: []Source{x, y}}
	pair := Group{Base: base, Models: []Source{x}}
	rows, columns := Lines{Count: n / checkedRow, Length: checkedRow}, Lines{Count: checkedRow, Length: n / checkedRow, Columns: true}
	mask := NewMask(5, "model", "tensor", 0.43)
	ranks := NewRanks(5, "model", "tensor", 0.5, 0.2, checkedRow)
	trim := Trim{Threshold: 0x3b03126f, Cut: n / 2} // 0.002
	written := func(write func(out View)) []byte {
		out := View{DType: dtype, Data: make([]byte, n*dtype.Size())}
		write(out)
		return out.Data
	}
	combined := func(c Consensus, models ...TaskVector) []byte {
		return written(func(out View) { k.Combine(out, base, models, c, 0) })
	}
	products := func(l Lines) []byte { return asBytes(k.Products(g, l, tile, Serial).upper) }
	return []checked{
		{"weighted_sum", func() []byte {
			return written(func(out View) { k.WeightedSum(out, []View{x, y}, []float32{0.3, 0.7}) })
		}},
		{"combine", func() []byte {
			return combined(Consensus{Elect: true, Normalize: true, Lambda: 0.9},
				TaskVector{Model: x, Weight: 0.6, Keep: KeepMagnitude, Trim: trim}, TaskVector{Model: y, Weight: 0.5, Keep: KeepRandom, Mask: mask, Scale: 1.4})
		}},
		{"combine with bits", func() []byte {
			return combined(Consensus{Lambda: 1.1}, TaskVector{Model: x, Weight: 0.8, Keep: KeepBits, Bits: k.KeepRanked(base, x, ranks, 0, n)})
		}},
		{"select", func() []byte {
			return fmt.Append(nil, k.SelectMagnitude(base, x, n/3, tile, Serial), k.SelectMagnitude(largeBase, large, largeElements/3, 1<<16, Serial))
		}},
		{"sums", func() []byte { return fmt.Append(nil, k.SumKept(base, x, mask, tile, Serial)) }},
		{"products", func() []byte { return products(Whole(n)) }},
		{"products of rows", func() []byte { return products(rows) }},
		{"products of columns", func() []byte { return products(columns) }},
		{"combine_lines", func() []byte {
			w := make([]float32, 2*rows.Count)
			for i := range w {
				w[i] = float32(i) / 7
			}
			return written(func(out View) { k.CombineLines(out, g, rows, w, 0, n) })
		}},
		{"nearswap", func() []byte { return written(func(out View) { k.Nearswap(out, pair, 0.002, 0, n) }) }},
		{"fuse", func() []byte {
			return written(func(out View) {
				k.Fuse(out, pair, rows, k.Divergence(pair, rows, tile, Serial), 1e-9, 0, n)
			})
		}},
		{"scores", func() []byte {
			s := Scores{Group: g}
			return fmt.Append(nil, k.Largest(s, k.Count(s, tile, Serial), n/3, tile, Serial))
		}},
		{"sce", func() []byte {
			keep := Selection{Trimmed: true, Trim: Trim{Threshold: 0x36000000, Cut: n}}
			squares := k.Squares(g, keep, tile, Serial)
			return append(written(func(out View) { k.SCE(out, g, keep, []float32{0.4, 0.6}, 0, n) }), asBytes(squares)...)
		}},
		{"ram", func() []byte {
			active := k.CountActive(g, 0.002, tile, Serial)
			return append(written(func(out View) { k.RAM(out, g, 0.002, []float32{1.1, 1.2}, 0, n) }), fmt.Append(nil, active)...)
		}},
	}
}
