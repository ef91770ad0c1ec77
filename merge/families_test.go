package merge_test

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"reflect"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
	"mergesearch/merge/safetensors"
)

// Every family of the table merges: whole, and where its layers form one stack cut
// into slices, with the number of layers in config.json following.
func TestEveryFamilyMerges(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	for _, name := range mergetest.Families() {
		t.Run(name, func(t *testing.T) {
			dirs := map[string]string{}
			for i, model := range []string{"base", "expert-a", "expert-b"} {
				dirs[model] = filepath.Join(t.TempDir(), model)
				if err := mergetest.Miniature(name, uint64(i), dirs[model]); err != nil {
					t.Fatal(err)
				}
			}
			e := open(t, dirs)
			whole := weighted("ties", "base", "expert-a", "expert-b")
			whole.Parameters["density"] = mergesearch.Number(0.5)
			c := build(t, e, whole)
			base, _ := e.Model("base")
			if !slices.Equal(c.Tensors.Names(), base.Names()) {
				t.Errorf("tensors %v, want %v", c.Tensors.Names(), base.Names())
			}
			for _, tensor := range base.Names() {
				want, err := e.Reference(whole, tensor)
				if err != nil {
					t.Fatal(err)
				}
				if x, err := c.Tensors.Tensor(tensor); err != nil || string(x.Data) != string(want) {
					t.Errorf("%s differs from the reference, %v", tensor, err)
				}
			}
			checkStacked(t, e, base)
		})
	}
}

// checkStacked repeats the first layer behind the last.
func checkStacked(t *testing.T, e *merge.Engine, base *safetensors.Checkpoint) {
	t.Helper()
	layers := 0
	for _, name := range base.Names() {
		if _, k, _, ok := safetensors.Layer(name); ok {
			layers = max(layers, k+1)
		}
	}
	r := mergesearch.Recipe{Method: "passthrough", Slices: []mergesearch.Slice{slice(source("expert-a", 0, layers, nil)), slice(source("expert-a", 0, 1, nil))}}
	p, err := e.Plan(r)
	var in *mergesearch.InputError
	if errors.As(err, &in) && (in.Hint == "a model of several stacks of layers is cut module by module: use modules instead of slices") {
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	c := build(t, e, r)
	if len(p.Tensors) <= len(base.Names()) {
		t.Errorf("%d tensors after adding a layer to %d", len(p.Tensors), len(base.Names()))
	}
	var before, after map[string]any
	files, err := base.Files()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(json.Unmarshal(files["config.json"], &before), json.Unmarshal(c.Files["config.json"], &after)); err != nil {
		t.Fatal(err)
	}
	changed := 0
	for key, v := range before {
		if list, ok := v.([]any); ok && (key == "layer_types" || key == "mlp_layer_types") && !reflect.DeepEqual(after[key], append(slices.Clone(list), list[0])) {
			t.Errorf("config.json: %s is %v, was %v", key, after[key], v)
		}
		if n, ok := v.(float64); ok && after[key] != v {
			changed++
			if after[key] != n+1 {
				t.Errorf("config.json: %s is %v, was %v", key, after[key], v)
			}
		}
	}
	if _, nested := before["text_config"]; changed != 1 && !nested {
		t.Errorf("%d numbers of config.json changed, want the number of layers alone", changed)
	}
}
