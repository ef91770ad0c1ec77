package compat_test

import (
	"math"
	"testing"

	"mergesearch"
	"mergesearch/merge/compat"
)

var (
	base = []float32{1, -1, .5, 2, 0, .25, -.75, 1.5, -2, 3}
	dA   = []float32{.10, -.20, .30, -.40, .50, -.05, .15, -.25, .35, -.45}
	dB   = []float32{-.30, .10, .20, .60, -.40, .25, -.05, .45, .15, .55}
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
