package lm_test

import (
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/eval/lm"
	"mergesearch/eval/lm/lmtest"
)

// edit returns the files of the base model with fields of config.json replaced;
// "" removes a field.
func edit(t *testing.T, fields map[string]string) map[string][]byte {
	t.Helper()
	files, _, err := lmtest.Open(filepath.Join(familyDir, "models", "base"))
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]json.RawMessage
	if err := json.Unmarshal(files["config.json"], &config); err != nil {
		t.Fatal(err)
	}
	for k, v := range fields {
		if v == "" {
			delete(config, k)
		} else {
			config[k] = json.RawMessage(v)
		}
	}
	if files["config.json"], err = json.Marshal(config); err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCheckConfigRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		fields map[string]string
		field  string
	}{
		"another architecture":  {map[string]string{"architectures": `["GPT2LMHeadModel"]`}, "architectures"},
		"two architectures":     {map[string]string{"architectures": `["LlamaForCausalLM","x"]`}, "architectures"},
		"no architecture":       {map[string]string{"architectures": "", "model_type": ""}, "architectures"},
		"another model type":    {map[string]string{"architectures": "", "model_type": `"mamba"`}, "architectures"},
		"no hidden size":        {map[string]string{"hidden_size": ""}, "hidden_size"},
		"hidden size as text":   {map[string]string{"hidden_size": `"128"`}, "hidden_size"},
		"negative layers":       {map[string]string{"num_hidden_layers": "-1"}, "num_hidden_layers"},
		"a million layers":      {map[string]string{"num_hidden_layers": "1000000"}, "num_hidden_layers"},
		"heads that don't fit":  {map[string]string{"num_key_value_heads": "3"}, "num_key_value_heads"},
		"no heads":              {map[string]string{"num_attention_heads": "0"}, "num_attention_heads"},
		"odd head":              {map[string]string{"head_dim": "31"}, "head_dim"},
		"huge head":             {map[string]string{"head_dim": "2048"}, "head_dim"},
		"activation":            {map[string]string{"hidden_act": `"gelu"`}, "hidden_act"},
		"quantised":             {map[string]string{"quantization_config": `{"bits":4}`}, "quantization_config"},
		"partial rotary":        {map[string]string{"partial_rotary_factor": "0.5"}, "partial_rotary_factor"},
		"yarn":                  {map[string]string{"rope_scaling": `{"rope_type":"yarn","factor":4}`}, "rope_scaling"},
		"yarn, newer":           {map[string]string{"rope_parameters": `{"rope_type":"yarn","factor":4}`}, "rope_parameters"},
		"llama3 without bounds": {map[string]string{"rope_scaling": `{"rope_type":"llama3","factor":4}`}, "rope_scaling"},
		"shrinking":             {map[string]string{"rope_scaling": `{"type":"linear","factor":0.5}`}, "rope_scaling"},
		"negative theta":        {map[string]string{"rope_theta": "-1"}, "rope_theta"},
		"negative epsilon":      {map[string]string{"rms_norm_eps": "-1"}, "rms_norm_eps"},
		"vocabulary too small":  {map[string]string{"vocab_size": "300"}, "vocab_size"},
		"eos as text":           {map[string]string{"eos_token_id": `"</s>"`}, "eos_token_id"},
		"eos out of range":      {map[string]string{"eos_token_id": `[2,400]`}, "eos_token_id"},
		"layer types": {map[string]string{
			"architectures": `["Qwen2ForCausalLM"]`, "use_sliding_window": "true", "layer_types": `["full_attention"]`,
		}, "layer_types"},
	} {
		t.Run(name, func(t *testing.T) {
			files := edit(t, c.fields)
			var in *mergesearch.InputError
			if err := lm.CheckConfig(files); !errors.As(err, &in) || in.Field != c.field || in.File != "config.json" {
				t.Fatalf("error %v, want one about %s of config.json", err, c.field)
			}
		})
	}
}

func TestCheckConfigFiles(t *testing.T) {
	good := edit(t, nil)
	if err := lm.CheckConfig(good); err != nil {
		t.Fatal(err)
	}
	for file, content := range map[string]string{"config.json": "", "tokenizer.json": "", "generation_config.json": `[]`} {
		bad := maps.Clone(good)
		bad[file] = []byte(content)
		var in *mergesearch.InputError
		if err := lm.CheckConfig(bad); !errors.As(err, &in) || in.File != file {
			t.Errorf("%s %q: error %v", file, content, err)
		}
	}
	delete(good, "generation_config.json")
	if err := lm.CheckConfig(good); err != nil {
		t.Errorf("without generation_config.json: %v", err)
	}
}

// TestOldRopeScaling: the older spelling of a setting gives the same answers.
func TestOldRopeScaling(t *testing.T) {
	dir := "testdata/golden/llama-untied-gqa2-llama3"
	files, tensors, err := lmtest.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if files["tokenizer.json"], err = os.ReadFile("testdata/golden/tokenizer.json"); err != nil {
		t.Fatal(err)
	}
	files["config.json"] = []byte(strings.Replace(string(files["config.json"]), `"rope_parameters"`, `"rope_scaling"`, 1))
	old, err := lm.Load(files, tensors)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(old.Close)
	requests := randomRequests(old, 5)
	check(t, do(t, serve(t, loadGolden(t, dir), lm.Options{}), requests...), do(t, serve(t, old, lm.Options{}), requests...))
}

func TestLoadRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		tensor string
		change func(t *mergesearch.Tensor)
	}{
		"missing":   {"model.layers.2.mlp.up_proj.weight", nil},
		"shape":     {"model.layers.0.self_attn.k_proj.weight", func(t *mergesearch.Tensor) { t.Shape = []int{128, 64} }},
		"type":      {"model.norm.weight", func(t *mergesearch.Tensor) { t.DType = mergesearch.I16 }},
		"truncated": {"model.embed_tokens.weight", func(t *mergesearch.Tensor) { t.Data = t.Data[2:] }},
		"unknown":   {"model.layers.0.self_attn.q_proj.bias", func(t *mergesearch.Tensor) { t.Shape, t.DType = []int{1}, mergesearch.F32 }},
		"beyond":    {"model.layers.4.mlp.up_proj.weight", func(t *mergesearch.Tensor) {}},
	} {
		t.Run(name, func(t *testing.T) {
			files, tensors, err := lmtest.Open(filepath.Join(familyDir, "models", "base"))
			if err != nil {
				t.Fatal(err)
			}
			x := tensors.All[c.tensor]
			delete(tensors.All, c.tensor)
			if c.change != nil {
				c.change(&x)
				tensors.All[c.tensor] = x
			}
			var in *mergesearch.InputError
			if _, err := lm.Load(files, tensors); !errors.As(err, &in) || in.Field != c.tensor {
				t.Fatalf("error %v, want one about %s", err, c.tensor)
			}
			if tensors.Released() != 0 {
				t.Error("tensors of a refused model were released")
			}
		})
	}
}

// TestIgnoredTensors: a head beside a tied embedding, and stored frequencies,
// change nothing.
func TestIgnoredTensors(t *testing.T) {
	files, tensors, err := lmtest.Open(filepath.Join(familyDir, "models", "base"))
	if err != nil {
		t.Fatal(err)
	}
	tensors.All["lm_head.weight"] = mergesearch.Tensor{Name: "lm_head.weight"}
	tensors.All["model.layers.0.self_attn.rotary_emb.inv_freq"] = mergesearch.Tensor{}
	m, err := lm.Load(files, tensors)
	if err != nil {
		t.Fatal(err)
	}
	if m.Architecture() != "LlamaForCausalLM" || m.BOS() != 1 || !slices.Equal(m.EOS(), []int32{2}) || m.MaxPositions() != 128 || m.Vocab() != 355 {
		t.Errorf("%s, bos %d, eos %v, %d positions, vocabulary %d", m.Architecture(), m.BOS(), m.EOS(), m.MaxPositions(), m.Vocab())
	}
	m.Close()
	m.Close()
	if tensors.Released() != 1 {
		t.Errorf("released %d times", tensors.Released())
	}
}

// TestSwapsKeepMemory: three hundred candidates, one after the other, take the
// memory of a few.
func TestSwapsKeepMemory(t *testing.T) {
	files, tensors, err := lmtest.Open(filepath.Join(familyDir, "models", "base"))
	if err != nil {
		t.Fatal(err)
	}
	s := lm.NewServer(lm.ServerOptions{})
	defer s.Close()
	swap := func() {
		m, err := lm.Load(files, tensors)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Add("candidate", m); err != nil {
			t.Fatal(err)
		}
		s.Remove("candidate")
	}
	for range 20 {
		swap()
	}
	before := resident(t)
	for range 300 {
		swap()
	}
	runtime.GC()
	if grown := resident(t) - before; grown > 48<<20 {
		t.Errorf("300 swaps took %d MB", grown>>20)
	}
}

// resident returns the private memory of the process in bytes, 0 where that is not known.
func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "RssAnon:"); ok {
			kb := 0
			for _, c := range rest {
				if c >= '0' && c <= '9' {
					kb = kb*10 + int(c-'0')
				}
			}
			return kb << 10
		}
	}
	return 0
}
