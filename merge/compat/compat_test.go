package compat_test

import (
	"math"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/merge/compat"
)

var (
	base = []float32{1, -1, .5, 2, 0, .25, -.75, 1.5, -2, 3}
	dA   = []float32{.10, -.20, .30, -.40, .50, -.05, .15, -.25, .35, -.45}
	dB   = []float32{-.30, .10, .20, .60, -.40, .25, -.05, .45, .15, .55}
	dC   = []float32{.07, .02, -.11, .09, .13, .31, .04, -.06, .22, -.17}
)

func plus(d []float32) []float32 {
	out := make([]float32, len(d))
	for e := range d {
		out[e] = base[e] + d[e]
	}
	return out
}

// What mergekit gave for these tensors in float32, models A at weight 0.7 and B at
// 0.5.
func TestGoldenVectors(t *testing.T) {
	both := [][]float32{plus(dA), plus(dB)}
	for _, c := range []struct {
		name, method   string
		models         [][]float32
		global         map[string]float64
		density, gamma float64
		want           []float32
	}{
		{"linear", "linear", both, map[string]float64{"normalize": 1}, 1, 0, []float32{.933333278, -1.07499993, .758333266, 2.01666665, .124999985, .324999988, -.683333337, 1.54166663, -1.73333323, 2.96666646}},
		{"linear, no normalize", "linear", both, nil, 1, 0, []float32{1.12, -1.28999996, .909999967, 2.42000008, .149999991, .389999986, -.820000052, 1.85000002, -2.07999992, 3.55999994}},
		{"task arithmetic", "task_arithmetic", both, map[string]float64{"lambda": .8}, 1, 0, []float32{.936, -1.07200003, .748000026, 2.01600003, .119999997, .321999997, -.685999990, 1.53999996, -1.74399996, 2.96799994}},
		{"ties", "ties", both, map[string]float64{"normalize": 1, "lambda": 1}, .6, 0, []float32{.7, -1, .8, 2.6, .5, .5, -.75, 1.95, -1.65, 2.55}},
		{"breadcrumbs", "breadcrumbs", both, map[string]float64{"lambda": 1}, .6, .2, []float32{.85, -1.14, .81, 1.72, -.2, .375, -.645, 1.55, -1.68, 3}},
		{"breadcrumbs that drop no largest lose everything", "breadcrumbs", both, map[string]float64{"lambda": 1}, .6, .01, base},
		{"nearswap", "nearswap", both[:1], map[string]float64{"t": .1}, 1, 0, []float32{1.1, -1.1, .6, 1.9, .1, .2, -.65, 1.4, -1.9, 2.9}},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := compat.Input{Method: c.method, DType: mergesearch.F32, Base: base, Models: c.models, Global: c.global}
			for _, w := range []float64{.7, .5}[:len(c.models)] {
				in.PerModel = append(in.PerModel, map[string]float64{"weight": w, "density": c.density, "gamma": c.gamma})
			}
			out, err := compat.Merge(in)
			if err != nil {
				t.Fatal(err)
			}
			for e, want := range c.want {
				if got := out.Values[e]; math.Abs(float64(got-want)) > 1e-6*max(1, math.Abs(float64(want))) {
					t.Errorf("element %d: %v, want %v", e, got, want)
				}
			}
		})
	}
}

// The same for tensors of two rows of five.
func TestGoldenVectorsOfRows(t *testing.T) {
	a, b, c := plus(dA), plus(dB), plus(dC)
	sparse := func(x []float32, from, to int) []float32 {
		out := slices.Clone(x)
		copy(out[from:to], base[from:to])
		return out
	}
	for _, g := range []struct {
		name, method string
		base         []float32
		models       [][]float32
		weights      []float64
		global       map[string]float64
		want         []float32
	}{
		{"nuslerp", "nuslerp", nil, [][]float32{a, b}, []float64{.7, .5}, map[string]float64{"nuslerp_flatten": 1}, []float32{.943951607, -1.08733439, .767106891, 2.04082108, .125872061, .328982919, -.691427708, 1.56008995, -1.75366569, 3.00189376}},
		{"nuslerp, columns", "nuslerp", nil, [][]float32{a, b}, []float64{.7, .5}, map[string]float64{"nuslerp_row_wise": 1}, []float32{.955244541, -1.0839597, .762975097, 2.02506995, .125858799, .333221108, -.689212978, 1.55141330, -1.74040723, 3.00135660}},
		{"multislerp", "multislerp", nil, [][]float32{a, b, c}, []float64{.5, .3, .4}, map[string]float64{"normalize_weights": 1, "eps": 1e-8}, []float32{1.0263859, -1.08515441, .655220032, 2.01332998, .191432759, .390832484, -.692417383, 1.48988438, -1.77047551, 2.91107750}},
		{"karcher", "karcher", nil, [][]float32{a, b, c}, []float64{1, 1, 1}, map[string]float64{"max_iter": 10, "tol": 1e-5}, []float32{.996396005, -1.06177902, .645587564, 2.09736276, .119029261, .417169034, -.709702015, 1.54779828, -1.78937471, 2.99494410}},
		{"model_stock", "model_stock", base, [][]float32{a, b, c}, []float64{1, 1, 1}, nil, []float32{1.02735305, -.983167291, .417940825, 1.93898165, -.048393853, .14269188, -.779457092, 1.47054267, -2.15149379, 3.01472855}},
		{"arcee_fusion", "arcee_fusion", base, [][]float32{a}, []float64{1}, nil, []float32{1, -1, .5, 1.6, .5, .25, -.75, 1.5, -2, 3}},
		{"sce", "sce", base, [][]float32{a, b, c}, []float64{1, 1, 1}, map[string]float64{"select_topk": 1}, []float32{.7, -1.20000005, .743453741, 2.52350855, .430908322, .50899899, -.620540798, 1.95, -1.76462638, 2.60228562}},
		{"ram", "ram", base, [][]float32{sparse(a, 0, 3), sparse(b, 2, 5)}, []float64{1, 1}, map[string]float64{"epsilon": 1e-5}, []float32{.7, -.9, .5, 1.6, .5, .35, -.70000005, 1.6, -1.75, 3.05}},
	} {
		t.Run(g.name, func(t *testing.T) {
			in := compat.Input{Method: g.method, DType: mergesearch.F32, Shape: []int{2, 5}, Base: g.base, Models: g.models, Global: g.global}
			for _, w := range g.weights {
				in.PerModel = append(in.PerModel, map[string]float64{"weight": w})
			}
			out, err := compat.Merge(in)
			if err != nil {
				t.Fatal(err)
			}
			for e, want := range g.want {
				if got := out.Values[e]; math.Abs(float64(got-want)) > 1e-6*max(1, math.Abs(float64(want))) {
					t.Errorf("element %d: %v, want %v", e, got, want)
				}
			}
		})
	}
}
