package merge_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
	"mergesearch/merge/kernel/cuda/cudatest"
	"mergesearch/merge/safetensors"
)

// What only a GPU can show. Models are written to -scratch, which should be in memory.
var (
	scratch  = flag.String("scratch", "/dev/shm", "directory for large models of the tests on a GPU")
	rehearse = flag.Bool("rehearse", false, "run the tests for a GPU on the fake driver")
)

// llama is the shape of a model, with random weights that repeat after a while, at another
// place in each model.
type llama struct{ layers, hidden, inner, vocabulary int }

var (
	llama1B = llama{22, 2048, 5632, 32000}
	llama7B = llama{32, 4096, 11008, 32000}
)

// smaller divides all sizes, where the fake driver stands in to try the tests themselves.
func (l llama) smaller() llama {
	if cudatest.OnGPU() {
		return l
	}
	return llama{2, l.hidden / 32, l.inner / 32, l.vocabulary / 64}
}

func (l llama) tensors(d mergesearch.DType) []mergesearch.Tensor {
	out := []mergesearch.Tensor{{Name: "model.embed_tokens.weight", DType: d, Shape: []int{l.vocabulary, l.hidden}}}
	for i := range l.layers {
		for _, w := range []struct {
			name  string
			shape []int
		}{
			{"input_layernorm", []int{l.hidden}},
			{"self_attn.q_proj", []int{l.hidden, l.hidden}},
			{"self_attn.k_proj", []int{l.hidden, l.hidden}},
			{"self_attn.v_proj", []int{l.hidden, l.hidden}},
			{"self_attn.o_proj", []int{l.hidden, l.hidden}},
			{"post_attention_layernorm", []int{l.hidden}},
			{"mlp.gate_proj", []int{l.inner, l.hidden}},
			{"mlp.up_proj", []int{l.inner, l.hidden}},
			{"mlp.down_proj", []int{l.hidden, l.inner}},
		} {
			out = append(out, mergesearch.Tensor{Name: fmt.Sprintf("model.layers.%d.%s.weight", i, w.name), DType: d, Shape: w.shape})
		}
	}
	return append(out, mergesearch.Tensor{Name: "lm_head.weight", DType: d, Shape: []int{l.vocabulary, l.hidden}})
}

// write writes the base and some experts, and returns their directories by name.
func (l llama) write(t testing.TB, d mergesearch.DType, experts int) map[string]string {
	t.Helper()
	dir, err := os.MkdirTemp(*scratch, "mergesearch-gpu-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	dirs := map[string]string{}
	for i, name := range append([]string{"base"}, []string{"expert-a", "expert-b", "expert-c"}[:experts]...) {
		dirs[name] = filepath.Join(dir, name)
		part := randomPart(1<<22+i*8191, d, uint64(i))
		w, err := safetensors.Create(dirs[name], l.tensors(d), safetensors.WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range l.tensors(d) {
			n := d.Size()
			for _, s := range tensor.Shape {
				n *= s
			}
			for ; n > 0; n -= min(n, len(part)) {
				if _, err := w.Write(part[:min(n, len(part))]); err != nil {
					t.Fatal(err)
				}
			}
		}
		if _, err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		w.Abort()
	}
	return dirs
}

// randomPart returns elements as fine-tuned models have them: a common part of spread
// 0.02 and a change of 0.001.
func randomPart(n int, d mergesearch.DType, seed uint64) []byte {
	x := make([]float32, n)
	a, b := uint64(1), seed*2654435761+12345
	uniform := func(s *uint64) float32 {
		*s = *s*6364136223846793005 + 1442695040888963407
		return float32(*s>>40)/(1<<24) - 0.5
	}
	for i := range x {
		x[i] = 0.07 * uniform(&a)
		if seed != 0 {
			x[i] += 0.004 * uniform(&b)
		}
	}
	v := kernel.View{DType: d, Data: make([]byte, n*d.Size())}
	kernel.Store(v, x)
	return v.Data
}

func gpu(t testing.TB) *kernel.Device {
	t.Helper()
	if !cudatest.OnGPU() && !*rehearse {
		t.Skip("needs a GPU: -cuda; -rehearse runs it on the fake driver with smaller shapes")
	}
	d, err := kernel.OpenDevice(kernel.DeviceOptions{Library: cudatest.Library(t), Queues: 8})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

// copyBytes is the size of the copies that merges are measured against.
func copyBytes() int {
	if cudatest.OnGPU() {
		return 1 << 32
	}
	return 1 << 24
}

func usualRecipe(m mergesearch.Method) mergesearch.Recipe {
	r := recipe(m.Name, "base", "expert-a", "expert-b", "expert-c")
	switch {
	case m.Pair:
		r = recipe(m.Name, "expert-a", "expert-a", "expert-b")
	case m.OfTwo():
		r = recipe(m.Name, "", "expert-a", "expert-b")
	case m.Name == "passthrough":
		r = recipe(m.Name, "", "expert-a")
	case !m.NeedsBase:
		r.Base = ""
	}
	for _, p := range m.Parameters {
		v := p.Default
		if p.Name == "density" {
			v = 0.5
		}
		r.Parameters[p.Name] = mergesearch.Number(v)
	}
	return r
}

// Every method gives the CPU's bits on a model of a billion parameters.
func TestOneBillionOnGPU(t *testing.T) {
	d := gpu(t)
	for _, dtype := range []mergesearch.DType{mergesearch.BF16, mergesearch.F16, mergesearch.F32} {
		shape := llama1B.smaller()
		if dtype != mergesearch.BF16 {
			shape.layers = 2
		}
		dirs := shape.write(t, dtype, 3)
		host, err := merge.Open(merge.Options{Models: dirs, Base: "base"})
		if err != nil {
			t.Fatal(err)
		}
		e, err := merge.Open(merge.Options{Models: dirs, Base: "base", Device: d})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range merge.Methods() {
			r := usualRecipe(m)
			began := time.Now()
			want := build(t, host, r)
			middle := time.Now()
			got := build(t, e, r)
			t.Logf("%-17s %s: CPU %.2f s, GPU %.2f s with the way home", m.Name, dtype, middle.Sub(began).Seconds(), time.Since(middle).Seconds())
			if got.Fingerprint != want.Fingerprint {
				t.Errorf("%s %s: the GPU gives other bytes", m.Name, dtype)
			}
			got.Release()
			want.Release()
		}
		e.Close()
		host.Close()
	}
}

// BenchmarkDevice7B merges three experts of the shape of a 7B model, which stay on the
// GPU as the result does. The ratio is that of bytes read and written in a second to a
// copy on the device, measured before each merge; "at hand" is with thresholds, products
// and sums known. It is to be run with -benchtime 1x.
func BenchmarkDevice7B(b *testing.B) {
	d := gpu(b)
	dirs := llama7B.smaller().write(b, mergesearch.BF16, 3)
	e, err := merge.Open(merge.Options{Models: dirs, Base: "base", Device: d, CacheBytes: 8 << 30})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	for _, m := range merge.Methods() {
		r := usualRecipe(m)
		p, err := e.Plan(r)
		if err != nil {
			b.Fatal(err)
		}
		copyBytes := copyBytes()
		copied, free, err := d.Copier(copyBytes)
		if err != nil {
			b.Fatal(err)
		}
		var rate float64
		for range 5 {
			began := time.Now()
			if err := copied(); err != nil {
				b.Fatal(err)
			}
			rate = max(rate, float64(2*copyBytes)/time.Since(began).Seconds())
		}
		free()
		candidate := func() float64 {
			began := time.Now()
			c, err := e.BuildOnDevice(context.Background(), "c0000", r)
			if err != nil {
				b.Fatal(err)
			}
			defer c.Release()
			return time.Since(began).Seconds()
		}
		candidate() // brings the models to the device
		e.Forget()
		first := candidate()
		var later []float64
		for range 7 {
			later = append(later, candidate())
		}
		slices.Sort(later)
		for _, row := range []struct {
			name    string
			seconds float64
		}{{"from_scratch", first}, {"at_hand", later[len(later)/2]}} {
			b.Run(m.Name+"/"+row.name, func(b *testing.B) {
				got := float64(p.BytesRead+p.BytesWritten) / row.seconds
				b.ReportMetric(0, "ns/op")
				b.ReportMetric(row.seconds*1e3, "ms")
				b.ReportMetric(got/1e9, "GB/s")
				b.ReportMetric(got/rate, "of_copy")
			})
		}
	}
}

// BenchmarkWriteFromDevice writes a merged model of a billion parameters to memory-backed
// storage, beside what pinned memory takes from the device.
func BenchmarkWriteFromDevice(b *testing.B) {
	d := gpu(b)
	dirs := llama1B.smaller().write(b, mergesearch.BF16, 3)
	e, err := merge.Open(merge.Options{Models: dirs, Base: "base", Device: d})
	if err != nil {
		b.Fatal(err)
	}
	defer e.Close()
	dir := filepath.Dir(dirs["base"])
	var written int64
	for i := 0; b.Loop(); i++ {
		out := filepath.Join(dir, fmt.Sprint("out", i))
		done, err := e.Write(context.Background(), usualRecipe(merge.Methods()[2]), out, merge.WriteOptions{})
		if err != nil {
			b.Fatal(err)
		}
		written = done.BytesWritten
		_ = os.RemoveAll(out)
	}
	rate, err := d.PinnedRate(copyBytes()/16, 5)
	if err != nil {
		b.Fatal(err)
	}
	got := float64(written) * float64(b.N) / b.Elapsed().Seconds()
	b.ReportMetric(got/1e9, "GB/s")
	b.ReportMetric(got/rate, "of_pinned")
}
