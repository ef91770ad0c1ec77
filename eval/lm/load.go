package lm

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"mergesearch"
	"mergesearch/eval/lm/kernel"
)

// loader goes over the tensors of a model twice: first it checks them and counts
// floats, then, with the arena at hand, it fills it by all processors.
type loader struct {
	config  *config
	tensors mergesearch.Tensors
	wanted  map[string]bool
	err     error

	size int                     // floats of the arena so far
	jobs []func(arena []float32) // each fills a part of its own
}

// model lays out all of m.
func (l *loader) model(m *Model) {
	c := l.config
	m.embed = l.tensor("model.embed_tokens.weight", c.vocab, c.hidden)
	l.vector(&m.norm, "model.norm.weight", c.hidden)
	m.layers = make([]layer, c.layers)
	for i := range m.layers {
		l.layer(&m.layers[i], fmt.Sprintf("model.layers.%d.", i))
		m.layers[i].window = c.windows[i]
		if l.err != nil {
			return
		}
	}
	head := m.embed
	if !c.tied {
		head = l.tensor("lm_head.weight", c.vocab, c.hidden)
	}
	l.matrix(&m.head, c.hidden, head)
}

func (l *loader) layer(y *layer, prefix string) {
	c := l.config
	queries, keys := c.heads*c.head, c.kvHeads*c.head
	attn, mlp := prefix+"self_attn.", prefix+"mlp."
	weight := func(name string, n, k int) mergesearch.Tensor { return l.tensor(name+".weight", n, k) }

	l.vector(&y.inputNorm, prefix+"input_layernorm.weight", c.hidden)
	l.vector(&y.postNorm, prefix+"post_attention_layernorm.weight", c.hidden)
	if c.qkNorm {
		l.vector(&y.qNorm, attn+"q_norm.weight", c.head)
		l.vector(&y.kNorm, attn+"k_norm.weight", c.head)
	}
	l.matrix(&y.qkv, c.hidden, weight(attn+"q_proj", queries, c.hidden),
		weight(attn+"k_proj", keys, c.hidden), weight(attn+"v_proj", keys, c.hidden))
	l.matrix(&y.out, queries, weight(attn+"o_proj", c.hidden, queries))
	l.matrix(&y.gateUp, c.hidden, weight(mlp+"gate_proj", c.intermediate, c.hidden),
		weight(mlp+"up_proj", c.intermediate, c.hidden))
	l.matrix(&y.down, c.intermediate, weight(mlp+"down_proj", c.hidden, c.intermediate))
	if c.qkvBias {
		l.bias(&y.qkvBias, part{attn + "q_proj", queries}, part{attn + "k_proj", keys}, part{attn + "v_proj", keys})
	}
	if c.outBias {
		l.bias(&y.outBias, part{attn + "o_proj", c.hidden})
	}
	if c.mlpBias {
		l.bias(&y.gateUpBias, part{mlp + "gate_proj", c.intermediate}, part{mlp + "up_proj", c.intermediate})
		l.bias(&y.downBias, part{mlp + "down_proj", c.hidden})
	}
}

// tensor returns the named tensor if it has the type and shape that it must have.
func (l *loader) tensor(name string, shape ...int) mergesearch.Tensor {
	l.wanted[name] = true
	if l.err != nil {
		return mergesearch.Tensor{}
	}
	t, err := l.tensors.Tensor(name)
	switch {
	case err != nil:
		l.err = &mergesearch.InputError{Field: name, Problem: "tensor missing: " + err.Error()}
	case !kernel.Packable(t.DType):
		l.err = &mergesearch.InputError{Field: name, Problem: fmt.Sprintf("type %s: %s", t.DType, cannotRun)}
	case !slices.Equal(t.Shape, shape):
		l.err = &mergesearch.InputError{
			Field: name, Problem: fmt.Sprintf("shape %v, config.json asks for %v", t.Shape, shape),
		}
	case len(t.Data) != t.Elements()*t.DType.Size():
		l.err = &mergesearch.InputError{
			Field: name, Problem: fmt.Sprintf("%d bytes for %v %s", len(t.Data), t.Shape, t.DType),
		}
	}
	return t
}

// refuseOthers: a tensor that the forward pass would leave out would be a
// different model.
func (l *loader) refuseOthers() {
	if l.err != nil {
		return
	}
	for _, name := range l.tensors.Names() {
		if !l.wanted[name] && !ignorable(name, l.config) {
			l.err = &mergesearch.InputError{
				Field: name, Problem: "tensor that " + l.config.architecture + " with this config.json does not have: " + cannotRun,
			}
			return
		}
	}
}

// place reserves n floats, at a multiple of 16.
func (l *loader) place(n int) (at int) {
	at = l.size
	l.size += (n + 15) / 16 * 16
	return at
}

func (l *loader) vector(dst *[]float32, name string, n int) {
	t := l.tensor(name, n)
	at := l.place(n)
	l.jobs = append(l.jobs, func(arena []float32) {
		*dst = arena[at:][:n:n]
		kernel.Widen(*dst, t.Data, t.DType)
	})
}

// part is a projection that shares a bias vector with others.
type part struct {
	name string
	n    int
}

func (l *loader) bias(dst *[]float32, parts ...part) {
	total := 0
	tensors := make([]mergesearch.Tensor, len(parts))
	for i, p := range parts {
		tensors[i] = l.tensor(p.name+".bias", p.n)
		total += p.n
	}
	at := l.place(total)
	l.jobs = append(l.jobs, func(arena []float32) {
		*dst = arena[at:][:total:total]
		rest := *dst
		for i, t := range tensors {
			kernel.Widen(rest[:parts[i].n], t.Data, t.DType)
			rest = rest[parts[i].n:]
		}
	})
}

// rowsPerJob bounds what one processor packs at a time, so that a large head is shared.
const rowsPerJob = 4096

// matrix packs tensors [n][k], one below the other.
func (l *loader) matrix(dst *kernel.Packed, k int, parts ...mergesearch.Tensor) {
	if l.err != nil {
		return
	}
	n := 0
	for _, t := range parts {
		n += t.Shape[0]
	}
	size := kernel.PackedLen(n, k)
	at := l.place(size)
	*dst = kernel.Packed{N: n, K: k}
	packs := func(do func(p *kernel.Packed)) {
		l.jobs = append(l.jobs, func(arena []float32) {
			do(&kernel.Packed{N: n, K: k, Data: arena[at:][:size:size]})
		})
	}
	l.jobs = append(l.jobs, func(arena []float32) { dst.Data = arena[at:][:size:size] })
	packs((*kernel.Packed).ClearPadding)
	if len(parts) == 1 {
		t := parts[0]
		row := k * t.DType.Size()
		for from := 0; from < n; from += rowsPerJob {
			count := min(rowsPerJob, n-from)
			packs(func(p *kernel.Packed) { p.Pack(from, t.Data[from*row:], t.DType, count) })
		}
		return
	}
	packs(func(p *kernel.Packed) { // parts may share a panel
		column := 0
		for _, t := range parts {
			p.Pack(column, t.Data, t.DType, t.Shape[0])
			column += t.Shape[0]
		}
	})
}

// fill runs the jobs.
func (l *loader) fill(m *Model) {
	m.arena = arenas.floats(l.size)
	var next atomic.Int64
	work := func() {
		for i := next.Add(1) - 1; int(i) < len(l.jobs); i = next.Add(1) - 1 {
			l.jobs[i](m.arena)
		}
	}
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(l.jobs)) - 1 {
		wg.Go(work)
	}
	work()
	wg.Wait()
}

// attentionScale is 1/sqrt(head), computed in float64 as the reference implementations do.
func attentionScale(head int) float32 { return float32(1 / math.Sqrt(float64(head))) }
