package merge

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/merge/attacktest"
)

func TestParseRecipe(t *testing.T) {
	got, err := ParseRecipe([]byte(`# a comment
merge_method: ties
base_model: "org/base model"
models:
  - model: org/base model     # mergekit lets the base be listed
  - model: ../expert-a
    parameters:
      weight: 1
      density: [0.2, 0.5, 1e-1]
  - model: expert-b
    parameters:
      weight:
        - filter: self_attn
          value: [0.1, "0.2"]
        - {filter: "*", value: 0.5}
        - value: 1
      density: null
parameters:
  normalize: true
  int8_mask: false
  lambda: 0.9
dtype: bfloat16
out_dtype: float32
mergesearch:
  seed: 18446744073709551615
`))
	if err != nil {
		t.Fatal(err)
	}
	number := mergesearch.Number
	want := mergesearch.Recipe{
		Method: "ties", Base: "org/base model",
		Models: []mergesearch.Input{
			{Model: "org/base model"},
			{Model: "../expert-a", Parameters: map[string]mergesearch.Setting{"weight": number(1), "density": {{Values: []float64{0.2, 0.5, 0.1}}}}},
			{Model: "expert-b", Parameters: map[string]mergesearch.Setting{"weight": {
				{Filter: "self_attn", Values: []float64{0.1, 0.2}}, {Filter: "*", Values: []float64{0.5}}, {Values: []float64{1}},
			}}},
		},
		Parameters: map[string]mergesearch.Setting{"normalize": number(1), "int8_mask": number(0), "lambda": number(0.9)},
		DType:      "bfloat16", OutDType: "float32", Seed: 1<<64 - 1,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// Each recipe has one fault; the error names line, column and field, and what was
// meant where that can be guessed.
func TestRecipeErrors(t *testing.T) {
	const head = "merge_method: ties\nbase_model: b\nmodels: [{model: a, parameters: {weight: 1}}]\n"
	for _, c := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"empty", "", 0, "empty recipe"},
		{"no YAML", "a: [", 1, ""},
		{"a list", "- a\n", 1, "want a mapping"},
		{"misspelt key", "merge_metod: ties\n", 1, `unknown key (hint: did you mean "merge_method"?)`},
		{"misspelt method", "merge_method: tise\nmodels: [{model: a}]\n", 1, `unknown method "tise" (hint: did you mean "ties"?)`},
		{"missing method", "models: [{model: a}]\n", 1, "merge_method"},
		{"misspelt parameter", head + "parameters:\n  lamda: 1\n", 5, `unknown parameter of ties (hint: did you mean "lambda"?)`},
		{"misspelt parameter of a model", "merge_method: linear\nmodels:\n- model: a\n  parameters:\n    wieght: 1\n", 5, `models[0].parameters.wieght: unknown parameter of linear (hint: did you mean "weight"?)`},
		{"misspelt key of a model", "merge_method: linear\nmodels:\n- modle: a\n", 3, `did you mean "model"?`},
		{"parameter of another method", head + "parameters: {t: 0.5}\n", 4, "unknown parameter of ties"},
		{"global parameter at a model", "merge_method: ties\nbase_model: b\nmodels:\n- model: a\n  parameters: {lambda: 1}\n", 5, "belongs to the whole recipe"},
		{"no method, no models", "slices: []\n", 1, "merge_method: missing"},
		{"key twice", head + "dtype: float16\ndtype: float32\n", 5, "dtype"},
		{"unknown type", head + "dtype: bfloat61\n", 4, `did you mean "bfloat16"?`},
		{"no base", "merge_method: ties\nmodels: [{model: a}]\n", 1, "base_model: missing"},
		{"no models", "merge_method: linear\n", 1, "models: missing"},
		{"models no list", "merge_method: linear\nmodels: a\n", 2, "want a list"},
		{"model without name", "merge_method: linear\nmodels:\n- parameters: {weight: 1}\n", 3, "models[0].model: missing"},
		{"model twice", "merge_method: linear\nmodels:\n- model: a\n- model: a\n", 4, "listed twice"},
		{"model a number", "merge_method: linear\nmodels:\n- model: 7\n", 3, "want a string"},
		{"model with an escape sequence", "merge_method: linear\nmodels:\n- model: \"a\\e[31m\"\n", 3, "unprintable"},
		{"weight a word", head + "parameters: {weight: much}\n", 4, "want a finite number"},
		{"weight infinite", head + "parameters: {weight: .inf}\n", 4, "want a finite number"},
		{"weight not a number", head + "parameters: {weight: .nan}\n", 4, "want a finite number"},
		{"weight beyond float32", head + "parameters: {weight: 1e39}\n", 4, "not a finite float32"},
		{"density above one", head + "parameters: {density: 1.5}\n", 4, "not in [0, 1]"},
		{"flag of two", head + "parameters: {normalize: 2}\n", 4, "want true or false"},
		{"empty gradient", head + "parameters: {weight: []}\n", 4, "empty list"},
		{"condition alone", head + "parameters: {weight: {value: 1}}\n", 4, "in a list"},
		{"condition without value", head + "parameters:\n  weight:\n  - filter: a\n", 6, "without a value"},
		{"condition with another key", head + "parameters:\n  weight:\n  - filtre: a\n    value: 1\n", 6, `did you mean "filter"?`},
		{"nested gradient", head + "parameters: {weight: [[1]]}\n", 4, "want a finite number"},
		{"seed negative", head + "mergesearch: {seed: -1}\n", 4, "not negative"},
		{"seed a fraction", head + "mergesearch: {seed: 1.5}\n", 4, "whole number"},
		{"seed too large", head + "mergesearch: {seed: 18446744073709551616}\n", 4, "number"},
		{"own key unknown", head + "mergesearch: {sed: 1}\n", 4, `did you mean "seed"?`},
		{"alias of nothing", head + "parameters: {weight: *x}\n", 4, "*x stands for nothing"},
		{"alias of itself", head + "parameters: &x {weight: *x}\n", 4, "*x stands for nothing"},
		{"alias in another document", "name: a\n" + head + "dtype: &x float16\n---\n" + head + "dtype: *x\n", 10, "*x stands for nothing"},
		{"merged number", "x: &x 1\n" + head + "parameters: {<<: *x}\n", 1, "want a mapping"},
		{"merged list of numbers", head + "parameters: {<<: [{weight: 1}, 2]}\n", 4, "want a mapping"},
		{"key of a list", head + "parameters: {[1]: 2}\n", 4, ""},
		{"anchors under a key of their own", "x: &x 1\n" + head + "parameters: {weight: *x}\n", 1, "unknown key"},
		{"tag", head + "dtype: !!str float16\n", 4, "want a string"},
		{"anchor twice", head + "parameters: {weight: &x 1, normalize: &x 1}\n", 4, "&x comes twice"},
		{"merge key twice", head + "parameters: {<<: {weight: 1}, <<: {weight: 2}}\n", 4, "already defined"},
		{"two documents without names", head + "---\n" + head, 5, "second document without a name"},
		{"deep", strings.Repeat("[", 1000), 1, "deeper"},
		{"deep dashes", strings.Repeat("- ", 1000), 1, "deeper"},
		{"carriage return", "merge_method: ties\rbase_model: b\n", 1, "carriage return"},
		{"directive", "%YAML 1.2\n---\n" + head, 1, ""},
		{"long key", strings.Repeat("k", maxKeyBytes+1) + ": 1\n", 1, "the limit is 256"},
		{"long name", "merge_method: " + strings.Repeat("k", maxTextBytes+1) + "\n", 1, "the limit is 4096"},
		{"long", strings.Repeat("#", maxRecipeBytes+1), 0, "limit"},
		{"not UTF-8", "merge_method: \xff\n", 0, "UTF-8"},
	} {
		t.Run(c.name, func(t *testing.T) {
			attacktest.Recipe(t, c.name, c.text)
			_, err := ParseRecipe([]byte(c.text))
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("got %v, want an input error", err)
			}
			text := in.Error()
			if in.Hint != "" {
				text += " (hint: " + in.Hint + ")"
			}
			if in.Line != c.line || !strings.Contains(text, c.want) || c.line > 0 && in.Column == 0 && !strings.HasPrefix(c.name, "deep") && c.name != "carriage return" {
				t.Errorf("line %d: %s\nwant line %d and %q", in.Line, text, c.line, c.want)
			}
		})
	}
}

func TestReadRecipeNamesTheFile(t *testing.T) {
	dir := t.TempDir()
	bad := filepath.Join(dir, "bad.yaml")
	if err := os.WriteFile(bad, []byte("merge_metod: ties\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{
		bad:                             bad + ":1:1: merge_metod: unknown key",
		filepath.Join(dir, "none.yaml"): filepath.Join(dir, "none.yaml") + ": no such file or directory",
		dir:                             dir + ": not a regular file",
	} {
		if _, err := ReadRecipe(file); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
