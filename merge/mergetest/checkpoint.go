package mergetest

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// Checkpoint describes a small Llama-shaped model with random weights. The zero
// value of a field stands for the default in its comment.
type Checkpoint struct {
	Seed   uint64
	Layers int // 2
	Hidden int // 32; a multiple of 8
	Inner  int // 48, of the MLP
	Vocab  int // 67
	Heads  int // 4
	Untied bool
	DType  mergesearch.DType // BF16

	// ShardBytes is the most bytes of tensors in one file; 0 for a single file.
	ShardBytes int64
	// Near makes the weights those of this model plus small changes drawn from
	// Seed, as fine-tuning does. Shape fields are then taken from it.
	Near *Checkpoint
	// Buffer adds an I64 tensor, as some models have for positions.
	Buffer bool
}

func (c Checkpoint) filled() Checkpoint {
	if c.Near != nil {
		n := c.Near.filled()
		c.Layers, c.Hidden, c.Inner, c.Vocab, c.Heads, c.Untied, c.Buffer = n.Layers, n.Hidden, n.Inner, n.Vocab, n.Heads, n.Untied, n.Buffer
	}
	for _, f := range []struct {
		field *int
		value int
	}{{&c.Layers, 2}, {&c.Hidden, 32}, {&c.Inner, 48}, {&c.Vocab, 67}, {&c.Heads, 4}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	if c.DType == "" {
		c.DType = mergesearch.BF16
	}
	return c
}

// Write writes the model to dir, which must not exist or be empty.
func (c Checkpoint) Write(dir string) error {
	c = c.filled()
	tensors := c.Tensors()
	limit := c.ShardBytes
	if limit == 0 {
		limit = 1 << 40
	}
	w, err := safetensors.Create(dir, tensors, safetensors.WriterOptions{ShardBytes: limit})
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, t := range tensors {
		if len(t.Data) == 0 {
			continue
		}
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	if err := w.AddFile("config.json", c.config()); err != nil {
		return err
	}
	if _, err := w.Commit(); err != nil {
		return err
	}
	return os.Remove(filepath.Join(dir, safetensors.CompleteFile)) // models from elsewhere have none
}

// Tensors returns the model's tensors in the order of use, each with memory of
// its own.
func (c Checkpoint) Tensors() []mergesearch.Tensor {
	c = c.filled()
	var out []mergesearch.Tensor
	for _, s := range c.shapes() {
		t := mergesearch.Tensor{Name: s.Name, DType: c.DType, Shape: s.Shape}
		t.Data = make([]byte, t.Elements()*t.DType.Size())
		store(kernel.View{DType: t.DType, Data: t.Data}, c.values(s))
		out = append(out, t)
	}
	if c.Buffer {
		out = append(out, mergesearch.Tensor{Name: "model.position_ids", DType: mergesearch.I64, Shape: []int{2}, Data: []byte("0123456789abcdef")})
	}
	return out
}

// values draws a tensor: norms near 1, the rest near 0.
func (c Checkpoint) values(t mergesearch.Tensor) []float32 {
	n := t.Elements()
	x := make([]float32, n)
	r := rand.New(rand.NewPCG(c.Seed, hash(t.Name)))
	mean, spread := 0.0, 0.05
	if len(t.Shape) == 1 {
		mean, spread = 1, 0.1
	}
	if c.Near != nil {
		copy(x, c.Near.filled().rounded(t))
		mean, spread = 0, 0.01
	}
	for i := range x {
		x[i] += float32(mean + spread*r.NormFloat64())
	}
	return x
}

// rounded returns the values as the model stores them.
func (c Checkpoint) rounded(t mergesearch.Tensor) []float32 {
	v := kernel.View{DType: c.DType, Data: make([]byte, t.Elements()*c.DType.Size())}
	store(v, c.values(t))
	return kernel.Load(v)
}

// store is kernel.Store, also for floating types of 8 bits, of which it takes the
// nearest code.
func store(out kernel.View, x []float32) {
	if !out.DType.Eight() {
		kernel.Store(out, x)
		return
	}
	codes := make([]byte, 256)
	for i := range codes {
		codes[i] = byte(i)
	}
	known := kernel.Load(kernel.View{DType: out.DType, Data: codes})
	for i, f := range x {
		best := math.Inf(1)
		for code, y := range known {
			if d := math.Abs(float64(y - f)); d < best {
				best, out.Data[i] = d, byte(code)
			}
		}
	}
}

func hash(s string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}

// shapes lists the tensors of a Llama model with half as many key-value heads.
func (c Checkpoint) shapes() []mergesearch.Tensor {
	var out []mergesearch.Tensor
	add := func(name string, shape ...int) { out = append(out, mergesearch.Tensor{Name: name, Shape: shape}) }
	add("model.embed_tokens.weight", c.Vocab, c.Hidden)
	for l := range c.Layers {
		layer := fmt.Sprintf("model.layers.%d.", l)
		add(layer+"input_layernorm.weight", c.Hidden)
		add(layer+"self_attn.k_proj.weight", c.Hidden/2, c.Hidden)
		add(layer+"self_attn.o_proj.weight", c.Hidden, c.Hidden)
		add(layer+"self_attn.q_proj.weight", c.Hidden, c.Hidden)
		add(layer+"self_attn.v_proj.weight", c.Hidden/2, c.Hidden)
		add(layer+"post_attention_layernorm.weight", c.Hidden)
		add(layer+"mlp.down_proj.weight", c.Hidden, c.Inner)
		add(layer+"mlp.gate_proj.weight", c.Inner, c.Hidden)
		add(layer+"mlp.up_proj.weight", c.Inner, c.Hidden)
	}
	add("model.norm.weight", c.Hidden)
	if c.Untied {
		add("lm_head.weight", c.Vocab, c.Hidden)
	}
	return out
}

func (c Checkpoint) config() []byte {
	text, err := json.MarshalIndent(map[string]any{
		"architectures": []string{"LlamaForCausalLM"}, "model_type": "llama",
		"vocab_size": c.Vocab, "hidden_size": c.Hidden, "intermediate_size": c.Inner,
		"num_hidden_layers": c.Layers, "num_attention_heads": c.Heads, "num_key_value_heads": c.Heads / 2,
		"head_dim": c.Hidden / c.Heads, "hidden_act": "silu", "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
		"max_position_embeddings": 128, "tie_word_embeddings": !c.Untied,
		"torch_dtype": map[mergesearch.DType]string{
			mergesearch.BF16: "bfloat16", mergesearch.F16: "float16", mergesearch.F32: "float32", mergesearch.F64: "float64",
		}[c.DType],
	}, "", "  ")
	if err != nil {
		panic(err) // numbers and strings
	}
	return append(text, '\n')
}

// Family writes a base model and experts near it below dir and returns their
// directories by name: "base", "expert-a", "expert-b" and so on.
func Family(dir string, base Checkpoint, experts int) (map[string]string, error) {
	dirs := map[string]string{"base": filepath.Join(dir, "base")}
	if err := base.Write(dirs["base"]); err != nil {
		return nil, err
	}
	for i := range experts {
		name := "expert-" + string(rune('a'+i))
		dirs[name] = filepath.Join(dir, name)
		c := Checkpoint{Seed: base.Seed + uint64(i) + 1, DType: base.DType, ShardBytes: base.ShardBytes, Near: &base}
		if err := c.Write(dirs[name]); err != nil {
			return nil, err
		}
	}
	return dirs, nil
}
