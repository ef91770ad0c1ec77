package kernel

import (
	"fmt"
	"math"
	"testing"

	"mergesearch"
)

// One model with the weight 1 and the type of the output is copied, but for what is
// not finite, wherever that stands and however the output is written.
func TestWeightedSumOfOne(t *testing.T) {
	const n = 3*4096 + 77 // whole pieces of the copy and a rest
	eachLevel(t, func(t *testing.T, k Kernel) {
		for _, d := range floats {
			for _, stream := range []bool{false, true} {
				for _, at := range []int{-1, 0, 1, 2047, 4095, 6001, 3 * 4096, n - 1} {
					for _, v := range []float32{float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN())} {
						x := Load(sample(5, n, d, false))
						if at >= 0 {
							x[at] = v
						}
						in, got, want := empty(d, n), empty(d, n), empty(d, n)
						Store(in, x)
						got.Stream = stream
						c := k.WeightedSum(got, []View{in}, []float32{1})
						what := fmt.Sprintf("%s, %v at %d, around the caches %v", d, v, at, stream)
						mustEqual(t, what, got, want, c, Store(want, WeightedSumReference([][]float32{Load(in)}, []float32{1})))
					}
				}
			}
		}
	})
}

// The bits of a NaN in the input do not reach the output.
func TestCopyWritesOneNaN(t *testing.T) {
	for _, d := range []mergesearch.DType{mergesearch.BF16, mergesearch.F16} {
		in, out := empty(d, 4096), empty(d, 4096)
		in.Data[100], in.Data[101] = 0x81, 0xff
		if c := New(Best).WeightedSum(out, []View{in}, []float32{1}); c != (Counts{NaN: 1}) {
			t.Errorf("%s: %+v", d, c)
		}
		want := map[mergesearch.DType]byte{mergesearch.BF16: 0x7f, mergesearch.F16: 0x7e}[d]
		if out.Data[101] != want {
			t.Errorf("%s: upper byte %#x, want %#x", d, out.Data[101], want)
		}
	}
}
