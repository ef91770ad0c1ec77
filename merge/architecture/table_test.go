package architecture

import (
	"strings"
	"testing"
)

const entry = `
- name: a
  classes: [AForCausalLM]
  types: [a]
  layers: [{stack: model.layers, count: [num_hidden_layers]}]
  vocabulary: [vocab_size]
  embeddings: [model.embed_tokens.weight]
  before: [model.embed_tokens]
  after: [model.norm]
  spellings: [[model.layers, layers]]
`

func TestTableIsStrict(t *testing.T) {
	if _, err := parseTable([]byte(entry)); err != nil {
		t.Fatalf("the entry that the others are made from: %v", err)
	}
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", "vocabulary:", "vocabularies:", "vocabularies"},
		{"unknown key of layers", "count:", "counts:", "counts"},
		{"key twice", "types: [a]", "types: [a]\n  types: [b]", "types"},
		{"no name", "name: a", "name: ''", "no name"},
		{"no class", "classes: [AForCausalLM]", "classes: []", "needs classes"},
		{"no vocabulary", "vocabulary: [vocab_size]", "vocabulary: []", "needs layers, vocabulary"},
		{"no count", "count: [num_hidden_layers]", "count: []", "a stack and a count"},
		{"class twice", "[AForCausalLM]", "[AForCausalLM, AForCausalLM]", "belongs to a"},
		{"lender unknown", "name: a", "name: a\n  like: b", `like "b"`},
		{"like itself", "name: a", "name: a\n  like: a", `like "a"`},
		{"another spelling", "stack: model.layers", "stack: layers", "write model.layers"},
		{"one spelling", "[model.layers, layers]", "[model.layers]", "two names"},
		{"empty part", "after: [model.norm]", "after: [model..norm]", "empty part"},
		{"before and after", "after: [model.norm]", "after: [model.embed_tokens]", "both before and after"},
		{"module of nothing", "after: [model.norm]", "after: [model.norm]\n  modules: [{name: m, tensors: []}]", "name and tensors"},
		{"name twice", entry, entry + strings.ReplaceAll(strings.ReplaceAll(entry, "AFor", "BFor"), "[a]", "[b]"), "named twice"},
	} {
		text := strings.Replace(entry, c.old, c.new, 1)
		if text == entry {
			t.Fatalf("%s: changes nothing", c.name)
		}
		if _, err := parseTable([]byte(text)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

func TestLikeTakesWhatIsNotGiven(t *testing.T) {
	tab, err := parseTable([]byte(entry + "- {name: b, like: a, classes: [B], types: [b], vocabulary: [n_tokens]}\n"))
	if err != nil {
		t.Fatal(err)
	}
	b := &Architecture{family: tab.classes["B"]}
	if k := b.VocabKeys(); len(k) != 1 || k[0] != "n_tokens" {
		t.Errorf("own vocabulary: %v", k)
	}
	if !b.After("model.norm.weight") || b.LayersKey("layers") != "num_hidden_layers" {
		t.Error("nothing borrowed")
	}
	if tab.types["a"].Vocabulary[0] != "vocab_size" {
		t.Error("the lender has changed")
	}
}

func TestBelow(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		parts         int
	}{
		{"model.norm", "model.norm.weight", 2},
		{"model.norm", "model.norm", 2},
		{"model.norm", "model.normal.weight", 0},
		{"model.norm", "model", 0},
		{"model.layers.*.attn.bias", "model.layers.12.attn.bias", 5},
		{"model.layers.*.attn.bias", "model.layers.12.mlp.attn.bias", 0},
		{"*", "weight", 1},
		{"a.*", "a", 0},
	} {
		if n := below(c.pattern, c.name); n != c.parts {
			t.Errorf("%s covers %d parts of %s, want %d", c.pattern, n, c.name, c.parts)
		}
	}
}
