package merge_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
)

// edited writes a miniature whose config.json is changed by set; nil removes a key.
func edited(t *testing.T, family string, seed uint64, set map[string]any) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "m")
	if err := mergetest.Miniature(family, seed, dir); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "config.json")
	config := configOf(t, dir)
	maps.Copy(config, set)
	maps.DeleteFunc(config, func(_ string, v any) bool { return v == nil })
	text, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func configOf(t *testing.T, dir string) map[string]any {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "config.json"))
	if err != nil {
		t.Fatal(err)
	}
	return parsed(t, text)
}

func parsed(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var config map[string]any
	if err := json.Unmarshal(text, &config); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return config
}

// Lists with an item for each layer follow the layers: those of the model that the
// layer is from, or of the donor where it is merged.
func TestListsOfLayersFollowTheSlices(t *testing.T) {
	types := func(x ...any) map[string]any { return map[string]any{"layer_types": x} }
	dirs := map[string]string{
		"a": edited(t, "qwen2", 1, types("a0", "a1", "a2")), "b": edited(t, "qwen2", 2, types("b0", "b1", "b2")),
		"c": edited(t, "qwen2", 3, map[string]any{"layer_types": nil}), "short": edited(t, "qwen2", 4, types("s0")),
	}
	e := open(t, dirs)
	weight := map[string]mergesearch.Setting{"weight": mergesearch.Number(1)}
	for _, c := range []struct {
		r    mergesearch.Recipe
		want []any
	}{
		{stack(e, slice(source("a", 0, 2, nil)), slice(source("b", 1, 3, nil))), []any{"a0", "a1", "b1", "b2"}},
		{stack(e, slice(source("a", 2, 3, nil)), slice(source("c", 0, 2, nil))), []any{"a2", "a0", "a1"}},
		{mergesearch.Recipe{Method: "linear", Base: "a", Parameters: weight, Slices: []mergesearch.Slice{slice(source("b", 0, 2, nil), source("a", 1, 3, nil))}}, []any{"a1", "a2"}},
	} {
		config := parsed(t, build(t, e, c.r).Files["config.json"])
		got, _ := config["layer_types"].([]any)
		if !slices.Equal(got, c.want) || config["num_hidden_layers"] != float64(len(c.want)) {
			t.Errorf("%v with %v layers, want %v", got, config["num_hidden_layers"], c.want)
		}
	}
	_, err := e.Write(t.Context(), stack(e, slice(source("a", 0, 1, nil)), slice(source("short", 1, 2, nil))), filepath.Join(t.TempDir(), "out"), merge.WriteOptions{})
	wantInputError(t, err, "config.json", "layer_types", "1 items", "layer 1")

	staged := stack(e, slice(source("two", 0, 2, nil)), slice(source("b", 0, 1, nil)))
	staged.Stages = []mergesearch.Stage{{Name: "two", Recipe: stack(e, slice(source("a", 1, 3, nil)))}}
	if got := parsed(t, build(t, e, staged).Files["config.json"])["layer_types"]; !slices.Equal(got.([]any), []any{"a1", "a2", "b0"}) {
		t.Errorf("over a stage %v", got)
	}
}

// A head of its own is not hidden by a donor that has none; one that nobody uses
// stays unused.
func TestHeadOfItsOwnUntiesTheConfig(t *testing.T) {
	said := func(x any) map[string]any { return map[string]any{"tie_word_embeddings": x} }
	dirs := map[string]string{
		"tied": edited(t, "llama+tied", 1, nil), "silent": edited(t, "llama+tied", 2, said(nil)),
		"untied": edited(t, "llama", 3, said(false)), "unsaid": edited(t, "llama", 4, said(nil)), "unused": edited(t, "llama", 5, said(true)),
	}
	e := open(t, dirs)
	for _, c := range []struct {
		donor, other string
		want         any
	}{
		{"tied", "untied", false},
		{"tied", "unsaid", false},
		{"silent", "untied", false},
		{"tied", "unused", true},
		{"unused", "untied", false},
		{"unused", "tied", true},
		{"untied", "tied", false},
		{"unsaid", "untied", nil},
		{"tied", "silent", true},
	} {
		config := parsed(t, build(t, e, weighted("linear", "", c.donor, c.other)).Files["config.json"])
		if got := config["tie_word_embeddings"]; got != c.want {
			t.Errorf("%s and %s: %v, want %v", c.donor, c.other, got, c.want)
		}
	}
}

// Weights of 8 bits without scales become bfloat16, and config.json says so.
func TestConfigOfPlainWeightsOfEightBits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "m")
	weight := mergesearch.Tensor{Name: "a.weight", DType: mergesearch.F8E4M3, Shape: []int{2}, Data: []byte{0x38, 0x40}}
	for _, c := range []struct{ before, after string }{
		{`{"quantization_config": {"quant_method": "fp8"}, "torch_dtype": "float8_e4m3fn", "x": 1}`, "torch_dtype"},
		{`{"dtype": "float8_e4m3fn"}`, "dtype"},
		{`{"x": 1}`, "torch_dtype"},
	} {
		dir += "x"
		writeModel(t, dir, []mergesearch.Tensor{weight}, map[string]string{"config.json": c.before})
		config := parsed(t, build(t, open(t, map[string]string{"m": dir}), mergesearch.Passthrough("m", "")).Files["config.json"])
		if _, quantised := config["quantization_config"]; quantised || config[c.after] != "bfloat16" {
			t.Errorf("%s became %v", c.before, config)
		}
	}
}
