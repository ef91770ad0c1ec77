package gguf

import (
	"bytes"
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

const quickstart = "../../configs/quickstart/models/base"

func openQuickstart(t *testing.T) (*safetensors.Checkpoint, map[string][]byte) {
	t.Helper()
	m, err := safetensors.Open(quickstart)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Release)
	files, err := m.Files()
	if err != nil {
		t.Fatal(err)
	}
	return m, files
}

func TestWriteQuickstart(t *testing.T) {
	m, files := openQuickstart(t)
	out := filepath.Join(t.TempDir(), "base.gguf")
	if err := Write(context.Background(), m, files, out); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	f := read(t, b)
	for key, want := range map[string]any{
		"general.architecture": "llama", "general.name": "base", "general.file_type": uint32(32),
		"llama.block_count": uint32(4), "llama.context_length": uint32(128), "llama.embedding_length": uint32(128),
		"llama.feed_forward_length": uint32(320), "llama.attention.head_count": uint32(4), "llama.attention.head_count_kv": uint32(2),
		"llama.attention.layer_norm_rms_epsilon": float32(1e-5), "llama.rope.freq_base": float32(10000), "llama.vocab_size": uint32(355),
		"tokenizer.ggml.model": "llama", "tokenizer.ggml.add_space_prefix": false, "tokenizer.ggml.add_bos_token": true,
		"tokenizer.ggml.add_eos_token": false, "tokenizer.ggml.bos_token_id": uint32(1), "tokenizer.ggml.eos_token_id": uint32(2),
		"tokenizer.ggml.padding_token_id": uint32(3), "tokenizer.ggml.unknown_token_id": uint32(0),
	} {
		if got := f.metadata[key]; got != want {
			t.Errorf("%s is %v, want %v", key, got, want)
		}
	}
	if n := len(f.metadata["tokenizer.ggml.tokens"].([]any)); n != 355 {
		t.Errorf("%d tokens, want 355", n)
	}
	checkTensors(t, m, f)
}

// checkTensors finds every tensor of a Llama model in the file, unchanged but for
// type and order of rows.
func checkTensors(t *testing.T, m *safetensors.Checkpoint, f readFile) {
	t.Helper()
	if len(f.names) != len(m.Names()) {
		t.Errorf("%d tensors, want %d", len(f.names), len(m.Names()))
	}
	names := strings.NewReplacer(
		"model.embed_tokens", "token_embd", "model.norm", "output_norm", "model.layers.", "blk.", "input_layernorm", "attn_norm",
		"post_attention_layernorm", "ffn_norm", "self_attn.q_proj", "attn_q", "self_attn.k_proj", "attn_k", "self_attn.v_proj", "attn_v",
		"self_attn.o_proj", "attn_output", "mlp.gate_proj", "ffn_gate", "mlp.up_proj", "ffn_up", "mlp.down_proj", "ffn_down")
	for _, name := range m.Names() {
		x, err := m.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := f.tensors[names.Replace(name)]
		if !ok {
			t.Errorf("no tensor for %s", name)
			continue
		}
		var dims []uint64
		for _, d := range slices.Backward(x.Shape) {
			dims = append(dims, uint64(d))
		}
		if !slices.Equal(got.dims, dims) {
			t.Errorf("%s has dimensions %v, want %v", name, got.dims, dims)
		}
		want, kind := x.Data, uint32(30)
		switch {
		case len(x.Shape) == 1:
			out := kernel.View{DType: mergesearch.F32, Data: make([]byte, 4*x.Elements())}
			kernel.Store(out, kernel.Load(kernel.View{DType: x.DType, Data: x.Data}))
			want, kind = out.Data, 0
		case strings.Contains(name, "q_proj"):
			want = interleave(x, 4)
		case strings.Contains(name, "k_proj"):
			want = interleave(x, 2)
		}
		if got.kind != kind || !bytes.Equal(got.data, want) {
			t.Errorf("%s: type %d and other data, want type %d", name, got.kind, kind)
		}
	}
}

// interleave lays the two halves of every head into each other, row by row.
func interleave(x mergesearch.Tensor, heads int) []byte {
	row := len(x.Data) / x.Shape[0]
	half := x.Shape[0] / heads / 2
	var out []byte
	for h := range heads {
		for i := range half {
			for _, part := range []int{0, 1} {
				from := (h*2*half + part*half + i) * row
				out = append(out, x.Data[from:from+row]...)
			}
		}
	}
	return out
}

func TestSourceIsAPermutation(t *testing.T) {
	for _, size := range []int{2, 4, 6, 32} {
		seen := map[int]bool{}
		for row := range 3 * size {
			from := source(row, size)
			if from/size != row/size || seen[from] {
				t.Errorf("size %d: row %d comes from %d", size, row, from)
			}
			seen[from] = true
		}
	}
}

// values is a model in memory whose tensors count from their name's length on.
type values map[string]mergesearch.Tensor

func (v values) Names() []string {
	var names []string
	for n := range v {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

func (v values) Tensor(name string) (mergesearch.Tensor, error) {
	if t, ok := v[name]; ok {
		return t, nil
	}
	return mergesearch.Tensor{}, errors.New("no such tensor")
}

func (v values) Digest() string { return "" }
func (v values) Release()       {}

func (v values) add(name string, dtype mergesearch.DType, shape ...int) {
	t := mergesearch.Tensor{Name: name, DType: dtype, Shape: shape}
	t.Data = make([]byte, t.Elements()*dtype.Size())
	x := make([]float32, t.Elements())
	for i := range x {
		x[i] = float32(i%7 + len(name))
	}
	kernel.Store(kernel.View{DType: dtype, Data: t.Data}, x)
	v[name] = t
}

// qwen3 is a model of one layer in a type.
func qwen3(dtype mergesearch.DType) (values, map[string][]byte) {
	v := values{}
	v.add("model.embed_tokens.weight", dtype, 262, 8)
	v.add("model.norm.weight", dtype, 8)
	v.add("lm_head.weight", dtype, 262, 8)
	const layer = "model.layers.0."
	for name, shape := range map[string][]int{
		"input_layernorm": {8}, "post_attention_layernorm": {8}, "self_attn.q_proj": {12, 8}, "self_attn.k_proj": {6, 8}, "self_attn.v_proj": {6, 8},
		"self_attn.o_proj": {8, 12}, "self_attn.q_norm": {6}, "self_attn.k_norm": {6}, "mlp.gate_proj": {10, 8}, "mlp.up_proj": {10, 8}, "mlp.down_proj": {8, 10},
	} {
		v.add(layer+name+".weight", dtype, shape...)
	}
	return v, map[string][]byte{
		"config.json": []byte(`{"architectures": ["Qwen3ForCausalLM"], "vocab_size": 262, "hidden_size": 8, "intermediate_size": 10, "num_hidden_layers": 1,
			"num_attention_heads": 2, "num_key_value_heads": 1, "head_dim": 6, "rope_parameters": {"rope_type": "default", "rope_theta": 1000000},
			"eos_token_id": [256, 257], "pad_token_id": null}`),
		"tokenizer.json":      []byte(byteLevelJSON(qwen2Words, false)),
		"chat_template.jinja": []byte("{{ messages }}"),
		"recipe.yaml":         []byte("merge_method: linear\n"),
	}
}

func TestWriteQwen3(t *testing.T) {
	kinds := map[mergesearch.DType]uint32{mergesearch.F32: 0, mergesearch.F16: 1, mergesearch.BF16: 30, mergesearch.F64: 0}
	for dtype, kind := range kinds {
		v, files := qwen3(dtype)
		out := filepath.Join(t.TempDir(), "m.gguf")
		if err := Write(context.Background(), v, files, out); err != nil {
			t.Fatal(dtype, err)
		}
		b, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		f := read(t, b)
		for key, want := range map[string]any{
			"general.architecture": "qwen3", "qwen3.attention.key_length": uint32(6), "qwen3.rope.freq_base": float32(1e6),
			"tokenizer.ggml.model": "gpt2", "tokenizer.ggml.pre": "qwen2", "tokenizer.ggml.add_bos_token": false,
			"tokenizer.ggml.eos_token_id": uint32(256), "tokenizer.ggml.eot_token_id": uint32(257),
			"tokenizer.chat_template": "{{ messages }}", "mergesearch.recipe": "merge_method: linear\n",
		} {
			if got := f.metadata[key]; got != want {
				t.Errorf("%s: %s is %v, want %v", dtype, key, got, want)
			}
		}
		tokens, types := f.metadata["tokenizer.ggml.tokens"].([]any), f.metadata["tokenizer.ggml.token_type"].([]any)
		for id, want := range map[int]struct {
			token string
			kind  int32
		}{65: {"A", normalToken}, 256: {"<|end|>", controlToken}, 257: {"<|turn|>", controlToken}, 258: {"<|tool|>", addedToken}, 259: {"AB", normalToken}, 261: {"[PAD261]", unusedToken}} {
			if tokens[id] != want.token || types[id] != want.kind {
				t.Errorf("token %d is %v of type %v, want %v", id, tokens[id], types[id], want)
			}
		}
		q := f.tensors["blk.0.attn_q.weight"]
		want := kernel.Load(kernel.View{DType: dtype, Data: v["model.layers.0.self_attn.q_proj.weight"].Data})
		stored := map[uint32]mergesearch.DType{0: mergesearch.F32, 1: mergesearch.F16, 30: mergesearch.BF16}[q.kind]
		if q.kind != kind || !slices.Equal(kernel.Load(kernel.View{DType: stored, Data: q.data}), want) {
			t.Errorf("%s: attn_q has type %d and other values", dtype, q.kind)
		}
		if norm := f.tensors["blk.0.attn_q_norm.weight"]; norm.kind != 0 {
			t.Errorf("%s: a norm of type %d", dtype, norm.kind)
		}
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		change func(v values, files map[string][]byte)
		want   string
	}{
		"missing tensor": {func(v values, _ map[string][]byte) { delete(v, "model.norm.weight") }, "model.norm.weight"},
		"surplus tensor": {func(v values, _ map[string][]byte) { v.add("model.layers.1.extra", mergesearch.F32, 2) }, "no such tensor"},
		"wrong shape":    {func(v values, _ map[string][]byte) { v.add("lm_head.weight", mergesearch.F32, 8, 262) }, "config.json asks for"},
		"whole numbers": {func(v values, _ map[string][]byte) {
			v["lm_head.weight"] = mergesearch.Tensor{DType: mergesearch.I8, Shape: []int{262, 8}}
		}, "type I8"},
		"no tokenizer":     {func(_ values, f map[string][]byte) { delete(f, "tokenizer.json") }, "tokenizer.json"},
		"no config":        {func(_ values, f map[string][]byte) { delete(f, "config.json") }, "config.json"},
		"architecture":     {replace("config.json", "Qwen3ForCausalLM", "GPT2LMHeadModel"), "cannot be written as GGUF"},
		"rope":             {replace("config.json", `"default"`, `"yarn"`), "yarn"},
		"bias":             {replace("config.json", `"head_dim": 6`, `"head_dim": 6, "attention_bias": true`), "attention_bias"},
		"quantised":        {replace("config.json", `"head_dim": 6`, `"head_dim": 6, "quantization_config": {}`), "dequantised"},
		"odd head":         {replace("config.json", `"head_dim": 6`, `"head_dim": 5`), "head_dim"},
		"eos":              {replace("config.json", `[256, 257]`, `[256, 999]`), "eos_token_id"},
		"unknown words":    {replace("tokenizer.json", `\\p{N}|`, `\\p{N}{1,2}|`), "pre_tokenizer"},
		"ignored merges":   {replace("tokenizer.json", `"ignore_merges":false`, `"ignore_merges":true`), "ignore_merges"},
		"normalizer":       {replace("tokenizer.json", `"NFC"`, `"Lowercase"`), "Lowercase"},
		"unigram":          {replace("tokenizer.json", `"type":"BPE"`, `"type":"Unigram"`), "Unigram"},
		"too many tokens":  {replace("tokenizer.json", `"id":258`, `"id":262`), "262 rows"},
		"same id":          {replace("tokenizer.json", `"id":258`, `"id":257`), "same id"},
		"stripping token":  {replace("tokenizer.json", `"special":false`, `"special":false,"lstrip":true`), "lstrip"},
		"merge of nothing": {replace("tokenizer.json", `"A B"`, `"A C"`), "not in the vocabulary"},
	} {
		t.Run(name, func(t *testing.T) {
			v, files := qwen3(mergesearch.F32)
			c.change(v, files)
			dir := t.TempDir()
			err := Write(context.Background(), v, files, filepath.Join(dir, "m.gguf"))
			var in *mergesearch.InputError
			if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want an InputError about %q", err, c.want)
			}
			if left, _ := os.ReadDir(dir); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
}

func replace(file, old, by string) func(values, map[string][]byte) {
	return func(_ values, f map[string][]byte) { f[file] = bytes.ReplaceAll(f[file], []byte(old), []byte(by)) }
}

func TestCompleteOrAbsent(t *testing.T) {
	v, files := qwen3(mergesearch.F32)
	dir := t.TempDir()
	out := filepath.Join(dir, "m.gguf")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := Write(ctx, v, files, out); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v, want one of cancelling", err)
	}
	if left, _ := os.ReadDir(dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	leftover, other := filepath.Join(dir, ".tmp-m.gguf-123"), filepath.Join(dir, ".tmp-m.gguf-notes")
	for _, name := range []string{leftover, other} {
		if err := os.WriteFile(name, []byte("half"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := Write(context.Background(), v, files, out); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(leftover); err == nil {
		t.Error("the leftover is still there")
	}
	if _, err := os.Stat(other); err != nil {
		t.Error("a file that no writer made is gone")
	}
	first, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var in *mergesearch.InputError
	if err := Write(context.Background(), v, files, out); !errors.As(err, &in) {
		t.Errorf("error %v, want an InputError for a file that exists", err)
	}
	if err := os.Remove(out); err != nil {
		t.Fatal(err)
	}
	if err := Write(context.Background(), v, files, out); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(out); !bytes.Equal(first, again) {
		t.Error("equal inputs give other bytes")
	}
}

// Llama 3.1 8B: 35 of the 64 frequencies are as they were or between, the rest
// are stretched by 8.
func TestDivisors(t *testing.T) {
	r := rope{head: 128, theta: 500000, kind: "llama3", factor: 8, lowFreq: 1, highFreq: 4, originalMaxPosition: 8192}
	d := r.divisors()
	for i, x := range d {
		wave := 2 * math.Pi * math.Pow(500000, float64(i)/64)
		switch {
		case wave < 8192/4 && x != 1, wave > 8192 && x != 8, x < 1 || x > 8, i > 0 && x < d[i-1]:
			t.Errorf("divisor %d of wave length %.0f is %v", i, wave, x)
		}
	}
	if d[28] != 1 || d[29] <= 1 || d[34] >= 8 || d[35] != 8 {
		t.Errorf("the ramp is at another place: %v", d[26:38])
	}
}
