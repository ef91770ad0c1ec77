package merge

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge/attacktest"
)

// parseConstant is what reading a recipe may allocate, in all, beside twice its
// text: the YAML library takes up to a kilobyte for a value.
const parseConstant = 64 << 20

// parseWithin parses a text and demands that it costs no more memory than that.
func parseWithin(t *testing.T, text []byte) (mergesearch.Recipe, error) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	r, err := ParseRecipe(text)
	runtime.ReadMemStats(&after)
	if n := after.TotalAlloc - before.TotalAlloc; n > 2*uint64(len(text))+parseConstant {
		t.Errorf("a text of %d bytes took %d bytes of memory", len(text), n)
	}
	return r, err
}

// A recipe of 3,200 lines in 40 documents, one with a number for each layer of ten
// models, and one of as many slices as a model could have layers are read.
func TestLongRecipes(t *testing.T) {
	var stages, gradients, slices strings.Builder
	for i := range 40 {
		fmt.Fprintf(&stages, "---\nname: s%d\nmerge_method: linear\nmodels:\n", i)
		if i > 0 {
			fmt.Fprintf(&stages, "- model: s%d\n  parameters:\n    weight: 0.5\n", i-1)
		}
		for m := range 25 {
			fmt.Fprintf(&stages, "- model: organisation/model-%d-%d\n  parameters:\n    weight: 0.%d\n", i, m, m+1)
		}
	}
	gradients.WriteString("merge_method: ties\nbase_model: org/base\nmodels:\n")
	for i := range 10 {
		numbers := strings.TrimSuffix(strings.Repeat("0.25, ", 128), ", ")
		fmt.Fprintf(&gradients, "- model: org/expert-%d\n  parameters:\n    weight:\n", i)
		for _, filter := range []string{"self_attn", "mlp", "norm"} {
			fmt.Fprintf(&gradients, "    - {filter: %s, value: [%s]}\n", filter, numbers)
		}
		fmt.Fprintf(&gradients, "    - value: [%s]\n", numbers)
	}
	slices.WriteString("merge_method: passthrough\nslices:\n")
	for i := range 512 {
		fmt.Fprintf(&slices, "- sources:\n  - model: org/m%d\n    layer_range: [%d, %d]\n", i%3, i, i+1)
	}
	for name, text := range map[string]string{"stages": strings.Replace(stages.String(), "name: s39\n", "", 1), "gradients": gradients.String(), "slices": slices.String()} {
		if _, err := parseWithin(t, []byte(text)); err != nil {
			t.Errorf("%s, %d lines: %v", name, strings.Count(text, "\n"), err)
		}
	}
}

// hostileRecipes are texts that aim at the YAML library's stack, memory and time: far
// beyond the limits, and as much as they allow.
func hostileRecipes() map[string]string {
	keys := func(n int, format string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, format, i)
		}
		return b.String()
	}
	deeper := func(n, step int) string {
		var b strings.Builder
		for i := range n {
			b.WriteString(strings.Repeat(" ", step*i) + "a:\n")
		}
		return b.String()
	}
	const head = "merge_method: linear\nmodels: [{model: a}]\n"
	return map[string]string{
		"numbers":                   head + "parameters:\n  weight: [" + strings.Repeat("1,", 30000) + "1]\n  normalize: 2\n",
		"numbers, within":           head + "parameters:\n  weight: [" + strings.Repeat("1,", 8100) + "1]\n  normalize: 2\n",
		"more numbers":              head + "parameters:\n  weight: [" + strings.Repeat("1,", 100000) + "1]\n",
		"empty mappings":            head + "parameters: [" + strings.Repeat("{},", 15000) + "{}]\n",
		"empty mappings, within":    head + "parameters: [" + strings.Repeat("{},", 4000) + "{}]\n",
		"keys":                      head + "parameters:\n" + keys(2000, "  k%d: 1\n"),
		"keys, within":              head + "parameters:\n" + keys(760, "  k%d: 1\n"),
		"mappings of keys":          strings.Repeat("a:\n"+keys(2000, " k%d: 1\n"), 7),
		"mappings of keys, within":  keys(5, "a%[1]d:\n"+keys(750, " k%d: 1\n")) + "a0: 1\n",
		"many keys":                 head + "parameters:\n" + keys(30000, "  k%d: 1\n"),
		"keys in a row":             head + "parameters: {" + keys(15000, "k%d: 1, ") + "}\n",
		"keys in a row, within":     head + "parameters: {" + keys(4000, "k%d: 1, ") + "}\n",
		"deeper and deeper":         deeper(1400, 1),
		"deeper and deeper, within": deeper(64, 100),
		"lines":                     "a: |\n" + strings.Repeat("  x\n", 200000),
		"lines, within":             "a: |\n" + strings.Repeat("  "+strings.Repeat("x", 340)+"\n", 760),
		"a long line":               "a: " + strings.Repeat(" x", 500000),
		"a long line, within":       "a: " + strings.Repeat(" x", 131000),
		"dashes":                    strings.Repeat("- ", 60) + strings.Repeat("x", 900000),
		"dashes, within":            strings.Repeat("- ", 60) + strings.Repeat("x", 262000),
		"documents":                 strings.Repeat("---\na: 1\n", 20000),
		"no documents":              strings.Repeat("---\n", 200000),
		"comments":                  strings.Repeat("#\n", 500000),
		"quotes":                    "a: \"" + strings.Repeat("\\u00e9", 150000) + "\"\n",
		"quotes, within":            "a: \"" + strings.Repeat("\\u00e9", 43000) + "\"\n",
		"a module":                  "merge_method: linear\nmodules: {" + strings.Repeat("m", 250) + ": {models: [" + strings.Repeat("{model: a},", 1000) + "{}]}}\n",
		"one big module":            "merge_method: linear\nmodules: {" + strings.Repeat("m", 500000) + ": {}}\n",
		"one big module, within":    "merge_method: linear\nmodules: {" + strings.Repeat("m", 262000) + ": {}}\n",
		"values and bytes, within":  "a: " + strings.Repeat(" x", 115000) + "\nb: [" + strings.Repeat("1,", 8000) + "1]\n",
	}
}

func TestHostileRecipes(t *testing.T) {
	for name, text := range hostileRecipes() {
		t.Run(name, func(t *testing.T) {
			attacktest.Recipe(t, name, text)
			var in *mergesearch.InputError
			if _, err := parseWithin(t, []byte(text)); !errors.As(err, &in) {
				t.Errorf("got %v, want an input error", err)
			} else if len(in.Error()) > 1000 {
				t.Errorf("an error of %d bytes", len(in.Error()))
			}
		})
	}
}

// recipeSeeds are recipes of every kind, sound and not.
var recipeSeeds = []string{
	"merge_method: ties\nbase_model: &b c\nmodels:\n- &a {model: a, parameters: &p {weight: &w [0.1, 1], density: 0.5}}\n- <<: *a\n  model: b\n- model: d\n  parameters:\n    <<: [*p, {normalize: 1}]\n    &k weight: *w\nparameters: {normalize: 0}\n",
	"merge_method: linear\nmodels:\n- model: a\n  parameters: {weight: 0.5}\n- model: 'b c'\n",
	"merge_method: ties\nbase_model: b\nmodels: [{model: a, parameters: {weight: [{filter: x, value: [1, 2]}, {value: 1e-9}]}}]\nparameters: {normalize: yes, int8_mask: off}\ndtype: torch.float16\nmergesearch: {seed: 3, compat: mergekit}\n",
	"merge_method: slerp\nbase_model: b\nmodels:\n  - model: a\nparameters:\n  t:\n    - filter: self_attn\n      value: [0, 0.5, 0.3]\n    - value: \"0.5\"\nout_dtype: bfloat16\ncompat: mergekit\n",
	"merge_method: passthrough\nslices:\n- sources: [{model: a@main+l@v1, layer_range: [0, 24], parameters: {scale: 0.5}}]\n- sources:\n  - model: {model: {path: b, revision: null}, lora: c@d}\n    layer_range: ['20', 40.0]\n  base_model: a\n  parameters: {scale: 1}\n",
	"merge_method: linear\nparameters: {weight: 1, normalize: on}\nmodules:\n  text: {models: [{model: a}]}\n  vision: {slices: [{sources: [{model: a, layer_range: [0, 2]}]}], parameters: {weight: [0, 1]}}\n",
	"merge_method: linear\nmodels: [{model: a, parameters: {weight: true}}]\ntokenizer:\n  source: base\n  pad_to_multiple_of: 8\n  tokens:\n    <|a|>: {source: a, force: true}\n    \"\\n\": {source: {kind: model_token, model: a, token_id: 3}}\n    b: {source: {kind: zero}}\n    c: {source: {kind: model_token, model: {model: a}, token: d}}\n    e: {}\nchat_template: |\n  {% for m in messages %}{{ m }}\n",
	"name: x\nmerge_method: linear\nmodels: [{model: a}]\ntokenizer_source: union\n---\n# c\n---\nname: y\nmerge_method: linear\nmodels: [{model: x}]\n...\n---\nmerge_method: linear\nmodels: [{model: y}, {model: x}]\nchat_template: chatml\n",
	"name: x\nmerge_method: linear\nmodels: [{model: y}]\n---\nname: y\nmerge_method: linear\nmodels: [{model: x}]\n",
	"name: x\nmerge_method: linear\nmodels: [{model: x+l}]\n---\nmerge_method: linear\nmodels: [{model: x}]\n",
	"name: x\nmerge_method: linear\nmodels: [{model: a}]\n---\nname: z\nmerge_method: linear\nmodels: [{model: b}]\n",
	"name: x\nmerge_method: linear\nmodels: [{model: a}]\n---\nmerge_method: linear\nmodels: [{model: b}]\n",
	"name: union\n", "name: a@b\n", "---\n---\n",
	"merge_method: linear\nslices: [{sources: [{model: a, layer_range: [4, 2]}], residual_weight: 1}]\n",
	"merge_method: linear\nslices: [{sources: [{model: a, layer_range: 4}]}]\n",
	"merge_method: linear\nmodels: [{model: {override_architecture: x}}]\n",
	"merge_method: linear\nmodels: [{model: a}]\ntokenizer: {tokens: {a: {source: {kind: what}}, a: , b: {force: true}}}\ntokenizer_source: a\n",
	"merge_method: linear\nmodels: [{model: a}]\nparameters: {weight: {value: 1}}\n",
	"merge_method: linear\nmodels: [{model: a}]\nparameters: {weight: [{filter: a}]}\nmergesearch: {seed: -1}\n",
	"merge_method: dare_tise\n", "merge_method: nuslerp\n", "models: []\n", "merge_method: ties\nmodels: [{model: a}]\n", "merge_method: ties\nbase_model: b\n",
	"merge_method: ties\nslices: [{sources: [{model: a, layer_range: [0, 1]}], base_model: b}]\nparameters: {lamda: 1}\n",
	"merge_method: ties\nmodules: {m: {slices: [{sources: [{model: a, layer_range: [0, 1]}]}]}}\n", "merge_method: ties\nmodules: {m: {models: [{model: a}]}}\n",
	"merge_method: linear\nmodules: {m: {}}\n", "merge_method: linear\nmodels: [{model: a}]\nslices: [{}]\n", "merge_method: linear\nmodels: [{}]\n", "merge_method: linear\nmodels: [{model: a}, {model: a}]\n",
	"merge_method: linear\nslices: [{}]\n", "merge_method: linear\nslices: [{sources: [{model: a, layer_range: [0, 1]}, {model: a, layer_range: [0, 1]}]}]\n",
	"merge_method: linear\nslices: [{sources: [{model: a, layer_range: [0, 1]}, {model: a, layer_range: [0, 2]}]}]\n",
	"merge_method: linear\nmodels: [{model: a, parameters: {normalize: 1}}]\n", "merge_method: linear\nmodels: [{model: a}]\nparameters: {normalize: 2}\n", "merge_method: linear\nmodels: [{model: a}]\nparameters: {weight: 1e39}\n",
	"merge_method: ties\nbase_model: b\nmodels: [{model: a, parameters: {density: 2}}]\n",
	"merge_method: linear\nmodels: [{model: a}]\ndtype: float61\n", "merge_method: linear\nmodels: [{model: a}]\nchat_template: lama3\n", "merge_method: linear\nmodels: [{model: a}]\nchat_template: \"{{ a }}\"\n",
	"merge_method: linear\nmodels: [{model: a}]\nchat_template: a template that has nothing in it\n", "merge_method: linear\nmodels: [{model: a}]\ntokenizer: {tokens: {a: {force: true}}}\n",
	"merge_method: linear\nmodels: [{model: a}]\ntokenizer: {tokens: {\"\": {}}}\n", "merge_method: linear\nmodels: [{model: a@b@c}]\n", "merge_method: linear\nmodels: [{model: a+b+c}]\n",
	"merge_metod: linear\n", "- a\n", "a: &a [*a]\n", "a: [\n", "a: \xff\n", "a: 1\rb: 2\n",
	"merge_method: |\n  linear\nmodels: {}\n",
}

// Any text is refused with an input error, or read, written and read again as the
// same recipe.
func FuzzRecipe(f *testing.F) {
	for _, s := range recipeSeeds {
		f.Add([]byte(s))
	}
	examples, err := filepath.Glob(filepath.Join("..", "configs", "recipes", "*.yaml"))
	if err != nil || len(examples) == 0 {
		f.Fatalf("no example recipes: %v", err)
	}
	for _, file := range examples {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	r := rand.New(rand.NewPCG(1, 1))
	for range 5 {
		f.Add(fmt.Appendf(nil, "merge_method: linear\nmodels:\n- model: \"\\u%04x\"\n", r.IntN(1<<16)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parseWithin(t, text)
		if err != nil {
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("refused with %T: %v", err, err)
			}
			return
		}
		mustSurvive(t, r)
	})
}
