package kernel

import (
	"fmt"
	"math"
	"testing"

	"mergesearch"
)

// family returns a base and models near it in different types, as sources and as
// values.
func family(n, models int, hard bool, to mergesearch.DType) (g Group, base []float32, x [][]float32) {
	b := sample(100, n, to, hard)
	g.Base, base = b, Load(b)
	for i := range models {
		v := sample(uint64(i), n, floats[(i+models)%4], hard)
		if !hard { // like a fine-tuned model, with elements that did not change
			m := Load(v)
			for e := range m {
				m[e] = base[e]
				if (e*7+i*3)%5 != 0 {
					m[e] += float32(int(Load(v.Slice(e, e+1))[0]*400)) * 0x1p-9
				}
			}
			Store(v, m)
		}
		g.Models = append(g.Models, v)
		x = append(x, Load(v))
	}
	return g, base, x
}

// linesOf cuts n elements into lines in several ways.
func linesOf(n int) []Lines {
	out := []Lines{Whole(n)}
	for _, length := range []int{17, 33, 4097} {
		if n%length == 0 && n > 0 {
			out = append(out, Lines{Count: n / length, Length: length}, Lines{Count: length, Length: n / length, Columns: true})
		}
	}
	return out
}

var groupSizes = []int{0, 1, 31, 33, 255, 256, 4097, 33 * 17 * 8, 3 * 4097}

func TestProducts(t *testing.T) {
	eachLevel(t, func(t *testing.T, k Kernel) {
		for turn, n := range groupSizes {
			for _, models := range []int{1 + turn%3, 4 + turn%4} {
				g, base, x := family(n, models, false, floats[turn%4])
				if models%2 == 0 {
					g.Base, base = nil, nil
				}
				for _, l := range linesOf(n) {
					want := ProductsReference(base, x, l)
					for _, tile := range []int{TileMultiple, 4 * TileMultiple} {
						got := k.Products(g, l, tile, Serial)
						for line := range want {
							for i := range models {
								for j := range models {
									if a, b := got.Line(line).At(i, j), want[line].At(i, j); a != b {
										t.Fatalf("%d elements, %+v, tiles of %d, line %d: product %d %d of %d is %v, want %v", n, l, tile, line, i, j, models, a, b)
									}
								}
							}
						}
					}
				}
			}
		}
	})
}

// inTiles computes an output in tiles, as the engine does.
func inTiles(to mergesearch.DType, n int, f func(out View, lo, hi int) Counts) (View, Counts) {
	out, counts := empty(to, n), Counts{}
	for lo := 0; lo < n; lo += 2 * TileMultiple {
		hi := min(n, lo+2*TileMultiple)
		counts = counts.Add(f(out.Slice(lo, hi), lo, hi))
	}
	return out, counts
}

func eachGroup(t *testing.T, f func(t *testing.T, k Kernel, what string, n, models int, hard bool, to mergesearch.DType)) {
	eachLevel(t, func(t *testing.T, k Kernel) {
		for turn, n := range groupSizes {
			for i, hard := range []bool{false, true} {
				for j := range 2 {
					models, to := []int{1, 2, 3, 4, 5, 7}[(turn+i+2*j)%6], floats[(turn+j)%4]
					f(t, k, fmt.Sprintf("%d models, %d elements, to %s, hard %v", models, n, to, hard), n, models, hard, to)
				}
			}
		}
	})
}

func TestCombineLines(t *testing.T) {
	eachGroup(t, func(t *testing.T, k Kernel, what string, n, models int, hard bool, to mergesearch.DType) {
		g, base, x := family(n, models, hard, to)
		for i, l := range linesOf(n) {
			if i%2 == 1 {
				g.Base, base = nil, nil
			}
			w := make([]float32, models*l.Count)
			for j := range w {
				w[j] = float32(j%13)*0.37 - 1
			}
			got, c := inTiles(to, n, func(out View, lo, hi int) Counts { return k.CombineLines(out, g, l, w, lo, hi) })
			want := empty(to, n)
			counts := Store(want, CombineLinesReference(base, x, l, w))
			mustEqual(t, what, got, want, c, counts)
		}
	})
}

func TestNearswap(t *testing.T) {
	eachGroup(t, func(t *testing.T, k Kernel, what string, n, _ int, hard bool, to mergesearch.DType) {
		g, base, x := family(n, 1, hard, to)
		for _, step := range []float32{-1, 0, 1e-8, 1e-6, 1e-3, 0.02, 1e30} {
			got, c := inTiles(to, n, func(out View, lo, hi int) Counts { return k.Nearswap(out, g, step, lo, hi) })
			want := empty(to, n)
			counts := Store(want, NearswapReference(base, x[0], step))
			mustEqual(t, fmt.Sprint(what, ", t ", step), got, want, c, counts)
		}
	})
}

// The step without division is the formula with it, but for rounding.
func TestNearswapIsItsFormula(t *testing.T) {
	for _, step := range []float64{0, 1e-7, 1e-4, 0.3} {
		for _, a := range []float32{-2, 0, 0.1, 1} {
			for _, d := range []float32{0, 1e-7, -1e-5, 2e-4, -0.2, 3} {
				b := a + d
				w := min(1, max(0, step/max(math.Abs(float64(a)-float64(b)), 1e-6)))
				want := w*float64(b) + (1-w)*float64(a)
				got := float64(NearswapReference([]float32{a}, []float32{b}, float32(step))[0])
				if math.Abs(got-want) > 3e-7*max(1e-6, math.Abs(want)) {
					t.Errorf("t %v from %v to %v: %v, want %v", step, a, b, got, want)
				}
			}
		}
	}
}

func TestDivergence(t *testing.T) {
	eachGroup(t, func(t *testing.T, k Kernel, what string, n, _ int, hard bool, to mergesearch.DType) {
		g, base, x := family(n, 1, hard, to)
		for _, l := range linesOf(n) {
			if l.Columns {
				continue
			}
			if n == 0 {
				l.Count = 0
			}
			got, want := k.Divergence(g, l, TileMultiple, Serial), DivergenceReference(base, x[0], l)
			for i := range want {
				if canonical(got[i]) != canonical(want[i]) {
					t.Fatalf("%s: line %d of %+v: %v, want %v", what, i, l, got[i], want[i])
				}
			}
		}
	})
}

// exp and log are those of the library but for the last bits.
func TestExponentialAndLogarithm(t *testing.T) {
	for i := range 20000 {
		x := -float64(i) * 0.0351
		if got, want := exponential(x), math.Exp(max(x, -700)); math.Abs(got-want) > 4e-16*want {
			t.Fatalf("exp(%v) = %v, want %v", x, got, want)
		}
		y := math.Exp(float64(i-10000) * 0.0019)
		if got, want := logarithm(y), math.Log(y); math.Abs(got-want) > 4e-16*max(1, math.Abs(want)) {
			t.Fatalf("log(%v) = %v, want %v", y, got, want)
		}
	}
	if logarithm(1) != 0 || exponential(0) != 1 || !math.IsNaN(exponential(math.NaN())) {
		t.Error("exact values are not exact")
	}
}

// scoresOf returns the scores of both kinds with their reference.
func scoresOf(k Kernel, n, models int, hard bool, to mergesearch.DType) map[*Scores][]float32 {
	g, base, x := family(n, models, hard, to)
	out := map[*Scores][]float32{{Group: g}: VarianceReference(base, x)}
	g.Models = g.Models[:1]
	if rows := 17; n%rows == 0 && n > 0 {
		l := Lines{Count: rows, Length: n / rows}
		kl := DivergenceReference(base, x[0], l)
		out[&Scores{Group: g, Lines: l, Divergence: kl}] = ImportanceReference(base, x[0], l, kl)
	}
	return out
}

func TestSelectionByScore(t *testing.T) {
	longNumeric(t)
	eachGroup(t, func(t *testing.T, k Kernel, what string, n, models int, hard bool, to mergesearch.DType) {
		for s, scores := range scoresOf(k, n, models, hard, to) {
			sorted := SortedReference(scores)
			counted := k.Count(*s, TileMultiple, Serial)
			above := 0
			for _, b := range sorted {
				if b != 0 {
					above++
				}
			}
			if counted.AboveZero != above {
				t.Fatalf("%s: %d scores above zero, want %d", what, counted.AboveZero, above)
			}
			if n > 0 {
				places := []int{(n - 1) / 4, (n - 1) / 2, 3 * (n - 1) / 4}
				for i, o := range k.Select(*s, counted, places, TileMultiple, Serial) {
					if o.Bits != sorted[places[i]] {
						t.Fatalf("%s: score at place %d is %x, want %x", what, places[i], o.Bits, sorted[places[i]])
					}
				}
			}
			for _, keep := range []int{-1, 0, 1, n / 3, n - 1, n, n + 1} {
				want := SelectMagnitudeReference(scores, keep)
				trim := k.Largest(*s, counted, keep, TileMultiple, Serial)
				for e := range scores {
					b := canonical(scores[e]) & 0x7fffffff
					if got := b > trim.Threshold || b == trim.Threshold && e < trim.Cut; got != want[e] {
						t.Fatalf("%s, keeping %d: element %d kept %v, want %v", what, keep, e, got, want[e])
					}
				}
			}
		}
	})
}

func TestFuse(t *testing.T) {
	eachGroup(t, func(t *testing.T, k Kernel, what string, n, _ int, hard bool, to mergesearch.DType) {
		if n%17 != 0 || n == 0 {
			return
		}
		g, base, x := family(n, 1, hard, to)
		l := Lines{Count: 17, Length: n / 17}
		kl := make([]float32, 17)
		for i := range kl {
			kl[i] = float32(i) * 0.1
		}
		for _, threshold := range []float32{0, 1e-3, float32(math.NaN())} {
			got, c := inTiles(to, n, func(out View, lo, hi int) Counts { return k.Fuse(out, g, l, kl, threshold, lo, hi) })
			want := empty(to, n)
			counts := Store(want, FuseReference(base, x[0], l, kl, threshold))
			mustEqual(t, what, got, want, c, counts)
		}
	})
}

func TestSCE(t *testing.T) {
	longNumeric(t)
	eachGroup(t, func(t *testing.T, k Kernel, what string, n, models int, hard bool, to mergesearch.DType) {
		g, base, x := family(n, models, hard, to)
		c := []float32{0.3, 0.2, 0, 0.1, 0.25, 0.1, 0.05}[:models]
		for _, keep := range []int{n, n / 3, 0} {
			kept := SelectMagnitudeReference(VarianceReference(base, x), keep)
			s := Selection{}
			if keep < n {
				all := Scores{Group: g}
				s = Selection{Trimmed: true, Trim: k.Largest(all, k.Count(all, TileMultiple, Serial), keep, TileMultiple, Serial)}
			}
			squares := SquaresReference(base, x, kept)
			for i, got := range k.Squares(g, s, TileMultiple, Serial) {
				if got != squares[i] && !(math.IsNaN(got) && math.IsNaN(squares[i])) {
					t.Fatalf("%s, keeping %d: squares of model %d are %v, want %v", what, keep, i, got, squares[i])
				}
			}
			got, counts := inTiles(to, n, func(out View, lo, hi int) Counts { return k.SCE(out, g, s, c, lo, hi) })
			want := empty(to, n)
			wantCounts := Store(want, SCEReference(base, x, kept, c))
			mustEqual(t, what, got, want, counts, wantCounts)
		}
	})
}

func TestRAM(t *testing.T) {
	eachGroup(t, func(t *testing.T, k Kernel, what string, n, models int, hard bool, to mergesearch.DType) {
		g, base, x := family(n, models, hard, to)
		alone := []float32{1, 1.02, 1.01, 0, -1, 2, 1}[:models]
		if models == 2 {
			alone = nil
		}
		for _, epsilon := range []float32{-1, 0, 1e-5, 0.01} {
			want := CountActiveReference(base, x, epsilon)
			for i, got := range k.CountActive(g, epsilon, TileMultiple, Serial) {
				if got != want[i] {
					t.Fatalf("%s: model %d: %+v, want %+v", what, i, got, want[i])
				}
			}
			got, c := inTiles(to, n, func(out View, lo, hi int) Counts { return k.RAM(out, g, epsilon, alone, lo, hi) })
			ref := empty(to, n)
			counts := Store(ref, RAMReference(base, x, epsilon, alone))
			mustEqual(t, fmt.Sprint(what, ", epsilon ", epsilon), got, ref, c, counts)
		}
	})
}
