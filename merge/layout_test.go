package merge_test

import (
	"bytes"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
	"mergesearch/merge/safetensors"
)

// source is layers first up to end of a model.
func source(model string, first, end int, set map[string]mergesearch.Setting) mergesearch.Source {
	return mergesearch.Source{Input: mergesearch.Input{Model: model, Parameters: set}, First: first, End: end}
}

func slice(sources ...mergesearch.Source) mergesearch.Slice {
	return mergesearch.Slice{Sources: sources}
}

func stack(e *merge.Engine, slices ...mergesearch.Slice) mergesearch.Recipe {
	return mergesearch.Recipe{Method: "passthrough", Slices: slices}
}

func data(t *testing.T, from mergesearch.Tensors, name string) []byte {
	t.Helper()
	x, err := from.Tensor(name)
	if err != nil {
		t.Fatal(err)
	}
	return x.Data
}

// Stacked layers are those of the sources, renumbered; what stands before the
// layers is the first slice's and what stands after them the last one's.
func TestStackedLayers(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 4, Untied: true}, merge.Options{})
	r := stack(e, slice(source("expert-a", 0, 3, nil)), slice(source("expert-b", 1, 4, nil)), slice(source("expert-c", 4, 4, nil)))
	c := build(t, e, r)
	of := func(name string) mergesearch.Tensors {
		m, _ := e.Model(name)
		return m
	}
	for out, in := range map[string][2]string{
		"model.layers.2.mlp.up_proj.weight": {"expert-a", "model.layers.2.mlp.up_proj.weight"},
		"model.layers.3.mlp.up_proj.weight": {"expert-b", "model.layers.1.mlp.up_proj.weight"},
		"model.layers.5.mlp.up_proj.weight": {"expert-b", "model.layers.3.mlp.up_proj.weight"},
		"model.embed_tokens.weight":         {"expert-a", "model.embed_tokens.weight"},
		"lm_head.weight":                    {"expert-c", "lm_head.weight"},
		"model.norm.weight":                 {"expert-c", "model.norm.weight"},
	} {
		if !bytes.Equal(data(t, c.Tensors, out), data(t, of(in[0]), in[1])) {
			t.Errorf("%s is not %s of %s", out, in[1], in[0])
		}
	}
	if n := len(c.Tensors.Names()); n != 6*9+3 {
		t.Errorf("%d tensors", n)
	}
	if !bytes.Contains(c.Files["config.json"], []byte(`"num_hidden_layers": 6`)) {
		t.Errorf("config.json:\n%s", c.Files["config.json"])
	}
	out := filepath.Join(t.TempDir(), "out")
	report, err := e.Write(t.Context(), r, out, merge.WriteOptions{})
	if err != nil || report.SHA256 != c.Fingerprint {
		t.Errorf("written %s, built %s, %v", report.SHA256, c.Fingerprint, err)
	}
}

// One slice over all layers is the merge of whole models.
func TestOneSliceIsTheWholeModel(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 3, Untied: true}, merge.Options{})
	weight := func(x float64) map[string]mergesearch.Setting {
		return map[string]mergesearch.Setting{"weight": {{Filter: "mlp", Values: []float64{x, 1}}, {Values: []float64{1, 0.5, x}}}}
	}
	whole := mergesearch.Recipe{Method: "ties", Base: "base", Parameters: map[string]mergesearch.Setting{"density": mergesearch.Number(0.5)}}
	whole.Models = []mergesearch.Input{{Model: "expert-b", Parameters: weight(0.3)}, {Model: "expert-a", Parameters: weight(0.9)}}
	cut := whole
	cut.Models = nil
	cut.Slices = []mergesearch.Slice{slice(source("base", 0, 3, nil), source("expert-b", 0, 3, weight(0.3)), source("expert-a", 0, 3, weight(0.9)))}
	if a, b := build(t, e, whole).Fingerprint, build(t, e, cut).Fingerprint; a != b {
		t.Errorf("whole %s, one slice %s", a, b)
	}
}

// The same model may stand twice in a slice, with two ranges. mergekit keeps the
// last of them without a word.
func TestTheSameModelTwiceInASlice(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 4, DType: mergesearch.F32}, merge.Options{})
	r := mergesearch.Recipe{
		Method: "linear", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(1)},
		Slices: []mergesearch.Slice{slice(source("expert-a", 0, 2, nil), source("expert-a", 2, 4, nil))},
	}
	p, err := e.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(p.Tensors, func(t merge.PlannedTensor) bool { return t.Name == "model.layers.1.mlp.up_proj.weight" })
	want := "[model.layers.1.mlp.up_proj.weight model.layers.3.mlp.up_proj.weight]"
	if got := inputNames(p.Tensors[i]); got != want {
		t.Errorf("inputs %s, want %s", got, want)
	}
	r.Compat = "mergekit"
	if p, err = e.Plan(r); err != nil || inputNames(p.Tensors[i]) != "[model.layers.3.mlp.up_proj.weight]" {
		t.Errorf("with compat: inputs %s, %v", inputNames(p.Tensors[i]), err)
	}
}

func inputNames(t merge.PlannedTensor) string {
	var names []string
	for _, in := range t.Inputs {
		names = append(names, in.Tensor)
	}
	return fmt.Sprint(names)
}

// Parameters of the source come before those of the slice, these before those of
// the recipe; a list of conditions of which none fits is no answer.
func TestPrecedenceOfParameters(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 2}, merge.Options{})
	only := func(filter string, x float64) map[string]mergesearch.Setting {
		return map[string]mergesearch.Setting{"weight": {{Filter: filter, Values: []float64{x}}}}
	}
	r := mergesearch.Recipe{Method: "linear", Parameters: only("", 3), Slices: []mergesearch.Slice{
		{Sources: []mergesearch.Source{source("expert-a", 0, 2, only("mlp", 1)), source("expert-b", 0, 2, nil)}, Parameters: only("norm", 2)},
	}}
	p, err := e.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string][2]float64{
		"model.layers.0.mlp.up_proj.weight":      {1, 3},
		"model.layers.0.input_layernorm.weight":  {2, 2},
		"model.layers.1.self_attn.q_proj.weight": {3, 3},
	} {
		i := slices.IndexFunc(p.Tensors, func(t merge.PlannedTensor) bool { return t.Name == name })
		for j, w := range want {
			if got := p.Tensors[i].PerModel[j]["weight"]; got != w {
				t.Errorf("%s: weight %v of model %d, want %v", name, got, j, w)
			}
		}
	}
}

// A recipe over the result of a stage is the recipe over the stage's checkpoint.
func TestStagesAreIntermediateCheckpoints(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 3, Vocab: 163}, merge.Options{})
	first := weighted("ties", "base", "expert-a", "expert-b")
	first.Parameters["density"] = mergesearch.Number(0.4)
	second := recipe("slerp", "expert-c", "expert-c", "first")
	second.Parameters["t"] = mergesearch.Number(0.3)
	second.Stages = []mergesearch.Stage{{Name: "first", Recipe: first}}
	staged := build(t, e, second)

	dirs := map[string]string{"first": filepath.Join(t.TempDir(), "first")}
	if _, err := e.Write(t.Context(), first, dirs["first"], merge.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
	c, _ := e.Model("expert-c")
	dirs["expert-c"] = c.Dir()
	by := open(t, dirs)
	second.Stages = nil
	if got := build(t, by, second).Fingerprint; got != staged.Fingerprint {
		t.Errorf("through a checkpoint %s, in one go %s", got, staged.Fingerprint)
	}
}

func open(t *testing.T, dirs map[string]string) *merge.Engine {
	t.Helper()
	e, err := merge.Open(merge.Options{Models: dirs})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func TestSlicesThatDoNotFit(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 2}, merge.Options{})
	ties := mergesearch.Recipe{Method: "ties", Base: "base", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(1)}}
	ties.Slices = []mergesearch.Slice{slice(source("expert-a", 0, 2, nil))}
	unstaged := weighted("linear", "", "expert-a", "first")
	broken := weighted("linear", "", "expert-a", "first")
	broken.Stages = []mergesearch.Stage{{Name: "first", Recipe: recipe("ties", "base", "expert-x")}}
	for _, c := range []struct {
		name string
		r    mergesearch.Recipe
		want []string
	}{
		{"no such layer", stack(e, slice(source("expert-a", 0, 3, nil))), []string{"slices[0].sources", "expert-a has no layer 2", "without b"}},
		{"no layer at all", stack(e, slice(source("expert-a", 1, 1, nil))), []string{"no slice has a layer"}},
		{"uneven", mergesearch.Recipe{Method: "linear", Parameters: ties.Parameters, Slices: []mergesearch.Slice{slice(source("expert-a", 0, 2, nil), source("expert-b", 0, 1, nil))}}, []string{"slices[0].sources[1].layer_range", "1 layers, but 2"}},
		{"base is no source", ties, []string{"slices[0].sources", "base model base is no source"}},
		{"two for passthrough", stack(e, slice(source("expert-a", 0, 1, nil), source("expert-b", 0, 1, nil))), []string{"takes one model"}},
		{"unknown name", unstaged, []string{"first: unknown model"}},
		{"broken stage", broken, []string{`stage "first"`, "expert-x"}},
		{"unknown module", mergesearch.Recipe{Method: "passthrough", Modules: []mergesearch.Module{{Name: "tower", Models: []mergesearch.Input{{Model: "base"}}}}}, []string{"modules.tower", "unknown module"}},
	} {
		t.Run(c.name, func(t *testing.T) { wantInputError(t, e.Check(c.r), c.want...) })
	}
}

// What a slice needs of memory does not grow with the model; what it says of
// layers goes into the names alone.
func TestStackedNamesAreThoseOfALargerModel(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 2}, merge.Options{})
	p, err := e.Plan(stack(e, slice(source("expert-a", 0, 2, nil)), slice(source("expert-a", 0, 2, nil))))
	if err != nil {
		t.Fatal(err)
	}
	want := mergetest.Checkpoint{Layers: 4}.Tensors()
	for i, x := range p.Tensors {
		if x.Name != want[i].Name || !slices.Equal(x.Shape, want[i].Shape) {
			t.Errorf("tensor %d is %s %v, want %v", i, x.Name, x.Shape, want[i])
		}
		if k, _, _ := strings.Cut(strings.TrimPrefix(x.Name, "model.layers."), "."); k == "3" {
			if stack, layer, _, ok := safetensors.Layer(x.Inputs[0].Tensor); !ok || stack != "model.layers" || layer != 1 {
				t.Errorf("%s comes from %s", x.Name, x.Inputs[0].Tensor)
			}
		}
	}
}

// Numbers that are kept between merges are those of what a stage is made of, through
// the stages below it, not of its name.
func TestStatisticsOfStagesOfStages(t *testing.T) {
	dirs, err := mergetest.Family(t.TempDir(), mergetest.Checkpoint{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	names := slices.Sorted(maps.Keys(dirs))
	of := func(weight float64) mergesearch.Recipe {
		inner := mergesearch.Recipe{Method: "linear", Models: []mergesearch.Input{
			{Model: names[0], Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(weight)}},
			{Model: names[1], Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(1)}},
		}}
		return mergesearch.Recipe{
			Method: "slerp", Base: names[2], Models: []mergesearch.Input{{Model: "outer"}},
			Parameters: map[string]mergesearch.Setting{"t": mergesearch.Number(0.5)},
			Stages:     []mergesearch.Stage{{Name: "inner", Recipe: inner}, {Name: "outer", Recipe: mergesearch.Passthrough("inner", "")}},
		}
	}
	e := open(t, dirs)
	build(t, e, of(1))
	got := build(t, e, of(5))
	want := build(t, open(t, dirs), of(5))
	if got.Fingerprint != want.Fingerprint {
		t.Error("a merge of an earlier stage of the same name shows through")
	}
}
