package gguf

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mergesearch"
)

// architecture is what a family of models fixes, and what it assumes where
// config.json is silent. Defaults are those of transformers' configurations.
type architecture struct {
	name         string // in GGUF
	modelType    string // in config.json
	permuted     bool   // rows of queries and keys change places
	qkvBias      bool   // always
	readsBias    bool   // attention_bias covers q, k, v and o
	readsMLPBias bool
	qkNorm       bool
	head         int // default of head_dim; 0: hidden_size / num_attention_heads
	kvHeads      int // default of num_key_value_heads; 0: num_attention_heads
	positions    int // default of max_position_embeddings
	window       func(*fields) int
}

var architectures = map[string]architecture{
	"LlamaForCausalLM":   {name: "llama", modelType: "llama", permuted: true, readsBias: true, readsMLPBias: true, positions: 2048, window: noWindow},
	"MistralForCausalLM": {name: "llama", modelType: "mistral", permuted: true, kvHeads: 8, positions: 131072, window: mistralWindow},
	"Qwen2ForCausalLM":   {name: "qwen2", modelType: "qwen2", qkvBias: true, kvHeads: 32, positions: 32768, window: qwenWindow},
	"Qwen3ForCausalLM":   {name: "qwen3", modelType: "qwen3", qkNorm: true, head: 128, kvHeads: 32, positions: 32768, window: qwenWindow},
}

// config is what the file needs to know of config.json.
type config struct {
	architecture

	vocab, hidden, intermediate, layers int
	heads, kvHeads, head                int
	context                             int
	normEps                             float64
	rope                                rope
	outBias, mlpBias                    bool
	tied                                bool
}

func readConfig(files map[string][]byte) (*config, error) {
	f, err := readFields("config.json", files["config.json"])
	if err != nil {
		return nil, err
	}
	c := &config{}
	if c.architecture, err = f.architecture(); err != nil {
		return nil, err
	}
	c.vocab = f.size("vocab_size", 0, 1<<22)
	c.hidden = f.size("hidden_size", 0, 1<<20)
	c.intermediate = f.size("intermediate_size", 0, 1<<22)
	c.layers = f.size("num_hidden_layers", 0, 1<<12)
	c.heads = f.size("num_attention_heads", 0, 1<<12)
	c.kvHeads = f.size("num_key_value_heads", first(c.architecture.kvHeads, c.heads), 1<<12)
	c.head = f.size("head_dim", first(c.architecture.head, c.hidden/max(c.heads, 1)), 1<<16)
	c.context = f.size("max_position_embeddings", c.positions, 1<<30)
	c.normEps = f.number("rms_norm_eps", 1e-6)
	c.tied = f.flag("tie_word_embeddings", false)
	if c.readsBias && f.flag("attention_bias", false) {
		c.qkvBias, c.outBias = true, true
	}
	c.mlpBias = c.readsMLPBias && f.flag("mlp_bias", false)
	c.rope = f.rope(c.head)
	if w := c.window(f); w > 0 {
		c.context = min(c.context, w)
	}
	f.refuse(c)
	return c, f.err
}

// refuse finds settings that a GGUF file of the architecture has no place for.
func (f *fields) refuse(c *config) {
	const no = ": a GGUF file of this architecture cannot say that"
	if act := f.text("hidden_act", "silu"); act != "silu" && act != "swish" {
		f.fail("hidden_act", act+no)
	}
	if _, ok := f.raw["quantization_config"]; ok {
		f.fail("quantization_config", "quantised weights have to be dequantised first")
	}
	if p := f.number("partial_rotary_factor", 1); p != 1 {
		f.fail("partial_rotary_factor", fmt.Sprint(p, no))
	}
	if c.name == "qwen3" && f.flag("attention_bias", false) {
		f.fail("attention_bias", "true"+no)
	}
	switch {
	case f.err != nil:
	case c.heads%c.kvHeads != 0:
		f.fail("num_key_value_heads", fmt.Sprintf("%d does not divide num_attention_heads %d", c.kvHeads, c.heads))
	case c.head%2 != 0:
		f.fail("head_dim", fmt.Sprintf("%d is odd, rotary positions need pairs", c.head))
	case !(c.normEps >= 0) || math.IsInf(c.normEps, 0):
		f.fail("rms_norm_eps", "must be a number that is not negative")
	}
}

// metadata returns the keys that describe the model.
func (c *config) metadata() []entry {
	key := func(name string) string { return c.name + "." + name }
	m := []entry{
		{key("vocab_size"), uint32(c.vocab)},
		{key("context_length"), uint32(c.context)},
		{key("embedding_length"), uint32(c.hidden)},
		{key("block_count"), uint32(c.layers)},
		{key("feed_forward_length"), uint32(c.intermediate)},
		{key("attention.head_count"), uint32(c.heads)},
		{key("attention.head_count_kv"), uint32(c.kvHeads)},
		{key("attention.key_length"), uint32(c.head)},
		{key("attention.value_length"), uint32(c.head)},
		{key("attention.layer_norm_rms_epsilon"), float32(c.normEps)},
		{key("rope.dimension_count"), uint32(c.head)},
		{key("rope.freq_base"), float32(c.rope.theta)},
	}
	if c.rope.kind == "linear" {
		m = append(m, entry{key("rope.scaling.type"), "linear"}, entry{key("rope.scaling.factor"), float32(c.rope.factor)})
	}
	return m
}

func noWindow(*fields) int { return 0 }

func mistralWindow(f *fields) int { return f.optionalSize("sliding_window", 4096) }

// qwenWindow ignores which layers slide: what is below the window is the same in all.
func qwenWindow(f *fields) int {
	if !f.flag("use_sliding_window", false) {
		return 0
	}
	return f.optionalSize("sliding_window", 4096)
}

// architecture finds the architecture by its class, or by model_type where no
// class is named.
func (f *fields) architecture() (architecture, error) {
	var names []string
	f.decode("architectures", &names)
	modelType := f.text("model_type", "")
	if f.err != nil {
		return architecture{}, f.err
	}
	for class, a := range architectures {
		if len(names) == 1 && names[0] == class || len(names) == 0 && a.modelType == modelType {
			return a, nil
		}
	}
	what := modelType
	if len(names) > 0 {
		what = strings.Join(names, ", ")
	}
	return architecture{}, &mergesearch.InputError{
		File: f.file, Field: "architectures", Problem: fmt.Sprintf("%.80q cannot be written as GGUF", what),
		Hint: "known: " + strings.Join(slices.Sorted(maps.Keys(architectures)), ", ") + "; export it as a Hugging Face directory instead",
	}
}

func first(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

// fields reads a JSON object key by key and keeps the first error. Null means
// that a field is not set.
type fields struct {
	file string
	raw  map[string]json.RawMessage
	err  error
}

func readFields(file string, data []byte) (*fields, error) {
	f := &fields{file: file}
	if len(data) == 0 {
		return nil, &mergesearch.InputError{File: file, Problem: "missing or empty", Hint: "a GGUF file needs config.json and tokenizer.json beside the weights"}
	}
	if err := json.Unmarshal(data, &f.raw); err != nil {
		return nil, &mergesearch.InputError{File: file, Problem: "not a JSON object: " + err.Error()}
	}
	return f, nil
}

func (f *fields) fail(field, text string) {
	if f.err == nil {
		f.err = &mergesearch.InputError{File: f.file, Field: field, Problem: text}
	}
}

func (f *fields) decode(name string, into any) {
	raw, ok := f.raw[name]
	if !ok || string(raw) == "null" {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		f.fail(name, fmt.Sprintf("has the wrong type: %.40s", raw))
	}
}

// size reads a whole number from 1 to most; a default of 0 makes it required.
func (f *fields) size(name string, otherwise, most int) int {
	n := otherwise
	f.decode(name, &n)
	switch {
	case n == 0 && f.raw[name] == nil:
		f.fail(name, "missing")
	case n <= 0 || n > most:
		f.fail(name, fmt.Sprintf("%d is not between 1 and %d", n, most))
	}
	return n
}

// optionalSize reads a positive number, or null for none.
func (f *fields) optionalSize(name string, otherwise int) int {
	if string(f.raw[name]) == "null" {
		return 0
	}
	return f.size(name, otherwise, 1<<30)
}

func (f *fields) number(name string, otherwise float64) float64 {
	f.decode(name, &otherwise)
	return otherwise
}

func (f *fields) flag(name string, otherwise bool) bool {
	f.decode(name, &otherwise)
	return otherwise
}

func (f *fields) text(name, otherwise string) string {
	f.decode(name, &otherwise)
	return otherwise
}

// tokenIDs reads a token id or a list of them.
func (f *fields) tokenIDs(name string) []int {
	var ids []int
	raw := f.raw[name]
	if len(raw) > 0 && raw[0] != '[' && string(raw) != "null" {
		raw = append(append([]byte{'['}, raw...), ']')
	}
	if len(raw) > 0 && json.Unmarshal(raw, &ids) != nil {
		f.fail(name, "is neither a token id nor a list of them")
	}
	return ids
}
