package merge

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// BenchOptions configures Bench. The zero value measures every method.
type BenchOptions struct {
	DTypes  []mergesearch.DType // BF16 and F32
	Experts []int               // 2, 3 and 5
	Methods []string            // all
	Threads int                 // one for each processor

	// Bytes is the size of one model. 0 means so much that the smallest working set
	// is four times the last-level cache, but not above 1 GB for the largest.
	Bytes int64

	// Dir is where the models are written for the time of the measurement. Empty:
	// memory-backed storage where there is enough, else the system's directory for
	// temporary files, which the page cache makes memory too.
	Dir string

	// Repeats is how often each row is measured. 0 means 7.
	Repeats int

	// Device measures merges on a GPU whose results stay there, against a copy on it. nil
	// means the CPU.
	Device *kernel.Device

	// Row is called with each row when it is done; nil for nothing.
	Row func(BenchRow)
}

// BenchReport is what Bench measured. Rates are (bytes read + bytes written) /
// second in units of 1e9, for merges and for the copy alike.
type BenchReport struct {
	CopyGBs    float64    `json:"copy_gb_s"` // median over all rows
	Threads    int        `json:"threads"`
	CacheBytes int64      `json:"last_level_cache_bytes"` // 0 if the system does not tell
	Methods    []BenchRow `json:"methods"`
}

// BenchRow is one method on models in memory. A row ending in _at_hand is that of a
// run's later candidates, for which thresholds and sums are known; without it
// nothing is.
type BenchRow struct {
	Method      string            `json:"method"`
	DType       mergesearch.DType `json:"dtype"`
	Experts     int               `json:"experts"`
	Device      string            `json:"device"`
	GBs         float64           `json:"gb_s"`            // median
	RatioToCopy float64           `json:"ratio_to_copy"`   // median over pairs of a copy and a merge, one after the other
	InCache     bool              `json:"in_cache"`        // the working set is less than four times the last-level cache
	Err         string            `json:"error,omitempty"` // instead of numbers
}

// Bench measures merges of models in memory against a plain copy of as many bytes
// with as many threads. The time is that of the arithmetic: opening models and
// digests of results are not in it. A method that fails gets a row that says so.
func Bench(ctx context.Context, o BenchOptions) (BenchReport, error) {
	o = o.filled()
	report := BenchReport{Threads: o.Threads, CacheBytes: lastLevelCache()}
	var copies []float64
	for _, d := range o.DTypes {
		b, err := newBench(o, d, report.CacheBytes)
		if err != nil {
			return report, err
		}
		for _, c := range b.cases(o) {
			rows, rates := b.measure(ctx, c, o)
			if err := ctx.Err(); err != nil {
				b.close()
				return report, err
			}
			copies = append(copies, rates...)
			for _, row := range rows {
				report.Methods = append(report.Methods, row)
				if o.Row != nil {
					o.Row(row)
				}
			}
		}
		b.close()
	}
	report.CopyGBs = median(copies)
	return report, nil
}

func (o BenchOptions) filled() BenchOptions {
	if len(o.DTypes) == 0 {
		o.DTypes = []mergesearch.DType{mergesearch.BF16, mergesearch.F32}
	}
	if len(o.Experts) == 0 {
		o.Experts = []int{2, 3, 5}
	}
	if o.Threads <= 0 {
		o.Threads = defaultThreads()
	}
	if o.Repeats <= 0 {
		o.Repeats = 7
	}
	return o
}

// bench holds the models of one type.
type bench struct {
	dir    string
	dtype  mergesearch.DType
	engine *Engine
	cache  int64
	copied []byte // where copies go
}

const benchColumns = 4096

func newBench(o BenchOptions, d mergesearch.DType, cache int64) (*bench, error) {
	most := slices.Max(o.Experts)
	size := o.Bytes
	if size <= 0 {
		size = min(max(2*cache, 32<<20), 1e9/int64(most+2))
	}
	rows := max(1, int(size)/(benchColumns*d.Size()))
	dir, err := os.MkdirTemp(benchDir(o.Dir, int64(most+1)*size), "mergesearch-bench-*")
	if err != nil {
		return nil, err
	}
	b := &bench{dir: dir, dtype: d, cache: cache}
	models := map[string]string{}
	for i := range most + 1 {
		name := benchModel(i)
		models[name] = filepath.Join(dir, name)
		if err := writeBenchModel(models[name], d, rows, uint64(i)); err != nil {
			b.close()
			return nil, err
		}
	}
	if b.engine, err = Open(Options{Models: models, Base: benchModel(0), Threads: o.Threads, Device: o.Device}); err != nil {
		b.close()
		return nil, err
	}
	for _, m := range b.engine.models {
		m.checkpoint.Digest() // reads every page
	}
	return b, nil
}

func (b *bench) close() {
	if b.engine != nil {
		b.engine.Close()
	}
	_ = os.RemoveAll(b.dir)
}

func benchModel(i int) string {
	if i == 0 {
		return "base"
	}
	return fmt.Sprintf("expert-%d", i)
}

// writeBenchModel writes one tensor that lies near that of the base as fine-tuned
// models do: values of spread 0.02 that changed by 0.001. Values repeat after a
// while, at another place in each model.
func writeBenchModel(dir string, d mergesearch.DType, rows int, seed uint64) error {
	const chunk = 1 << 19
	base, change := rand.New(rand.NewPCG(1, 0)), rand.New(rand.NewPCG(2, seed))
	x := make([]float32, chunk)
	for i := range x {
		x[i] = float32(0.02 * base.NormFloat64())
		if seed != 0 {
			x[i] += float32(0.001 * change.NormFloat64())
		}
	}
	part := kernel.View{DType: d, Data: make([]byte, chunk*d.Size())}
	kernel.Store(part, x)
	t := mergesearch.Tensor{Name: "w", DType: d, Shape: []int{rows, benchColumns}}
	w, err := safetensors.Create(dir, []mergesearch.Tensor{t}, safetensors.WriterOptions{})
	if err != nil {
		return err
	}
	defer w.Abort()
	for left := rows * benchColumns * d.Size(); left > 0; left -= len(part.Data) {
		if _, err := w.Write(part.Data[:min(left, len(part.Data))]); err != nil {
			return err
		}
	}
	_, err = w.Commit()
	return err
}

// benchCase is one method with a number of experts.
type benchCase struct {
	name    string
	recipe  mergesearch.Recipe
	experts int
}

// benchSettings are settings beside the usual ones that take another way through
// the kernels, by the name of their row.
var benchSettings = map[string]map[string]float64{
	"nuslerp_rows":     {"nuslerp_flatten": 0},
	"nuslerp_columns":  {"nuslerp_flatten": 0, "nuslerp_row_wise": 1},
	"model_stock_rows": {"filter_wise": 1},
	"sce_topk":         {"select_topk": 0.3},
}

func (b *bench) cases(o BenchOptions) []benchCase {
	var out []benchCase
	for _, m := range methods {
		if len(o.Methods) > 0 && !slices.Contains(o.Methods, m.Name) {
			continue
		}
		for _, n := range m.benchExperts(o.Experts) {
			out = append(out, benchCase{m.Name, m.benchRecipe(n), n})
			for _, name := range slices.Sorted(maps.Keys(benchSettings)) {
				if strings.HasPrefix(name, m.Name+"_") {
					out = append(out, benchCase{name, m.benchRecipe(n, benchSettings[name]), n})
				}
			}
		}
	}
	return out
}

// benchExperts returns with how many models the method can be measured.
func (m *method) benchExperts(counts []int) []int {
	switch {
	case m.oneModel:
		return []int{1}
	case m.OfTwo():
		return []int{2}
	}
	return slices.DeleteFunc(slices.Clone(counts), func(n int) bool { return n < m.Least || m.Most > 0 && n > m.Most })
}

// benchRecipe has the settings that people use: defaults, half the elements of a
// task vector, or nine tenths where outliers are dropped, and those given.
func (m *method) benchRecipe(experts int, settings ...map[string]float64) mergesearch.Recipe {
	r := mergesearch.Recipe{Method: m.Name, Parameters: map[string]mergesearch.Setting{}}
	for i := range experts {
		r.Models = append(r.Models, mergesearch.Input{Model: benchModel(i + 1)})
	}
	if m.Pair {
		r.Base = benchModel(1)
	} else if m.NeedsBase {
		r.Base = benchModel(0)
	}
	for _, p := range m.Parameters {
		v := p.Default
		if p.Name == "density" {
			v = 0.5
			if _, ok := m.Parameter("gamma"); ok {
				v = 0.9
			}
		}
		r.Parameters[p.Name] = mergesearch.Number(v)
	}
	for _, s := range settings {
		for name, v := range s {
			r.Parameters[name] = mergesearch.Number(v)
		}
	}
	return r
}

// measure returns the rows of a case, and the rates of the copies beside them.
func (b *bench) measure(ctx context.Context, c benchCase, o BenchOptions) (rows []BenchRow, copies []float64) {
	b.engine.forget()
	row := BenchRow{Method: c.name, DType: b.dtype, Experts: c.experts, Device: b.engine.deviceWord()}
	run, bytes, release, err := b.engine.benchRun(ctx, c.recipe)
	if err == nil {
		defer release()
		err = run()
	}
	if err != nil {
		row.Err = strings.ReplaceAll(err.Error(), "\n", " ")
		return []BenchRow{row}, nil
	}
	row.InCache = b.engine.device == nil && bytes < 4*b.cache
	known := b.engine.remembers()
	for _, atHand := range []bool{false, true} {
		if atHand && !known {
			break
		}
		r := row
		if atHand {
			r.Method += "_at_hand"
		}
		rates, err := b.pairs(ctx, o.Repeats, bytes, func() error {
			if !atHand {
				b.engine.forget()
			}
			return run()
		}, &r)
		if err != nil {
			r.Err = err.Error()
		}
		copies = append(copies, rates...)
		rows = append(rows, r)
	}
	return rows, copies
}

// pairs alternates copies and merges and fills in the numbers of the row.
func (b *bench) pairs(ctx context.Context, repeats int, bytes int64, run func() error, row *BenchRow) ([]float64, error) {
	var merged, copied, ratios []float64
	copyBytes, free, err := b.copier(bytes / 2)
	if err != nil {
		return nil, err
	}
	defer free()
	for range repeats {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		began := time.Now()
		if err := copyBytes(); err != nil {
			return nil, err
		}
		copying := time.Since(began).Seconds()
		began = time.Now()
		if err := run(); err != nil {
			return nil, err
		}
		merging := time.Since(began).Seconds()
		merged = append(merged, float64(bytes)/merging/1e9)
		copied = append(copied, float64(bytes)/copying/1e9)
		ratios = append(ratios, copying/merging)
	}
	row.GBs, row.RatioToCopy = median(merged), median(ratios)
	return copied, nil
}

// copier returns a function that copies n bytes where merges happen.
func (b *bench) copier(n int64) (run func() error, free func(), err error) {
	if d := b.engine.device; d != nil {
		return d.Copier(int(n))
	}
	b.copy(n) // so that its pages are there
	return func() error { b.copy(n); return nil }, func() {}, nil
}

// copy copies n bytes of the models, one after the other, on the engine's threads.
func (b *bench) copy(n int64) {
	if int64(len(b.copied)) < n {
		b.copied = make([]byte, n)
	}
	const part = 1 << 20
	size := int64(len(b.data(0)))
	each(b.engine.threads, int((n+part-1)/part), func(i int) {
		lo, hi := int64(i)*part, min(n, int64(i+1)*part)
		for lo < hi {
			from := b.data(int(lo/size) % len(b.engine.models))
			lo += int64(copy(b.copied[lo:hi], from[lo%size:]))
		}
	})
}

// data returns the tensor of a model.
func (b *bench) data(i int) []byte {
	t, err := b.engine.models[i].checkpoint.Tensor("w")
	if err != nil {
		panic(err) // it was written by this process
	}
	return t.Data
}

// benchRun returns a function that merges the recipe into memory that is there
// already, without the digest, and how many bytes that reads and writes.
func (e *Engine) benchRun(ctx context.Context, r mergesearch.Recipe) (run func() error, bytes int64, release func(), err error) {
	p, err := e.Plan(r)
	if err != nil {
		return nil, 0, nil, err
	}
	m := e.layOut(p)
	release = m.Release
	if e.device != nil {
		if err := e.device.Hold(m.arena); err != nil {
			m.Release()
			return nil, 0, nil, err
		}
		arena := m.arena
		release = func() { e.device.Forget(arena); m.Release() }
	}
	return func() (err error) {
		defer kernel.Caught(&err)
		w, err := e.prepare(ctx, p, &p.Tensors[0])
		if err != nil {
			return err
		}
		w.stream = true
		size := w.DType.Size()
		e.runner(ctx)((w.elements+e.tile-1)/e.tile, func(i int) {
			lo, hi := i*e.tile, min(w.elements, (i+1)*e.tile)
			w.compute(m.data(0)[size*lo:size*hi], lo, hi)
		})
		if err := ctx.Err(); err != nil {
			return err
		}
		return w.failure()
	}, p.BytesRead + p.BytesWritten, release, nil
}

// forget drops all that is kept between merges; remembers reports whether there
// is any.
func (e *Engine) forget() {
	e.stats.forget()
	e.bits.forget()
}

func (e *Engine) remembers() bool { return e.stats.len()+e.bits.len() > 0 }

func median(x []float64) float64 {
	if len(x) == 0 {
		return 0
	}
	x = slices.Sorted(slices.Values(x))
	return x[len(x)/2]
}
