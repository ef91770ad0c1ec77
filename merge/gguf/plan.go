package gguf

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"

	"mergesearch"
)

// planned is one tensor of the file.
type planned struct {
	name  string
	dtype mergesearch.DType
	shape []int // outermost first

	from  string // tensor of the model; empty: data holds it
	data  []byte
	heads int // rows are permuted within so many heads; 0: they stay
}

func (p planned) elements() int { return mergesearch.Tensor{Shape: p.shape}.Elements() }

func (p planned) bytes() int64 { return int64(p.elements()) * int64(p.dtype.Size()) }

// typeCode returns the number of an element type in the format.
func typeCode(d mergesearch.DType) uint32 {
	switch d {
	case mergesearch.F32:
		return 0
	case mergesearch.F16:
		return 1
	case mergesearch.BF16:
		return 30
	}
	panic(fmt.Sprintf("gguf: type %s", d))
}

// planner collects the tensors of a file and keeps the first error.
type planner struct {
	*config
	tensors mergesearch.Tensors
	used    map[string]bool
	out     []planned
	err     error
}

// plan lists the tensors of the file and checks that the model has these and no
// others.
func plan(c *config, t mergesearch.Tensors) ([]planned, error) {
	p := &planner{config: c, tensors: t, used: map[string]bool{}}
	p.add("model.embed_tokens.weight", "token_embd.weight", 0, c.vocab, c.hidden)
	if c.rope.kind == "llama3" {
		p.addDivisors()
	}
	for i := range c.layers {
		p.layer(fmt.Sprintf("model.layers.%d.", i), fmt.Sprintf("blk.%d.", i))
	}
	p.add("model.norm.weight", "output_norm.weight", 0, c.hidden)
	if !c.tied {
		p.add("lm_head.weight", "output.weight", 0, c.vocab, c.hidden)
	}
	p.refuseOthers()
	return p.out, p.err
}

func (p *planner) layer(from, to string) {
	queries, keys := p.heads*p.head, p.kvHeads*p.head
	qHeads, kHeads := 0, 0
	if p.permuted {
		qHeads, kHeads = p.heads, p.kvHeads
	}
	vector := func(a, b string, heads, n int) { p.add(from+a, to+b, heads, n) }
	matrix := func(a, b string, heads, rows, columns int, bias bool) {
		p.add(from+a+".weight", to+b+".weight", heads, rows, columns)
		if bias {
			vector(a+".bias", b+".bias", heads, rows)
		}
	}
	vector("input_layernorm.weight", "attn_norm.weight", 0, p.hidden)
	matrix("self_attn.q_proj", "attn_q", qHeads, queries, p.hidden, p.qkvBias)
	matrix("self_attn.k_proj", "attn_k", kHeads, keys, p.hidden, p.qkvBias)
	matrix("self_attn.v_proj", "attn_v", 0, keys, p.hidden, p.qkvBias)
	if p.qkNorm {
		vector("self_attn.q_norm.weight", "attn_q_norm.weight", 0, p.head)
		vector("self_attn.k_norm.weight", "attn_k_norm.weight", 0, p.head)
	}
	matrix("self_attn.o_proj", "attn_output", 0, p.hidden, queries, p.outBias)
	vector("post_attention_layernorm.weight", "ffn_norm.weight", 0, p.hidden)
	matrix("mlp.gate_proj", "ffn_gate", 0, p.intermediate, p.hidden, p.mlpBias)
	matrix("mlp.up_proj", "ffn_up", 0, p.intermediate, p.hidden, p.mlpBias)
	matrix("mlp.down_proj", "ffn_down", 0, p.hidden, p.intermediate, p.mlpBias)
}

func (p *planner) add(from, to string, heads int, shape ...int) {
	p.used[from] = true
	if p.err != nil {
		return
	}
	t, err := p.tensors.Tensor(from)
	switch {
	case err != nil:
		p.err = &mergesearch.InputError{Field: from, Problem: "tensor missing: " + err.Error()}
	case !slices.Equal(t.Shape, shape):
		p.err = &mergesearch.InputError{Field: from, Problem: fmt.Sprintf("shape %v, config.json asks for %v", t.Shape, shape)}
	case t.DType != mergesearch.BF16 && t.DType != mergesearch.F16 && t.DType != mergesearch.F32 && t.DType != mergesearch.F64:
		p.err = &mergesearch.InputError{Field: from, Problem: fmt.Sprintf("type %s cannot be written as GGUF", t.DType), Hint: "write the model as bfloat16 first: dtype: bfloat16 in the recipe"}
	}
	dtype := t.DType
	if len(shape) == 1 || dtype == mergesearch.F64 {
		dtype = mergesearch.F32
	}
	p.out = append(p.out, planned{name: to, dtype: dtype, shape: shape, from: from, heads: heads})
}

func (p *planner) addDivisors() {
	var data []byte
	d := p.rope.divisors()
	for _, f := range d {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(f))
	}
	p.out = append(p.out, planned{name: "rope_freqs.weight", dtype: mergesearch.F32, shape: []int{len(d)}, data: data})
}

// refuseOthers: a model without one of its tensors would be another model.
func (p *planner) refuseOthers() {
	for _, name := range p.tensors.Names() {
		if p.err != nil {
			return
		}
		buffer := strings.HasSuffix(name, "rotary_emb.inv_freq")
		if !p.used[name] && !buffer && !(p.tied && name == "lm_head.weight") {
			p.err = &mergesearch.InputError{Field: name, Problem: "a " + p.name + " model with this config.json has no such tensor in GGUF"}
		}
	}
}

// fileType is the type of most elements of the matrices, as GGUF numbers it.
func fileType(tensors []planned) uint32 {
	count := map[mergesearch.DType]int{}
	for _, t := range tensors {
		if len(t.shape) > 1 {
			count[t.dtype] += t.elements()
		}
	}
	switch {
	case count[mergesearch.BF16] > max(count[mergesearch.F16], count[mergesearch.F32]):
		return 32
	case count[mergesearch.F16] > count[mergesearch.F32]:
		return 1
	}
	return 0
}

// source returns the row of a head-wise projection that goes to a row of the
// file. Hugging Face's code turns element i of a head together with element
// i + size/2, llama.cpp turns 2i together with 2i + 1.
func source(row, size int) int {
	head, i := row/size, row%size
	return head*size + i%2*(size/2) + i/2
}
