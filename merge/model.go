package merge

import (
	"maps"
	"path/filepath"
	"sync"

	"mergesearch"
	"mergesearch/merge/adapter"
	"mergesearch/merge/architecture"
	"mergesearch/merge/fp8"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// model is what a recipe names: an opened checkpoint or the result of a stage.
type model struct {
	tensorSet
	name string
	key  string // goes into masks and orders the arithmetic; see setKeys

	architecture *architecture.Architecture // nil when the table does not know it
	checkpoint   *safetensors.Checkpoint    // nil for a stage
	adapter      *adapter.Adapter           // nil for none
	plan         *Plan                      // of a stage
	content      string                     // of a stage: what it is made of, through all stages below

	byLayer sync.Once // guards inLayer
	inLayer map[string][]string
}

// tensorSet is where the tensors of a model come from. It is safe for concurrent use.
type tensorSet interface {
	// Names returns the tensors in the order in which the model uses them.
	Names() []string
	// Info returns type, shape and size of a tensor.
	Info(name string) (safetensors.Info, bool)
	// source returns a floating tensor, to be read in pieces.
	source(name string) (kernel.Source, error)
	// raw returns the bytes of a tensor that is not floating.
	raw(name string) ([]byte, error)
	// Files returns the small files of the model by base name.
	Files() (map[string][]byte, error)
	// File returns the file that holds a tensor, and Dir the directory, for messages.
	File(tensor string) string
	Dir() string
	// MappedBytes returns the bytes of files that are mapped.
	MappedBytes() int64
}

// opened is the tensorSet of a checkpoint. Scales of 8-bit weights are applied
// while these are read and are no tensors of their own.
type opened struct {
	*safetensors.Checkpoint
	names  []string
	scales map[string]string // of tensors of 8 bits, by the tensor's name
	block  [2]int            // that one scale is for
}

func open(c *safetensors.Checkpoint) (opened, error) {
	o := opened{Checkpoint: c}
	if err := fp8.Refuse(c.Names()); err != nil {
		return o, mergesearch.InDir(err, c.Dir())
	}
	files, err := c.Files()
	if err != nil {
		return o, err
	}
	if config, ok := files["config.json"]; ok {
		if o.block, err = fp8.ReadConfig(config); err != nil {
			return o, mergesearch.InFile(err, filepath.Join(c.Dir(), "config.json"))
		}
	}
	o.scales = fp8.Companions(c.Names(), func(name string) (mergesearch.DType, []int) {
		info, _ := c.Info(name)
		return info.DType, info.Shape
	})
	consumed := fp8.Consumed(c.Names(), o.scales)
	for _, name := range c.Names() {
		if !consumed[name] {
			o.names = append(o.names, name)
		}
	}
	return o, nil
}

// Names is tensorSet's.
func (o opened) Names() []string { return o.names }

// Files is tensorSet's: weights that are written again are quantised no more.
func (o opened) Files() (map[string][]byte, error) {
	files, err := o.Checkpoint.Files()
	if err != nil || len(o.scales) == 0 {
		return files, err
	}
	files = maps.Clone(files)
	files["config.json"] = fp8.WithoutQuantisation(files["config.json"])
	return files, nil
}

func (o opened) source(name string) (kernel.Source, error) {
	t, err := o.Tensor(name)
	if err != nil {
		return nil, err
	}
	x := kernel.View{DType: t.DType, Data: t.Data}
	companion, scaled := o.scales[name]
	if !scaled {
		return x, nil
	}
	scale, err := o.Tensor(companion)
	if err != nil {
		return nil, err
	}
	s, err := fp8.Dequantise(name, x, t.Shape, kernel.View{DType: scale.DType, Data: scale.Data}, scale.Shape, o.block)
	return s, mergesearch.InFile(err, o.File(name))
}

func (o opened) raw(name string) ([]byte, error) {
	t, err := o.Tensor(name)
	return t.Data, err
}

// adapted is a tensorSet with an adapter, which is applied while the tensors are
// read.
type adapted struct {
	tensorSet
	adapter *adapter.Adapter
}

func (a adapted) source(name string) (kernel.Source, error) {
	x, err := a.tensorSet.source(name)
	if err != nil {
		return nil, err
	}
	info, _ := a.Info(name)
	return a.adapter.Apply(name, info.Shape, x), nil
}

// openModel opens a model directory, and the adapter on it unless that is "".
func openModel(name, dir, adapterDir string) (*model, error) {
	c, err := safetensors.Open(dir)
	if err != nil {
		return nil, err
	}
	m := &model{name: name, checkpoint: c}
	if err := m.read(adapterDir); err != nil {
		m.release()
		return nil, err
	}
	return m, nil
}

func (m *model) read(adapterDir string) error {
	o, err := open(m.checkpoint)
	if err != nil {
		return err
	}
	m.tensorSet = o
	if m.architecture, err = architectureOf(m); err != nil || adapterDir == "" {
		return err
	}
	if m.adapter, err = adapter.Open(adapterDir); err != nil {
		return err
	}
	m.tensorSet = adapted{o, m.adapter}
	return m.checkAdapter(m.adapter)
}

// checkAdapter demands that an adapter fits the model's tensors.
func (m *model) checkAdapter(a *adapter.Adapter) error {
	return a.Check(func(tensor string) ([]int, bool) {
		info, ok := m.Info(tensor)
		return info.Shape, ok
	})
}

func (m *model) release() {
	m.checkpoint.Release()
	if m.adapter != nil {
		m.adapter.Release()
	}
}

// find returns the name under which the model stores a tensor: its own, another
// spelling, or that of the tensor it is tied to.
func (m *model) find(name string) (string, bool) {
	if _, ok := m.Info(name); ok {
		return name, true
	}
	for _, others := range [][]string{m.architecture.Aliases(name), m.architecture.Tied(name)} {
		for _, other := range others {
			if _, ok := m.Info(other); ok {
				return other, true
			}
		}
	}
	return "", false
}

// identities numbers what statistics are kept of: equal texts get equal numbers.
type identities struct {
	mu     sync.Mutex
	number map[string]int32
}

func (s *identities) of(text string) int32 {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, ok := s.number[text]
	if !ok {
		if s.number == nil {
			s.number = map[string]int32{}
		}
		n = int32(len(s.number))
		s.number[text] = n
	}
	return n
}
