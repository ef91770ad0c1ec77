package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"mergesearch"
)

// spread makes a task vector of n elements whose base is zero.
func spread(n int, value func(r *rand.Rand, e int) float32) (base, x View) {
	r := rand.New(rand.NewPCG(3, uint64(n)))
	v := make([]float32, n)
	for e := range v {
		v[e] = value(r, e)
	}
	base, x = empty(mergesearch.F32, n), empty(mergesearch.F32, n)
	Store(x, v)
	return base, x
}

// Large tensors take the sampled way or fall back, whatever their values are; the
// result is that of the radix selection, which is tested by sorting.
func TestSelectLargeEqualsRadix(t *testing.T) {
	k := New(Best)
	for name, value := range map[string]func(r *rand.Rand, e int) float32{
		"normal":          func(r *rand.Rand, _ int) float32 { return float32(r.NormFloat64()) },
		"four values":     func(r *rand.Rand, _ int) float32 { return float32(r.IntN(4)) - 2 },
		"nearly all zero": func(r *rand.Rand, _ int) float32 { return float32(max(0, r.IntN(1000)-990)) },
		"sorted":          func(_ *rand.Rand, e int) float32 { return float32(e) },
		"large elements where no sample is taken": func(r *rand.Rand, e int) float32 {
			if e%1024 < 40 {
				return float32(r.Float64())
			}
			return float32(10 + r.Float64())
		},
		"with NaN": func(r *rand.Rand, _ int) float32 {
			return []float32{float32(math.NaN()), float32(math.Inf(-1)), float32(r.NormFloat64())}[r.IntN(3)]
		},
	} {
		for _, n := range []int{nearLeast, nearLeast + 4097, 300_001} {
			base, x := spread(n, value)
			for _, keep := range []int{1, 7, n / 100, n / 5, n / 2, n/2 + 1, n - n/50, n - 1} {
				got := k.SelectMagnitude(base, x, keep, 2*TileMultiple, Serial)
				if want := k.selectRadix(base, x, keep, 4*TileMultiple, Serial); got != want {
					t.Errorf("%s, %d of %d: %+v, want %+v", name, keep, n, got, want)
				}
			}
		}
	}
}

// The sampled way is taken, not only permitted, for the values that models have.
func TestSampleFindsTheLimits(t *testing.T) {
	const n = 1<<18 + 1000
	for _, d := range []mergesearch.DType{mergesearch.BF16, mergesearch.F32} {
		base, x := sample(1, n, d, false), sample(2, n, d, false)
		eachLevel(t, func(t *testing.T, k Kernel) {
			for _, keep := range []int{n / 20, n / 2, n - n/10} {
				got, ok := k.selectNear(base, x, keep, TileMultiple, Serial)
				if want := k.selectRadix(base, x, keep, TileMultiple, Serial); !ok || got != want {
					t.Errorf("%s, %d of %d: %+v, %v, want %+v", d, keep, n, got, ok, want)
				}
			}
		})
	}
}

// Equal elements on both sides of every tile: the lowest numbers are kept.
func TestSelectLargeOfEqualElements(t *testing.T) {
	const n = nearLeast + 77
	base, x := spread(n, func(_ *rand.Rand, e int) float32 { return float32(1 - 2*(e%2)) })
	for _, keep := range []int{1, TileMultiple, TileMultiple + 1, n - 1} {
		got := New(Best).SelectMagnitude(base, x, keep, TileMultiple, Serial)
		if want := (Trim{Threshold: math.Float32bits(1), Cut: keep}); got != want {
			t.Errorf("keeping %d: %+v, want %+v", keep, got, want)
		}
	}
}

func TestNthLargest(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, span := range []int32{1, 3, 2047, 2048, 1 << 20, math.MaxInt32} {
		var parts []surveyed
		var all []int32
		for range 5 {
			var p surveyed
			for range r.IntN(300) {
				p.found = append(p.found, r.Int32N(span))
			}
			all = append(all, p.found...)
			parts = append(parts, p)
		}
		slices.SortFunc(all, func(a, b int32) int { return int(b - a) })
		for _, nth := range []int{1, 2, len(all) / 2, len(all)} {
			want := all[nth-1]
			got, rest := nthLargest(parts, nth, -1, math.MaxInt32)
			if wantRest := nth - slices.Index(all, want); got != want || rest != wantRest {
				t.Errorf("span %d, number %d: %d and %d, want %d and %d", span, nth, got, rest, want, wantRest)
			}
		}
	}
}

// rankRows is a task vector of rows with a base of zeros: half the values of a row
// are zeros, small whole numbers, in two bins, all zeros, or all different, by turns.
func rankRows(rows, row int) (base, x View) {
	return spread(rows*row, func(r *rand.Rand, e int) float32 {
		switch e / row % 5 {
		case 0:
			return float32(max(0, r.NormFloat64()))
		case 1:
			return float32(r.IntN(7) - 3)
		case 2:
			return float32(1 + r.Float64()/64)
		case 3:
			return 0
		}
		return float32(r.NormFloat64())
	})
}

func TestKeepRanked(t *testing.T) {
	for _, row := range []int{1, 2, 31, 64, 255, 256, 300, 896, 4096, 10007, 66000} {
		rows := max(5, 9001/row)
		base, x := rankRows(rows, row)
		n := rows * row
		ranks := NewRanks(1, "m", fmt.Sprint(row), 0.5, 0.3, row)
		want := RanksReference(Load(x), ranks)
		eachLevel(t, func(t *testing.T, k Kernel) {
			if row > 1<<16 && k.Device() != nil {
				t.Skip("a device compares each element with its whole row: on the processor that takes minutes")
			}
			for _, tile := range []int{TileMultiple, 3 * TileMultiple} {
				for lo := 0; lo < n; lo += tile {
					hi := min(n, lo+tile)
					bits := k.KeepRanked(base, x, ranks, lo, hi)
					for e := lo; e < hi; e++ {
						if got := bitSet(bits, e-lo); got != want[e] {
							t.Fatalf("rows of %d: element %d kept %v, want %v", row, e, got, want[e])
						}
					}
				}
			}
		})
	}
}

// Shares by rank: the largest magnitudes of a row survive most often.
func TestRankedShares(t *testing.T) {
	const rows, row = 400, 512
	base, x := spread(rows*row, func(_ *rand.Rand, e int) float32 { return float32(e % row) })
	bits := New(Best).KeepRanked(base, x, NewRanks(4, "m", "t", 0.4, 0.3, row), 0, rows*row)
	var quarter [4]float64
	for e := range rows * row {
		if bitSet(bits, e) {
			quarter[e%row/(row/4)]++
		}
	}
	for i, got := range quarter {
		n := float64(rows * row / 4)
		p := 0.1 + 0.6*(float64(i)+0.5)/4
		if sigma := math.Sqrt(n * p * (1 - p)); math.Abs(got-n*p) > 5*sigma {
			t.Errorf("quarter %d: %.0f of %.0f are kept, want %.0f", i, got, n, n*p)
		}
	}
}

// Equal upper bits are decided by the lower ones: a share far below 1/256 is met.
func TestMaskOfSmallShare(t *testing.T) {
	const n = 1 << 20
	m := NewMask(3, "a", "t", 0.001)
	kept := 0
	for e := range n {
		if m.Keeps(e) {
			kept++
		}
	}
	if want := 0.001 * n; math.Abs(float64(kept)-want) > 5*math.Sqrt(want) {
		t.Errorf("%d of %d elements are kept, want about %.0f", kept, n, want)
	}
}
