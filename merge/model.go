package merge

import (
	"sync"

	"mergesearch/merge/architecture"
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
	plan         *Plan                      // of a stage

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

// opened is the tensorSet of a checkpoint.
type opened struct{ *safetensors.Checkpoint }

func (o opened) source(name string) (kernel.Source, error) {
	t, err := o.Tensor(name)
	return kernel.View{DType: t.DType, Data: t.Data}, err
}

func (o opened) raw(name string) ([]byte, error) {
	t, err := o.Tensor(name)
	return t.Data, err
}

func openModel(name, dir string) (*model, error) {
	c, err := safetensors.Open(dir)
	if err != nil {
		return nil, err
	}
	m := &model{tensorSet: opened{c}, name: name, checkpoint: c}
	if m.architecture, err = architectureOf(m); err != nil {
		c.Release()
		return nil, err
	}
	return m, nil
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
