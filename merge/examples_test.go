package merge_test

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
)

var examplesTo = flag.String("examples", "", "write the models and recipes of TestMergekitsRecipesMerge below this directory")

// example is what a merged recipe is told by: of the tensors a hash over name, type,
// shape and bytes, of the vocabulary one over numbers and texts.
type example struct {
	Tensors  int    `json:"tensors"`
	SHA256   string `json:"sha256"`
	Layers   int    `json:"layers"`
	DType    string `json:"dtype"`
	Rows     int    `json:"rows"`
	Words    string `json:"words"`
	Template string `json:"template"`
	Failed   string `json:"failed,omitempty"` // why mergekit has no result
}

// Every example recipe of mergekit's documentation, with other names and numbers,
// merges by default and, with compat, to what mergekit wrote: testdata/examples.json,
// which docs/peers/mergekit/examples_golden.py made of the same models.
func TestMergekitsRecipesMerge(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	var golden struct {
		Examples map[string]example `json:"examples"`
	}
	text, err := os.ReadFile(filepath.Join("testdata", "examples.json"))
	if err := errors.Join(err, json.Unmarshal(text, &golden)); err != nil && *examplesTo == "" {
		t.Fatal(err)
	}
	if n := len(golden.Examples); n != len(merge.MergekitRecipes) && *examplesTo == "" {
		t.Errorf("%d results of mergekit for %d recipes", n, len(merge.MergekitRecipes))
	}
	for name, text := range merge.MergekitRecipes {
		t.Run(name, func(t *testing.T) {
			r, err := merge.ParseRecipe([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			root := t.TempDir()
			if *examplesTo != "" {
				root = filepath.Join(*examplesTo, strings.NewReplacer("/", "_", " ", "_", ",", "").Replace(name))
			}
			e := open(t, exampleModels(t, root, r))
			if *examplesTo != "" {
				if err := errors.Join(os.WriteFile(filepath.Join(root, "recipe.yaml"), []byte(text), 0o666), os.WriteFile(filepath.Join(root, "name"), []byte(name), 0o666)); err != nil {
					t.Fatal(err)
				}
				return
			}
			c := build(t, e, r)
			usual := tell(t, c)
			c.Release()
			r.Compat = "mergekit"
			for i := range r.Stages {
				r.Stages[i].Recipe.Compat = "mergekit"
			}
			got, want := tell(t, build(t, e, r)), golden.Examples[name]
			if got != want && (want.Failed == "" || name != "README, a token of zeros") {
				t.Errorf("with compat %+v, mergekit %+v", got, want)
			}
			if usual.Layers != got.Layers || usual.Rows != got.Rows || usual.Words != got.Words || usual.Tensors != got.Tensors {
				t.Errorf("by default %+v, with compat %+v", usual, got)
			}
		})
	}
}

// exampleModels writes miniatures of the models that a recipe names, all near one
// base, or with vocabularies of their own where the recipe aligns them.
func exampleModels(t *testing.T, root string, r mergesearch.Recipe) map[string]string {
	t.Helper()
	base := mergetest.Checkpoint{Seed: 100, Layers: exampleLayers(r), Untied: true, Vocab: 40}
	if r.DType == "float16" {
		base.DType = mergesearch.F16
	}
	dirs := map[string]string{}
	for i, name := range r.ModelNames() {
		c := mergetest.Checkpoint{Seed: uint64(i), DType: base.DType, Near: &base}
		words := exampleWords(r, name)
		if r.Tokenizer != nil {
			c = mergetest.Checkpoint{Seed: uint64(i), DType: base.DType, Untied: true, Vocab: len(words)}
		}
		dirs[name] = filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(dirs[name]), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := c.Write(dirs[name]); err != nil {
			t.Fatal(err)
		}
		vocab := map[string]int{}
		for id, w := range words {
			vocab[w] = id
		}
		for file, value := range map[string]any{
			"tokenizer.json": map[string]any{
				"version": "1.0", "added_tokens": []any{}, "pre_tokenizer": map[string]any{"type": "Whitespace"},
				"model": map[string]any{"type": "WordLevel", "vocab": vocab, "unk_token": "w0"},
			},
			"tokenizer_config.json": map[string]any{"tokenizer_class": "PreTrainedTokenizerFast", "chat_template": "{% for m in messages %}" + name[:1] + "{% endfor %}"},
		} {
			text, err := json.Marshal(value)
			if err := errors.Join(err, os.WriteFile(filepath.Join(dirs[name], file), text, 0o666)); err != nil {
				t.Fatal(err)
			}
		}
	}
	return dirs
}

// exampleLayers returns how many layers the models of a recipe need.
func exampleLayers(r mergesearch.Recipe) int {
	n := 6
	for _, s := range r.Slices {
		for _, source := range s.Sources {
			n = max(n, source.End)
		}
	}
	return n
}

// exampleWords are the tokens of a model: common ones, its own, and those that the
// recipe takes from it.
func exampleWords(r mergesearch.Recipe, model string) []string {
	var words []string
	for i := range 40 {
		words = append(words, fmt.Sprintf("w%d", i))
	}
	if r.Tokenizer == nil || model == "m" {
		return words
	}
	own := 5
	if model == "path/to/m" {
		own = 1260 // a rule names row 1234
	}
	words = words[:30]
	for i := range own {
		words = append(words, fmt.Sprintf("%s%d", model, i))
	}
	for _, rule := range r.Tokenizer.Tokens {
		switch s := rule.Source; {
		case s.Model != model || s.ID != nil:
		case s.Token != "":
			words = append(words, s.Token)
		default:
			words = append(words, rule.Token)
		}
	}
	return words
}

// tell reduces a candidate to what is compared.
func tell(t *testing.T, c mergesearch.Candidate) example {
	t.Helper()
	config := parsed(t, c.Files["config.json"])
	out := example{
		Tensors: len(c.Tensors.Names()), Layers: int(config["num_hidden_layers"].(float64)), DType: config["torch_dtype"].(string),
		Rows: int(config["vocab_size"].(float64)), Template: string(c.Files["chat_template.jinja"]),
	}
	if out.Template == "" {
		out.Template, _ = parsed(t, c.Files["tokenizer_config.json"])["chat_template"].(string)
	}
	h := sha256.New()
	for _, name := range slices.Sorted(slices.Values(c.Tensors.Names())) {
		x, err := c.Tensors.Tensor(name)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(h, "%s %s %v\n", name, x.DType, x.Shape)
		h.Write(x.Data)
	}
	out.SHA256 = fmt.Sprintf("%x", h.Sum(nil))
	var file struct {
		Model struct{ Vocab map[string]int }
		Added []struct {
			ID      int
			Content string
		} `json:"added_tokens"`
	}
	if err := json.Unmarshal(c.Files["tokenizer.json"], &file); err != nil {
		t.Fatal(err)
	}
	words := file.Model.Vocab
	for _, a := range file.Added {
		words[a.Content] = a.ID
	}
	h.Reset()
	for _, w := range slices.SortedFunc(maps.Keys(words), func(a, b string) int { return words[a] - words[b] }) {
		fmt.Fprintf(h, "%d %s\n", words[w], w)
	}
	out.Words = fmt.Sprintf("%x", h.Sum(nil))
	return out
}
