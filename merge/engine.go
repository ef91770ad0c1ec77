package merge

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// Options configures Open.
type Options struct {
	// Models maps the names that recipes use to model directories.
	Models map[string]string
	// Base is the name of the model whose small files (config, tokenizer) go into
	// merges whose recipe names no base model. Empty: the first model of the
	// recipe, by name.
	Base string
	// Threads is how many tiles are worked on at once, over all merges of the
	// engine. 0 means one for each processor.
	Threads int
	// CacheBytes limits the statistics that are kept between merges. 0 means 64 MiB.
	CacheBytes int64
	// Level forces a vector level; the zero value is the fastest, which is what
	// everybody but a test wants.
	Level kernel.Level
	// TileElements is the size of a tile, a multiple of 4,096. 0 means 65,536.
	// It changes no bit.
	TileElements int
}

// Engine holds opened models and merges them. It is safe for concurrent use.
type Engine struct {
	models  []*model // sorted by name
	base    string
	tensors []tensorInfo   // in the order in which the model uses them
	index   map[string]int // of tensors

	kernel  kernel.Kernel
	tile    int
	threads int
	slots   chan struct{} // one for each tile that may be worked on
	stats   statistics
	arenas  arenas
}

// model is one opened model.
type model struct {
	name   string
	key    string // goes into masks and orders the arithmetic; see setKeys
	number int    // place among the engine's models
	*safetensors.Checkpoint
}

// tensorInfo is what all models have in common of a tensor.
type tensorInfo struct {
	name     string
	shape    []int
	elements int
	position float64 // of its layer, 0 to 1
}

// Open opens the models and checks that they can be merged with each other. It
// reads headers and config.json, no tensors. Errors are *mergesearch.InputError
// when a model is to blame.
func Open(o Options) (*Engine, error) {
	e := &Engine{base: o.Base, index: map[string]int{}, tile: cmp.Or(o.TileElements, 1<<16), threads: o.Threads}
	if len(o.Models) == 0 {
		return nil, &mergesearch.InputError{Field: "models", Problem: "no models to merge"}
	}
	if _, ok := o.Models[o.Base]; o.Base != "" && !ok {
		return nil, mergesearch.UnknownWord("model", o.Base, slices.Sorted(maps.Keys(o.Models)))
	}
	if e.threads <= 0 {
		e.threads = runtime.GOMAXPROCS(0)
	}
	if e.tile%kernel.TileMultiple != 0 || e.tile < 0 {
		panic("merge: TileElements must be a multiple of 4,096")
	}
	e.kernel = kernel.New(o.Level)
	e.slots = make(chan struct{}, e.threads)
	e.stats.limit = cmp.Or(o.CacheBytes, 64<<20)
	for _, name := range slices.Sorted(maps.Keys(o.Models)) {
		c, err := safetensors.Open(o.Models[name])
		if err != nil {
			e.Close()
			return nil, err
		}
		e.models = append(e.models, &model{name: name, number: len(e.models), Checkpoint: c})
		if err := checkReadable(c); err != nil {
			e.Close()
			return nil, err
		}
	}
	e.setKeys()
	if err := e.compare(); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// setKeys gives each model the last element of its name as key, or all of it
// where two would be equal. A recipe that names its models by their directories
// thus merges to the same bytes as one that names them by their folders.
func (e *Engine) setKeys() {
	count := map[string]int{}
	for _, m := range e.models {
		m.key = filepath.Base(filepath.Clean(m.name))
		count[m.key]++
	}
	for _, m := range e.models {
		if count[m.key] > 1 {
			m.key = m.name
		}
	}
}

// Close unmaps the models. No merge may be under way.
func (e *Engine) Close() {
	for _, m := range e.models {
		m.Release()
	}
}

// Model returns the opened checkpoint of a model, which belongs to the engine.
func (e *Engine) Model(name string) (*safetensors.Checkpoint, bool) {
	if m := e.modelNamed(name); m != nil {
		return m.Checkpoint, true
	}
	return nil, false
}

func (e *Engine) modelNamed(name string) *model {
	i, ok := slices.BinarySearchFunc(e.models, name, func(m *model, name string) int { return cmp.Compare(m.name, name) })
	if !ok {
		return nil
	}
	return e.models[i]
}

func (e *Engine) modelNames() []string {
	var names []string
	for _, m := range e.models {
		names = append(names, m.name)
	}
	return names
}

// compare demands that all models have the same tensors in the same shapes and
// a fitting config.json, and takes down what they have in common.
func (e *Engine) compare() error {
	first := e.models[0]
	if m := e.modelNamed(e.base); m != nil {
		first = m
	}
	if err := e.compareConfigs(first); err != nil {
		return err
	}
	for _, m := range e.models {
		if m != first {
			if err := compareTensors(first, m); err != nil {
				return err
			}
		}
	}
	layers := map[string]int{} // of each stack of layers
	for _, name := range first.Names() {
		if stack, k, _, ok := safetensors.Layer(name); ok {
			layers[stack] = max(layers[stack], k+1)
		}
	}
	for i, name := range first.Names() {
		info, _ := first.Info(name)
		t := tensorInfo{name: name, shape: info.Shape, elements: mergesearch.Tensor{Shape: info.Shape}.Elements()}
		if stack, k, _, ok := safetensors.Layer(name); ok {
			t.position = position(k, layers[stack])
		}
		e.index[name] = i
		e.tensors = append(e.tensors, t)
	}
	return nil
}

// position returns where layer k of n stands between 0 and 1. A single layer
// stands at 1, as in mergekit.
func position(k, n int) float64 {
	if n == 1 {
		return 1
	}
	return float64(k) / float64(n-1)
}

// compareTensors demands that b has the tensors of a, and no others.
func compareTensors(a, b *model) error {
	for _, name := range a.Names() {
		x, _ := a.Info(name)
		y, ok := b.Info(name)
		switch {
		case !ok:
			return &mergesearch.InputError{
				File: b.Dir(), Field: name, Problem: "tensor is missing, " + a.File(name) + " has it",
				Hint: "the models must have the same architecture; one that ties its head to the embeddings does not fit one that does not",
			}
		case !slices.Equal(x.Shape, y.Shape):
			return &mergesearch.InputError{
				File: b.File(name), Field: name, Problem: fmt.Sprintf("shape %v, but %v in %s", y.Shape, x.Shape, a.File(name)),
				Hint: "the models must have the same architecture and vocabulary",
			}
		case x.DType.Float() != y.DType.Float() || !x.DType.Float() && x.DType != y.DType:
			return &mergesearch.InputError{
				File: b.File(name), Field: name, Problem: fmt.Sprintf("type %s cannot be merged with %s in %s", y.DType, x.DType, a.File(name)),
			}
		}
	}
	for _, name := range b.Names() {
		if _, ok := a.Info(name); !ok {
			return &mergesearch.InputError{
				File: b.File(name), Field: name, Problem: "tensor is not in " + filepath.Clean(a.Dir()),
				Hint: "the models must have the same architecture; one that ties its head to the embeddings does not fit one that does not",
			}
		}
	}
	return nil
}
