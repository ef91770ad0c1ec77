package merge

import (
	"context"
	"crypto/sha256"
	"fmt"

	"mergesearch/merge/adapter"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// stage is the tensorSet of a planned recipe. Its tensors are merged while they
// are read, again for every reading, so that a recipe of several documents needs
// no intermediate checkpoint.
type stage struct {
	engine *Engine
	plan   *Plan
	index  map[string]int
}

// newStage makes a planned recipe a model that later recipes can name.
func newStage(e *Engine, name string, p *Plan) (*model, error) {
	s := &stage{engine: e, plan: p, index: map[string]int{}}
	for i, t := range p.Tensors {
		s.index[t.Name] = i
	}
	m := &model{tensorSet: s, name: name, key: name, plan: p, content: p.content()}
	var err error
	m.architecture, err = architectureOf(m)
	return m, err
}

// content tells the results of two plans apart, also where their recipes name
// different stages by one name.
func (p *Plan) content() string {
	text := string(p.Recipe.ID())
	for _, m := range p.models {
		if m.plan != nil {
			text += "\x00" + m.name + "\x00" + m.content
		}
	}
	sum := sha256.Sum256([]byte(text))
	return string(sum[:])
}

// withAdapter is a stage with an adapter applied to its result.
func withAdapter(stage *model, name string, a *adapter.Adapter) (*model, error) {
	m := &model{tensorSet: adapted{stage.tensorSet, a}, name: name, key: name, plan: stage.plan, content: stage.content, architecture: stage.architecture}
	return m, m.checkAdapter(a)
}

// Names is tensorSet's.
func (s *stage) Names() []string {
	var names []string
	for _, t := range s.plan.Tensors {
		names = append(names, t.Name)
	}
	return names
}

// Info is tensorSet's; a stage stores nothing, so the range is that of a file of
// this tensor alone.
func (s *stage) Info(name string) (safetensors.Info, bool) {
	i, ok := s.index[name]
	if !ok {
		return safetensors.Info{}, false
	}
	t := &s.plan.Tensors[i]
	return safetensors.Info{Name: name, DType: t.DType, Shape: t.Shape, End: t.bytes()}, true
}

func (s *stage) source(name string) (kernel.Source, error) {
	w, err := s.work(name)
	return merging{w}, err
}

func (s *stage) raw(name string) ([]byte, error) {
	w, err := s.work(name)
	if err != nil {
		return nil, err
	}
	return merging{w}.Slice(0, w.elements).Data, nil
}

func (s *stage) work(name string) (*work, error) {
	i, ok := s.index[name]
	if !ok {
		return nil, fmt.Errorf("stage: no tensor %q", name)
	}
	return s.engine.prepare(context.Background(), s.plan, &s.plan.Tensors[i])
}

// Files is tensorSet's.
func (s *stage) Files() (map[string][]byte, error) { return s.engine.filesFor(s.plan) }

// File is tensorSet's: a stage has no file but those of its models.
func (s *stage) File(string) string { return s.Dir() }

// Dir is tensorSet's.
func (s *stage) Dir() string { return s.plan.donor.Dir() }

// MappedBytes is tensorSet's.
func (s *stage) MappedBytes() int64 { return s.engine.mappedBytes(s.plan) }

// merging is a tensor of a stage as a Source.
type merging struct{ *work }

// Len is kernel.Source's.
func (m merging) Len() int { return m.elements }

// Slice is kernel.Source's. Tiles of the arithmetic begin at multiples of
// TileMultiple, pieces anywhere.
func (m merging) Slice(lo, hi int) kernel.View {
	from := lo / kernel.TileMultiple * kernel.TileMultiple
	size := m.DType.Size()
	data := alignedBytes((hi - from) * size)
	m.compute(data, from, hi)
	return kernel.View{DType: m.DType, Data: data[(lo-from)*size:]}
}
