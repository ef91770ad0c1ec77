package merge_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
	"mergesearch/merge/safetensors"
)

// ties returns a TIES recipe that differs with i.
func ties(i int) mergesearch.Recipe {
	r := recipe("ties", "base", "expert-a", "expert-b", "expert-c")
	r.Parameters["weight"] = mergesearch.Number(0.5 + float64(i%10)/20)
	r.Parameters["density"] = mergesearch.Number(0.1 + float64(i%7)/10)
	return r
}

func TestBuildsSideBySide(t *testing.T) {
	e := family(t, mergetest.Checkpoint{}, merge.Options{Threads: 2})
	var want []string
	for i := range 8 {
		want = append(want, build(t, e, ties(i)).Fingerprint)
	}
	fresh := family(t, mergetest.Checkpoint{}, merge.Options{Threads: 2, CacheBytes: 1}) // keeps one statistic at most
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			c, err := fresh.Build(context.Background(), mergesearch.CandidateOf(i), ties(i%8))
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Release()
			if c.Fingerprint != want[i%8] {
				t.Errorf("build %d: %s, want %s", i, c.Fingerprint, want[i%8])
			}
			name := c.Tensors.Names()[0] // one is enough to see that the memory is this candidate's alone
			a, err := c.Tensors.Tensor(name)
			if err != nil {
				t.Error(err)
			}
			b, err := e.Reference(ties(i%8), name)
			if err != nil || !bytes.Equal(a.Data, b) {
				t.Errorf("build %d: %s changed, %v", i, name, err)
			}
		})
	}
	wg.Wait()
}

func TestHundredsOfBuildsDoNotGrow(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Vocab: 4096, Hidden: 64}, merge.Options{CacheBytes: 1 << 16})
	heap := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	run := func(n int) {
		for i := range n {
			c, err := e.Build(context.Background(), "c0000", ties(i))
			if err != nil {
				t.Fatal(err)
			}
			c.Release()
			c.Release()
		}
	}
	run(20)
	before := heap()
	run(200)
	if after := heap(); after > before+1<<19 {
		t.Errorf("the heap grew from %d to %d bytes", before, after)
	}
}

func TestReleasedCandidateHandsOutNothing(t *testing.T) {
	e := family(t, mergetest.Checkpoint{}, merge.Options{})
	c := build(t, e, ties(0))
	c.Release()
	if _, err := c.Tensors.Tensor("model.norm.weight"); err == nil {
		t.Error("a released candidate hands out tensors")
	}
}

func TestNotFiniteFailsTheCandidate(t *testing.T) {
	dir := t.TempDir()
	models := map[string]string{}
	for name, x := range map[string]float32{"base": 1, "nan": float32(math.NaN()), "inf": float32(math.Inf(1)), "large": 3e38, "a": 1.5} {
		models[name] = filepath.Join(dir, name)
		writeTensors(t, models[name], map[string][]float32{"w": {1, 2, x}, "v": {1, 1, 1}}, 3)
	}
	e, err := merge.Open(merge.Options{Models: models, Base: "base"})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	half := recipe("passthrough", "", "large")
	half.DType = "float16"
	zero := recipe("linear", "", "a", "base")
	zero.Models[0].Parameters["weight"] = mergesearch.Number(1)
	zero.Models[1].Parameters["weight"] = mergesearch.Number(-1)
	for _, c := range []struct {
		r    mergesearch.Recipe
		want string
	}{
		{mergesearch.Passthrough("nan", ""), "tensor w: 1 NaN and 0 infinite values"},
		{mergesearch.Passthrough("inf", ""), "tensor w: 0 NaN and 1 infinite values"},
		{half, "tensor w: 0 NaN and 1 infinite values"},
		{weighted("ties", "base", "a", "nan"), "tensor w: 1 NaN"},
		{weighted("dare_ties", "base", "a", "nan"), "tensor w: 1 NaN"},
		{weighted("task_arithmetic", "base", "a", "nan"), "tensor w: 1 NaN"},
		{weighted("linear", "", "a", "inf"), "tensor w"},
		{zero, "tensor v"},
	} {
		_, err := e.Build(context.Background(), "c0007", c.r)
		var f *mergesearch.Failure
		if !errors.As(err, &f) || f.Code != "not_finite" || !strings.Contains(f.Text, c.want) {
			t.Errorf("%s of %v: got %v, want a failure with %q", c.r.Method, c.r.Models, err, c.want)
		}
		out := filepath.Join(t.TempDir(), "out")
		if _, err := e.Write(context.Background(), c.r, out, merge.WriteOptions{}); !errors.As(err, &f) {
			t.Errorf("write: got %v, want a failure", err)
		}
		if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), "*")); len(left) > 0 {
			t.Errorf("%q was left behind", left)
		}
	}
}

func weighted(method, base string, models ...string) mergesearch.Recipe {
	r := recipe(method, base, models...)
	r.Parameters["weight"] = mergesearch.Number(1)
	return r
}

func TestCancelledMergeLeavesNothing(t *testing.T) {
	e := family(t, mergetest.Checkpoint{}, merge.Options{})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := e.Build(ctx, "c0000", ties(0)); !errors.Is(err, context.Canceled) {
		t.Errorf("build: %v, want cancelled", err)
	}
	out := filepath.Join(t.TempDir(), "out")
	if _, err := e.Write(ctx, ties(0), out, merge.WriteOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("write: %v, want cancelled", err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(out), ".*")); len(left) > 0 {
		t.Errorf("%q was left behind", left)
	}
	build(t, e, ties(0)) // nothing half-computed was kept
	if got, want := build(t, e, ties(1)).Fingerprint, build(t, family(t, mergetest.Checkpoint{}, merge.Options{}), ties(1)).Fingerprint; got != want {
		t.Errorf("after a cancelled build: %s, want %s", got, want)
	}
}

func ExampleEngine_Build() {
	// A base model and two experts of a few kilobytes.
	dirs, err := mergetest.Family(exampleDir, mergetest.Checkpoint{}, 2)
	if err != nil {
		panic(err)
	}
	e, err := merge.Open(merge.Options{Models: dirs, Base: "base"})
	if err != nil {
		panic(err)
	}
	defer e.Close()
	r, err := merge.ParseRecipe([]byte(`
merge_method: ties
base_model: base
models:
  - model: expert-a
  - model: expert-b
parameters:
  weight: 0.8
  density: 0.5
`))
	if err != nil {
		panic(err)
	}
	c, err := e.Build(context.Background(), "c0000", r)
	if err != nil {
		panic(err)
	}
	defer c.Release()
	t, err := c.Tensors.Tensor("model.norm.weight")
	fmt.Println(t, err)
	// Output: model.norm.weight BF16 [32] <nil>
}

// Builds that are cancelled at any moment leave nothing wrong behind.
func TestCancelledAtAnyMoment(t *testing.T) {
	base := mergetest.Checkpoint{Vocab: 2000}
	want := build(t, family(t, base, merge.Options{}), ties(3)).Fingerprint
	e := family(t, base, merge.Options{})
	for i := range 20 {
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(i*100)*time.Microsecond)
		c, err := e.Build(ctx, "c0000", ties(3))
		if err == nil {
			c.Release()
		} else if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the deadline", err)
		}
		cancel()
	}
	if got := build(t, e, ties(3)).Fingerprint; got != want {
		t.Errorf("after cancelled builds: %s, want %s", got, want)
	}
}

// Streaming takes two chunks of memory, whatever the size of the tensors.
func TestWriteDoesNotHoldTheModel(t *testing.T) {
	const rows = 1 << 14
	dir := t.TempDir()
	large := mergesearch.Tensor{Name: "w", DType: mergesearch.F32, Shape: []int{rows, 1024}}
	w, err := safetensors.Create(filepath.Join(dir, "m"), []mergesearch.Tensor{large}, safetensors.WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	row := make([]byte, 4096)
	for range rows {
		if _, err := w.Write(row); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	e, err := merge.Open(merge.Options{Models: map[string]string{"m": filepath.Join(dir, "m")}})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	allocated := func() uint64 {
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.TotalAlloc
	}
	before := allocated()
	report, err := e.Write(context.Background(), mergesearch.Passthrough("m", ""), filepath.Join(dir, "out"), merge.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := allocated() - before; got > 20<<20 {
		t.Errorf("writing %d bytes allocated %d", report.BytesWritten, got)
	}
	if report.PeakRSSBytes == 0 || report.BytesWritten < rows*4096 || report.BytesRead != rows*4096 || report.MappedBytes < rows*4096 {
		t.Errorf("report %+v", report)
	}
}
