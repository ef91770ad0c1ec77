package architecture_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge/architecture"
	"mergesearch/merge/architecture/archtest"
)

var update = flag.Bool("update", false, "rewrite golden files")

// vocabulary of all miniatures; no other size equals it.
const vocabulary = 72

// heads are the untied heads of families that have any.
var heads = map[string]string{
	"bert": "cls.predictions.decoder.weight", "roberta": "lm_head.decoder.weight", "distilbert": "vocab_projector.weight",
	"gemma3": "language_model.lm_head.weight", "llava": "language_model.lm_head.weight", "mistral3": "language_model.lm_head.weight",
	"gpt_neox": "embed_out.weight", "internlm2": "output.weight", "whisper": "proj_out.weight",
}

// each runs a test on every miniature.
func each(t *testing.T, test func(*testing.T, archtest.Miniature, *architecture.Architecture)) {
	for _, name := range archtest.Names() {
		t.Run(name, func(t *testing.T) {
			m, err := archtest.Get(name)
			if err != nil {
				t.Fatal(err)
			}
			a, err := architecture.Lookup(m.Config)
			if err != nil {
				t.Fatal(err)
			}
			if a.Name() != m.Family() {
				t.Fatalf("its config leads to the family %q", a.Name())
			}
			test(t, m, a)
		})
	}
}

// config returns what the config has at a dotted key.
func config(t *testing.T, m archtest.Miniature, key string) any {
	t.Helper()
	var all map[string]any
	if err := json.Unmarshal(m.Config, &all); err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(key, ".")
	for _, p := range parts[:len(parts)-1] {
		all, _ = all[p].(map[string]any)
	}
	return all[parts[len(parts)-1]]
}

func number(t *testing.T, m archtest.Miniature, key string) int {
	t.Helper()
	n, ok := config(t, m, key).(float64)
	if !ok {
		t.Fatalf("config.json has no number %q", key)
	}
	return int(n)
}

func TestEveryFamilyHasAMiniature(t *testing.T) {
	have := map[string]bool{}
	for _, name := range archtest.Names() {
		m, err := archtest.Get(name)
		if err != nil {
			t.Fatal(err)
		}
		have[m.Family()] = true
	}
	for _, f := range architecture.Families() {
		if !have[f] {
			t.Errorf("%s has none; add it to archtest/testdata/make.py", f)
		}
	}
	if want := len(architecture.Families()); len(have) != want {
		t.Errorf("miniatures of %d families, the table has %d", len(have), want)
	}
}

func TestModelTypeAlone(t *testing.T) {
	each(t, func(t *testing.T, m archtest.Miniature, a *architecture.Architecture) {
		var all map[string]any
		if err := json.Unmarshal(m.Config, &all); err != nil {
			t.Fatal(err)
		}
		all["architectures"] = []string{"SomethingElse"}
		text, err := json.Marshal(all)
		if err != nil {
			t.Fatal(err)
		}
		b, err := architecture.Lookup(text)
		if err != nil || b.Name() != a.Name() {
			t.Errorf("by model_type: %q, %v", b.Name(), err)
		}
	})
}

// Every stack that the names show is known, and the config counts its layers.
func TestLayers(t *testing.T) {
	each(t, func(t *testing.T, m archtest.Miniature, a *architecture.Architecture) {
		seen := map[string]map[int]bool{}
		for _, x := range m.Tensors {
			stack, layer, _, ok := a.Layer(x.Name)
			if ok {
				if seen[stack] == nil {
					seen[stack] = map[int]bool{}
				}
				seen[stack][layer] = true
			}
			if !a.Knows(x.Name) {
				t.Errorf("%s is neither in a layer nor before nor after one", x.Name)
			}
			if ok && a.After(x.Name) {
				t.Errorf("%s is in a layer and after it", x.Name)
			}
		}
		for stack, layers := range seen {
			key := a.LayersKey(stack)
			if n := number(t, m, key); n != len(layers) || !layers[0] || !layers[n-1] {
				t.Errorf("%s: layers %v, but %s is %d", stack, slices.Sorted(maps.Keys(layers)), key, n)
			}
			for _, list := range a.LayerLists(stack) {
				if n := len(config(t, m, list).([]any)); n != len(layers) {
					t.Errorf("%s: %d layers, %d items of %s", stack, len(layers), n, list)
				}
			}
		}
		if len(seen) == 0 {
			t.Error("no layers")
		}
	})
}

// What has as many rows as there are tokens is an embedding or a head, and
// nothing else is.
func TestEmbeddings(t *testing.T) {
	each(t, func(t *testing.T, m archtest.Miniature, a *architecture.Architecture) {
		for _, key := range a.VocabKeys() {
			if n := number(t, m, key); n != vocabulary {
				t.Errorf("%s is %d", key, n)
			}
		}
		found := 0
		for _, x := range m.Tensors {
			tokens := x.Shape[0] == vocabulary
			if got := a.Embedding(x.Name); got != (tokens && len(x.Shape) == 2) {
				t.Errorf("%v: embedding: %v", x, got)
			} else if got {
				found++
			}
			if got := a.HeadBias(x.Name); got != (tokens && len(x.Shape) == 1) {
				t.Errorf("%v: bias of a head: %v", x, got)
			}
		}
		if found == 0 {
			t.Error("no embedding")
		}
	})
}

// A tied head is not stored, is known to be optional and leads to the embedding.
func TestHeads(t *testing.T) {
	each(t, func(t *testing.T, m archtest.Miniature, a *architecture.Architecture) {
		head := heads[m.Family()]
		if head == "" {
			head = "lm_head.weight"
		}
		names := m.TensorNames()
		stored := func(name string) bool { return slices.Contains(names, name) }
		modelling := !strings.HasSuffix(m.Name, "+headless") && !strings.HasSuffix(m.Name, "+classifier")
		tied, _ := config(t, m, a.TieKey()).(bool)
		if want := modelling && !tied; stored(head) != want {
			t.Errorf("%s stored: %v, %s: %v", head, !want, a.TieKey(), tied)
		}
		if !a.Optional(head) || !a.Embedding(head) || !a.After(head) {
			t.Errorf("%s: optional %v, embedding %v, after %v", head, a.Optional(head), a.Embedding(head), a.After(head))
		}
		embedding := a.Tied(head)
		at := slices.IndexFunc(embedding, stored)
		if at < 0 {
			t.Fatalf("%s is tied to %v, none of which is stored", head, embedding)
		}
		if a.Optional(embedding[at]) || a.After(embedding[at]) || !slices.Contains(a.Tied(embedding[at]), head) {
			t.Errorf("%s is not what %s is tied to", embedding[at], head)
		}
	})
}

func TestExperts(t *testing.T) {
	each(t, func(t *testing.T, m archtest.Miniature, a *architecture.Architecture) {
		type place struct{ layer, expert int }
		apart, fused := map[place]bool{}, 0
		layers := map[int]bool{}
		for _, x := range m.Tensors {
			if layer, expert, ok := a.Expert(x.Name); ok {
				apart[place{layer, expert}] = true
				layers[layer] = true
			}
			if architecture.Fused(x.Name) {
				fused++
				if n := number(t, m, a.ExpertsKey()); x.Shape[0] != n {
					t.Errorf("%v: %s is %d", x, a.ExpertsKey(), n)
				}
			}
		}
		switch key := a.ExpertsKey(); {
		case key == "":
			if len(apart)+fused > 0 {
				t.Errorf("experts in a family without: %v", apart)
			}
		case strings.HasSuffix(m.Name, "+fused"):
			if fused == 0 || len(apart) > 0 {
				t.Errorf("%d fused tensors and %d experts", fused, len(apart))
			}
		default:
			if n := number(t, m, key); len(apart) != n*len(layers) || n == 0 || fused > 0 {
				t.Errorf("%d experts in %d layers, %s is %d", len(apart), len(layers), key, n)
			}
		}
	})
}

// All spellings of a name mean the same, and no spelling of one tensor is that of
// another.
func TestSpellings(t *testing.T) {
	each(t, func(t *testing.T, m archtest.Miniature, a *architecture.Architecture) {
		owner := map[string]string{}
		for _, x := range m.Tensors {
			want := meaning(a, x.Name)
			for _, s := range append(a.Aliases(x.Name), x.Name) {
				if o := owner[s]; o != "" {
					t.Errorf("%s is a spelling of %s and of %s", s, o, x.Name)
				}
				owner[s] = x.Name
				if got := meaning(a, s); got != want {
					t.Errorf("%s: %s, but %s as %s", x.Name, want, got, s)
				}
				if s != x.Name && !slices.Contains(a.Aliases(s), x.Name) {
					t.Errorf("%s is an alias of %s, but not the reverse", s, x.Name)
				}
			}
		}
	})
}

// meaning is all that the architecture says of a tensor, but for its names.
func meaning(a *architecture.Architecture, name string) string {
	stack, layer, rest, ok := a.Layer(name)
	place := "unknown"
	switch {
	case ok:
		place = fmt.Sprintf("layer %d by %s, %s", layer, a.LayersKey(stack), strings.NewReplacer("gamma", "weight", "beta", "bias").Replace(rest))
	case a.After(name):
		place = "after"
	case a.Knows(name):
		place = "before"
	}
	for _, f := range []struct {
		word string
		is   bool
	}{{"embedding", a.Embedding(name)}, {"head bias", a.HeadBias(name)}, {"optional", a.Optional(name)}} {
		if f.is {
			place += ", " + f.word
		}
	}
	return place + ", " + a.Module(name)
}

// What is said of all tensors outside the layers, and of those of the first layer
// of each stack where a module has a say, is kept for reading.
func TestClassification(t *testing.T) {
	var b strings.Builder
	each(t, func(t *testing.T, m archtest.Miniature, a *architecture.Architecture) {
		fmt.Fprintf(&b, "%s (modules %s)\n", m.Name, strings.Join(a.Modules(), ", "))
		used := map[string]bool{}
		stacks := map[string]bool{}
		for _, x := range m.Tensors {
			used[a.Module(x.Name)] = true
			stack, _, _, ok := a.Layer(x.Name)
			switch {
			case !ok:
				fmt.Fprintf(&b, "  %s: %s\n", x.Name, meaning(a, x.Name))
			case !stacks[stack]:
				stacks[stack] = true
				fmt.Fprintf(&b, "  %s.*: %s, %s\n", stack, a.LayersKey(stack), a.Module(x.Name))
			}
		}
		if len(used) != len(a.Modules()) {
			t.Errorf("modules %v, tensors are in %v", a.Modules(), used)
		}
	})
	golden := filepath.Join("testdata", "classified.txt")
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != b.String() {
		t.Errorf("differs from %s; run with -update and read the diff", golden)
	}
}

// Shapes that cannot be, such as an empty one, would make the other tests vain.
func TestMiniaturesAreWhole(t *testing.T) {
	each(t, func(t *testing.T, m archtest.Miniature, _ *architecture.Architecture) {
		if len(m.Tensors) < 10 {
			t.Errorf("%d tensors", len(m.Tensors))
		}
		for _, x := range m.Tensors {
			if x.Elements() == 0 || x.DType != mergesearch.BF16 {
				t.Errorf("%v", x)
			}
		}
	})
	if !strings.Contains(archtest.Version(), ".") {
		t.Errorf("version %q", archtest.Version())
	}
}
