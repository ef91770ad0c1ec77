package kernel_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/eval/lm/kernel"
)

// atEachLevel runs a check at every level of this machine.
func atEachLevel(t *testing.T, check func(t *testing.T)) {
	t.Helper()
	for _, l := range kernel.Levels() {
		t.Run(l.String(), func(t *testing.T) {
			defer kernel.SetLevel(kernel.SetLevel(l))
			check(t)
		})
	}
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// same fails unless both hold the same bits; NaN equals NaN.
func same(t failer, what string, got, want []float32) {
	t.Helper()
	for i := range want {
		g, w := got[i], want[i]
		if math.Float32bits(g) != math.Float32bits(w) && !(g != g && w != w) {
			t.Fatalf("%s[%d] = %v (%08x), want %v (%08x)", what, i, g, math.Float32bits(g), w, math.Float32bits(w))
		}
	}
}

func seeded(t *rapid.T) *rand.Rand {
	return rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))
}

func TestMatMulEqualsReference(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			m, n, k := rapid.IntRange(0, 27).Draw(t, "m"), rapid.IntRange(1, 150).Draw(t, "n"), rapid.IntRange(1, 40).Draw(t, "k")
			r := seeded(t)
			x, w, bias := randomFloats(r, m*k), randomFloats(r, n*k), randomFloats(r, n)
			if !rapid.Bool().Draw(t, "bias") {
				bias = nil
			}
			add := rapid.Bool().Draw(t, "add")
			got := randomFloats(r, m*n)
			want := slices.Clone(got)
			p := packed(w, n, k)
			kernel.MatMul(got, x, p, bias, add, m)
			kernel.ReferenceMatMul(want, x, w, bias, add, m, n, k)
			same(t, "out", got, want)
			if m > 0 && bias == nil && !add {
				row, column := rapid.IntRange(0, m-1).Draw(t, "row"), rapid.IntRange(0, n-1).Draw(t, "column")
				one := kernel.DotColumn(x[row*k:], p, column)
				same(t, "element", []float32{one}, want[row*n+column:][:1])
			}
		})
	})
}

// TestMatMulOfLargeMatrices: those that do not fit the cache are taken in another
// order, with the same bits.
func TestMatMulOfLargeMatrices(t *testing.T) {
	for _, s := range [][3]int{{25, 1043, 131}, {61, 83, 3000}, {15, 17, 12000}} {
		m, n, k := s[0], s[1], s[2]
		r := rand.New(rand.NewPCG(3, 3))
		x, w, bias, before := randomFloats(r, m*k), randomFloats(r, n*k), randomFloats(r, n), randomFloats(r, m*n)
		want := slices.Clone(before)
		kernel.ReferenceMatMul(want, x, w, bias, true, m, n, k)
		p := packed(w, n, k)
		atEachLevel(t, func(t *testing.T) {
			got := slices.Clone(before)
			kernel.MatMul(got, x, p, bias, true, m)
			same(t, fmt.Sprint(s), got, want)
		})
	}
}

// TestMatMulRowsAreIndependent: a row's result is the same in any batch.
func TestMatMulRowsAreIndependent(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		r := rand.New(rand.NewPCG(1, 1))
		const m, n, k = 40, 355, 128
		p, x := randomPacked(r, n, k), randomFloats(r, m*k)
		whole := make([]float32, m*n)
		kernel.MatMul(whole, x, p, nil, false, m)
		for count := 1; count <= m; count++ {
			part := make([]float32, count*n)
			kernel.MatMul(part, x[(m-count)*k:], p, nil, false, count)
			for i := range part {
				if part[i] != whole[(m-count)*n+i] {
					t.Fatalf("%d rows: element %d differs", count, i)
				}
			}
		}
	})
}

func TestMatMulNearGonum(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	for _, s := range [][3]int{{7, 33, 65}, {64, 355, 128}, {128, 128, 320}} {
		m, n, k := s[0], s[1], s[2]
		x, w := randomFloats(r, m*k), randomFloats(r, n*k)
		got, want := make([]float32, m*n), make([]float32, m*n)
		kernel.MatMul(got, x, packed(w, n, k), nil, false, m)
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, blas32.General{Rows: m, Cols: k, Stride: k, Data: x},
			blas32.General{Rows: n, Cols: k, Stride: k, Data: w}, 0, blas32.General{Rows: m, Cols: n, Stride: n, Data: want})
		for i := range want {
			// k rounding errors of sums that stay below about 3 sqrt(k)
			if diff := math.Abs(float64(got[i] - want[i])); diff > float64(k)*math.Sqrt(float64(k))*3*0x1p-24 {
				t.Fatalf("%v: element %d is %v, gonum has %v", s, i, got[i], want[i])
			}
		}
	}
}

func TestReferenceFMA(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := rapid.Float32().Draw(t, "a"), rapid.Float32().Draw(t, "b"), rapid.Float32().Draw(t, "c")
		got := make([]float32, 1)
		kernel.MatMul(got, []float32{1, a}, packed([]float32{c, b}, 1, 2), nil, false, 1) // fma(a, b, fma(1, c, 0))
		same(t, "fma", got, []float32{kernel.ReferenceFMA(a, b, kernel.ReferenceFMA(1, c, 0))})
	})
}

func TestPackWidens(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		for _, d := range []mergesearch.DType{mergesearch.BF16, mergesearch.F16} {
			all := make([]byte, 0, 2<<16)
			for i := range 1 << 16 {
				all = append(all, byte(i), byte(i>>8))
			}
			got, want := make([]float32, 1<<16), make([]float32, 1<<16)
			kernel.Widen(got, all, d)
			for i := range want {
				want[i] = kernel.ReferenceWiden(all[2*i:], d)
			}
			same(t, string(d), got, want)

			const n, k = 512, 128
			p := &kernel.Packed{N: n, K: k, Data: make([]float32, kernel.PackedLen(n, k))}
			p.Pack(0, all, d, n)
			for c := range n {
				for i := range k {
					g, w := p.Data[c/16*16*k+i*16+c%16], want[c*k+i]
					if g != w && !(g != g && w != w) {
						t.Fatalf("%s: packed (%d, %d) is %v, want %v", d, c, i, g, w)
					}
				}
			}
		}
	})
}

// TestPackInParts: matrices packed one below the other are the matrix packed at once.
func TestPackInParts(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			a, b, k := rapid.IntRange(1, 40).Draw(t, "a"), rapid.IntRange(1, 40).Draw(t, "b"), rapid.IntRange(1, 150).Draw(t, "k")
			w := randomFloats(seeded(t), (a+b)*k)
			parts := &kernel.Packed{N: a + b, K: k, Data: randomFloats(seeded(t), kernel.PackedLen(a+b, k))}
			parts.ClearPadding()
			parts.Pack(a, encode(w[a*k:]), mergesearch.F32, b)
			parts.Pack(0, encode(w[:a*k]), mergesearch.F32, a)
			same(t, "packed", parts.Data, packed(w, a+b, k).Data)
		})
	})
}

func TestRowwiseEqualsReference(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			rows, n := rapid.IntRange(1, 5).Draw(t, "rows"), rapid.IntRange(1, 100).Draw(t, "n")
			r := seeded(t)
			x, w := randomFloats(r, rows*n), randomFloats(r, n)
			got, want := make([]float32, rows*n), make([]float32, rows*n)
			kernel.RMSNorm(got, x, w, 1e-5, rows)
			for i := range rows {
				kernel.ReferenceRMSNorm(want[i*n:][:n], x[i*n:][:n], w, 1e-5)
			}
			same(t, "norm", got, want)

			gateUp := randomFloats(r, rows*2*n)
			for i := range gateUp {
				gateUp[i] *= 20
			}
			kernel.SiLUMul(got, gateUp, rows, n)
			for i := range rows {
				for j := range n {
					want[i*n+j] = kernel.ReferenceSiLUMul(gateUp[i*2*n+j], gateUp[i*2*n+n+j])
				}
			}
			same(t, "silu", got, want)

			stats := make([]kernel.LogitStats, rows)
			for i := range x {
				x[i] = float32(math.Round(float64(x[i]) * 4)) // with ties
			}
			kernel.FoldLogits(stats, x, n)
			for i := range rows {
				if want := kernel.ReferenceLogitStats(x[i*n:][:n]); stats[i] != want {
					t.Fatalf("row %d: %+v, want %+v", i, stats[i], want)
				}
			}
		})
	})
}

func TestFoldLogitsNaN(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1))} {
			for at := range 40 {
				x := make([]float32, 40)
				x[at] = bad
				stats := make([]kernel.LogitStats, 1)
				kernel.FoldLogits(stats, x, len(x))
				if stats[0].Max == stats[0].Max {
					t.Fatalf("%v at %d: %+v, want NaN", bad, at, stats[0])
				}
			}
		}
	})
}

func TestExp(t *testing.T) {
	var x []float32
	for v := -100.0; v <= 100; v += 0.01 {
		x = append(x, float32(v))
	}
	x = append(x, 0, float32(math.Copysign(0, -1)), float32(math.Inf(1)), float32(math.Inf(-1)), float32(math.NaN()))
	atEachLevel(t, func(t *testing.T) {
		got, want := make([]float32, len(x)), make([]float32, len(x))
		kernel.Exp(got, x)
		for i, v := range x {
			want[i] = kernel.ReferenceExp(v)
			exact := math.Exp(math.Min(math.Max(float64(v), -87), 88))
			if err := math.Abs(float64(got[i])/exact - 1); err > 2e-7 {
				t.Fatalf("exp(%v) = %v, relative error %.2g", v, got[i], err)
			}
		}
		same(t, "exp", got, want)
	})
}

func TestAttentionEqualsReference(t *testing.T) {
	atEachLevel(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			s := kernel.AttentionShape{Head: 2 * rapid.IntRange(1, 56).Draw(t, "half"), Scale: 0.3, NormEps: 1e-6}
			s.KVHeads = rapid.IntRange(1, 3).Draw(t, "kv")
			s.Heads = s.KVHeads * rapid.IntRange(1, 3).Draw(t, "group")
			length, window := rapid.IntRange(1, 40).Draw(t, "length"), rapid.IntRange(0, 20).Draw(t, "window")
			checkAttention(t, s, length, window, rapid.Bool().Draw(t, "norm"))
		})
	})
}

// checkAttention runs a whole sequence, its slots in random order, through Rotary
// and Attention and compares each head with the reference.
func checkAttention(t *rapid.T, s kernel.AttentionShape, length, window int, norm bool) {
	r := seeded(t)
	width := (s.Heads + 2*s.KVHeads) * s.Head
	qkv := randomFloats(r, length*width)
	table := kernel.RotaryTable(length, randomFloats(r, s.Head/2))
	var qNorm, kNorm []float32
	if norm {
		qNorm, kNorm = randomFloats(r, s.Head), randomFloats(r, s.Head)
	}
	slots := make([]int32, length)
	positions, offsets, lengths := make([]int32, length), make([]int32, length), make([]int32, length)
	for i, p := range r.Perm(length) {
		slots[i], positions[i], lengths[i] = int32(p), int32(i), int32(i+1)
	}
	pad := s.HeadPad()
	q := randomFloats(r, length*s.Heads*pad)
	keys, values := randomFloats(r, length*s.SlotLen()), randomFloats(r, length*s.SlotLen())
	kernel.Rotary(q, keys, values, qkv, positions, slots, table, qNorm, kNorm, s)
	got := make([]float32, length*s.Heads*s.Head)
	c := kernel.Contexts{Slots: slots, Offset: offsets, Length: lengths}
	kernel.Attention(got, q, keys, values, c, randomFloats(r, s.ScoresLen(length)), s, window)

	turned := func(row, head int, norm []float32) []float32 {
		x := slices.Clone(qkv[row*width+head*s.Head:][:s.Head])
		if norm != nil {
			kernel.ReferenceRMSNorm(x, slices.Clone(x), norm, s.NormEps)
		}
		out := make([]float32, s.Head)
		angles := table[row*s.Head:][:s.Head]
		kernel.ReferenceRotary(out, x, angles[:s.Head/2], angles[s.Head/2:])
		return out
	}
	for row := range length {
		from := 0
		if window > 0 {
			from = max(0, row+1-window)
		}
		for h := range s.Heads {
			kv := s.Heads + h/(s.Heads/s.KVHeads)
			var k, v [][]float32
			for j := from; j <= row; j++ {
				k = append(k, turned(j, kv, kNorm))
				v = append(v, qkv[j*width+(kv+s.KVHeads)*s.Head:][:s.Head])
			}
			want := make([]float32, s.Head)
			kernel.ReferenceAttention(want, turned(row, h, qNorm), k, v, s.Scale)
			same(t, fmt.Sprintf("row %d head %d", row, h), got[(row*s.Heads+h)*s.Head:], want)
		}
	}
}

func TestBrokenCallsPanic(t *testing.T) {
	p := packed(make([]float32, 6), 2, 3)
	for name, call := range map[string]func(){
		"short x":    func() { kernel.MatMul(make([]float32, 2), make([]float32, 2), p, nil, false, 1) },
		"short out":  func() { kernel.MatMul(make([]float32, 1), make([]float32, 3), p, nil, false, 1) },
		"short bias": func() { kernel.MatMul(make([]float32, 2), make([]float32, 3), p, make([]float32, 1), false, 1) },
		"column":     func() { kernel.DotColumn(make([]float32, 3), p, 2) },
		"pack":       func() { p.Pack(1, make([]byte, 24), mergesearch.F32, 2) },
		"type":       func() { p.Pack(0, make([]byte, 64), mergesearch.I64, 1) },
		"no logits":  func() { kernel.FoldLogits(make([]kernel.LogitStats, 1), nil, 0) },
		"odd head": func() {
			kernel.Attention(nil, nil, nil, nil, kernel.Contexts{Offset: []int32{0}, Length: []int32{1}}, nil, kernel.AttentionShape{Heads: 1, KVHeads: 1, Head: 3}, 0)
		},
		"level": func() { kernel.SetLevel(99) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}
