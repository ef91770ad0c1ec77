package kernel

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"mergesearch"
)

var (
	floats = []mergesearch.DType{mergesearch.BF16, mergesearch.F16, mergesearch.F32, mergesearch.F64}
	sizes  = []int{0, 1, 31, 33, 255, 256, 257, 4095, 4096, 4097, 12289}
)

// extremes are values at which conversions and sums take another path.
var extremes = []float32{
	0, float32(math.Copysign(0, -1)), 1, -1, math.MaxFloat32, -math.MaxFloat32, 65504, 65519.99, 65520, -65520, 65536,
	math.SmallestNonzeroFloat32, -math.SmallestNonzeroFloat32, 0x1p-126, 0x1p-127, 0x1p-14, 0x1p-24, 0x1p-25, -0x1.8p-25, 0x1.ffcp-15,
	float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()),
}

// sample returns n values, many of them equal in magnitude, as models have them;
// hard mixes in extremes.
func sample(seed uint64, n int, d mergesearch.DType, hard bool) View {
	r := rand.New(rand.NewPCG(seed, 1))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(r.NormFloat64() * 0.02)
		if hard && r.IntN(4) == 0 {
			x[i] = extremes[r.IntN(len(extremes))]
		}
	}
	v := View{DType: d, Data: make([]byte, n*d.Size()+1)[1:]} // at an odd address
	Store(v, x)
	return v
}

func empty(d mergesearch.DType, n int) View { return View{DType: d, Data: make([]byte, n*d.Size())} }

// eachLevel runs f at every level of the machine and on a device.
func eachLevel(t *testing.T, f func(t *testing.T, k Kernel)) {
	for _, l := range Levels() {
		t.Run(l.String(), func(t *testing.T) { f(t, New(l)) })
	}
	t.Run(CUDA.String(), func(t *testing.T) { f(t, testDevice(t, DeviceOptions{}).Kernel()) })
}

func mustEqual(t *testing.T, what string, got, want View, gotCounts, wantCounts Counts) {
	t.Helper()
	if !bytes.Equal(got.Data, want.Data) {
		a, b := Load(got), Load(want)
		for i := range a {
			if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
				t.Fatalf("%s: element %d of %d: got %v (%x), want %v (%x)", what, i, len(a), a[i], math.Float32bits(a[i]), b[i], math.Float32bits(b[i]))
			}
		}
		t.Fatalf("%s: bytes differ though values do not", what)
	}
	if gotCounts != wantCounts {
		t.Fatalf("%s: counted %+v, want %+v", what, gotCounts, wantCounts)
	}
}

func TestConversionOfEveryHalf(t *testing.T) {
	for _, d := range []mergesearch.DType{mergesearch.BF16, mergesearch.F16} {
		all := empty(d, 1<<16)
		for i := range 1 << 16 {
			all.Data[2*i], all.Data[2*i+1] = byte(i), byte(i>>8)
		}
		eachLevel(t, func(t *testing.T, k Kernel) {
			for _, to := range floats {
				got, want := empty(to, 1<<16), empty(to, 1<<16)
				c := k.WeightedSum(got, []View{all}, []float32{1})
				mustEqual(t, string(d)+" to "+string(to), got, want, c, Store(want, Load(all)))
			}
		})
	}
}

func TestRoundingIsToNearestEven(t *testing.T) {
	longNumeric(t)
	// Every float16 and bfloat16, its neighbours in float32, and the midpoints
	// between it and the next.
	var x []float32
	for i := range 1 << 15 {
		for _, f := range []float32{math.Float32frombits(uint32(i) << 16), loadF16(uint16(i))} {
			u := math.Float32bits(f)
			for _, b := range []uint32{u, u + 1, u - 1, u + 0x8000, u + 0x8001, u + 0x7fff, u + 0x1000, u + 0x0fff, u + 0x1001} {
				x = append(x, math.Float32frombits(b), math.Float32frombits(b^1<<31))
			}
		}
	}
	in := empty(mergesearch.F32, len(x))
	Store(in, x)
	eachLevel(t, func(t *testing.T, k Kernel) {
		for _, to := range floats {
			got, want := empty(to, len(x)), empty(to, len(x))
			c := k.WeightedSum(got, []View{in}, []float32{1})
			mustEqual(t, "F32 to "+string(to), got, want, c, Store(want, x))
		}
	})
}

func TestWeightedSum(t *testing.T) {
	eachLevel(t, func(t *testing.T, k Kernel) {
		for j, n := range sizes {
			for i, d := range floats {
				for _, hard := range []bool{false, true} {
					m := []int{1, 2, 3, 7}[(i+j)%4]
					checkWeightedSum(t, k, n, d, floats[(i+j/4)%4], m, hard)
				}
			}
		}
	})
}

func checkWeightedSum(t *testing.T, k Kernel, n int, d, to mergesearch.DType, m int, hard bool) {
	t.Helper()
	var in []View
	var x [][]float32
	var w []float32
	for j := range m {
		in = append(in, sample(uint64(j), n, d, hard))
		x = append(x, Load(in[j]))
		w = append(w, float32(j)*0.7-0.3)
	}
	got, want := empty(to, n), empty(to, n)
	c := k.WeightedSum(got, in, w)
	what := fmt.Sprintf("%d models, %d elements, %s to %s, hard %v", m, n, d, to, hard)
	mustEqual(t, what, got, want, c, Store(want, WeightedSumReference(x, w)))
}

func TestCombine(t *testing.T) {
	longNumeric(t)
	eachLevel(t, func(t *testing.T, k Kernel) {
		turn := 0 // every combination of flags meets every kind of input, not every size
		for i, d := range floats {
			for _, keep := range []Keep{KeepAll, KeepMagnitude, KeepBand, KeepRandom, KeepBits} {
				for _, n := range sizes {
					for _, flags := range []int{turn % 8, (turn + 5) % 8} {
						c := Consensus{Elect: flags&1 != 0, Normalize: flags&2 != 0, Divisor: 1.3, Lambda: 0.8}
						checkCombine(t, k, n, d, floats[(i+flags)%4], keep, c, flags&4 != 0, 1+turn%6)
					}
					turn++
				}
			}
		}
	})
}

func checkCombine(t *testing.T, k Kernel, n int, d, to mergesearch.DType, keep Keep, c Consensus, hard bool, count int) {
	t.Helper()
	base := sample(99, n, d, hard)
	b := Load(base)
	var models []TaskVector
	var x [][]float32
	for j, w := range [][]float32{{0.7, -0.7, 0.5, 1, 0.3, -0.2}, {0.7, 0.2, 0.5, 1, 0, 0.4}}[n%2][:count] {
		m := TaskVector{
			Model: sample(uint64(j), n, d, hard), Weight: w, Keep: keep,
			Mask: NewMask(1, fmt.Sprint(j), "x", 0.4), Scale: 1.7,
		}
		x = append(x, Load(m.Model))
		switch keep {
		case KeepMagnitude, KeepBand:
			m.Trim = k.SelectMagnitude(base, m.Model, n/2, TileMultiple, Serial)
			m.Drop = k.SelectMagnitude(base, m.Model, n/7, TileMultiple, Serial)
		case KeepBits:
			m.Bits = make([]byte, bitBytes(n))
			r := rand.New(rand.NewPCG(uint64(j), 5))
			for i := range m.Bits {
				m.Bits[i] = byte(r.Uint32())
			}
		}
		models = append(models, m)
	}
	got, want := empty(to, n), empty(to, n)
	var counts Counts
	for lo := 0; lo < n; lo += 8192 { // in tiles, as the engine does
		hi := min(n, lo+8192)
		part := make([]TaskVector, len(models))
		for j, m := range models {
			part[j] = m
			part[j].Model = m.Model.Slice(lo, hi)
			if keep == KeepBits {
				part[j].Bits = m.Bits[bitBytes(lo):bitBytes(hi)]
			}
		}
		counts = counts.Add(k.Combine(got.Slice(lo, hi), base.Slice(lo, hi), part, c, lo))
	}
	what := fmt.Sprintf("%d models, %d elements, %s to %s, keep %d, %+v, hard %v", count, n, d, to, keep, c, hard)
	mustEqual(t, what, got, want, counts, Store(want, CombineReference(b, x, models, c)))
}

func TestSelectMagnitude(t *testing.T) {
	longNumeric(t)
	eachLevel(t, func(t *testing.T, k Kernel) {
		for _, n := range sizes {
			for _, d := range floats {
				for _, hard := range []bool{false, true} {
					if hard && n > 5000 {
						continue
					}
					base, x := sample(1, n, d, hard), sample(2, n, d, hard)
					delta := TaskVectorReference(Load(base), Load(x))
					for _, keep := range []int{-1, 0, 1, n / 5, n / 2, n - 1, n, n + 1} {
						trim := k.SelectMagnitude(base, x, keep, TileMultiple, Serial)
						want := SelectMagnitudeReference(delta, keep)
						for e := range delta {
							if got := (TaskVector{Keep: KeepMagnitude, Trim: trim}).keeps(e, delta[e]); got != want[e] {
								t.Fatalf("%d of %d elements, %s, hard %v: element %d kept %v, want %v", keep, n, d, hard, e, got, want[e])
							}
						}
					}
				}
			}
		}
	})
}

// Equal magnitudes everywhere: the lowest numbers win, across tiles.
func TestSelectMagnitudeOfEqualElements(t *testing.T) {
	const n = 3*TileMultiple + 17
	base, x := empty(mergesearch.F32, n), empty(mergesearch.F32, n)
	ones := make([]float32, n)
	for i := range ones {
		ones[i] = float32(1 - 2*(i%2))
	}
	Store(x, ones)
	for _, keep := range []int{1, TileMultiple, TileMultiple + 1, n - 1} {
		got := New(Best).SelectMagnitude(base, x, keep, TileMultiple, Serial)
		if want := (Trim{Threshold: math.Float32bits(1), Cut: keep}); got != want {
			t.Errorf("keeping %d: %+v, want %+v", keep, got, want)
		}
	}
}

func TestSums(t *testing.T) {
	eachLevel(t, func(t *testing.T, k Kernel) {
		for _, n := range sizes {
			for _, d := range floats {
				base, x := sample(1, n, d, false), sample(2, n, d, false)
				a, b := Load(base), Load(x)
				delta := TaskVectorReference(a, b)
				abs := func(e int) float64 { return math.Abs(float64(delta[e])) }
				mask := NewMask(7, "m", "t", 0.3)
				kept := func(e int) float64 {
					if mask.Keeps(e) {
						return abs(e)
					}
					return 0
				}
				band := TaskVector{Keep: KeepBand, Trim: k.SelectMagnitude(base, x, n/2, TileMultiple, Serial), Drop: k.SelectMagnitude(base, x, n/9, TileMultiple, Serial)}
				most, largest := SelectMagnitudeReference(delta, n/2), SelectMagnitudeReference(delta, n/9)
				middle := func(e int) float64 {
					if most[e] && !largest[e] {
						return abs(e)
					}
					return 0
				}
				for _, tile := range []int{TileMultiple, 4 * TileMultiple} {
					if got, want := k.SumMagnitudes(base, x, tile, Serial), SumReference(n, abs); got != want {
						t.Fatalf("%d %s: sum of magnitudes %v, want %v", n, d, got, want)
					}
					if got, want := k.SumKept(base, x, mask, tile, Serial), (Sums{SumReference(n, abs), SumReference(n, kept)}); got != want {
						t.Fatalf("%d %s: sum kept %v, want %v", n, d, got, want)
					}
					if got, want := k.SumTrimmed(base, x, band, tile, Serial), SumReference(n, middle); got != want {
						t.Fatalf("%d %s: sum of the middle %v, want %v", n, d, got, want)
					}
				}
			}
		}
	})
}

// The known answers of the authors' distribution, Random123, for philox4x32 with
// seven rounds.
func TestPhiloxKnownAnswers(t *testing.T) {
	for _, c := range []struct {
		counter [4]uint32
		key     [2]uint32
		want    [4]uint32
	}{
		{[4]uint32{}, [2]uint32{}, [4]uint32{0x5f6fb709, 0x0d893f64, 0x4f121f81, 0x4f730a48}},
		{
			[4]uint32{^uint32(0), ^uint32(0), ^uint32(0), ^uint32(0)},
			[2]uint32{^uint32(0), ^uint32(0)},
			[4]uint32{0x5207ddc2, 0x45165e59, 0x4d8ee751, 0x8c52f662},
		},
		{
			[4]uint32{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
			[2]uint32{0xa4093822, 0x299f31d0},
			[4]uint32{0x4dfccaba, 0x190a87f0, 0xc47362ba, 0xb6b5242a},
		},
	} {
		if got := PhiloxReference(c.counter, c.key); got != c.want {
			t.Errorf("reference: %x, want %x", got, c.want)
		}
		for _, l := range Levels() {
			if got := New(l).philox(c.counter, c.key); got != c.want {
				t.Errorf("%v: %x, want %x", l, got, c.want)
			}
		}
	}
}

// A mask keeps its share, and masks of different names or seeds do not agree
// more than chance.
func TestMaskShare(t *testing.T) {
	const n = 1 << 16
	masks := []Mask{NewMask(1, "a", "t", 0.3), NewMask(1, "b", "t", 0.3), NewMask(1, "a", "u", 0.3), NewMask(2, "a", "t", 0.3)}
	for i, m := range masks {
		for j := range i + 1 {
			both := 0
			for e := range n {
				if m.Keeps(e) && masks[j].Keeps(e) {
					both++
				}
			}
			want := 0.09 * n
			if i == j {
				want = 0.3 * n
			}
			if sigma := math.Sqrt(want); math.Abs(float64(both)-want) > 5*sigma {
				t.Errorf("masks %d and %d keep %d of %d elements together, want %.0f", i, j, both, n, want)
			}
		}
	}
}

// A large odd size once, for every operation.
func TestLargeOddSize(t *testing.T) {
	longNumeric(t)
	const n = 1<<20 + 7
	k := New(Best)
	checkWeightedSum(t, k, n, mergesearch.BF16, mergesearch.BF16, 3, true)
	for _, keep := range []Keep{KeepAll, KeepMagnitude, KeepBand, KeepRandom, KeepBits} {
		checkCombine(t, k, n, mergesearch.BF16, mergesearch.F16, keep, Consensus{Elect: true, Normalize: true, Divisor: 1, Lambda: 1}, false, 3)
	}
}

func TestZeroLevelIsTheFastest(t *testing.T) {
	var zero Level
	if got := New(zero).Level(); got != Levels()[0] {
		t.Errorf("the zero level gives %v, want %v", got, Levels()[0])
	}
}

// longNumeric leaves a test out of the race detector's run, which has nothing to
// see in it: the kernels are C, on one thread, and the Go references are slow.
func longNumeric(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("a long numeric test")
	}
}
