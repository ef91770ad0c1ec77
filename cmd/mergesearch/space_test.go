package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/merge"
	"mergesearch/search/searchtest"
)

// family opens the quickstart's models under the names that searchtest's spaces use.
func quickstartFamily(t *testing.T) (e *merge.Engine, methods []mergesearch.Method) {
	t.Helper()
	models := map[string]string{}
	for name, dir := range map[string]string{"base": "base", "a": "expert-arithmetic", "b": "expert-reverse", "c": "expert-atlas"} {
		models[name] = filepath.Join("..", "..", "configs", "quickstart", "models", dir)
	}
	e, err := merge.Open(merge.Options{Models: models, Base: "base", Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	for _, m := range merge.Methods() {
		if slices.Contains([]string{"linear", "slerp", "task_arithmetic", "ties", "dare_ties", "dare_linear"}, m.Name) {
			methods = append(methods, m)
		}
	}
	return e, methods
}

// Each genome is written as mergekit's YAML and read back: the same genome, the same
// recipe, and the same plan. MERGESEARCH_GENOMES sets how many over all spaces.
func TestExportAndImportGiveTheGenome(t *testing.T) {
	n := 500
	if text := os.Getenv("MERGESEARCH_GENOMES"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	engine, methods := quickstartFamily(t)
	spaces := searchtest.Kinds(methods, "base", "a", "b", "c")
	spaces["quick"] = searchtest.QuickSpace("a", "b", "c")
	names := slices.Sorted(maps.Keys(spaces))
	rng := rand.New(rand.NewPCG(7, 7))
	for k := range n {
		name := names[k%len(names)]
		s := spaces[name]
		g := s.Normalize(randomGenome(s, rng))
		r := s.Decode(g)
		text := merge.FormatRecipe(r)
		read, err := merge.ParseRecipe(text)
		if err != nil {
			t.Fatalf("%s: %v in\n%s", name, err, text)
		}
		back, exact := s.Encode(read)
		if !exact || !back.Equal(g) {
			t.Fatalf("%s: %s came back as %v (exact %v) by\n%s", name, s.Canonical(g), back, exact, text)
		}
		if a, b := planOf(t, engine, r), planOf(t, engine, read); !bytes.Equal(a, b) {
			t.Fatalf("%s: two plans of %s", name, s.Canonical(g))
		}
	}
}

// randomGenome draws genes uniformly; a third of the numbers holds the default, so
// that equal values meet.
func randomGenome(s *mergesearch.Space, rng *rand.Rand) mergesearch.Genome {
	g := s.Default()
	for i, gene := range s.Genes {
		switch {
		case gene.Kind == mergesearch.Choice:
			g[i] = float64(rng.IntN(len(gene.Options)))
		case rng.IntN(3) > 0:
			g[i] = gene.Min + rng.Float64()*(gene.Max-gene.Min)
		}
	}
	return g
}

// planOf returns all that a plan says, of its stages too, since each names them.
func planOf(t *testing.T, e *merge.Engine, r mergesearch.Recipe) []byte {
	t.Helper()
	p, err := e.Plan(r)
	if err != nil {
		t.Fatalf("%v in\n%s", err, merge.FormatRecipe(r))
	}
	text, err := json.Marshal(p.Tensors)
	if err != nil {
		t.Fatal(err)
	}
	for _, st := range r.Stages {
		if alone := st.Recipe; !slices.ContainsFunc(alone.ModelNames(), func(m string) bool { return strings.HasPrefix(m, "block-") }) {
			text = append(text, planOf(t, e, alone)...)
		}
	}
	return text
}

// A path of five layers, one of them twice at half weight, is built and read back.
func TestAPathIsBuilt(t *testing.T) {
	engine, methods := quickstartFamily(t)
	s := searchtest.Kinds(methods, "base", "a", "b", "c")["path"]
	g := s.Default()
	g[s.Gene("layer 2")] = float64(slices.Index(s.Genes[s.Gene("layer 2")].Options, "a+b"))
	g[s.Gene("scale.layer 2")] = 0.5
	c, err := engine.Build(context.Background(), "c0001", s.Decode(s.Normalize(g)))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	for name, want := range map[string]struct {
		model, tensor string
		scale         float32
	}{
		"model.layers.3.self_attn.o_proj.weight": {"b", "model.layers.2.self_attn.o_proj.weight", 0.5},
		"model.layers.2.mlp.down_proj.weight":    {"a", "model.layers.2.mlp.down_proj.weight", 0.5},
		"model.layers.3.mlp.up_proj.weight":      {"b", "model.layers.2.mlp.up_proj.weight", 1},
		"model.layers.4.mlp.down_proj.weight":    {"a", "model.layers.3.mlp.down_proj.weight", 1},
		"model.embed_tokens.weight":              {"a", "model.embed_tokens.weight", 1},
	} {
		got, err := c.Tensors.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		parent, _ := engine.Model(want.model)
		from, err := parent.Tensor(want.tensor)
		if err != nil {
			t.Fatal(err)
		}
		scaled := brain(got.Data)
		for i, x := range brain(from.Data) {
			if scaled[i] != want.scale*x {
				t.Fatalf("%s: element %d is not %v of %s's %s", name, i, want.scale, want.model, want.tensor)
			}
		}
	}
	if layers := string(c.Files["config.json"]); !strings.Contains(layers, `"num_hidden_layers": 5`) {
		t.Errorf("config.json says %s", layers)
	}
}

// Every run file of the quickstart has a space, over its own models and tasks, and
// its recipes to start from are points of it.
func TestExampleRunFilesHaveSpaces(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("..", "..", "configs", "quickstart", "*.yaml"))
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, path := range files {
		if strings.HasSuffix(path, "-start.yaml") {
			continue // a recipe
		}
		file, err := runfile.Read(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &session{file: file, models: map[string]string{}}
		defer s.Close()
		methods, err := chosenMethods(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.readTasks(), s.openModels(deviceFlag{text: "cpu"})); err != nil {
			t.Fatal(err)
		}
		if err := s.makeSpace(methods); err != nil {
			t.Fatal(err)
		}
		if err := s.readStart(); err != nil {
			t.Fatal(err)
		}
		if len(s.space.Genes) < 10 || len(s.start) != len(file.Start) {
			t.Errorf("%s: %d genes, %d recipes to start from", path, len(s.space.Genes), len(s.start))
		}
		for _, b := range append(s.space.Baselines(), s.start...) {
			if err := s.engine.Check(b.Recipe); err != nil {
				t.Errorf("%s: %s: %v", path, b.Name, err)
			}
			if strings.HasPrefix(b.Name, "start ") && !b.Exact {
				t.Errorf("%s: %s is no point of the space", path, b.Name)
			}
		}
	}
}

// brain reads bfloat16.
func brain(data []byte) []float32 {
	out := make([]float32, len(data)/2)
	for i := range out {
		out[i] = math.Float32frombits(uint32(data[2*i])<<16 | uint32(data[2*i+1])<<24)
	}
	return out
}
