package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"

	"mergesearch"
	"mergesearch/merge/architecture"
	"mergesearch/merge/jsonscan"
)

// shapeKeys are the entries of config.json that must agree between models; a
// difference in one explains itself better than the shapes that follow from it.
var shapeKeys = []string{
	"model_type", "num_hidden_layers", "hidden_size", "intermediate_size", "num_attention_heads", "num_key_value_heads",
	"head_dim", "vocab_size", "n_layer", "n_embd", "n_head", "d_model", "num_experts", "num_local_experts",
}

// compareConfigs demands that the models' config.json agree on what shapes the
// tensors, except for the keys named. Models without one are compared by their tensors alone.
func compareConfigs(first *model, models []*model, except ...string) error {
	want, err := readConfig(first)
	if err != nil {
		return err
	}
	for _, m := range models {
		have, err := readConfig(m)
		if err != nil {
			return err
		}
		for _, key := range shapeKeys {
			a, inFirst := want[key]
			b, inModel := have[key]
			if inFirst && inModel && a != b && !slices.Contains(except, key) {
				hint := "the models must have the same architecture"
				if key == "vocab_size" {
					hint = "models of different vocabularies are merged with tokenizer: {source: union}"
				}
				return &mergesearch.InputError{
					File: filepath.Join(m.Dir(), "config.json"), Field: key,
					Problem: fmt.Sprintf("%v, but %v in %s", b, a, filepath.Join(first.Dir(), "config.json")), Hint: hint,
				}
			}
		}
	}
	return nil
}

// architectureOf looks a model up in the table of architectures.
func architectureOf(m *model) (*architecture.Architecture, error) {
	files, err := m.Files()
	if err != nil || files["config.json"] == nil {
		return nil, err
	}
	if _, err := jsonscan.Document(string(files["config.json"])); err != nil {
		return nil, nil // refused with its place when the models are compared
	}
	a, err := architecture.Lookup(files["config.json"])
	return a, mergesearch.InFile(err, filepath.Join(m.Dir(), "config.json"))
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
	if _, err := jsonscan.Document(string(text)); err != nil {
		return nil, &mergesearch.InputError{File: filepath.Join(m.Dir(), "config.json"), Problem: err.Error(), Cause: err}
	}
	var all map[string]any
	if err := json.Unmarshal(text, &all); err != nil {
		return nil, &mergesearch.InputError{File: filepath.Join(m.Dir(), "config.json"), Problem: err.Error(), Cause: err}
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
	if !known {
		return config // types that config.json cannot name stay
	}
	value := `"` + name + `"`
	out, old := replaceEntry(config, []string{"torch_dtype"}, value)
	out, new := replaceEntry(out, []string{"dtype"}, value)
	if old || new {
		return out
	}
	return addEntry(out, "torch_dtype", value)
}

// replaceEntry sets an entry that exists, at a path of keys, and reports whether
// it did.
func replaceEntry(text []byte, path []string, value string) ([]byte, bool) {
	spans, err := jsonscan.Document(string(text))
	if err != nil {
		return text, false // Open has checked the text
	}
	for _, s := range spans {
		if s.Key != path[0] {
			continue
		}
		inner, done := []byte(value), true
		if len(path) > 1 {
			inner, done = replaceEntry(text[s.Begin:s.End], path[1:], value)
		}
		return bytes.Join([][]byte{text[:s.Begin], inner, text[s.End:]}, nil), done
	}
	return text, false
}

func addEntry(text []byte, key, value string) []byte {
	spans, err := jsonscan.Document(string(text))
	if err != nil {
		return text
	}
	at := bytes.IndexByte(text, '{') + 1
	insert := fmt.Sprintf("\n  %q: %s", key, value)
	if len(spans) > 0 {
		insert += ","
	}
	return bytes.Join([][]byte{text[:at], []byte(insert), text[at:]}, nil)
}
