package merge

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// WriteOptions configures Write.
type WriteOptions struct {
	// ShardBytes is the most bytes of tensors in one file. 0 means 5,000,000,000.
	ShardBytes int64
	// Tool names the program and its version in the model card. Empty: mergesearch.
	Tool string
	// Paths is how recipe.yaml names the models, by the recipe's own names; those
	// that it lacks keep their names.
	Paths map[string]string
	// Sections stand in the model card between its licence and its recipe.
	Sections []Section
}

// Report says what Write did.
type Report struct {
	Out          string               `json:"out"`
	Recipe       mergesearch.RecipeID `json:"recipe_id"`
	Tensors      int                  `json:"tensors"`
	BytesRead    int64                `json:"bytes_read"`    // of tensors, each input counted once
	BytesWritten int64                `json:"bytes_written"` // all files
	Seconds      float64              `json:"seconds"`
	Device       string               `json:"device"`
	PeakRSSBytes int64                `json:"peak_rss_bytes"` // private memory (RssAnon), the most that was seen
	MappedBytes  int64                `json:"mapped_bytes"`   // of the recipe's models
	SHA256       string               `json:"sha256"`         // of the sorted tensor manifest
}

// chunkBytes is about how much of a tensor is computed before it is written. Two
// chunks exist at a time: one is computed while the other is written.
const chunkBytes = 8 << 20

// chunk returns the elements of a chunk for a type of this size: whole tiles, four of
// them on a device, which works on as many at once.
func (e *Engine) chunk(size int) int {
	if e.device != nil {
		return 4 * e.tile
	}
	return chunkBytes / size / e.tile * e.tile
}

// chunkRoom returns the bytes of the largest chunk of a plan.
func (e *Engine) chunkRoom(p *Plan) int {
	if e.device == nil {
		return chunkBytes
	}
	room := 0
	for _, t := range p.Tensors {
		room = max(room, min(t.elements, e.chunk(t.DType.Size()))*t.DType.Size())
	}
	return room
}

// Write merges a recipe into a complete Hugging Face directory: weights in
// shards, config, tokenizer, model card, recipe.yaml and COMPLETE. It streams, so
// memory does not grow with the model, and the directory appears only when all
// of it is on disk. Errors are those of Build, and *mergesearch.InputError for
// an output directory that cannot be used.
func (e *Engine) Write(ctx context.Context, r mergesearch.Recipe, out string, o WriteOptions) (Report, error) {
	began := time.Now()
	p, err := e.Plan(r)
	if err != nil {
		return Report{}, err
	}
	files, err := e.filesFor(p)
	if err != nil {
		return Report{}, err
	}
	w, err := safetensors.Create(out, p.specs(), safetensors.WriterOptions{ShardBytes: o.ShardBytes, Recipe: r.ID()})
	if err != nil {
		return Report{}, err
	}
	defer w.Abort()
	s := &stream{engine: e, plan: p, writer: w}
	if err := s.writeTensors(ctx); err != nil {
		return Report{}, err
	}
	if err := e.addFiles(w, p, files, o); err != nil {
		return Report{}, err
	}
	manifest, err := w.Commit()
	if err != nil {
		return Report{}, err
	}
	s.watchMemory()
	return Report{
		Out: out, Recipe: r.ID(), Tensors: len(p.Tensors), BytesRead: p.BytesRead, BytesWritten: w.Written(),
		Seconds: time.Since(began).Seconds(), Device: e.DeviceName(), PeakRSSBytes: s.peak,
		MappedBytes: e.mappedBytes(p), SHA256: manifest.Digest,
	}, nil
}

// MemoryOf returns about how much private memory Write takes for a plan: the
// program, two chunks, what is kept between merges, and with mergekit's arithmetic
// the largest tensor in float32 for each model.
func (e *Engine) MemoryOf(p *Plan) int64 {
	n := int64(2*e.chunkRoom(p)) + 24<<20 + min(e.stats.limit, int64(len(p.Tensors))*8*statBytes)
	if p.Recipe.Compat == "" {
		return n
	}
	var largest int64
	for _, t := range p.Tensors {
		largest = max(largest, 4*int64(t.elements)*int64(2*len(t.Inputs)+4))
	}
	return n + largest
}

// specs returns the tensors of the plan without data.
func (p *Plan) specs() []mergesearch.Tensor {
	var out []mergesearch.Tensor
	for _, t := range p.Tensors {
		out = append(out, mergesearch.Tensor{Name: t.Name, DType: t.DType, Shape: t.Shape})
	}
	return out
}

func (e *Engine) mappedBytes(p *Plan) int64 {
	var n int64
	for _, m := range p.models {
		n += m.MappedBytes()
	}
	return n
}

// randomNote heads the recipes of methods with random masks.
const randomNote = "# Random masks: this program draws the same ones again, other programs draw others. Only the checkpoint is the merge.\n"

func (e *Engine) addFiles(w *safetensors.Writer, p *Plan, files map[string][]byte, o WriteOptions) error {
	for _, name := range sortedKeys(files) {
		if err := w.AddFile(name, files[name]); err != nil {
			return err
		}
	}
	byPath := p.Recipe.Renamed(func(name string) string { return cmp.Or(o.Paths[name], name) })
	recipe := FormatRecipe(byPath)
	if p.Method.Random {
		recipe = append([]byte(randomNote), recipe...)
	}
	if err := w.AddFile("recipe.yaml", recipe); err != nil {
		return err
	}
	return w.AddFile("README.md", modelCard(p, FormatRecipe(p.Recipe), o))
}

// stream computes chunks and hands them to a goroutine that writes them.
type stream struct {
	engine *Engine
	plan   *Plan
	writer *safetensors.Writer
	peak   int64
	looked time.Time
}

func (s *stream) writeTensors(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	full, empty := make(chan []byte), make(chan []byte, 2)
	for range cap(empty) {
		empty <- alignedBytes(s.engine.chunkRoom(s.plan))
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for chunk := range full {
			if ctx.Err() == nil {
				if _, err := s.writer.Write(chunk); err != nil {
					cancel(err)
				}
			}
			empty <- chunk[:cap(chunk)]
		}
	}()
	err := s.computeTensors(ctx, full, empty)
	close(full)
	<-done
	// A failed write shows as a cancelled context, whose cause is the error.
	return errors.Join(context.Cause(ctx), suppress(err, context.Canceled))
}

// suppress returns nil for an error that only repeats another's consequence.
func suppress(err, consequence error) error {
	if errors.Is(err, consequence) {
		return nil
	}
	return err
}

func (s *stream) computeTensors(ctx context.Context, full chan<- []byte, empty <-chan []byte) (err error) {
	defer kernel.Caught(&err)
	var loaded <-chan struct{} // closed when the next tensor's inputs are on the device
	defer func() {
		if loaded != nil {
			<-loaded
		}
	}()
	for i := range s.plan.Tensors {
		loaded = s.engine.loadAhead(s.plan, i+1, loaded)
		w, err := s.engine.prepare(ctx, s.plan, &s.plan.Tensors[i])
		if err != nil {
			return err
		}
		size := w.DType.Size()
		step := s.engine.chunk(size)
		if step == 0 {
			return fmt.Errorf("a tile of %d elements does not fit a chunk of %d bytes", s.engine.tile, chunkBytes)
		}
		for lo := 0; lo < w.elements; lo += step {
			hi := min(w.elements, lo+step)
			chunk := (<-empty)[:(hi-lo)*size]
			s.computeChunk(ctx, w, chunk, lo, hi)
			full <- chunk
			s.watchMemory()
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.failure(); err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	return nil
}

func (s *stream) computeChunk(ctx context.Context, w *work, chunk []byte, lo, hi int) {
	tile, size := s.engine.tile, w.DType.Size()
	s.engine.runner(ctx)((hi-lo+tile-1)/tile, func(i int) {
		from, to := lo+i*tile, min(hi, lo+(i+1)*tile)
		w.compute(chunk[(from-lo)*size:(to-lo)*size], from, to)
	})
}

// watchMemory notes the private memory, at most twenty times a second.
func (s *stream) watchMemory() {
	if time.Since(s.looked) < 50*time.Millisecond {
		return
	}
	s.looked = time.Now()
	if n, ok := privateBytes(); ok {
		s.peak = max(s.peak, n)
	}
}
