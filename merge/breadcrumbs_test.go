package merge_test

import (
	"errors"
	"math"
	"path/filepath"
	"testing"

	"mergesearch"
	"mergesearch/merge"
)

// goldenFamily writes the models of the golden vectors.
func goldenFamily(t *testing.T) *merge.Engine {
	t.Helper()
	base := []float32{1, -1, .5, 2, 0, .25, -.75, 1.5, -2, 3}
	dirs := map[string]string{}
	for name, x := range map[string][]float32{
		"base": make([]float32, 10),
		"a":    {.10, -.20, .30, -.40, .50, -.05, .15, -.25, .35, -.45},
		"b":    {-.30, .10, .20, .60, -.40, .25, -.05, .45, .15, .55},
	} {
		for i := range x {
			x[i] += base[i]
		}
		dirs[name] = filepath.Join(t.TempDir(), name)
		writeTensors(t, dirs[name], map[string][]float32{"w": x}, 2, 5)
	}
	e, err := merge.Open(merge.Options{Models: dirs, Base: "base"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

// The first is what mergekit gives in float32 (commit a6e40288). In the second it
// drops everything, because no outlier is; here the middle stays. The others are
// worked out by hand.
func TestGoldenVectorsOfBreadcrumbs(t *testing.T) {
	e := goldenFamily(t)
	for _, g := range []struct {
		method         string
		density, gamma float64
		want           []float32
	}{
		{"breadcrumbs", 0.6, 0.2, []float32{.85, -1.14, .81, 1.72, -.2, .375, -.645, 1.55, -1.68, 3.0}},
		{"breadcrumbs", 0.6, 0.01, []float32{.85, -1, .71, 2.02, .15, .375, -.75, 1.55, -1.755, 2.96}},
		{"breadcrumbs", 0.9, 0.5, []float32{.92, -1.09, .81, 1.72, -.2, .34, -.67, 1.55, -1.68, 2.96}},
		{"breadcrumbs_ties", 0.6, 0.2, []float32{.85, -1.14, .81, 1.72, -.2, .375, -.645, 1.725, -1.68, 3.0}},
	} {
		r := recipe(g.method, "base", "a", "b")
		r.Models[0].Parameters["weight"], r.Models[1].Parameters["weight"] = mergesearch.Number(0.7), mergesearch.Number(0.5)
		r.Parameters["density"], r.Parameters["gamma"] = mergesearch.Number(g.density), mergesearch.Number(g.gamma)
		for i, got := range floats(t, build(t, e, r), "w") {
			if want := g.want[i]; math.Abs(float64(got-want)) > 1e-6*max(1, math.Abs(float64(want))) {
				t.Errorf("%s density %v gamma %v: element %d is %v, want %v", g.method, g.density, g.gamma, i, got, want)
			}
		}
	}
}

// Probabilities outside (0, 1) are refused before any tensor is read.
func TestDellaRefusesProbabilities(t *testing.T) {
	e := goldenFamily(t)
	for _, c := range []struct {
		density, epsilon float64
		fine             bool
	}{
		{0.5, 0.15, true},
		{0.5, 0, true},
		{1, 0.15, true},
		{0, 0.15, true},
		{0.85, 0.15, false},
		{0.1, 0.15, false},
		{0.5, -0.1, false},
		{0.5, 0.5, false},
	} {
		for _, method := range []string{"della", "della_linear"} {
			r := recipe(method, "base", "a", "b")
			r.Parameters["weight"] = mergesearch.Number(1)
			r.Parameters["density"], r.Parameters["epsilon"] = mergesearch.Number(c.density), mergesearch.Number(c.epsilon)
			err := e.Check(r)
			if c.fine && err != nil {
				t.Errorf("%s with density %v, epsilon %v: %v", method, c.density, c.epsilon, err)
			}
			var bad *mergesearch.InputError
			if !c.fine && (!errors.As(err, &bad) || bad.Field != "epsilon") {
				t.Errorf("%s with density %v, epsilon %v: got %v, want an input error about epsilon", method, c.density, c.epsilon, err)
			}
		}
	}
}
