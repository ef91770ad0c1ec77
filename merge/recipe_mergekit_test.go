package merge

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mergesearch"
)

// mergekitRecipes have the shape of every recipe among mergekit's examples and in
// its documentation that mergekit-yaml or mergekit-multi accepts (commit a6e40288),
// with other names and numbers. Parts of recipes stand in the smallest recipe.
var mergekitRecipes = map[string]string{
	"examples/arcee_fusion": `
models:
  - model: first
  - model: second
merge_method: arcee_fusion
base_model: first
dtype: bfloat16
`,
	"examples/bio-merge": `
models:
  - model: org/chat
    parameters:
      density: 0.4
      weight: 0.6
  - model: lab/doctor
    parameters:
      density: 0.4
      weight: 0.6
merge_method: ties
base_model: org/base
parameters:
  normalize: false
  int8_mask: true
dtype: float16
`,
	"examples/gradient-slerp": `
slices:
  - sources:
      - model: org/one
        layer_range: [0, 16]
      - model: org/two
        layer_range: [0, 16]
# models: # commented out
#   - model: org/one
merge_method: slerp
base_model: org/one
parameters:
  t:
    - filter: self_attn
      value: [0, 0.4, 0.2, 0.8, 1]
    - filter: mlp
      value: [1, 0.6, 0.8, 0.2, 0]
    - value: 0.5 # everything else
dtype: float16
`,
	"examples/gradient-slerp, as models": `
models:
  - model: org/one
  - model: org/two
merge_method: slerp
base_model: org/one
parameters: {t: 0.5}
`,
	"examples/linear": `
models:
  - model: org/one
    parameters:
      weight: 1.0
  - model: org/two-V1.2
    parameters:
      weight: 0.4
merge_method: linear
dtype: float16
`,
	"examples/orcamini-platy-44layer": `
slices:
  - sources:
    - model: org/one
      layer_range: [0, 20]
  - sources:
    - model: org/two
      layer_range: [16, 32]
merge_method: passthrough
dtype: float16
`,
	"examples/ties": `
models:
  - model: org/one
    parameters:
      density: [1, 0.6, 0.2] # gradient
      weight: 1.0
  - model: org/two
    parameters:
      density: 0.4
      weight: [0, 0.2, 0.8, 1] # gradient
  - model: org/three
    parameters:
      density: 0.3
      weight:
        - filter: mlp
          value: 0.4
        - value: 0
merge_method: ties
base_model: org/base
parameters:
  normalize: true
  int8_mask: true
dtype: float16
`,
	"README, tokenizer": `
merge_method: linear
models: [{model: m, parameters: {weight: 1}}, {model: path/to/m, parameters: {weight: 0.5}}]
tokenizer:
  source: "union"  # or another
  tokens:          # some
    <name>:
      source: path/to/m
      force: false
  pad_to_multiple_of: null
`,
	"README, sources of tokens": `
merge_method: linear
models: [{model: m, parameters: {weight: 1}}, {model: path/to/m, parameters: {weight: 0.5}}]
tokenizer:
  source: union
  tokens:
    <|begin|>:
      source: "path/to/m"
    <|special|>:
      source: "path/to/m"
      force: true
    <|other|>:
      source:
        kind: "model_token"
        model: "path/to/m"
        token: "<|first|>"
    <|third|>:
      source:
        kind: "model_token"
        model: "path/to/m"
        token_id: 1234
`,
	"README, a token of zeros": `
merge_method: linear
models: [{model: m, parameters: {weight: 1}}, {model: path/to/m, parameters: {weight: 0.5}}]
tokenizer:
  source: union
  tokens:
    <|never|>:
      source:
        kind: "zero"
`,
	"README, two prompt formats": `
merge_method: linear
models: [{model: m, parameters: {weight: 1}}, {model: one, parameters: {weight: 0.5}}, {model: two, parameters: {weight: 0.25}}]
tokenizer:
  source: union
  tokens:
    <|begin|>:
      source: "one"
    <|end|>:
      source: "one"
    <|header|>:
      source: "two"
      force: true
`,
	"README, tokenizer_source": "merge_method: linear\nmodels: [{model: m, parameters: {weight: 1}}, {model: path/to/m, parameters: {weight: 0.5}}]\ntokenizer_source: \"union\"\n",
	"README, chat_template":    "merge_method: linear\nmodels: [{model: m, parameters: {weight: 1}}, {model: one, parameters: {weight: 0.5}}]\nchat_template: \"auto\"\n",
	"docs/multimerge": `
name: one
merge_method: linear
models:
  - model: org/a
  - model: org/b
parameters:
  weight: 0.5
---
name: two
merge_method: slerp
base_model: one  # the document above
models:
  - model: org/c
parameters:
  t: 0.4
---
# the last one has no name
merge_method: dare_ties
base_model: org/a
models:
  - model: two
    parameters:
      density: 0.6
      weight: 0.4
  - model: org/d
    parameters:
      density: 0.8
      weight: 0.6
`,
	"docs/multimerge, all with names": `
name: one
merge_method: task_arithmetic
base_model: a
models: [{model: b, parameters: {weight: 1}}]
---
name: two
merge_method: slerp
base_model: one
models: [{model: c}]
parameters: {t: 0.5}
---
name: three
merge_method: linear
models: [{model: two}, {model: d}]
parameters: {weight: 1}
`,
}

func TestMergekitsRecipes(t *testing.T) {
	for name, text := range mergekitRecipes {
		t.Run(name, func(t *testing.T) {
			r, err := ParseRecipe([]byte(text))
			if err != nil {
				t.Fatal(err)
			}
			mustSurvive(t, r)
		})
	}
}

// The example recipes are read, and what they are examples of stands in them.
func TestExampleRecipes(t *testing.T) {
	shows := map[string]func(r mergesearch.Recipe) bool{
		"linear":          func(r mergesearch.Recipe) bool { return r.Method == "linear" && len(r.Models) == 3 },
		"slerp_gradient":  func(r mergesearch.Recipe) bool { return len(r.Parameters["t"][0].Values) == 5 },
		"ties":            func(r mergesearch.Recipe) bool { return r.Models[2].Parameters["weight"][0].Filter == "mlp" },
		"dare_ties":       func(r mergesearch.Recipe) bool { return r.Seed == 42 },
		"stack_layers":    func(r mergesearch.Recipe) bool { return len(r.Slices) == 2 },
		"union_tokenizer": func(r mergesearch.Recipe) bool { return r.Tokenizer.Source == "union" && len(r.Tokenizer.Tokens) == 2 },
		"stages":          func(r mergesearch.Recipe) bool { return len(r.Stages) == 1 && r.Stages[0].Name == "numbers-and-words" },
	}
	files, err := filepath.Glob(filepath.Join("..", "configs", "recipes", "*.yaml"))
	if err != nil || len(files) != len(shows) {
		t.Errorf("%d example recipes, want %d: %v", len(files), len(shows), err)
	}
	for _, file := range files {
		r, err := ReadRecipe(file)
		if err != nil {
			t.Errorf("%v", err)
			continue
		}
		if show := shows[strings.TrimSuffix(filepath.Base(file), ".yaml")]; show == nil || !show(r) {
			t.Errorf("%s is no example of what it is named after", file)
		}
		for _, model := range r.ModelNames() {
			if _, stage := stageNames(r)[model]; stage {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", model, "config.json")); err != nil {
				t.Errorf("%s names a model that is not there: %v", file, err)
			}
		}
		mustSurvive(t, r)
	}
}

func stageNames(r mergesearch.Recipe) map[string]bool {
	names := map[string]bool{}
	for _, s := range r.Stages {
		names[s.Name] = true
	}
	return names
}
