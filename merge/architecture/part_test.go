package architecture_test

import (
	"regexp"
	"slices"
	"testing"

	"mergesearch/merge/architecture"
	"mergesearch/merge/architecture/archtest"
)

// In every miniature of a decoder the layers are attention, MLP and norms, and what
// is outside has a part of its own.
func TestPartsOfDecoders(t *testing.T) {
	none := regexp.MustCompile(`mixer\.|project_|conv|projector|\.visual\.|vision|inv_freq|pooler|classifier|cls\.|vocab_`)
	for _, name := range archtest.Names() {
		m, err := archtest.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		a, err := architecture.Lookup(m.Config)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range m.TensorNames() {
			part := a.Part(tensor)
			if part == "" != none.MatchString(tensor) && part == "" {
				t.Errorf("%s: %s is no part", name, tensor)
			}
			if part != "" && !slices.Contains(architecture.Parts, part) {
				t.Errorf("%s: %s is %q", name, tensor, part)
			}
		}
	}
}

func TestPart(t *testing.T) {
	llama, err := architecture.Lookup([]byte(`{"architectures": ["LlamaForCausalLM"]}`))
	if err != nil {
		t.Fatal(err)
	}
	for tensor, want := range map[string]string{
		"model.embed_tokens.weight":                      "embeddings",
		"model.layers.3.self_attn.o_proj.weight":         "attention",
		"model.layers.3.self_attn.q_norm.weight":         "norms",
		"model.layers.3.post_attention_layernorm.weight": "norms",
		"model.layers.3.mlp.experts.7.w1.weight":         "mlp",
		"model.layers.3.rotary.inv_freq":                 "",
		"model.norm.weight":                              "norms",
		"lm_head.weight":                                 "head",
	} {
		for _, a := range []*architecture.Architecture{llama, nil} {
			if got := a.Part(tensor); got != want {
				t.Errorf("%s of %q: %q, want %q", tensor, a.Name(), got, want)
			}
		}
	}
}
