package merge_test

import (
	"bytes"
	"context"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
	"mergesearch/merge/mergetest"
)

func TestLaws(t *testing.T) {
	for _, m := range merge.Methods() {
		t.Run(m.Name, func(t *testing.T) {
			if testing.Short() && !slices.Contains([]string{"ties", "della", "sce"}, m.Name) {
				t.Skip("a long numeric test; one method of each kind is enough to see races")
			}
			mergetest.Laws(t, m)
		})
	}
}

func build(t *testing.T, e *merge.Engine, r mergesearch.Recipe) mergesearch.Candidate {
	t.Helper()
	c, err := e.Build(context.Background(), "c0000", r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Release)
	return c
}

func TestEndsOfSlerpAreTheModels(t *testing.T) {
	e := family(t, mergetest.Checkpoint{DType: mergesearch.F32}, merge.Options{})
	for end, want := range map[float64]string{0: "expert-b", 1: "expert-a"} {
		r := recipe("slerp", "expert-b", "expert-a", "expert-b")
		r.Parameters["t"] = mergesearch.Number(end)
		if got, want := build(t, e, r).Fingerprint, build(t, e, mergesearch.Passthrough(want, "")).Fingerprint; got != want {
			t.Errorf("t = %v: digest %s, want %s", end, got, want)
		}
	}
}

func TestPassthroughIsTheModel(t *testing.T) {
	e := family(t, mergetest.Checkpoint{}, merge.Options{})
	c, _ := e.Model("expert-a")
	if got := build(t, e, mergesearch.Passthrough("expert-a", "")).Fingerprint; got != c.Digest() {
		t.Errorf("digest %s, want %s", got, c.Digest())
	}
}

// TIES of one expert with density 1 is task arithmetic, with the same
// normalisation.
func TestTIESOfOneExpertIsTaskArithmetic(t *testing.T) {
	e := family(t, mergetest.Checkpoint{DType: mergesearch.F32}, merge.Options{})
	for _, normalize := range []float64{0, 1} {
		var digests []string
		for _, method := range []string{"ties", "task_arithmetic", "dare_ties", "dare_linear"} {
			r := recipe(method, "base", "expert-a")
			r.Parameters["weight"] = mergesearch.Number(0.8)
			r.Parameters["normalize"] = mergesearch.Number(normalize)
			digests = append(digests, build(t, e, r).Fingerprint)
		}
		for i, d := range digests {
			if d != digests[0] {
				t.Errorf("normalize %v: method %d gives other bytes than ties", normalize, i)
			}
		}
	}
}

// With rescaling the magnitudes of what is kept add up to those of the whole task
// vector; without, they are a share of it.
func TestRescalingKeepsTheSumOfMagnitudes(t *testing.T) {
	e := family(t, mergetest.Checkpoint{DType: mergesearch.F32}, merge.Options{})
	for method, share := range map[string][2]float64{
		"dare_linear": {.35, .45}, "dare_ties": {.35, .45}, "della": {.35, .55}, "ties": {.5, .95},
		"breadcrumbs": {.4, .95}, "breadcrumbs_ties": {.4, .95},
	} {
		r := recipe(method, "base", "expert-a")
		r.Parameters["weight"] = mergesearch.Number(1)
		full := sumOfDeltas(t, e, r)
		r.Parameters["density"], r.Parameters["rescale"] = mergesearch.Number(0.4), mergesearch.Number(1)
		if ratio := sumOfDeltas(t, e, r) / full; ratio < 0.9999 || ratio > 1.0001 {
			t.Errorf("%s: the share of magnitudes is %v, want 1", method, ratio)
		}
		r.Parameters["rescale"] = mergesearch.Number(0)
		if ratio := sumOfDeltas(t, e, r) / full; ratio < share[0] || ratio > share[1] {
			t.Errorf("%s: without rescaling the share of magnitudes is %v, want %v", method, ratio, share)
		}
	}
}

func sumOfDeltas(t *testing.T, e *merge.Engine, r mergesearch.Recipe) float64 {
	t.Helper()
	const name = "model.layers.1.mlp.up_proj.weight"
	c := build(t, e, r)
	x, err := c.Tensors.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	base, _ := e.Model("base")
	b, err := base.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	d := kernel.TaskVectorReference(kernel.Load(kernel.View{DType: b.DType, Data: b.Data}), kernel.Load(kernel.View{DType: x.DType, Data: x.Data}))
	var sum float64
	for _, v := range d {
		sum += max(float64(v), -float64(v))
	}
	return sum
}

// A mask follows the seed and the names, not the company.
func TestMasksAreKeyedByName(t *testing.T) {
	e := family(t, mergetest.Checkpoint{}, merge.Options{})
	dare := func(seed uint64, models ...string) mergesearch.Candidate {
		r := recipe("dare_linear", "base", models...)
		r.Seed = seed
		r.Parameters["density"] = mergesearch.Number(0.5)
		for i := range r.Models {
			w := 0.0 // the others take part without effect
			if r.Models[i].Model == "expert-b" {
				w = 1
			}
			r.Models[i].Parameters["weight"] = mergesearch.Number(w)
		}
		return build(t, e, r)
	}
	alone := dare(1, "expert-b")
	if got := dare(1, "expert-a", "expert-b", "expert-c"); got.Fingerprint != alone.Fingerprint {
		t.Error("the mask of a model changed with the other models")
	}
	if got := dare(2, "expert-b"); got.Fingerprint == alone.Fingerprint {
		t.Error("another seed gives the same mask")
	}
}

// Tensors that are not floating are copied when equal.
func TestBuffersAreCopied(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Buffer: true}, merge.Options{})
	r := recipe("linear", "", "expert-a", "expert-b")
	r.Parameters["weight"] = mergesearch.Number(1)
	r.DType = "float32"
	x, err := build(t, e, r).Tensors.Tensor("model.position_ids")
	if err != nil || x.DType != mergesearch.I64 || !bytes.Equal(x.Data, []byte("0123456789abcdef")) {
		t.Errorf("got %v %q, %v", x, x.Data, err)
	}
}
