package merge

import (
	"context"
	"encoding/binary"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"syscall"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/merge/safetensors"
)

// The benchmarks merge three experts in bfloat16 that lie in memory (mapped and
// read before) and are larger than the last-level cache, on all cores. Each
// iteration also copies as many bytes as the merge reads and writes, so that the
// ratio holds on a machine that does other things too. gb_s is (bytes read +
// bytes written) / seconds for both. cpu_ratio compares processor times instead,
// which other load disturbs less. Medians are reported.

const benchRows, benchColumns = 8192, 4096 // 67 MB a model

func benchEngine(b *testing.B) *Engine {
	b.Helper()
	dir := b.TempDir()
	models := map[string]string{}
	r := rand.New(rand.NewPCG(1, 2))
	base := make([]byte, 2*benchRows*benchColumns)
	for i := 0; i < len(base); i += 2 {
		binary.LittleEndian.PutUint16(base[i:], uint16(r.Uint32N(2)<<15|0x3c00+r.Uint32N(0x180)))
	}
	for _, name := range []string{"base", "expert-a", "expert-b", "expert-c"} {
		data := slices.Clone(base)
		if name != "base" {
			for i := 0; i < len(data); i += 2 { // most elements change by a few units in the last place
				binary.LittleEndian.PutUint16(data[i:], binary.LittleEndian.Uint16(data[i:])+uint16(r.Uint32N(8))-4)
			}
		}
		models[name] = filepath.Join(dir, name)
		t := mergesearch.Tensor{Name: "w", DType: mergesearch.BF16, Shape: []int{benchRows, benchColumns}}
		w, err := safetensors.Create(models[name], []mergesearch.Tensor{t}, safetensors.WriterOptions{})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := w.Write(data); err != nil {
			b.Fatal(err)
		}
		if _, err := w.Commit(); err != nil {
			b.Fatal(err)
		}
	}
	e, err := Open(Options{Models: models, Base: "base"})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(e.Close)
	for _, m := range e.models {
		m.checkpoint.Digest() // reads every page
	}
	runtime.GC()
	return e
}

func benchRecipe(method string) (r mergesearch.Recipe) {
	r = mergesearch.Recipe{Method: method, Base: "base", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(0.7)}}
	defer func() {
		if m := methodNamed(r.Method); m != nil && !slices.Contains(m.known(), "weight") {
			delete(r.Parameters, "weight")
		}
	}()
	for _, m := range []string{"expert-a", "expert-b", "expert-c"} {
		r.Models = append(r.Models, mergesearch.Input{Model: m})
	}
	switch method {
	case "linear":
		r.Base = ""
	case "slerp":
		r.Base, r.Models = "expert-a", r.Models[:2]
		r.Parameters = map[string]mergesearch.Setting{"t": mergesearch.Number(0.3)}
	case "nuslerp":
		r.Base, r.Models = "", r.Models[:2]
	case "nuslerp_rows", "nuslerp_columns":
		r.Method, r.Base, r.Models = "nuslerp", "", r.Models[:2]
		r.Parameters["nuslerp_flatten"] = mergesearch.Number(0)
		if method == "nuslerp_columns" {
			r.Parameters["nuslerp_row_wise"] = mergesearch.Number(1)
		}
	case "multislerp", "karcher":
		r.Base = ""
	case "model_stock_rows":
		r.Method = "model_stock"
		r.Parameters["filter_wise"] = mergesearch.Number(1)
	case "nearswap":
		r.Models = r.Models[:1]
		r.Parameters["t"] = mergesearch.Number(0.001)
	case "arcee_fusion":
		r.Models = r.Models[:1]
	case "sce_topk":
		r.Method = "sce"
		r.Parameters["select_topk"] = mergesearch.Number(0.3)
	case "ties", "dare_ties", "dare_linear", "della":
		r.Parameters["density"] = mergesearch.Number(0.5)
	case "breadcrumbs", "breadcrumbs_ties":
		r.Parameters["density"] = mergesearch.Number(0.9)
	}
	return r
}

func BenchmarkMerge(b *testing.B) {
	e := benchEngine(b)
	for _, c := range []struct {
		name, method string
		scratch      bool // forget what was computed before
		digest       bool // as Build does, with the digest of the result
	}{
		{"linear", "linear", false, false},
		{"task_arithmetic", "task_arithmetic", false, false},
		{"ties_at_hand", "ties", false, false},
		{"ties", "ties", true, false},
		{"slerp_at_hand", "slerp", false, false},
		{"slerp", "slerp", true, false},
		{"dare_linear_at_hand", "dare_linear", false, false},
		{"dare_ties_at_hand", "dare_ties", false, false},
		{"breadcrumbs_at_hand", "breadcrumbs", false, false},
		{"della_at_hand", "della", false, false},
		{"della", "della", true, false},
		{"nuslerp_at_hand", "nuslerp", false, false},
		{"nuslerp", "nuslerp", true, false},
		{"nuslerp_rows_at_hand", "nuslerp_rows", false, false},
		{"nuslerp_rows", "nuslerp_rows", true, false},
		{"nuslerp_columns_at_hand", "nuslerp_columns", false, false},
		{"nuslerp_columns", "nuslerp_columns", true, false},
		{"multislerp_at_hand", "multislerp", false, false},
		{"multislerp", "multislerp", true, false},
		{"karcher_at_hand", "karcher", false, false},
		{"karcher", "karcher", true, false},
		{"model_stock_at_hand", "model_stock", false, false},
		{"model_stock", "model_stock", true, false},
		{"model_stock_rows_at_hand", "model_stock_rows", false, false},
		{"model_stock_rows", "model_stock_rows", true, false},
		{"nearswap", "nearswap", false, false},
		{"arcee_fusion_at_hand", "arcee_fusion", false, false},
		{"arcee_fusion", "arcee_fusion", true, false},
		{"sce_at_hand", "sce", false, false},
		{"sce", "sce", true, false},
		{"sce_topk_at_hand", "sce_topk", false, false},
		{"sce_topk", "sce_topk", true, false},
		{"ram", "ram", false, false},
		{"ramplus_tl_at_hand", "ramplus_tl", false, false},
		{"ramplus_tl", "ramplus_tl", true, false},
		{"build_linear", "linear", false, true},
		{"build_ties_at_hand", "ties", false, true},
	} {
		b.Run(c.name, func(b *testing.B) { benchMerge(b, e, c.method, c.scratch, c.digest) })
	}
}

func benchMerge(b *testing.B, e *Engine, method string, scratch, digest bool) {
	ctx := context.Background()
	r := benchRecipe(method)
	p, err := e.Plan(r)
	if err != nil {
		b.Fatal(err)
	}
	m := e.layOut(p)
	defer m.Release()
	bytes := p.BytesRead + p.BytesWritten
	run := func() {
		if digest {
			if err := e.fill(ctx, p, m); err != nil {
				b.Fatal(err)
			}
			return
		}
		w, err := e.prepare(ctx, p, &p.Tensors[0])
		if err != nil {
			b.Fatal(err)
		}
		w.stream = true
		e.runner(ctx)((w.elements+e.tile-1)/e.tile, func(i int) {
			lo, hi := i*e.tile, min(w.elements, (i+1)*e.tile)
			w.compute(m.data(0)[2*lo:2*hi], lo, hi)
		})
	}
	run()
	copied := newCopy(e, bytes/2)
	copied.run(e)
	var merges, copies []time.Duration
	var shares []float64
	for b.Loop() {
		if scratch {
			e.stats.forget()
			e.bits.forget()
		}
		began, cpu := time.Now(), cpuTime()
		run()
		merged, mergedCPU := time.Now(), cpuTime()
		copied.run(e)
		merges = append(merges, merged.Sub(began))
		copies = append(copies, time.Since(merged))
		shares = append(shares, float64(cpuTime()-mergedCPU)/float64(mergedCPU-cpu))
	}
	rate := func(d []time.Duration) float64 {
		slices.Sort(d)
		return float64(bytes) / d[len(d)/2].Seconds() / 1e9
	}
	b.ReportMetric(rate(merges), "gb_s")
	b.ReportMetric(rate(copies), "copy_gb_s")
	b.ReportMetric(rate(merges)/rate(copies), "ratio")
	slices.Sort(shares)
	b.ReportMetric(shares[len(shares)/2], "cpu_ratio")
	b.ReportMetric(0, "ns/op")
}

// cpuTime returns the processor time that the process has used.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// copying copies n bytes of the models, on as many threads as a merge.
type copying struct {
	from [][]byte
	to   []byte
}

func newCopy(e *Engine, n int64) copying {
	c := copying{to: make([]byte, n)}
	for i := range c.to {
		c.to[i] = 1 // touch the pages before they are measured
	}
	for _, m := range e.models {
		t, err := m.checkpoint.Tensor("w")
		if err != nil {
			panic(err)
		}
		c.from = append(c.from, t.Data)
	}
	return c
}

func (c copying) run(e *Engine) {
	const part = 1 << 20
	size := len(c.from[0])
	each(e.threads, (len(c.to)+part-1)/part, func(i int) {
		lo := i * part
		hi := min(len(c.to), lo+part)
		copy(c.to[lo:hi], c.from[lo/size%len(c.from)][lo%size:])
	})
}

// forget drops everything, for measurements from scratch.
func (s *statistics) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.entries, s.bytes = nil, 0
	s.recent.Init()
}
