package merge

import (
	"cmp"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"unsafe"

	"mergesearch"
	"mergesearch/merge/adapter"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// Options configures Open.
type Options struct {
	// Models maps the names that recipes use to model directories.
	Models map[string]string
	// Adapters maps names of models to directories of PEFT adapters, which are
	// applied to these models while they are read. A name that Models lacks is a
	// reference to the result of a stage, STAGE+ADAPTER.
	Adapters map[string]string
	// Base is the name of the model whose small files (config, tokenizer) go into
	// merges whose recipe names no base model. Empty: the first model that the
	// recipe lists.
	Base string
	// Threads is how many tiles are worked on at once, over all merges of the
	// engine. 0 means one for each processor.
	Threads int
	// CacheBytes limits the statistics that are kept between merges, and as much
	// again the masks that depend on data. 0 means 64 MiB.
	CacheBytes int64
	// Level forces a vector level; the zero value is the fastest, which is what
	// everybody but a test wants.
	Level kernel.Level
	// Device merges on a GPU; nil means on the CPU. The engine keeps the models in its
	// memory as far as they fit, until Close. It changes no bit.
	Device *kernel.Device
	// TileElements is the size of a tile, a multiple of 4,096. 0 means 65,536, and
	// 16,777,216 on a device. It changes no bit.
	TileElements int
}

// Elements of a tile: on the CPU so many that inputs and output fit a core's share of the
// caches, on a device so many that starting an operation costs little.
const (
	tileElements       = 1 << 16
	deviceTileElements = 1 << 24
)

// Engine holds opened models and merges them. It is safe for concurrent use.
type Engine struct {
	models   []*model                    // sorted by name
	adapters map[string]*adapter.Adapter // of stages, by the name that recipes use
	base     string

	kernel  kernel.Kernel
	device  *kernel.Device // nil on the CPU
	kept    sync.Map       // first bytes of tensors that the device keeps
	tile    int
	threads int
	slots   chan struct{} // one for each tile that may be worked on
	stats   statistics
	inputs  identities
	bits    statistics // of masks by ranks
	arenas  arenas
}

// Open opens the models. It reads headers and config.json, no tensors. Whether
// they fit each other depends on the recipe: Plan checks it, and CheckFamily does
// for all that a search may ask. Errors are *mergesearch.InputError when a model
// is to blame.
func Open(o Options) (*Engine, error) {
	e := &Engine{base: o.Base, device: o.Device, tile: cmp.Or(o.TileElements, tileElements), threads: o.Threads}
	if len(o.Models) == 0 {
		return nil, &mergesearch.InputError{Field: "models", Problem: "no models to merge"}
	}
	if _, ok := o.Models[o.Base]; o.Base != "" && !ok {
		return nil, mergesearch.UnknownWord("model", o.Base, slices.Sorted(maps.Keys(o.Models)))
	}
	if e.threads <= 0 {
		e.threads = defaultThreads()
	}
	if e.tile%kernel.TileMultiple != 0 || e.tile < 0 {
		panic("merge: TileElements must be a multiple of 4,096")
	}
	e.kernel = kernel.New(o.Level)
	if o.Device != nil {
		e.kernel = o.Device.Kernel()
		e.tile = cmp.Or(o.TileElements, deviceTileElements)
	}
	e.slots = make(chan struct{}, e.threads)
	e.stats.limit = cmp.Or(o.CacheBytes, 64<<20)
	e.bits.limit, e.bits.device = e.stats.limit, e.device
	for _, name := range slices.Sorted(maps.Keys(o.Models)) {
		m, err := openModel(name, o.Models[name], o.Adapters[name])
		if err != nil {
			e.Close()
			return nil, err
		}
		e.models = append(e.models, m)
	}
	e.setKeys()
	if err := e.openAdapters(o); err != nil {
		e.Close()
		return nil, err
	}
	return e, nil
}

// openAdapters opens the adapters of what is no model.
func (e *Engine) openAdapters(o Options) error {
	e.adapters = map[string]*adapter.Adapter{}
	for _, name := range slices.Sorted(maps.Keys(o.Adapters)) {
		if _, own := o.Models[name]; own {
			continue
		}
		a, err := adapter.Open(o.Adapters[name])
		if err != nil {
			return err
		}
		e.adapters[name] = a
	}
	return nil
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

// Close unmaps the models and takes them from the device, which stays open. No merge
// may be under way.
func (e *Engine) Close() {
	e.forget()
	if e.device != nil {
		e.kept.Range(func(data, _ any) bool {
			e.device.Forget(unsafe.Slice(data.(*byte), 1))
			return true
		})
	}
	for _, m := range e.models {
		m.release()
	}
	for _, a := range e.adapters {
		a.Release()
	}
}

// Model returns the opened checkpoint of a model, which belongs to the engine.
func (e *Engine) Model(name string) (*safetensors.Checkpoint, bool) {
	if m := e.modelNamed(name); m != nil {
		return m.checkpoint, true
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

// CheckFamily demands that all models have the same tensors in the same shapes
// and a fitting config.json, as a search does, which merges any of them.
func (e *Engine) CheckFamily() error {
	first := e.models[0]
	if m := e.modelNamed(e.base); m != nil {
		first = m
	}
	if err := compareConfigs(first, e.models); err != nil {
		return err
	}
	for _, m := range e.models {
		if m != first {
			if err := compareTensors(first, m); err != nil {
				return err
			}
		}
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
		if !ok {
			return missingTensor(a, b, name)
		}
		if err := comparePair(a, x, b, y); err != nil {
			return err
		}
	}
	for _, name := range b.Names() {
		if _, ok := a.Info(name); !ok {
			return foreignTensor(a, b, name)
		}
	}
	return nil
}

const sameArchitecture = "the models must have the same architecture; one that ties its head to the embeddings does not fit one that does not"

// missingTensor says that b lacks a tensor of a.
func missingTensor(a, b *model, name string) error {
	return &mergesearch.InputError{File: b.Dir(), Field: name, Problem: "tensor is missing, " + a.File(name) + " has it", Hint: sameArchitecture}
}

// foreignTensor says that b has a tensor that a lacks.
func foreignTensor(a, b *model, name string) error {
	return &mergesearch.InputError{File: b.File(name), Field: name, Problem: "tensor is not in " + filepath.Clean(a.Dir()), Hint: sameArchitecture}
}

// comparePair demands that two tensors have one shape and types that can be merged.
func comparePair(a *model, x safetensors.Info, b *model, y safetensors.Info) error {
	if !slices.Equal(x.Shape, y.Shape) {
		return &mergesearch.InputError{
			File: b.File(y.Name), Field: y.Name, Problem: fmt.Sprintf("shape %v, but %v in %s", y.Shape, x.Shape, a.File(x.Name)),
			Hint: "the models must have the same architecture and vocabulary",
		}
	}
	if x.DType.Float() != y.DType.Float() || !x.DType.Float() && x.DType != y.DType {
		return &mergesearch.InputError{
			File: b.File(y.Name), Field: y.Name, Problem: fmt.Sprintf("type %s cannot be merged with %s in %s", y.DType, x.DType, a.File(x.Name)),
		}
	}
	return nil
}
