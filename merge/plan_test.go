package merge_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
)

func wantInputError(t *testing.T, err error, want ...string) {
	t.Helper()
	var in *mergesearch.InputError
	if !errors.As(err, &in) {
		t.Fatalf("got %v, want an input error", err)
	}
	for _, w := range want {
		if !strings.Contains(in.Error()+" "+in.Hint, w) {
			t.Errorf("%q (hint: %s) does not say %q", in, in.Hint, w)
		}
	}
}

func TestRecipesThatDoNotFit(t *testing.T) {
	e := family(t, mergetest.Checkpoint{}, merge.Options{})
	weighted := func(r mergesearch.Recipe) mergesearch.Recipe {
		r.Parameters["weight"] = mergesearch.Number(1)
		return r
	}
	filtered := recipe("linear", "", "expert-a", "expert-b")
	filtered.Parameters["weight"] = mergesearch.Setting{{Filter: "mlp", Values: []float64{1}}}
	typed := weighted(recipe("linear", "", "expert-a"))
	typed.DType = "int64"
	slerp := recipe("slerp", "expert-a", "expert-b", "expert-c")
	slerp.Parameters["t"] = mergesearch.Number(0.5)
	for _, c := range []struct {
		name string
		r    mergesearch.Recipe
		want []string
	}{
		{"unknown method", recipe("linaer", "", "expert-a"), []string{`"linaer"`, `did you mean "linear"?`}},
		{"unknown model", weighted(recipe("linear", "", "expert-a", "expert-d")), []string{"expert-d: unknown model", "did you mean"}},
		{"unknown base", weighted(recipe("ties", "bsae", "expert-a")), []string{"bsae", `did you mean "base"?`}},
		{"no base", weighted(recipe("ties", "", "expert-a")), []string{"base_model: missing"}},
		{"only the base", weighted(recipe("ties", "base", "base")), []string{"no model besides the base"}},
		{"no weight", recipe("linear", "", "expert-a"), []string{"weight", "model expert-a", "model.embed_tokens.weight"}},
		{"no weight for some tensors", filtered, []string{"weight", "model.embed_tokens.weight", "condition without filter"}},
		{"no t", recipe("slerp", "expert-a", "expert-b"), []string{"t: the recipe gives no value"}},
		{"three models for slerp", slerp, []string{"merges two models, this recipe has 3"}},
		{"one model for slerp", recipe("slerp", "expert-a", "expert-a"), []string{"merges two models, this recipe has 1"}},
		{"two models for passthrough", recipe("passthrough", "", "expert-a", "expert-b"), []string{"takes one model"}},
		{"type that is not written", typed, []string{"dtype", `"int64"`}},
		{"model twice", weighted(recipe("linear", "", "expert-a", "expert-a")), []string{"listed twice"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			wantInputError(t, e.Check(c.r), c.want...)
			_, err := e.Build(context.Background(), "c0000", c.r)
			wantInputError(t, err, c.want...)
		})
	}
}

func TestModelsThatDoNotFit(t *testing.T) {
	base := mergetest.Checkpoint{Seed: 1, Untied: true}
	for _, c := range []struct {
		name   string
		expert mergetest.Checkpoint
		spoil  func(dir string) error
		want   []string
	}{
		{"fewer layers", mergetest.Checkpoint{Untied: true, Layers: 1}, nil, []string{"config.json", "num_hidden_layers: 1, but 2"}},
		{"other width", mergetest.Checkpoint{Untied: true, Hidden: 16}, nil, []string{"config.json", "hidden_size: 16, but 32"}},
		{"other vocabulary", mergetest.Checkpoint{Untied: true, Vocab: 70}, nil, []string{"vocab_size: 70, but 67"}},
		{"other shape, no config", mergetest.Checkpoint{Untied: true, Vocab: 70}, dropConfig, []string{"model.safetensors: model.embed_tokens.weight: shape [70 32], but [67 32] in"}},
		{"fewer layers, no config", mergetest.Checkpoint{Untied: true, Layers: 1}, dropConfig, []string{"model.layers.1.input_layernorm.weight: tensor is missing"}},
		{"more layers, no config", mergetest.Checkpoint{Untied: true, Layers: 3}, dropConfig, []string{"model.layers.2.input_layernorm.weight: tensor is not in"}},
		{"tied head", mergetest.Checkpoint{}, dropConfig, []string{"lm_head.weight: tensor is missing", "ties its head"}},
		{"broken config", mergetest.Checkpoint{Untied: true}, func(d string) error {
			return os.WriteFile(filepath.Join(d, "config.json"), []byte(`{"a": 1, "a": 2}`), 0o666)
		}, []string{"config.json", "comes twice"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dirs := map[string]string{"base": filepath.Join(t.TempDir(), "base"), "expert": filepath.Join(t.TempDir(), "expert")}
			if err := errors.Join(base.Write(dirs["base"]), c.expert.Write(dirs["expert"])); err != nil {
				t.Fatal(err)
			}
			if c.spoil != nil {
				if err := c.spoil(dirs["expert"]); err != nil {
					t.Fatal(err)
				}
			}
			e, err := merge.Open(merge.Options{Models: dirs, Base: "base"})
			if err == nil {
				defer e.Close()
				err = e.CheckFamily()
			}
			wantInputError(t, err, append(c.want, dirs["expert"])...)
		})
	}
	_, err := merge.Open(merge.Options{Models: map[string]string{"base": "x"}, Base: "bsae"})
	wantInputError(t, err, "bsae", `did you mean "base"?`)
}

func dropConfig(dir string) error { return os.Remove(filepath.Join(dir, "config.json")) }

// Buffers of indices that differ cannot be merged.
func TestDifferentBuffersAreRefused(t *testing.T) {
	dir := t.TempDir()
	dirs, err := mergetest.Family(dir, mergetest.Checkpoint{Buffer: true}, 2)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dirs["expert-b"], "model.safetensors")
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.Replace(string(b), "0123456789abcdef", "0123456789abcdeX", 1))
	if err := os.WriteFile(file, b, 0o666); err != nil {
		t.Fatal(err)
	}
	e, err := merge.Open(merge.Options{Models: dirs})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := recipe("linear", "", "expert-a", "expert-b")
	r.Parameters["weight"] = mergesearch.Number(1)
	_, err = e.Build(context.Background(), "c0000", r)
	wantInputError(t, err, "model.position_ids", "differs")
}

// A gradient runs over the layers. What comes before them takes its first value,
// what comes after them its last, and so does a single layer.
func TestGradients(t *testing.T) {
	e := family(t, mergetest.Checkpoint{Layers: 5, Untied: true}, merge.Options{})
	r := recipe("linear", "", "expert-a")
	r.Parameters["weight"] = mergesearch.Setting{{Values: []float64{0, 1, 10}}}
	p, err := e.Plan(r)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]float64{
		"model.embed_tokens.weight": 0, "model.layers.0.mlp.up_proj.weight": 0, "model.layers.1.mlp.up_proj.weight": 0.5,
		"model.layers.2.mlp.up_proj.weight": 1, "model.layers.3.mlp.up_proj.weight": 5.5, "model.layers.4.mlp.up_proj.weight": 10,
		"model.norm.weight": 10, "lm_head.weight": 10,
	}
	for _, x := range p.Tensors {
		if w, ok := want[x.Name]; ok && x.PerModel[0]["weight"] != w {
			t.Errorf("%s: weight %v, want %v", x.Name, x.PerModel[0]["weight"], w)
		}
	}
	single := family(t, mergetest.Checkpoint{Layers: 1}, merge.Options{})
	if p, err = single.Plan(r); err != nil {
		t.Fatal(err)
	}
	if got := p.Tensors[1].PerModel[0]["weight"]; got != 10 {
		t.Errorf("%s of a single layer: weight %v, want 10", p.Tensors[1].Name, got)
	}
}

// The usual settings of every method make sound recipes.
func TestUsualSettings(t *testing.T) {
	e := family(t, mergetest.Checkpoint{}, merge.Options{})
	spec := mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"expert-a", "expert-b", "expert-c"}, Methods: merge.Methods()[:6],
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Min: 0, Max: 1.5, PerExpert: true}, {Parameter: "t", Max: 1}},
	}
	space, err := mergesearch.NewSpace(spec)
	if err != nil {
		t.Fatal(err)
	}
	baselines := space.Baselines()
	if len(baselines) != 12 { // three pairs for slerp
		t.Errorf("%d baselines", len(baselines))
	}
	for _, b := range baselines {
		c := build(t, e, b.Recipe)
		again, err := merge.ParseRecipe(merge.FormatRecipe(b.Recipe))
		if err != nil || again.ID() != b.Recipe.ID() || c.Recipe != again.ID() {
			t.Errorf("%s: recipe %s reads as %s, %v", b.Name, c.Recipe, again.ID(), err)
		}
	}
}

// Without a base model the small files are those of the model that is listed
// first, be it the result of another document.
func TestDonorIsTheFirstListed(t *testing.T) {
	dirs, err := mergetest.Family(t.TempDir(), mergetest.Checkpoint{}, 3)
	if err != nil {
		t.Fatal(err)
	}
	e, err := merge.Open(merge.Options{Models: dirs})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	stage := mergesearch.Stage{Name: "stage", Recipe: weighted("linear", "", "expert-c", "expert-a")}
	for _, models := range [][]string{{"expert-b", "expert-a"}, {"expert-a", "expert-b"}, {"stage", "expert-b"}} {
		r := weighted("linear", "", models...)
		if models[0] == "stage" {
			r.Stages = []mergesearch.Stage{stage}
		}
		p, err := e.Plan(r)
		if err != nil {
			t.Fatal(err)
		}
		if p.Donor != models[0] {
			t.Errorf("%v: the small files are those of %s", models, p.Donor)
		}
	}
}
