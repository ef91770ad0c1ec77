package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"

	"mergesearch"
	"mergesearch/merge/safetensors"
)

// shapeKeys are the entries of config.json that must agree between models; a
// difference in one explains itself better than the shapes that follow from it.
var shapeKeys = []string{
	"model_type", "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
	"head_dim", "vocab_size", "n_layer", "n_embd", "n_head", "d_model", "num_experts", "num_local_experts",
}

// compareConfigs demands that the models' config.json agree on what shapes the
// tensors. Models without one are compared by their tensors alone.
func (e *Engine) compareConfigs(first *model) error {
	want, err := readConfig(first)
	if err != nil {
		return err
	}
	for _, m := range e.models {
		have, err := readConfig(m)
		if err != nil {
			return err
		}
		for _, key := range shapeKeys {
			a, inFirst := want[key]
			b, inModel := have[key]
			if inFirst && inModel && a != b {
				return &mergesearch.InputError{
					File: filepath.Join(m.Dir(), "config.json"), Field: key,
					Problem: fmt.Sprintf("%v, but %v in %s", b, a, filepath.Join(first.Dir(), "config.json")),
					Hint:    "the models must have the same architecture",
				}
			}
		}
	}
	return nil
}

// readConfig returns the numbers and strings at the top of a model's config.json,
// or nil when it has none.
func readConfig(m *model) (map[string]any, error) {
	files, err := m.Files()
	if err != nil {
		return nil, err
	}
	text, ok := files["config.json"]
	if !ok {
		return nil, nil
	}
	if _, err := safetensors.ObjectSpans(text); err != nil {
		return nil, &mergesearch.InputError{File: filepath.Join(m.Dir(), "config.json"), Problem: err.Error()}
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, &mergesearch.InputError{File: filepath.Join(m.Dir(), "config.json"), Problem: err.Error()}
	}
	for key, value := range all {
		switch value.(type) {
		case float64, string:
		default:
			delete(all, key)
		}
	}
	return all, nil
}

// torchName is how Hugging Face's config.json spells a type.
var torchName = map[mergesearch.DType]string{
	mergesearch.BF16: "bfloat16", mergesearch.F16: "float16", mergesearch.F32: "float32", mergesearch.F64: "float64",
}

// withDType returns config.json with the type of the weights set and nothing else
// changed, not even the spacing.
func withDType(config []byte, d mergesearch.DType) []byte {
	name, known := torchName[d]
	spans, err := safetensors.ObjectSpans(config)
	if err != nil || !known {
		return config // Open has checked the text; types that config.json cannot name stay
	}
	value := []byte(`"` + name + `"`)
	found := false
	for i := len(spans) - 1; i >= 0; i-- {
		if s := spans[i]; s.Key == "torch_dtype" || s.Key == "dtype" {
			config = bytes.Join([][]byte{config[:s.Begin], value, config[s.End:]}, nil)
			found = true
		}
	}
	if found {
		return config
	}
	at := bytes.IndexByte(config, '{') + 1
	insert := "\n  \"torch_dtype\": " + string(value)
	if len(spans) > 0 {
		insert += ","
	}
	return bytes.Join([][]byte{config[:at], []byte(insert), config[at:]}, nil)
}
