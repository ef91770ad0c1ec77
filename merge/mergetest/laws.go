package mergetest

import (
	"bytes"
	"context"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
	"mergesearch/merge/kernel/cuda/cudatest"
)

// Laws runs the law suite on a method of package merge.
func Laws(t *testing.T, m mergesearch.Method) {
	base := Checkpoint{Seed: 1, Layers: 3, Vocab: 163, Untied: true, Buffer: true}
	dirs, err := Family(t.TempDir(), base, 3)
	if err != nil {
		t.Fatal(err)
	}
	s := suite{method: m, dirs: dirs, engine: open(t, merge.Options{Models: dirs, Base: "base"})}
	if !testing.Short() { // the slow references have nothing that could race
		t.Run("fast path is slow reference", s.reference)
		t.Run("types of inputs and output", s.types)
	}
	t.Run("threads, tiles and vector levels change no bit", s.machine)
	t.Run("a device changes no bit", s.device)
	t.Run("permuted models give equal bytes", s.permuted)
	t.Run("equal models give that model", s.equal)
	t.Run("written equals built", s.written)
	t.Run("build again gives the same digest", s.again)
}

type suite struct {
	method mergesearch.Method
	dirs   map[string]string
	engine *merge.Engine
}

func open(t *testing.T, o merge.Options) *merge.Engine {
	t.Helper()
	e, err := merge.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

var experts = []string{"expert-a", "expert-b", "expert-c"}

// recipe draws the recipe number n of the method.
func (s suite) recipe(n uint64) mergesearch.Recipe {
	return RandomRecipe(rand.New(rand.NewPCG(n, 7)), s.method, "base", experts)
}

func build(t *testing.T, e *merge.Engine, r mergesearch.Recipe) mergesearch.Candidate {
	t.Helper()
	c, err := e.Build(context.Background(), "c0000", r)
	if err != nil {
		t.Fatalf("recipe\n%s: %v", merge.FormatRecipe(r), err)
	}
	return c
}

func (s suite) reference(t *testing.T) {
	for n := range uint64(12) {
		checkReference(t, s.engine, s.recipe(n))
	}
}

func checkReference(t *testing.T, e *merge.Engine, r mergesearch.Recipe) {
	t.Helper()
	c := build(t, e, r)
	defer c.Release()
	for _, name := range c.Tensors.Names() {
		got, err := c.Tensors.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		want, err := e.Reference(r, name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Data, want) {
			t.Fatalf("%v differs from the reference for\n%s", got, merge.FormatRecipe(r))
		}
	}
}

func (s suite) types(t *testing.T) {
	dtypes := []mergesearch.DType{mergesearch.BF16, mergesearch.F16, mergesearch.F32, mergesearch.F64, mergesearch.F8E4M3, mergesearch.F8E5M2}
	dirs := map[string]string{}
	base := Checkpoint{Seed: 5, DType: mergesearch.F32, ShardBytes: 10_000}
	for first := range 2 { // once from the first type on, once from the third
		for i, name := range append([]string{"base"}, experts...) {
			dirs[name] = filepath.Join(t.TempDir(), name)
			c := Checkpoint{Seed: 6 + uint64(i), DType: dtypes[2*first+i], Near: &base} // a type of its own for each model
			if err := c.Write(dirs[name]); err != nil {
				t.Fatal(err)
			}
		}
		e := open(t, merge.Options{Models: dirs, Base: "base"})
		for i, out := range []string{"", "bfloat16", "float16", "float32"} {
			r := s.recipe(100 + uint64(i))
			r.OutDType = out
			checkReference(t, e, r)
		}
	}
}

func (s suite) machine(t *testing.T) {
	for n := range uint64(4) {
		r := s.recipe(200 + n)
		want := build(t, s.engine, r)
		defer want.Release()
		for _, level := range kernel.Levels() {
			for _, threads := range []int{1, 3} {
				for _, tile := range []int{4096, 8192} {
					e := open(t, merge.Options{Models: s.dirs, Base: "base", Level: level, Threads: threads, TileElements: tile})
					got := build(t, e, r)
					got.Release()
					if got.Fingerprint != want.Fingerprint {
						t.Errorf("%v, %d threads, tiles of %d: other bytes for\n%s", level, threads, tile, merge.FormatRecipe(r))
					}
				}
			}
		}
	}
}

// device merges on a GPU, or on the fake driver, with tiles that are smaller and larger
// than tensors, all kinds of types, and once with so little memory that nothing stays.
func (s suite) device(t *testing.T) {
	mixed := map[string]string{}
	base := Checkpoint{Seed: 5, DType: mergesearch.BF16}
	for i, d := range []mergesearch.DType{mergesearch.BF16, mergesearch.F16, mergesearch.F32, mergesearch.BF16} {
		name := append([]string{"base"}, experts...)[i]
		mixed[name] = filepath.Join(t.TempDir(), name)
		if err := (Checkpoint{Seed: 6 + uint64(i), DType: d, Near: &base}).Write(mixed[name]); err != nil {
			t.Fatal(err)
		}
	}
	for _, o := range []struct{ tile, memory int }{{4096, 0}, {0, 0}, {0, 40_000}} {
		d, err := kernel.OpenDevice(kernel.DeviceOptions{Library: cudatest.Library(t), Memory: int64(o.memory)})
		if err != nil {
			t.Fatal(err)
		}
		for _, dirs := range []map[string]string{s.dirs, mixed} {
			host := open(t, merge.Options{Models: dirs, Base: "base"})
			e, err := merge.Open(merge.Options{Models: dirs, Base: "base", Device: d, TileElements: o.tile})
			if err != nil {
				t.Fatal(err)
			}
			for n := range uint64(3) {
				r := s.recipe(600 + n)
				want := build(t, host, r)
				want.Release()
				for range 2 { // the second time with what the first left on the device
					got := build(t, e, r)
					got.Release()
					if got.Fingerprint != want.Fingerprint {
						t.Errorf("tiles of %d, %d bytes on the device: other bytes for\n%s", o.tile, o.memory, merge.FormatRecipe(r))
					}
				}
			}
			if o.memory > 0 && d.Resident() > int64(o.memory) {
				t.Errorf("%d bytes are on the device, more than %d", d.Resident(), o.memory)
			}
			e.Close()
			if d.Resident() != 0 {
				t.Errorf("%d bytes stay on the device of a closed engine", d.Resident())
			}
		}
		d.Close()
	}
}

func (s suite) permuted(t *testing.T) {
	for n := range uint64(6) {
		r := s.recipe(300 + n)
		a := build(t, s.engine, r)
		a.Release()
		r.Models = slices.Clone(r.Models)
		slices.Reverse(r.Models)
		b := build(t, s.engine, r)
		b.Release()
		if a.Fingerprint != b.Fingerprint || a.Recipe != b.Recipe {
			t.Errorf("other bytes or another recipe ID when reversed:\n%s", merge.FormatRecipe(r))
		}
	}
}

// equal merges copies of one model at the settings that divide the weights out.
// Random masks are switched off by density 1.
func (s suite) equal(t *testing.T) {
	for _, d := range []mergesearch.DType{mergesearch.BF16, mergesearch.F32} {
		same := Checkpoint{Seed: 3, DType: d}
		dirs := map[string]string{}
		for _, name := range append([]string{"base"}, experts...) {
			dirs[name] = filepath.Join(t.TempDir(), name)
			if err := same.Write(dirs[name]); err != nil {
				t.Fatal(err)
			}
		}
		e := open(t, merge.Options{Models: dirs, Base: "base"})
		r := s.recipe(400)
		for _, name := range []string{"normalize", "normalize_weights", "density", "scale"} {
			if p, ok := s.method.Parameter(name); ok && p.PerModel {
				for i := range r.Models {
					r.Models[i].Parameters[name] = mergesearch.Number(1)
				}
			} else if ok {
				r.Parameters[name] = mergesearch.Number(1)
			}
		}
		checkEqual(t, e, r, same, d == mergesearch.BF16)
	}
}

func checkEqual(t *testing.T, e *merge.Engine, r mergesearch.Recipe, same Checkpoint, exact bool) {
	t.Helper()
	c := build(t, e, r)
	defer c.Release()
	for _, want := range same.Tensors() {
		got, err := c.Tensors.Tensor(want.Name)
		if err != nil {
			t.Fatal(err)
		}
		if exact {
			if !bytes.Equal(got.Data, want.Data) {
				t.Errorf("%v is not the common model for\n%s", got, merge.FormatRecipe(r))
			}
			continue
		}
		a := kernel.Load(kernel.View{DType: got.DType, Data: got.Data})
		b := kernel.Load(kernel.View{DType: want.DType, Data: want.Data})
		for i := range a {
			if apart := math.Abs(float64(a[i]) - float64(b[i])); apart > unit(b[i])*units(r.Method) {
				t.Fatalf("%v, element %d: %v, want %v", got, i, a[i], b[i])
			}
		}
	}
}

// rounder are the methods for which a law does not hold as it stands: of equal
// models they give that model within this many units in float32, because they are
// sums of whole models and not of what the models differ by. (No other law has an
// exception. Methods of a pair keep that of permuted models because the recipe
// names which of the two is the base.)
var rounder = map[string]float64{
	"multislerp": 3, // three products and two sums are rounded, and the weights add up to 1 only nearly
	"karcher":    3, // the same
}

func units(method string) float64 { return max(1, rounder[method]) }

// unit returns the distance from |x| to the next float32.
func unit(x float32) float64 {
	a := math.Abs(float64(x))
	return float64(math.Nextafter32(float32(a), math.MaxFloat32)) - a
}

func (s suite) written(t *testing.T) {
	for n := range uint64(3) {
		r := s.recipe(500 + n)
		r.DType = []string{"", "float32", "float16"}[n]
		c := build(t, s.engine, r)
		c.Release()
		report, err := s.engine.Write(context.Background(), r, filepath.Join(t.TempDir(), "out"), merge.WriteOptions{ShardBytes: 30_000})
		if err != nil {
			t.Fatal(err)
		}
		if report.SHA256 != c.Fingerprint {
			t.Errorf("written %s, built %s for\n%s", report.SHA256, c.Fingerprint, merge.FormatRecipe(r))
		}
	}
}

func (s suite) again(t *testing.T) {
	r := s.recipe(600)
	first := build(t, s.engine, r)
	first.Release()
	for n := range uint64(5) { // other recipes use the same memory and fill the cache
		c := build(t, s.engine, s.recipe(601+n))
		c.Release()
	}
	again := build(t, s.engine, r)
	again.Release()
	if first.Fingerprint != again.Fingerprint {
		t.Errorf("%s at first, %s later", first.Fingerprint, again.Fingerprint)
	}
}
