package architecture_test

import (
	"errors"
	"reflect"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/merge/architecture"
	"mergesearch/merge/architecture/archtest"
)

func lookup(t *testing.T, config string) *architecture.Architecture {
	t.Helper()
	a, err := architecture.Lookup([]byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestLookup(t *testing.T) {
	for _, c := range []struct{ config, name string }{
		{`{"architectures": ["LlamaForCausalLM"], "model_type": "mistral"}`, "llama"},
		{`{"architectures": ["LlamaForTokenClassification"], "model_type": "llama"}`, "llama"},
		{`{"architectures": null, "model_type": "gpt2"}`, "gpt2"},
		{`{"architectures": [], "model_type": "gpt2"}`, "gpt2"},
		{`{"model_type": "xlm-roberta"}`, "roberta"},
		{`{"architectures": ["BrandNewForCausalLM"], "model_type": "brand_new"}`, ""},
		{`{}`, ""},
	} {
		if a := lookup(t, c.config); a.Name() != c.name {
			t.Errorf("%s: %q, want %q", c.config, a.Name(), c.name)
		}
	}
	if a, err := architecture.Lookup(nil); a != nil || err != nil {
		t.Errorf("no config: %v, %v", a, err)
	}
	for _, config := range []string{``, `[]`, `{"architectures": "LlamaForCausalLM"}`, `{"architectures": [1]}`, `{"model_type": `} {
		var in *mergesearch.InputError
		if a, err := architecture.Lookup([]byte(config)); !errors.As(err, &in) || in.File != "" || a != nil {
			t.Errorf("%q: %v, %v, want an InputError without file", config, a, err)
		}
	}
}

// Names and configs as published checkpoints have them, where transformers 5
// writes others.
func TestPublishedSpellings(t *testing.T) {
	for _, c := range []struct {
		config, tensor, alias string
	}{
		{`{"model_type": "bert"}`, "bert.embeddings.LayerNorm.gamma", "embeddings.LayerNorm.weight"},
		{`{"model_type": "bert"}`, "bert.encoder.layer.0.attention.output.LayerNorm.beta", "bert.encoder.layer.0.attention.output.LayerNorm.bias"},
		{`{"model_type": "gpt2"}`, "h.0.attn.c_attn.weight", "transformer.h.0.attn.c_attn.weight"},
		{`{"model_type": "gemma3"}`, "vision_tower.vision_model.encoder.layers.3.mlp.fc1.weight", "vision_tower.encoder.layers.3.mlp.fc1.weight"},
		{`{"model_type": "gemma3"}`, "model.language_model.layers.3.mlp.up_proj.weight", "language_model.model.layers.3.mlp.up_proj.weight"},
		{`{"model_type": "gemma3"}`, "lm_head.weight", "language_model.lm_head.weight"},
		{`{"model_type": "qwen2_vl"}`, "model.visual.blocks.0.norm1.weight", "visual.blocks.0.norm1.weight"},
		{`{"model_type": "qwen2_vl"}`, "model.language_model.norm.weight", "model.norm.weight"},
		{`{"model_type": "opt"}`, "decoder.layers.0.fc1.weight", "model.decoder.layers.0.fc1.weight"},
		{`{"model_type": "mamba"}`, "backbone.embedding.weight", "backbone.embeddings.weight"},
	} {
		a := lookup(t, c.config)
		if !slices.Contains(a.Aliases(c.tensor), c.alias) || !slices.Contains(a.Aliases(c.alias), c.tensor) {
			t.Errorf("%s: %v, want %s, and the reverse", c.tensor, a.Aliases(c.tensor), c.alias)
		}
	}
}

func TestKeysFollowTheConfig(t *testing.T) {
	old := lookup(t, `{"model_type": "qwen2_vl", "num_hidden_layers": 28, "vocab_size": 9, "vision_config": {"depth": 32}}`)
	nested := lookup(t, `{"model_type": "qwen2_vl", "text_config": {"num_hidden_layers": 28, "vocab_size": 9}}`)
	for _, c := range []struct {
		what, got, want string
	}{
		{"old layers", old.LayersKey("model.layers"), "num_hidden_layers"},
		{"new layers", nested.LayersKey("model.layers"), "text_config.num_hidden_layers"},
		{"other spelling", nested.LayersKey("model.language_model.layers"), "text_config.num_hidden_layers"},
		{"old vocabulary", old.VocabKeys()[0], "vocab_size"},
		{"new vocabulary", nested.VocabKeys()[0], "text_config.vocab_size"},
		{"vision", old.LayersKey("visual.blocks"), "vision_config.depth"},
		{"no stack", old.LayersKey("visual.merger.mlp"), ""},
		{"absent", lookup(t, `{"model_type": "falcon"}`).LayersKey("transformer.h"), "num_hidden_layers"},
		{"early falcon", lookup(t, `{"model_type": "falcon", "n_layer": 32}`).LayersKey("transformer.h"), "n_layer"},
		{"decoder like encoder", lookup(t, `{"model_type": "t5", "num_layers": 6, "num_decoder_layers": null}`).LayersKey("decoder.block"), "num_layers"},
		{"tie", nested.TieKey(), "tie_word_embeddings"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %q, want %q", c.what, c.got, c.want)
		}
	}
}

// A published DeepSeek-V3 has a layer for a further token behind its last one.
func TestLayersOfFurtherTokens(t *testing.T) {
	a := lookup(t, `{"model_type": "deepseek_v3", "num_hidden_layers": 61, "num_nextn_predict_layers": 1}`)
	if n := a.ExtraLayers("model.layers"); n != 1 {
		t.Errorf("%d extra layers", n)
	}
	if !a.Embedding("model.layers.61.embed_tokens.weight") || !a.Embedding("model.layers.61.shared_head.head.weight") {
		t.Error("its embedding and head are not known")
	}
	if a.Embedding("model.layers.60.mlp.gate.weight") {
		t.Error("a router is no embedding")
	}
	if n := lookup(t, `{"model_type": "llama"}`).ExtraLayers("model.layers"); n != 0 {
		t.Errorf("llama: %d extra layers", n)
	}
}

func TestBuffersAreOptional(t *testing.T) {
	for _, c := range []struct {
		kind, tensor string
		optional     bool
	}{
		{"llama", "model.layers.3.self_attn.rotary_emb.inv_freq", true},
		{"llama", "model.norm.weight", false},
		{"gpt2", "h.3.attn.bias", true},
		{"gpt2", "transformer.h.3.attn.masked_bias", true},
		{"gpt2", "transformer.h.3.attn.c_attn.bias", false},
		{"gpt_neox", "gpt_neox.layers.3.attention.bias", true},
		{"gpt_neox", "gpt_neox.layers.3.attention.dense.bias", false},
		{"bert", "bert.embeddings.position_ids", true},
		{"phi", "lm_head.bias", false},
		{"t5", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight", true},
		{"", "model.layers.3.self_attn.rotary_emb.inv_freq", true},
		{"", "lm_head.weight", true},
		{"", "model.embed_tokens.weight", false},
	} {
		if got := lookup(t, `{"model_type": "`+c.kind+`"}`).Optional(c.tensor); got != c.optional {
			t.Errorf("%s %s: %v", c.kind, c.tensor, got)
		}
	}
}

func TestUnknownArchitecture(t *testing.T) {
	var a *architecture.Architecture
	for _, c := range []struct{ what, got, want any }{
		{"name", a.Name(), ""},
		{"modules", a.Modules(), []string{"default"}},
		{"module", a.Module("vision_tower.x"), "default"},
		{"layers", a.LayersKey("model.layers"), "num_hidden_layers"},
		{"unusual layers", a.LayersKey("blocks"), ""},
		{"lists", a.LayerLists("model.layers"), []string(nil)},
		{"extra", a.ExtraLayers("model.layers"), 0},
		{"vocabulary", a.VocabKeys(), []string{"vocab_size"}},
		{"experts key", a.ExpertsKey(), ""},
		{"tie", a.TieKey(), "tie_word_embeddings"},
		{"after", a.After("model.norm.weight"), false},
		{"knows", a.Knows("model.norm.weight"), false},
		{"embedding", a.Embedding("model.embed_tokens.weight"), true},
		{"embedding without prefix", a.Embedding("wte.weight"), true},
		{"embedding of patches", a.Embedding("visual.patch_embed.proj.weight"), false},
		{"embedding in a layer", a.Embedding("layers.0.embed_tokens.weight"), false},
		{"head", a.Embedding("lm_head.weight"), true},
		{"head bias", a.HeadBias("lm_head.bias"), true},
		{"tied", slices.Contains(a.Tied("lm_head.weight"), "transformer.wte.weight"), true},
		{"not tied", a.Tied("model.norm.weight"), []string(nil)},
		{"shorter", a.Aliases("model.norm.weight"), []string{"norm.weight"}},
		{"longer", a.Aliases("norm.weight"), []string{"model.norm.weight", "transformer.norm.weight"}},
		{"text part", a.Aliases("model.language_model.norm.weight"), []string{"language_model.model.norm.weight"}},
	} {
		if !reflect.DeepEqual(c.got, c.want) {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
	if stack, layer, _, ok := a.Layer("visual.merger.mlp.0.weight"); !ok || stack != "visual.merger.mlp" || layer != 0 {
		t.Errorf("nil takes every number for a layer, but %q, %d, %v", stack, layer, ok)
	}
	if layer, expert, ok := a.Expert("model.layers.3.block_sparse_moe.experts.7.w1.weight"); !ok || layer != 3 || expert != 7 {
		t.Errorf("expert %d of layer %d, %v", expert, layer, ok)
	}
	for _, name := range []string{"model.layers.3.mlp.experts.gate_up_proj", "model.layers.3.mlp.shared_experts.0.w1", "model.layers.3.mlp.gate.weight", "x"} {
		if _, _, ok := a.Expert(name); ok {
			t.Errorf("%s belongs to no single expert", name)
		}
	}
}

func TestCompareLayouts(t *testing.T) {
	names := func(miniature string) []string {
		m, err := archtest.Get(miniature)
		if err != nil {
			t.Fatal(err)
		}
		return m.TensorNames()
	}
	for _, c := range []struct {
		first, second, field string
	}{
		{"qwen3_moe", "qwen3_moe", ""},
		{"qwen3_moe+fused", "qwen3_moe+fused", ""},
		{"llama", "llama", ""},
		{"qwen3_moe", "qwen3_moe+fused", "model.layers.0.mlp.experts.down_proj"},
		{"deepseek_v3+fused", "deepseek_v3", "model.layers.1.mlp.experts.0.down_proj.weight"},
		{"mixtral+fused", "mixtral", "model.layers.0.block_sparse_moe.experts.0.w1.weight"},
	} {
		err := architecture.CompareLayouts(names(c.first), names(c.second))
		var in *mergesearch.InputError
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s, %s: %v", c.first, c.second, err)
		case c.field != "" && (!errors.As(err, &in) || in.Field != c.field || in.Hint == ""):
			t.Errorf("%s, %s: %v, want an InputError about %s", c.first, c.second, err, c.field)
		}
	}
}

// Whatever a config says, it is refused as input or gives an architecture whose
// methods answer.
func FuzzLookup(f *testing.F) {
	for _, name := range archtest.Names() {
		m, err := archtest.Get(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(m.Config, m.Tensors[0].Name)
	}
	f.Fuzz(func(t *testing.T, config []byte, tensor string) {
		a, err := architecture.Lookup(config)
		var in *mergesearch.InputError
		if err != nil && !errors.As(err, &in) {
			t.Fatalf("%v is no InputError", err)
		}
		if !slices.Contains(a.Modules(), a.Module(tensor)) {
			t.Errorf("module %q of %q", a.Module(tensor), tensor)
		}
		if len(a.VocabKeys()) == 0 || a.TieKey() == "" {
			t.Error("no keys")
		}
		for _, alias := range append(a.Aliases(tensor), a.Tied(tensor)...) {
			if alias == tensor {
				t.Errorf("%q is an alias of itself", tensor)
			}
		}
		if stack, layer, rest, ok := a.Layer(tensor); ok && (layer < 0 || len(stack)+len(rest) >= len(tensor)) {
			t.Errorf("%q: %q, %d, %q", tensor, stack, layer, rest)
		}
		_, _, _ = a.Expert(tensor)
		_, _ = a.ExtraLayers(tensor), a.LayerLists(tensor)
	})
}
