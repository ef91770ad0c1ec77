package merge_test

import (
	"bytes"
	"errors"
	"math"
	"path/filepath"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
)

// Rows of docs/mergekit-differences.md that no other test shows.

// typed opens models of one tensor w in a type.
func typed(t *testing.T, d mergesearch.DType, shape []int, models map[string][]float32) *merge.Engine {
	t.Helper()
	dirs := map[string]string{}
	for name, x := range models {
		dirs[name] = filepath.Join(t.TempDir(), name)
		v := kernel.View{DType: d, Data: make([]byte, len(x)*d.Size())}
		kernel.Store(v, x)
		writeModel(t, dirs[name], []mergesearch.Tensor{{Name: "w", DType: d, Shape: shape, Data: v.Data}}, map[string]string{"config.json": `{"name": "` + name + `"}`})
	}
	return open(t, dirs)
}

func set(r mergesearch.Recipe, name string, v float64) mergesearch.Recipe {
	r.Parameters[name] = mergesearch.Number(v)
	return r
}

// A weight of 0.3 is 0.30078125 with compat, and 0.3 without.
func TestWeightsAreNotRounded(t *testing.T) {
	e := typed(t, mergesearch.BF16, []int{1}, map[string][]float32{"a": {1}})
	r := set(set(recipe("linear", "", "a"), "weight", .3), "normalize", 0)
	r.OutDType = "float32"
	for compat, want := range map[string]float32{"": .3, "mergekit": .30078125} {
		if r.Compat = compat; values(t, build(t, e, r), "w")[0] != want {
			t.Errorf("compat %q: %v, want %v", compat, values(t, build(t, e, r), "w")[0], want)
		}
	}
}

// Magnitudes that add up to more than a float16 holds can be rescaled.
func TestSumsDoNotOverflowFloat16(t *testing.T) {
	const n = 2000
	base, x := make([]float32, n), make([]float32, n)
	for e := range x {
		x[e] = 100
	}
	e := typed(t, mergesearch.F16, []int{n}, map[string][]float32{"base": base, "a": x})
	for _, method := range []string{"ties", "breadcrumbs", "dare_linear", "della"} {
		r := set(set(set(recipe(method, "base", "a"), "weight", 1), "density", .5), "rescale", 1)
		var sum float64
		for _, v := range values(t, build(t, e, r), "w") {
			sum += float64(v)
		}
		if math.Abs(sum/(100*n)-1) > 1e-3 {
			t.Errorf("%s: sum of magnitudes %v, want %v", method, sum, 100*n)
		}
	}
}

// A density below one element keeps one.
func TestTIESKeepsOneElement(t *testing.T) {
	e := openTensors(t, map[string][]float32{"base": {0, 0, 0, 0}, "a": {1, 4, 2, 3}}, 4)
	r := set(set(recipe("ties", "base", "a"), "weight", 1), "density", .1)
	mustBeNear(t, floats(t, build(t, e, r), "w"), []float32{0, 4, 0, 0})
}

// Beyond c = -0.9995 nuslerp is linear, as slerp is; mergekit divides by a sine near
// zero.
func TestNearlyOppositeVectorsAreInterpolated(t *testing.T) {
	s := float32(math.Sqrt(1 - .9997*.9997))
	e := openTensors(t, map[string][]float32{"a": {1, 0}, "b": {-.9997, s}}, 2)
	r := weigh(recipe("nuslerp", "", "a", "b"), 3, 1)
	mustBeNear(t, floats(t, build(t, e, r), "w"), []float32{.75 - .9997/4, s / 4})
	r.Compat = "mergekit"
	theta := math.Acos(-.9997)
	want := (math.Sin(.75*theta) - .9997*math.Sin(.25*theta)) / math.Sin(theta)
	if got := floats(t, build(t, e, r), "w")[0]; math.Abs(float64(got)-want) > 1e-2*want || want < .7 {
		t.Errorf("with compat %v, want %v, far from the linear %v", got, want, .75-.9997/4)
	}
}

// The result has the models' type where mergekit's is float32.
func TestMethodsKeepTheType(t *testing.T) {
	e := typed(t, mergesearch.BF16, []int{2, 2}, map[string][]float32{"base": {1, 2, 3, 4}, "a": {2, 2, 3, 5}})
	for _, method := range []string{"arcee_fusion", "ramplus_tl"} {
		for compat, want := range map[string]mergesearch.DType{"": mergesearch.BF16, "mergekit": mergesearch.F32} {
			r := recipe(method, "base", "a")
			r.Compat = compat
			if x, err := build(t, e, r).Tensors.Tensor("w"); err != nil || x.DType != want {
				t.Errorf("%s, compat %q: %s, %v, want %s", method, compat, x.DType, err, want)
			}
		}
	}
}

// linear has no base model; one that is named without being listed is not used.
func TestLinearIgnoresTheBase(t *testing.T) {
	e := openTensors(t, map[string][]float32{"base": {9, 9}, "a": {1, 2}, "b": {3, 4}}, 2)
	mustBeNear(t, floats(t, build(t, e, set(recipe("linear", "base", "a", "b"), "weight", 1)), "w"), []float32{2, 3})
}

// Over a million elements all of them rank the importance; mergekit draws samples.
func TestFusionRanksAllElements(t *testing.T) {
	if testing.Short() {
		t.Skip("a million elements")
	}
	const rows, columns = 1025, 1024
	a, b := make([]float32, rows*columns), make([]float32, rows*columns)
	for e := range a {
		a[e] = float32(math.Sin(float64(e)))
		b[e] = a[e] + float32(.01*math.Sin(float64(3*e+1)))
	}
	e := openTensors(t, map[string][]float32{"base": a, "a": b}, rows, columns)
	r := recipe("arcee_fusion", "base", "a")
	x, err := build(t, e, r).Tensors.Tensor("w")
	if err != nil {
		t.Fatal(err)
	}
	want, err := e.Reference(r, "w")
	if err != nil || !bytes.Equal(x.Data, want) {
		t.Errorf("other bytes than the reference's, which sorts all (%v)", err)
	}
}

// della ranks along the last dimension, mergekit along the second, in which here the
// magnitudes rise: it seldom keeps what comes first there.
func TestRanksRunAlongTheLastDimension(t *testing.T) {
	const rows, length = 64, 512
	base, x := make([]float32, 2*rows*length), make([]float32, 2*rows*length)
	for e := range x {
		x[e] = 1 + float32(e/length) // equal in a row of the last dimension
		if e%length >= length/2 {
			x[e]++
		}
	}
	e := typed(t, mergesearch.F32, []int{2, rows, length}, map[string][]float32{"base": base, "a": x})
	r := set(set(set(set(recipe("della_linear", "base", "a"), "weight", 1), "density", .5), "epsilon", .45), "rescale", 0)
	first := func(compat string) float64 {
		r.Compat = compat
		kept, all := 0., 0.
		for i, v := range values(t, build(t, e, r), "w") {
			if i/length%rows == 0 {
				if v != 0 {
					kept++
				}
				all++
			}
		}
		return kept / all
	}
	if ours, theirs := first(""), first("mergekit"); math.Abs(ours-.5) > .05 || theirs > .12 {
		t.Errorf("of the first rows %v are kept, with compat %v, want 0.5 and 0.05", ours, theirs)
	}
}

// karcher has no tangent towards an opposite direction and passes it over; what
// mergekit makes of the angle's sine leaves the first direction too.
func TestKarcherOfOpposites(t *testing.T) {
	x := []float32{.3, -.7, .2, .9, -.4, .1, .6}
	y := make([]float32, len(x))
	for e := range x {
		y[e] = -3 * x[e]
	}
	e := openTensors(t, map[string][]float32{"a": x, "b": y}, len(x))
	r := recipe("karcher", "", "a", "b")
	want := make([]float32, len(x))
	for e := range x {
		want[e] = 2 * x[e]
	}
	mustBeNear(t, floats(t, build(t, e, r), "w"), want)
	r.Compat = "mergekit"
	for i, v := range floats(t, build(t, e, r), "w") {
		if math.Abs(float64(v-want[i])) > 1e-5 {
			t.Errorf("with compat element %d is %v, want %v", i, v, want[i])
		}
	}
}

// nearswap moves by t, mergekit weighs both with a rounded quotient: one unit in
// float32 where that is not exact.
func TestNearswapDoesNotDivide(t *testing.T) {
	const n = 512
	a, b := make([]float32, n), make([]float32, n)
	for e := range a {
		a[e] = float32(math.Sin(float64(e)))
		b[e] = a[e] + float32(.02*math.Cos(float64(5*e)))
	}
	e := openTensors(t, map[string][]float32{"base": a, "a": b}, n)
	r := set(recipe("nearswap", "base", "a"), "t", .003)
	ours := floats(t, build(t, e, r), "w")
	r.Compat = "mergekit"
	theirs, differ := floats(t, build(t, e, r), "w"), 0
	for i := range ours {
		d := math.Abs(float64(ours[i] - theirs[i]))
		if d > 1.2e-7 {
			t.Errorf("element %d: %v, with compat %v", i, ours[i], theirs[i])
		}
		if d > 0 {
			differ++
		}
	}
	if differ == 0 {
		t.Error("no element differs")
	}
}

// In rows near the pole of the formula mergekit's angle in float32 shows.
func TestAnglesOfNearlyOppositeRows(t *testing.T) {
	const rows = 400
	var a, b []float32
	for r := range rows {
		turn := float64(r)
		size := 1 + math.Sin(turn)*math.Sin(turn)
		to := turn + math.Pi - .036 - .02*math.Abs(math.Sin(3*turn)) // c from -0.99935 to -0.9984
		a = append(a, float32(math.Cos(turn)), float32(math.Sin(turn)))
		b = append(b, float32(size*math.Cos(to)), float32(size*math.Sin(to)))
	}
	e := openTensors(t, map[string][]float32{"a": a, "b": b}, rows, 2)
	r := set(weigh(recipe("nuslerp", "", "a", "b"), 3, 1), "nuslerp_flatten", 0)
	worst := func(compat string) (off float64) {
		r.Compat = compat
		got := floats(t, build(t, e, r), "w")
		for i := 0; i < len(a); i += 2 {
			x, y := float64(a[i]), float64(a[i+1])
			u, v := float64(b[i]), float64(b[i+1])
			theta := math.Abs(math.Atan2(x*v-y*u, x*u+y*v))
			f, g := math.Sin(.75*theta)/math.Sin(theta), math.Sin(.25*theta)/math.Sin(theta)
			off = max(off, math.Abs(f*x+g*u-float64(got[i])), math.Abs(f*y+g*v-float64(got[i+1])))
		}
		return off
	}
	if ours, theirs := worst(""), worst("mergekit"); ours > 1e-5 || theirs < 10*ours {
		t.Errorf("off by %v, with compat by %v", ours, theirs)
	}
}

// Of vectors that are parallel in float16 mergekit divides by a sine of zero, because
// the bound for it is zero in that type; with compat the result is refused.
func TestParallelVectorsInFloat16(t *testing.T) {
	x, y := make([]float32, 40), make([]float32, 40)
	for e := range x {
		x[e], y[e] = 1, 1.5
	}
	e := typed(t, mergesearch.F16, []int{40}, map[string][]float32{"a": x, "b": y})
	r := weigh(recipe("nuslerp", "", "a", "b"), 1, 1)
	for _, v := range values(t, build(t, e, r), "w") {
		if v != 1.25 {
			t.Fatalf("got %v, want 1.25", v)
		}
	}
	r.Compat = "mergekit"
	var want *mergesearch.Failure
	if _, err := e.Build(t.Context(), mergesearch.CandidateID("x"), r); !errors.As(err, &want) || want.Code != "not_finite" {
		t.Errorf("with compat: %v, want a failure", err)
	}
}

// Variances that are equal but for rounding may change places at sce's threshold; the
// number that is selected is the same.
func TestVariancesAtTheThreshold(t *testing.T) {
	e := typed(t, mergesearch.BF16, []int{4}, map[string][]float32{
		"base": {0, 0, 0, 0}, "a": {.1, .7, .01, .5}, "b": {.3, .1, .02, .5}, "c": {.7, .3, .01, .5},
	})
	r := set(recipe("sce", "base", "a", "b", "c"), "select_topk", .34) // 1 of the 3 that vary
	for _, compat := range []string{"", "mergekit"} {
		r.Compat = compat
		selected := 0
		for i, v := range values(t, build(t, e, r), "w") {
			if v != 0 {
				selected++
			}
			if v != 0 && i > 1 {
				t.Errorf("compat %q: element %d is selected", compat, i)
			}
		}
		if selected != 1 {
			t.Errorf("compat %q: %d elements are selected, want 1", compat, selected)
		}
	}
}

// Near the pole of model_stock, at opposite task vectors, mergekit's cosine is rounded
// onto it in 16 bits.
func TestModelStockNearThePole(t *testing.T) {
	e := typed(t, mergesearch.F16, []int{2}, map[string][]float32{"base": {0, 0}, "a": {.5, 0}, "b": {-.5, .0071}})
	r := recipe("model_stock", "base", "a", "b")
	if v := values(t, build(t, e, r), "w"); v[1] > -50 {
		t.Errorf("got %v, want it far from the base model", v)
	}
	r.Compat = "mergekit"
	var want *mergesearch.Failure
	if _, err := e.Build(t.Context(), mergesearch.CandidateID("x"), r); !errors.As(err, &want) || want.Code != "not_finite" {
		t.Errorf("with compat: %v, want a failure", err)
	}
}
