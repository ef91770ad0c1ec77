package compat_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/merge/compat"
	"mergesearch/merge/kernel"
)

var goldens = flag.String("goldens", "testdata/goldens.json", "what testdata/make_goldens.py wrote")

// golden is one result of mergekit, whole, as 64 samples or as a hash. Inputs are drawn
// again from the seed.
type golden struct {
	Method string
	DType  mergesearch.DType
	Tensor string // whose shape it is
	Shape  []int
	Seed   uint64
	Models int
	Base   bool
	Global map[string]float64
	Type   mergesearch.DType

	Want   []byte // all values
	Sample []byte // 64 of them, evenly spaced
	Hash   []byte // SHA-256 of all bytes
}

var (
	weights   = []float64{.7, .3, .45, 1.1, .13}
	densities = []float64{.5, .31, .77, .4, 1}
)

func readGoldens(tb testing.TB) []golden {
	tb.Helper()
	b, err := os.ReadFile(*goldens)
	if err != nil {
		tb.Fatal(err)
	}
	var out struct {
		Origin  struct{ MergeKit, Torch, NumPy, Command string }
		Goldens []golden
	}
	if err := json.Unmarshal(b, &out); err != nil {
		tb.Fatal(err)
	}
	if o := out.Origin; len(out.Goldens) == 0 || o.MergeKit == "" || o.Torch == "" || o.NumPy == "" || o.Command == "" {
		tb.Fatalf("%d goldens of %+v", len(out.Goldens), o)
	}
	return out.Goldens
}

// draws returns a linear congruential generator of numbers from -1 to 1.
func draws(seed uint64) func() float64 {
	return func() float64 {
		seed = seed*6364136223846793005 + 1442695040888963407
		return float64(seed>>40)/(1<<23) - 1
	}
}

// input draws what make_goldens.py draws, in its order.
func (g golden) input() compat.Input {
	n := 1
	for _, s := range g.Shape {
		n *= s
	}
	draw := draws(g.Seed)
	typed := func(f func(e int) float64) []float32 {
		x := make([]float32, n)
		for e := range x {
			x[e] = float32(f(e))
		}
		v := kernel.View{DType: g.DType, Data: make([]byte, n*g.DType.Size())}
		kernel.Store(v, x)
		return kernel.Load(v)
	}
	in := compat.Input{Method: g.Method, DType: g.DType, Shape: g.Shape, Global: g.Global}
	base := typed(func(int) float64 { return .05 * draw() })
	shift := .01
	if g.Global["far"] != 0 {
		shift = .05
	}
	for i := range g.Models {
		in.Models = append(in.Models, typed(func(e int) float64 { return float64(base[e]) + shift*draw() }))
		in.PerModel = append(in.PerModel, map[string]float64{"weight": weights[i], "density": densities[i], "gamma": .013, "scale": .7, "epsilon": min(densities[i], 1-densities[i]) / 2})
	}
	if g.Base {
		in.Base = base
	}
	if slices.Contains([]string{"dare_linear", "dare_ties", "della", "della_linear"}, g.Method) {
		drawn := make([]uint32, g.Models*n)
		for e := range drawn {
			drawn[e] = uint32((draw() + 1) / 2 * (1 << 32))
		}
		in.Draw = func(model, element int) uint32 { return drawn[model*n+element] }
	}
	return in
}

// inexact lists where mergekit's bits are not always reached: the largest difference,
// divided by the largest magnitude. A sine or an arc cosine of one number for the whole
// tensor is not rounded to the nearest by numpy and moves all elements. Elsewhere every
// bit must agree.
var inexact = map[string]float64{"slerp F32": 3e-7}

// check says in what a merge differs from the golden, or returns nil.
func (g golden) check() error {
	out, err := compat.Merge(g.input())
	if err != nil {
		return err
	}
	if out.DType != g.Type {
		return fmt.Errorf("result of %s, want %s", out.DType, g.Type)
	}
	v := kernel.View{DType: g.Type, Data: make([]byte, len(out.Values)*g.Type.Size())}
	kernel.Store(v, out.Values)
	if g.Hash != nil {
		if got := sha256.Sum256(v.Data); !bytes.Equal(got[:], g.Hash) {
			return fmt.Errorf("hash %x, want %x", got, g.Hash)
		}
		return nil
	}
	got, want := out.Values, kernel.Load(kernel.View{DType: g.Type, Data: g.Want})
	if g.Sample != nil {
		want = kernel.Load(kernel.View{DType: g.Type, Data: g.Sample})
		sampled := make([]float32, len(want))
		for k := range sampled {
			sampled[k] = got[k*len(got)/len(want)]
		}
		got = sampled
	}
	return near(got, want, inexact[g.Method+" "+string(g.DType)])
}

// near compares bits, or differences with a share of the largest magnitude.
func near(got, want []float32, allowed float64) error {
	if len(got) != len(want) || len(want) < 64 {
		return fmt.Errorf("%d values, want %d", len(got), len(want))
	}
	var scale float64
	for _, w := range got {
		scale = max(scale, math.Abs(float64(w)))
	}
	for e, w := range want {
		apart := math.Abs(float64(got[e]) - float64(w))
		if math.Float32bits(got[e]) != math.Float32bits(w) && !(apart <= allowed*scale) {
			return fmt.Errorf("value %d is %v, want %v", e, got[e], w)
		}
	}
	return nil
}

func (g golden) name() string {
	return fmt.Sprintf("%s %s %s %v models %d base %v %v", g.Method, g.DType, g.Tensor, g.Shape, g.Models, g.Base, g.Global)
}

func TestGoldens(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	type kind struct {
		method string
		dtype  mergesearch.DType
	}
	seen := map[kind]bool{}
	for _, g := range readGoldens(t) {
		seen[kind{g.Method, g.DType}] = true
		if err := g.check(); err != nil {
			t.Errorf("%s: %v", g.name(), err)
		}
	}
	for _, m := range compat.Methods() {
		for _, d := range []mergesearch.DType{mergesearch.F32, mergesearch.BF16, mergesearch.F16} {
			if !seen[kind{m, d}] {
				t.Errorf("no golden for %s in %s", m, d)
			}
		}
	}
}

// One changed byte of a golden must fail: any of a hash, the lowest of a value whose bits
// must agree, the highest of another.
func TestGoldensSeeOneByte(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	for i, g := range readGoldens(t) {
		b, lowest := g.Want, 0
		switch {
		case g.Hash != nil:
			b = g.Hash
		case g.Sample != nil:
			b = g.Sample
		}
		place := i * 7 % len(b)
		if g.Hash == nil {
			if inexact[g.Method+" "+string(g.DType)] > 0 {
				lowest = g.Type.Size() - 1
			}
			place = place/g.Type.Size()*g.Type.Size() + lowest
		}
		b[place] ^= 1
		if g.check() == nil {
			t.Errorf("%s: a change of byte %d is not seen", g.name(), place)
		}
	}
}
