package lm

import (
	"encoding/json"
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/eval/lm/kernel"
)

// config is what a forward pass needs to know of config.json.
type config struct {
	architecture string

	vocab, hidden, intermediate, layers int
	heads, kvHeads, head                int
	maxPositions                        int
	normEps                             float32
	rope                                rope

	qkvBias, outBias, mlpBias bool // which projections have a bias
	qkNorm                    bool // queries and keys are normed per head
	tied                      bool // the head is the embedding

	windows []int // per layer: positions that a query sees, 0 for all

	bos int32   // -1 when unknown
	eos []int32 // tokens that end a completion
}

// family is what an architecture fixes: what its reference implementation does
// whatever config.json says, and what it assumes where config.json is silent.
type family struct {
	modelType    string
	qkvBias      bool // always
	readsBias    bool // attention_bias covers q, k, v and o
	readsMLPBias bool
	qkNorm       bool
	head         int // default of head_dim; 0: hidden_size / num_attention_heads
	kvHeads      int // default of num_key_value_heads; 0: num_attention_heads
	maxPositions int
	windows      func(f *fields, layers int) []int
}

var families = map[string]family{
	"LlamaForCausalLM":   {modelType: "llama", readsBias: true, readsMLPBias: true, maxPositions: 2048, windows: noWindows},
	"MistralForCausalLM": {modelType: "mistral", kvHeads: 8, maxPositions: 131072, windows: mistralWindows},
	"Qwen2ForCausalLM":   {modelType: "qwen2", qkvBias: true, kvHeads: 32, maxPositions: 32768, windows: qwenWindows},
	"Qwen3ForCausalLM": {
		modelType: "qwen3", readsBias: true, qkNorm: true, head: 128, kvHeads: 32,
		maxPositions: 32768, windows: qwenWindows,
	},
}

const cannotRun = "merging it is fine, the embedded engine cannot run it"

// readConfig reads config.json and, where there is one, generation_config.json.
func readConfig(files map[string][]byte) (*config, error) {
	f, err := readFields("config.json", files["config.json"])
	if err != nil {
		return nil, err
	}
	c := &config{}
	fam, err := f.family(&c.architecture)
	if err != nil {
		return nil, err
	}
	c.vocab = f.size("vocab_size", 0, 1<<22)
	c.hidden = f.size("hidden_size", 0, 1<<17)
	c.intermediate = f.size("intermediate_size", 0, 1<<20)
	c.layers = f.size("num_hidden_layers", 0, 1<<12)
	c.heads = f.size("num_attention_heads", 0, 1<<12)
	c.kvHeads = f.size("num_key_value_heads", either(fam.kvHeads, c.heads), 1<<12)
	c.head = f.size("head_dim", either(fam.head, c.hidden/max(c.heads, 1)), kernel.MaxHead)
	c.maxPositions = f.size("max_position_embeddings", fam.maxPositions, 1<<30)
	c.normEps = float32(f.number("rms_norm_eps", 1e-6))
	c.tied = f.flag("tie_word_embeddings", false)
	c.qkNorm = fam.qkNorm
	c.qkvBias, c.outBias = fam.qkvBias, false
	if fam.readsBias && f.flag("attention_bias", false) {
		c.qkvBias, c.outBias = true, true
	}
	c.mlpBias = fam.readsMLPBias && f.flag("mlp_bias", false)
	if f.err == nil {
		c.windows = fam.windows(f, c.layers)
	}
	c.rope = f.rope(c.head)
	f.refuse()
	if f.err == nil {
		f.checkShape(c)
	}
	if f.err != nil {
		return nil, f.err
	}
	return c, c.readSpecials(f, files["generation_config.json"])
}

func either(a, b int) int {
	if a != 0 {
		return a
	}
	return b
}

// family finds the architecture by its class, or by model_type where no class is named.
func (f *fields) family(name *string) (family, error) {
	var names []string
	f.decode("architectures", &names)
	modelType := f.text("model_type", "")
	if f.err != nil {
		return family{}, f.err
	}
	if len(names) == 0 {
		for class, fam := range families {
			if fam.modelType == modelType {
				names = []string{class}
			}
		}
	}
	if len(names) == 1 {
		if fam, ok := families[names[0]]; ok {
			*name = names[0]
			return fam, nil
		}
	}
	what := modelType
	if len(names) > 0 {
		what = fmt.Sprint(names[0])
	}
	if what == "" {
		return family{}, f.problem("architectures", "missing, and no model_type either")
	}
	return family{}, f.problem("architectures", what+": "+cannotRun)
}

// refuse finds settings that would change the arithmetic and that the engine does not do.
func (f *fields) refuse() {
	if act := f.text("hidden_act", "silu"); act != "silu" && act != "swish" {
		f.fail("hidden_act", act+": "+cannotRun)
	}
	if _, ok := f.raw["quantization_config"]; ok {
		f.fail("quantization_config", "quantised weights: "+cannotRun)
	}
	if p := f.number("partial_rotary_factor", 1); p != 1 {
		f.fail("partial_rotary_factor", fmt.Sprintf("%v: %s", p, cannotRun))
	}
}

func (f *fields) checkShape(c *config) {
	switch {
	case c.heads%c.kvHeads != 0:
		f.fail("num_key_value_heads", fmt.Sprintf("%d does not divide num_attention_heads %d", c.kvHeads, c.heads))
	case c.head%2 != 0:
		f.fail("head_dim", fmt.Sprintf("%d is odd, rotary positions need pairs", c.head))
	case !(c.normEps >= 0):
		f.fail("rms_norm_eps", "must not be negative")
	}
}

// readSpecials finds the tokens that begin and end a text. generation_config.json
// overrides config.json, as it does when the model generates elsewhere.
func (c *config) readSpecials(f *fields, generation []byte) error {
	sources := []*fields{f}
	if generation != nil {
		g, err := readFields("generation_config.json", generation)
		if err != nil {
			return err
		}
		sources = []*fields{g, f}
	}
	c.bos = -1
	for _, s := range slices.Backward(sources) {
		if ids := s.tokens("bos_token_id", c.vocab); len(ids) > 0 {
			c.bos = ids[0]
		}
		if ids := s.tokens("eos_token_id", c.vocab); len(ids) > 0 {
			c.eos = ids
		}
		if s.err != nil {
			return s.err
		}
	}
	return nil
}

func noWindows(_ *fields, layers int) []int { return make([]int, layers) }

func mistralWindows(f *fields, layers int) []int {
	w := make([]int, layers)
	for i := range w {
		w[i] = f.optionalSize("sliding_window", 4096)
	}
	return w
}

// qwenWindows: layers from max_window_layers on slide, or those that layer_types names.
func qwenWindows(f *fields, layers int) []int {
	w := make([]int, layers)
	if !f.flag("use_sliding_window", false) {
		return w
	}
	window, from := f.optionalSize("sliding_window", 4096), f.count("max_window_layers", 28)
	var types []string
	f.decode("layer_types", &types)
	if types != nil && len(types) != layers {
		f.fail("layer_types", fmt.Sprintf("names %d layers, the model has %d", len(types), layers))
		return w
	}
	for i := range w {
		slides := i >= from
		if types != nil {
			slides = types[i] == "sliding_attention"
			if !slides && types[i] != "full_attention" {
				f.fail("layer_types", types[i]+": "+cannotRun)
			}
		}
		if slides {
			w[i] = window
		}
	}
	return w
}

// maxConfig bounds the size of a configuration file in bytes.
const maxConfig = 1 << 20

// fields reads a JSON object key by key and keeps the first error.
type fields struct {
	file string
	raw  map[string]json.RawMessage
	err  error
}

func readFields(file string, data []byte) (*fields, error) {
	f := &fields{file: file}
	if len(data) == 0 {
		return nil, &mergesearch.InputError{File: file, Problem: "missing or empty", Hint: "the engine needs config.json and tokenizer.json beside the weights"}
	}
	if len(data) > maxConfig {
		return nil, &mergesearch.InputError{File: file, Problem: fmt.Sprintf("%d bytes, at most %d are read", len(data), maxConfig)}
	}
	if err := json.Unmarshal(data, &f.raw); err != nil {
		return nil, &mergesearch.InputError{File: file, Problem: "not a JSON object: " + err.Error()}
	}
	for k, v := range f.raw { // null means that the field is not set
		if string(v) == "null" && k != "sliding_window" {
			delete(f.raw, k)
		}
	}
	return f, nil
}

func (f *fields) problem(field, text string) error {
	return &mergesearch.InputError{File: f.file, Field: field, Problem: text}
}

func (f *fields) fail(field, text string) {
	if f.err == nil {
		f.err = f.problem(field, text)
	}
}

func (f *fields) decode(name string, into any) bool {
	raw, ok := f.raw[name]
	if !ok {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		f.fail(name, fmt.Sprintf("has the wrong type: %.40s", raw))
		return false
	}
	return true
}

// size reads a positive whole number; a default of 0 makes the field required.
func (f *fields) size(name string, otherwise, most int) int {
	n := f.count(name, otherwise)
	switch {
	case n == 0 && f.raw[name] == nil:
		f.fail(name, "missing")
	case n <= 0 || n > most:
		f.fail(name, fmt.Sprintf("%d is not between 1 and %d", n, most))
	}
	return n
}

func (f *fields) count(name string, otherwise int) int {
	f.decode(name, &otherwise)
	return otherwise
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

// tokens reads a token id or a list of them.
func (f *fields) tokens(name string, vocab int) []int32 {
	raw, ok := f.raw[name]
	if !ok {
		return nil
	}
	var ids []int32
	if json.Unmarshal(raw, &ids) != nil {
		ids = make([]int32, 1)
		if json.Unmarshal(raw, &ids[0]) != nil {
			f.fail(name, "is neither a token id nor a list of them")
			return nil
		}
	}
	for _, id := range ids {
		if id < 0 || int(id) >= vocab {
			f.fail(name, fmt.Sprintf("%d is not in the vocabulary of %d", id, vocab))
		}
	}
	return ids
}
