package merge_test

import (
	"math"
	"path/filepath"
	"testing"

	"mergesearch"
	"mergesearch/merge"
)

// goldenModels are the tensors that mergekit's golden vectors were produced from:
// a base, three models near it, and A and B with some elements of the base.
func goldenModels() map[string][]float32 {
	base := []float32{1, -1, .5, 2, 0, .25, -.75, 1.5, -2, 3}
	near := func(d ...float32) []float32 {
		x := make([]float32, len(d))
		for i := range d {
			x[i] = base[i] + d[i]
		}
		return x
	}
	m := map[string][]float32{
		"base": base,
		"A":    near(.10, -.20, .30, -.40, .50, -.05, .15, -.25, .35, -.45),
		"B":    near(-.30, .10, .20, .60, -.40, .25, -.05, .45, .15, .55),
		"C":    near(.07, .02, -.11, .09, .13, .31, .04, -.06, .22, -.17),
		"A2":   near(0, 0, 0, -.40, .50, -.05, .15, -.25, .35, -.45),
		"B2":   near(-.30, .10, 0, 0, 0, .25, -.05, .45, .15, .55),
	}
	return m
}

func openTensors(t *testing.T, models map[string][]float32, shape ...int) *merge.Engine {
	t.Helper()
	dirs := map[string]string{}
	for name, x := range models {
		dirs[name] = filepath.Join(t.TempDir(), name)
		writeTensors(t, dirs[name], map[string][]float32{"w": x}, shape...)
	}
	e, err := merge.Open(merge.Options{Models: dirs, Device: gpuIfAsked(t)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func mustBeNear(t *testing.T, got, want []float32) {
	t.Helper()
	for i, g := range got {
		if !(math.Abs(float64(g-want[i])) <= 1e-6*math.Max(1, math.Abs(float64(want[i])))) {
			t.Errorf("element %d: got %v, want %v", i, g, want[i])
		}
	}
}

// The vectors were produced by running mergekit (commit a6e40288) in float32.
func TestGoldenVectorsOfGroups(t *testing.T) {
	e := openTensors(t, goldenModels(), 2, 5)
	set := func(r mergesearch.Recipe, name string, v float64) mergesearch.Recipe {
		r.Parameters[name] = mergesearch.Number(v)
		return r
	}
	for _, c := range []struct {
		name   string
		recipe mergesearch.Recipe
		want   []float32
	}{
		{
			"nuslerp", weigh(recipe("nuslerp", "", "A", "B"), .7, .5),
			[]float32{.943951607, -1.08733439, .767106891, 2.04082108, .125872061, .328982919, -.691427708, 1.56008995, -1.75366569, 3.00189376},
		},
		{
			"nuslerp row_wise", set(set(weigh(recipe("nuslerp", "", "A", "B"), .7, .5), "nuslerp_flatten", 0), "nuslerp_row_wise", 1),
			[]float32{.955244541, -1.0839597, .762975097, 2.02506995, .125858799, .333221108, -.689212978, 1.55141330, -1.74040723, 3.00135660},
		},
		{
			"multislerp", weigh(recipe("multislerp", "", "A", "B", "C"), .5, .3, .4),
			[]float32{1.0263859, -1.08515441, .655220032, 2.01332998, .191432759, .390832484, -.692417383, 1.48988438, -1.77047551, 2.91107750},
		},
		{
			"karcher", recipe("karcher", "", "A", "B", "C"),
			[]float32{.996396005, -1.06177902, .645587564, 2.09736276, .119029261, .417169034, -.709702015, 1.54779828, -1.78937471, 2.99494410},
		},
		{
			"model_stock", recipe("model_stock", "base", "A", "B", "C"),
			[]float32{1.02735305, -.983167291, .417940825, 1.93898165, -.048393853, .14269188, -.779457092, 1.47054267, -2.15149379, 3.01472855},
		},
		{
			"nearswap", set(recipe("nearswap", "base", "A"), "t", .1),
			[]float32{1.1, -1.1, .6, 1.9, .1, .2, -.65, 1.4, -1.9, 2.9},
		},
		{
			"arcee_fusion", recipe("arcee_fusion", "base", "A"),
			[]float32{1, -1, .5, 1.6, .5, .25, -.75, 1.5, -2, 3},
		},
		{
			"sce", recipe("sce", "base", "A", "B", "C"),
			[]float32{.7, -1.20000005, .743453741, 2.52350855, .430908322, .50899899, -.620540798, 1.95, -1.76462638, 2.60228562},
		},
		{
			"ram", recipe("ram", "base", "A2", "B2"),
			[]float32{.7, -.9, .5, 1.6, .5, .35, -.70000005, 1.6, -1.75, 3.05},
		},
	} {
		t.Run(c.name, func(t *testing.T) { mustBeNear(t, floats(t, build(t, e, c.recipe), "w"), c.want) })
	}
}

// Cases at the edges of the formulas, by hand or as mergekit gives them.
func TestEdgesOfGroups(t *testing.T) {
	models := map[string][]float32{
		"zero": {0, 0, 0, 0}, "one": {1, 1, 1, 1}, "minus": {-1, -1, -1, -1}, "minus2": {-2, -2, -2, -2},
		"near": {1.5, 1.5, 1.5, 1.5}, "some": {1, 0, 0, 0}, "other": {2, 0, 3, 0},
	}
	e := openTensors(t, models, 2, 2)
	with := func(r mergesearch.Recipe, values map[string]float64) mergesearch.Recipe {
		for name, v := range values {
			r.Parameters[name] = mergesearch.Number(v)
		}
		return r
	}
	same := func(x float32) []float32 { return []float32{x, x, x, x} }
	for _, c := range []struct {
		name   string
		recipe mergesearch.Recipe
		want   []float32
	}{
		{"karcher with zero halves the norm", recipe("karcher", "", "one", "zero"), same(.5)},
		{"karcher of opposites takes the first", recipe("karcher", "", "minus", "one"), same(-1)},
		{"karcher averages the base in", recipe("karcher", "zero", "one"), same(.5)},
		{"karcher of zeros", recipe("karcher", "zero", "zero"), same(0)},
		{"nuslerp of opposites is linear", with(recipe("nuslerp", "", "one", "minus2"), map[string]float64{"weight": 1}), same(-.5)},
		{"nuslerp of equals", with(recipe("nuslerp", "zero", "one", "near"), map[string]float64{"weight": 1}), same(1.25)},
		{"nuslerp of weights that cancel", weigh(recipe("nuslerp", "", "near", "one"), 1, -1), same(1.25)},
		{"multislerp of opposites is linear", with(recipe("multislerp", "", "one", "minus2", "zero"), map[string]float64{"weight": 1}), same(-1. / 3)},
		{"multislerp of one is the model", with(recipe("multislerp", "one", "near"), map[string]float64{"weight": .3}), same(1.5)},
		{"nearswap", with(recipe("nearswap", "one", "near"), map[string]float64{"t": 1e-4}), same(1.0001)},
		{"nearswap without reach is the base", with(recipe("nearswap", "one", "near"), map[string]float64{"t": 0}), same(1)},
		{"sce that selects nothing is the base", with(recipe("sce", "one", "near", "some"), map[string]float64{"select_topk": 0}), same(1)},
		{"sce of one model has no variance", with(recipe("sce", "one", "near"), map[string]float64{"select_topk": .5}), same(1)},
		{"model_stock of equal models is the mean", recipe("model_stock", "zero", "one", "near"), same(1.25)},
		{"ram shares", recipe("ram", "zero", "some", "other"), []float32{1.5, 0, 3, 0}},
		// other: one shared element and one alone, so rho = 1 is clamped to alpha.
		{"ramplus strengthens what is alone", recipe("ramplus_tl", "zero", "some", "other"), []float32{1.5, 0, 3 * 1.02, 0}},
	} {
		t.Run(c.name, func(t *testing.T) { mustBeNear(t, floats(t, build(t, e, c.recipe), "w"), c.want) })
	}
}

func weigh(r mergesearch.Recipe, w ...float64) mergesearch.Recipe {
	for i := range w {
		r.Models[i].Parameters["weight"] = mergesearch.Number(w[i])
	}
	return r
}

func TestNumbersOfModels(t *testing.T) {
	e := openTensors(t, goldenModels(), 2, 5)
	for _, c := range []struct {
		recipe mergesearch.Recipe
		want   string
	}{
		{recipe("nuslerp", "base", "A"), "nuslerp merges 2 models, this recipe has 1"},
		{recipe("nuslerp", "", "A", "B", "C"), "nuslerp merges 2 models, this recipe has 3"},
		{recipe("model_stock", "base", "A", "base"), "at least 2 models"},
		{recipe("model_stock", "", "A", "B"), "base_model: missing"},
		{recipe("nearswap", "base", "A", "B"), "merges two models"},
	} {
		wantInputError(t, e.Check(c.recipe), c.want)
	}
}
