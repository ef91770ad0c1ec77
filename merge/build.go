package merge

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/zeebo/xxh3"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
	"mergesearch/merge/vocabulary"
)

// alignment of tensors in memory, in bytes: a cache line, and a full vector.
const alignment = 64

// Build merges a recipe into memory. The candidate's tensors and files are
// read-only; releasing it gives the memory to the next Build. A recipe that does
// not fit the models is a *mergesearch.InputError, one whose result is not finite
// a *mergesearch.Failure with code "not_finite".
func (e *Engine) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	p, err := e.Plan(r)
	if err != nil {
		return mergesearch.Candidate{}, err
	}
	files, err := e.filesFor(p)
	if err != nil {
		return mergesearch.Candidate{}, err
	}
	m := e.layOut(p)
	if err := e.fill(ctx, p, m); err != nil {
		m.Release()
		if ctx.Err() == nil {
			err = fmt.Errorf("build %s: %w", id, err)
		}
		return mergesearch.Candidate{}, err
	}
	return mergesearch.Candidate{ID: id, Recipe: r.ID(), Tensors: m, Files: files, Fingerprint: m.Digest()}, nil
}

// fill computes all tensors and their digests.
func (e *Engine) fill(ctx context.Context, p *Plan, m *merged) error {
	if err := e.compute(ctx, p, m); err != nil {
		return err
	}
	sums := make([]xxh3.Uint128, len(p.Tensors))
	e.runner(ctx)(len(sums), func(i int) { sums[i] = xxh3.Hash128(m.data(i)) })
	m.setDigest(sums)
	return ctx.Err()
}

// compute computes all tensors: first what each needs to know of its inputs, then
// all tiles of all tensors side by side.
func (e *Engine) compute(ctx context.Context, p *Plan, m *merged) (err error) {
	defer kernel.Caught(&err)
	works, err := e.prepareAll(ctx, p)
	if err != nil {
		return err
	}
	for _, w := range works {
		w.stream = true
	}
	type tile struct{ tensor, lo, hi int }
	var tiles []tile
	for i, t := range p.Tensors {
		for lo := 0; lo < t.elements; lo += e.tile {
			tiles = append(tiles, tile{i, lo, min(t.elements, lo+e.tile)})
		}
	}
	e.runner(ctx)(len(tiles), func(i int) {
		t := tiles[i]
		size := works[t.tensor].DType.Size()
		works[t.tensor].compute(m.data(t.tensor)[t.lo*size:t.hi*size], t.lo, t.hi)
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	for _, w := range works {
		if err := w.failure(); err != nil {
			return err
		}
	}
	return nil
}

func (e *Engine) prepareAll(ctx context.Context, p *Plan) ([]*work, error) {
	works := make([]*work, len(p.Tensors))
	errs := make([]error, len(p.Tensors))
	each(e.threads, len(works), func(i int) { works[i], errs[i] = e.prepare(ctx, p, &p.Tensors[i]) })
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return works, nil
}

// filesFor returns the small files of the donor with config.json and tokenizer as
// the plan writes them.
func (e *Engine) filesFor(p *Plan) (map[string][]byte, error) {
	files, err := p.donor.Files()
	if err != nil {
		return nil, err
	}
	files = maps.Clone(files)
	if config := files["config.json"]; config != nil {
		if files["config.json"], err = p.outputConfig(config); err != nil {
			return nil, err
		}
	}
	return p.withVocabulary(files)
}

// withVocabulary puts the aligned tokenizer and the chat template that the recipe
// asks for into the small files.
func (p *Plan) withVocabulary(files map[string][]byte) (map[string][]byte, error) {
	if p.aligned != nil {
		maps.Copy(files, p.aligned.Files())
		for _, key := range append(p.donor.architecture.VocabKeys(), "vocab_size") {
			config, done := replaceEntry(files["config.json"], strings.Split(key, "."), fmt.Sprint(p.aligned.Rows()))
			if done {
				files["config.json"] = config
				break
			}
		}
	}
	if p.Recipe.ChatTemplate == "" {
		return files, nil
	}
	models, err := p.vocabularies()
	if err != nil {
		return nil, err
	}
	template, err := vocabulary.ChatTemplate(p.Recipe.ChatTemplate, models)
	if err != nil || template == "" {
		return files, err
	}
	return vocabulary.WithChatTemplate(files, template), nil
}

// merged is a merged model in memory. It implements mergesearch.Tensors.
type merged struct {
	names   []string
	tensors map[string]int
	planned []PlannedTensor
	offset  []int
	digest  string

	mu     sync.RWMutex // guards arena
	arena  []byte       // nil once released
	arenas *arenas
}

// layOut reserves memory for the plan's tensors, in the order of use.
func (e *Engine) layOut(p *Plan) *merged {
	m := &merged{tensors: map[string]int{}, planned: p.Tensors, arenas: &e.arenas}
	size := 0
	for i, t := range p.Tensors {
		m.names = append(m.names, t.Name)
		m.tensors[t.Name] = i
		m.offset = append(m.offset, size)
		size += (int(t.bytes()) + alignment - 1) / alignment * alignment
	}
	m.arena = e.arenas.take(size)
	return m
}

func (m *merged) data(i int) []byte {
	lo, hi := m.offset[i], m.offset[i]+int(m.planned[i].bytes())
	return m.arena[lo:hi:hi]
}

func (m *merged) setDigest(sums []xxh3.Uint128) {
	var d safetensors.Digests
	for i, t := range m.planned {
		d.AddHashed(t.Name, t.DType, t.Shape, sums[i])
	}
	m.digest = d.Digest()
}

func (m *merged) Names() []string { return slices.Clone(m.names) }

func (m *merged) Tensor(name string) (mergesearch.Tensor, error) {
	i, ok := m.tensors[name]
	if !ok {
		return mergesearch.Tensor{}, fmt.Errorf("merged model: no tensor %q", name)
	}
	m.mu.RLock()
	defer m.mu.RUnlock()
	if m.arena == nil {
		return mergesearch.Tensor{}, fmt.Errorf("merged model: tensor %q after release", name)
	}
	t := m.planned[i]
	return mergesearch.Tensor{Name: name, DType: t.DType, Shape: t.Shape, Data: m.data(i)}, nil
}

func (m *merged) Digest() string { return m.digest }

func (m *merged) Release() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.arena != nil {
		m.arenas.give(m.arena)
		m.arena = nil
	}
}

// arenas keeps the memory of released candidates for the next ones. It holds on
// to a few: as many as a search builds ahead.
type arenas struct {
	mu   sync.Mutex
	free [][]byte
}

const maxFreeArenas = 4

// take returns size bytes that begin at a multiple of the alignment. Their
// contents are what the last user left.
func (a *arenas) take(size int) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i, buf := range a.free {
		if cap(buf) >= size && cap(buf) <= 2*size+alignment {
			a.free = slices.Delete(a.free, i, i+1)
			return buf[:size]
		}
	}
	return alignedBytes(size)
}

func (a *arenas) give(buf []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.free) == maxFreeArenas {
		a.free = slices.Delete(a.free, 0, 1)
	}
	a.free = append(a.free, buf)
}
