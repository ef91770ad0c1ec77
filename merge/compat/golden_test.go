package compat_test

import (
	"encoding/binary"
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

// golden is one result of mergekit. Inputs are drawn again from the seed.
type golden struct {
	Method string
	DType  mergesearch.DType
	Shape  []int
	Seed   uint64
	Models int
	Base   bool
	Global map[string]float64
	Type   mergesearch.DType
	Want   []byte
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
	var out []golden
	if err := json.Unmarshal(b, &out); err != nil {
		tb.Fatal(err)
	}
	if len(out) == 0 {
		tb.Fatal("no goldens")
	}
	return out
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
		in.PerModel = append(in.PerModel, map[string]float64{"weight": weights[i], "density": densities[i], "gamma": .013, "scale": .7})
	}
	if g.Base {
		in.Base = base
	}
	if slices.Contains([]string{"dare_linear", "dare_ties", "della", "della_linear"}, g.Method) {
		for i := range g.Models {
			mask := make([]bool, n)
			for e := range mask {
				mask[e] = (draw()+1)/2 < densities[i]
			}
			in.Masks = append(in.Masks, mask)
		}
	}
	return in
}

// ulps is the distance of two numbers in steps of a type.
func ulps(d mergesearch.DType, a, b float32) int {
	v := kernel.View{DType: d, Data: make([]byte, 2*d.Size())}
	kernel.Store(v, []float32{a, b})
	place := func(i int) int {
		if d == mergesearch.F32 {
			u := binary.LittleEndian.Uint32(v.Data[4*i:])
			if u>>31 != 0 {
				return -int(u & math.MaxInt32)
			}
			return int(u)
		}
		u := binary.LittleEndian.Uint16(v.Data[2*i:])
		if u>>15 != 0 {
			return -int(u & math.MaxInt16)
		}
		return int(u)
	}
	x := place(0) - place(1)
	return max(x, -x)
}

// compare merges and returns how many elements differ from mergekit's, and the
// largest distance in steps of the type.
func (g golden) compare(tb testing.TB) (differ, furthest, n int) {
	tb.Helper()
	out, err := compat.Merge(g.input())
	if err != nil {
		tb.Fatal(g.name(), err)
	}
	want := kernel.Load(kernel.View{DType: g.Type, Data: g.Want})
	if out.DType != g.Type || len(out.Values) != len(want) {
		tb.Fatalf("%s: %d elements of %s, want %d of %s", g.name(), len(out.Values), out.DType, len(want), g.Type)
	}
	for e, w := range want {
		if math.Float32bits(out.Values[e]) != math.Float32bits(w) {
			differ++
			furthest = max(furthest, ulps(g.Type, out.Values[e], w))
		}
	}
	return differ, furthest, len(want)
}

func (g golden) name() string {
	return fmt.Sprintf("%s %s %v models %d base %v %v", g.Method, g.DType, g.Shape, g.Models, g.Base, g.Global)
}

// inexact lists where mergekit's bits are not always reached: the share of a case's
// elements that may differ, and by how many steps of the type. They go through one
// number for the whole tensor or row (a sine, a logarithm, a product of vectors)
// that the peer's libraries round in another way. Elsewhere every bit must agree.
var inexact = map[string]struct {
	share float64
	steps int
}{
	"nuslerp F32": {.75, 8},
	"karcher F32": {.75, 64},
}

func TestGoldens(t *testing.T) {
	seen := map[string]bool{}
	for _, g := range readGoldens(t) {
		seen[g.Method] = true
		differ, furthest, n := g.compare(t)
		allowed := inexact[g.Method+" "+string(g.DType)]
		if float64(differ) > allowed.share*float64(n) || furthest > allowed.steps {
			t.Errorf("%s: %d of %d elements differ, by up to %d steps", g.name(), differ, n, furthest)
		}
	}
	for _, m := range compat.Methods() {
		if !seen[m] {
			t.Errorf("no golden for %s", m)
		}
	}
}

// The comparison above must see one changed bit of one element.
func TestGoldensSeeOneBit(t *testing.T) {
	for _, g := range readGoldens(t) {
		if differ, _, _ := g.compare(t); differ > 0 {
			continue
		}
		e := len(g.Want) / 2 / g.Type.Size() * g.Type.Size()
		g.Want[e] ^= 1
		if differ, furthest, _ := g.compare(t); differ != 1 || furthest != 1 {
			t.Errorf("%s: a changed bit gives %d differences of %d steps", g.name(), differ, furthest)
		}
	}
}
