package merge

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/merge/attacktest"
)

func TestParseSlicesModulesTokenizer(t *testing.T) {
	got, err := ParseRecipe([]byte(`
merge_method: linear
base_model: {model: {path: org/base, revision: main}}
modules:
  text_decoder:
    slices:
      - sources:
          - {model: a@v1+lora@v2, layer_range: [0, 4], parameters: {weight: 0.5}}
          - {model: {model: a, lora: {path: lora, revision: null}}, layer_range: ["4", 8.0]}
        base_model: a
        parameters: {weight: [0, 1]}
      - {sources: [{model: a, layer_range: [8, 8]}]}
    parameters: {normalize: on}
  vision_tower:
    models: [{model: a}, {model: {model: b@v1, lora: c@v2, override_architecture: null}}]
parameters: {weight: 1}
dtype: torch.float16
tokenizer:
  tokens:
    <|a|>: {source: a}
    "\n": {source: {kind: model_token, model: b, token: "\n\n"}, force: yes}
    "3": {source: {kind: model_token, model: {model: b}, token_id: 0}}
    <|z|>: {source: {kind: zero}}
    <|ref|>: {source: {model: {path: c}}}
    <|new|>: {}
  pad_to_multiple_of: 64
chat_template: |
  {% for m in messages %}
  	{{ m }}
compat: mergekit
mergesearch: {seed: 7, compat: mergekit}
`))
	if err != nil {
		t.Fatal(err)
	}
	zero := 0
	number := func(x float64) map[string]mergesearch.Setting {
		return map[string]mergesearch.Setting{"weight": mergesearch.Number(x)}
	}
	want := mergesearch.Recipe{
		Method: "linear", Base: "org/base@main", Parameters: number(1), DType: "float16", Compat: "mergekit", Seed: 7,
		ChatTemplate: "{% for m in messages %}\n\t{{ m }}\n",
		Modules: []mergesearch.Module{
			{
				Name: "text_decoder", Parameters: map[string]mergesearch.Setting{"normalize": mergesearch.Number(1)},
				Slices: []mergesearch.Slice{
					{
						Base: "a", Parameters: map[string]mergesearch.Setting{"weight": {{Values: []float64{0, 1}}}},
						Sources: []mergesearch.Source{
							{Input: mergesearch.Input{Model: "a@v1+lora@v2", Parameters: number(0.5)}, First: 0, End: 4},
							{Input: mergesearch.Input{Model: "a+lora"}, First: 4, End: 8},
						},
					},
					{Sources: []mergesearch.Source{{Input: mergesearch.Input{Model: "a"}, First: 8, End: 8}}},
				},
			},
			{Name: "vision_tower", Models: []mergesearch.Input{{Model: "a"}, {Model: "b@v1+c@v2"}}},
		},
		Tokenizer: &mergesearch.Tokenizer{
			Source: "union", PadToMultipleOf: 64,
			Tokens: []mergesearch.TokenRule{
				{Token: "<|a|>", Source: mergesearch.TokenSource{Model: "a"}},
				{Token: "\n", Source: mergesearch.TokenSource{Model: "b", Token: "\n\n"}, Force: true},
				{Token: "3", Source: mergesearch.TokenSource{Model: "b", ID: &zero}},
				{Token: "<|z|>", Source: mergesearch.TokenSource{Zero: true}},
				{Token: "<|ref|>", Source: mergesearch.TokenSource{Model: "c"}},
				{Token: "<|new|>"},
			},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	mustSurvive(t, got)
}

// Each recipe has one fault in the parts beyond plain models.
func TestRecipePartErrors(t *testing.T) {
	const (
		linear = "merge_method: linear\nparameters: {weight: 1}\n"
		models = linear + "models: [{model: a}]\n"
		source = "{model: a, layer_range: [0, 4]}"
		tokens = models + "tokenizer:\n  tokens:\n    x: "
	)
	slices := func(sources ...string) string {
		return linear + "slices:\n- sources:\n  - " + strings.Join(sources, "\n  - ") + "\n"
	}
	many := func(n int, item string) string { return "[" + strings.Repeat(item+",", n) + item + "]" }
	for _, c := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"nothing to merge", linear, 1, "models: missing"},
		{"models and slices", models + "slices: [{sources: [" + source + "]}]\n", 4, "slices: stands beside models (hint: only one of"},
		{"models and modules", models + "modules: {m: {models: [{model: a}]}}\n", 4, "modules: stands beside models"},
		{"slices no list", linear + "slices: {}\n", 3, "want a list"},
		{"too many slices", linear + "slices: " + many(maxSlices, "{}") + "\n", 3, "slices: 1025 entries, the limit is 1024"},
		{"too many models", linear + "models: " + many(maxInputs, "{}") + "\n", 3, "the limit is 1024"},
		{"slice without sources", linear + "slices:\n- base_model: a\n", 4, "slices[0].sources: missing"},
		{"residual weight", linear + "slices:\n- sources: [" + source + "]\n  residual_weight: 0.5\n", 5, "slices[0].residual_weight: mergekit takes this key and does nothing with it (hint: remove it"},
		{"misspelt key of a slice", linear + "slices:\n- source: []\n", 4, `did you mean "sources"?`},
		{"misspelt key of a source", slices("{model: a, layers: [0, 4]}"), 5, "layers: unknown key"},
		{"no layers", slices("{model: a}"), 5, "slices[0].sources[0].layer_range: missing (hint: layer_range: [0, 8] takes the layers 0 to 7)"},
		{"one layer", slices("{model: a, layer_range: [3]}"), 5, "want a list of two layers"},
		{"layers no list", slices("{model: a, layer_range: 3}"), 5, "want a list of two layers"},
		{"half a layer", slices("{model: a, layer_range: [0, 1.5]}"), 5, "want a whole number from 0 to 10000"},
		{"negative layer", slices("{model: a, layer_range: [-1, 4]}"), 5, "want a whole number from 0"},
		{"too many layers", slices("{model: a, layer_range: [0, 10001]}"), 5, "want a whole number from 0 to 10000"},
		{"layers upside down", slices("{model: a, layer_range: [4, 2]}"), 5, "[4, 2] is no run of layers"},
		{"more layers than any model", slices("{model: a, layer_range: [0, 6000]}") + "- sources:\n  - {model: a, layer_range: [0, 6000]}\n", 6, "slices[1]: the result would have more than 10000 layers"},
		{"unequal sources", slices(source, "{model: b, layer_range: [0, 5]}"), 6, "slices[0].sources[1].layer_range: 5 layers, but 4 of the first source"},
		{"the same source twice", slices(source, source), 6, "listed twice with the same layers"},
		{"source without model", slices("{layer_range: [0, 4]}"), 5, "slices[0].sources[0].model: missing"},
		{"unknown parameter of a source", slices("{model: a, layer_range: [0, 4], parameters: {wieght: 1}}"), 5, `did you mean "weight"?`},
		{"global parameter of a source", slices("{model: a, layer_range: [0, 4], parameters: {normalize: 1}}"), 5, "belongs to the whole recipe"},
		{"unknown parameter of a slice", slices(source) + "  parameters: {lamda: 1}\n", 6, "slices[0].parameters.lamda: unknown parameter"},
		{"slices without a base", "merge_method: ties\nslices: [{sources: [" + source + "]}]\nparameters: {weight: 1}\n", 1, "base_model: missing: ties needs one"},
		{"base of a slice", slices(source) + "  base_model: a@\n", 6, "slices[0].base_model"},
		{"modules a list", linear + "modules: []\n", 3, "want a mapping"},
		{"module without anything", linear + "modules: {m: }\n", 3, "modules.m: an empty module"},
		{"module of nothing", linear + "modules: {m: {}}\n", 3, "modules.m.models: missing"},
		{"module of both", linear + "modules: {m: {models: [{model: a}], slices: [{sources: [" + source + "]}]}}\n", 3, "modules.m.slices: stands beside models"},
		{"module without name", linear + "modules: {\"\": {models: [{model: a}]}}\n", 3, "without a printable name"},
		{"module twice", linear + "modules:\n  m: {models: [{model: a}]}\n  m: {models: [{model: a}]}\n", 5, ""},
		{"unknown key of a module", linear + "modules: {m: {model: a}}\n", 3, `did you mean "models"?`},
		{"unknown parameter of a module", linear + "modules: {m: {models: [{model: a}], parameters: {wieght: 1}}}\n", 3, `did you mean "weight"?`},
		{"slices of a module", linear + "modules: {m: {slices: [{sources: [{model: a, layer_range: [4, 2]}]}]}}\n", 3, "modules.m.slices[0].sources[0].layer_range: [4, 2]"},
		{"model twice in a module", linear + "modules: {m: {models: [{model: a}, {model: a}]}}\n", 3, "listed twice"},
		{"too many modules", linear + "modules:\n" + func() (s string) {
			for i := range maxModules + 1 {
				s += fmt.Sprintf("  m%d: {}\n", i)
			}
			return s
		}(), 4, "65 modules"},
		{"two adapters", "merge_method: linear\nmodels:\n- model: a+b+c\n", 3, `models[0].model: "a+b+c" has more than one "+" (hint: a model is PATH`},
		{"two revisions", "merge_method: linear\nmodels:\n- model: a@b@c\n", 3, `"a@b@c" has more than one "@"`},
		{"two revisions of an adapter", "merge_method: linear\nmodels:\n- model: a+b@c@d\n", 3, `"b@c@d" has more than one "@"`},
		{"no adapter", "merge_method: linear\nmodels:\n- model: a+\n", 3, "without a path"},
		{"no revision", "merge_method: linear\nmodels:\n- model: a@\n", 3, "has no revision"},
		{"architecture", "merge_method: linear\nmodels:\n- model: {model: a, override_architecture: X}\n", 3, "an architecture cannot be put in place of the model's own (hint: set architectures"},
		{"path with a plus", "merge_method: linear\nmodels:\n- model: {model: {path: a+b}}\n", 3, `"a+b" is empty, or has "@" or "+"`},
		{"part with a plus", "merge_method: linear\nmodels:\n- model: {model: a+b}\n", 3, `"a+b" has a "+" (hint: the adapter stands under lora)`},
		{"part with two revisions", "merge_method: linear\nmodels:\n- model: {model: a@b@c}\n", 3, `more than one "@"`},
		{"reference without a path", "merge_method: linear\nmodels:\n- model: {model: {revision: main}}\n", 3, "a model without a path"},
		{"reference without a model", "merge_method: linear\nmodels:\n- model: {lora: a}\n", 3, "a model without a path"},
		{"unknown key of a reference", "merge_method: linear\nmodels:\n- model: {modle: a}\n", 3, `did you mean "model"?`},
		{"tokenizer twice", models + "tokenizer_source: base\ntokenizer: {source: base}\n", 5, "tokenizer: stands beside the other of tokenizer and tokenizer_source"},
		{"unknown key of a tokenizer", models + "tokenizer: {sources: base}\n", 4, `did you mean "source"?`},
		{"tokenizer source empty", models + "tokenizer_source: \"\"\n", 4, "without a path"},
		{"padding of nothing", models + "tokenizer: {pad_to_multiple_of: 0}\n", 4, "want a whole number from 1"},
		{"tokens a list", models + "tokenizer: {tokens: []}\n", 4, "want a mapping"},
		{"token a number", models + "tokenizer: {tokens: {1: {}}}\n", 4, "want a string"},
		{"token twice", models + "tokenizer:\n  tokens:\n    x: {}\n    'x': {}\n", 7, ""},
		{"token empty", models + "tokenizer: {tokens: {\"\": {}}}\n", 4, "listed twice"},
		{"token says nothing", tokens + "\n", 6, `tokenizer.tokens."x": says nothing of the token (hint: write {}`},
		{"token with unprintable", models + "tokenizer: {tokens: {\"\\e\": {}}}\n", 4, "unprintable"},
		{"unknown key of a token", tokens + "{sauce: a}\n", 6, `did you mean "source"?`},
		{"force without source", tokens + "{force: true}\n", 6, `tokenizer.tokens."x".force: no source to force`},
		{"force a word", tokens + "{source: a, force: 2}\n", 6, "whole number from 0 to 1"},
		{"unknown kind", tokens + "{source: {kind: model_tokens}}\n", 6, `unknown kind "model_tokens" (hint: did you mean "model_token"?)`},
		{"zero with a model", tokens + "{source: {kind: zero, model: a}}\n", 6, "neither model nor token"},
		{"token of no model", tokens + "{source: {kind: model_token, token: a}}\n", 6, "want model, and one of token and token_id"},
		{"no token of a model", tokens + "{source: {kind: model_token, model: a}}\n", 6, "want model, and one of"},
		{"both tokens of a model", tokens + "{source: {kind: model_token, model: a, token: b, token_id: 3}}\n", 6, "want model, and one of"},
		{"negative token", tokens + "{source: {kind: model_token, model: a, token_id: -3}}\n", 6, "want a whole number from 0"},
		{"chat template misspelt", models + "chat_template: chatlm\n", 4, `unknown chat template "chatlm" (hint: did you mean "chatml"?)`},
		{"chat template short", models + "chat_template: \"{{ x }}\"\n", 4, "a template has 20 characters or more"},
		{"chat template without a bracket", models + "chat_template: there is nothing to fill in\n", 4, "a template without an expression"},
		{"compat with another", models + "mergesearch: {compat: mergekits}\n", 4, `"mergekits", but mergekit is all`},
		{"compat at the top", models + "compat: no\n", 4, `"no", but mergekit is all`},
		{"compat empty", models + "compat: \"\"\n", 4, "mergekit is all"},
		{"unknown type with prefix", models + "dtype: torch.float61\n", 4, `"float61" is no type that can be written`},
	} {
		t.Run(c.name, func(t *testing.T) {
			attacktest.Recipe(t, c.name, c.text)
			_, err := ParseRecipe([]byte(c.text))
			wantRefused(t, err, c.line, c.want)
		})
	}
}

// wantRefused demands an input error at a line, whose text and hint hold a text.
func wantRefused(t *testing.T, err error, line int, want string) {
	t.Helper()
	var in *mergesearch.InputError
	if !errors.As(err, &in) {
		t.Fatalf("got %v, want an input error", err)
	}
	text := in.Error()
	if in.Hint != "" {
		text += " (hint: " + in.Hint + ")"
	}
	if in.Line != line || (in.Column > 0) != (line > 0) || !strings.Contains(text, want) {
		t.Errorf("%s\nwant line %d and %q", text, line, want)
	}
	if strings.ContainsAny(text, "\n\x1b") {
		t.Errorf("more than a line: %q", text)
	}
}

func TestRecipeDocuments(t *testing.T) {
	doc := func(name string, models ...string) string {
		s := "merge_method: linear\nparameters: {weight: 1}\nmodels:\n"
		for _, m := range models {
			s += "- model: " + m + "\n"
		}
		if name != "" {
			s = "name: " + name + "\n" + s
		}
		return s
	}
	file := func(docs ...string) string { return strings.Join(docs, "---\n") }
	for _, c := range []struct {
		name, text string
		stages     string
		model      string // first of the last document
	}{
		{"one", doc("", "a"), "", "a"},
		{"one with a name", doc("x", "a"), "", "a"},
		{"the last without a name", file(doc("x", "a"), doc("y", "x", "b"), doc("", "y")), "x y", "y"},
		{"the first without a name", file(doc("", "y"), doc("y", "x"), doc("x", "a")), "x y", "y"},
		{"all with names", file(doc("y", "x", "b"), doc("x", "a"), doc("z", "y")), "x y", "z-"},
		{"a diamond", file(doc("d", "b", "c"), doc("c", "a"), doc("b", "a"), doc("a", "m")), "a c b", "d-"},
		{"empty documents between", "---\n# nothing\n---\n" + file(doc("x", "a"), "# c\n", doc("", "x")) + "...\n---\n", "x", "x"},
		{"an adapter on a result", file(doc("x", "a"), doc("y", "x+lora@v"), doc("", "y", "y+lora")), "x y", "y"},
		{"a marker in a text", file(doc("x", "a"), doc("", "x")+"chat_template: |\n  {{ 'a template of two' }}\n  ---\n"), "x", "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := ParseRecipe([]byte(c.text))
			if err != nil {
				t.Fatal(err)
			}
			var stages []string
			for _, s := range r.Stages {
				stages = append(stages, s.Name)
			}
			if got := strings.Join(stages, " "); got != c.stages || !strings.HasSuffix(c.model, "-") && r.Models[0].Model != c.model {
				t.Errorf("stages %s, then %s; want %s, then %s", got, r.Models[0].Model, c.stages, c.model)
			}
			mustSurvive(t, r)
		})
	}
	for _, c := range []struct {
		name, text string
		line       int
		want       string
	}{
		{"two without names", file(doc("x", "a"), doc("", "x"), doc("", "x")), 12, "a second document without a name"},
		{"name twice", file(doc("x", "a"), doc("x", "a"), doc("", "x")), 7, `"x" is also the name of the document at line 1`},
		{"nothing uses it", file(doc("x", "a"), doc("", "a")), 1, `nothing uses the result of "x"`},
		{"not clear which", file(doc("x", "a"), doc("y", "a")), 7, `no document names "x", "y"`},
		{"circle of all", file(doc("x", "y"), doc("y", "x")), 1, "in a circle"},
		{"circle", file(doc("x", "y"), doc("y", "x"), doc("", "x")), 1, "in a circle"},
		{"itself", doc("x", "x"), 1, "in a circle"},
		{"revision of a result", file(doc("x", "a"), doc("", "x@main")), 7, "has no revision"},
		{"name with a plus", doc("x+y", "a"), 1, "cannot be named as a model"},
		{"name that is a word", doc("union", "a"), 1, "means something else"},
		{"name a number", doc("7", "a"), 1, "want a string"},
		{"fault in the second", file(doc("x", "a"), doc("", "x")+"dtype: float61\n"), 11, `did you mean "float16"?`},
		{"syntax in the second", file(doc("x", "a"), "a: [\n"), 7, ""},
		{"text after the end", doc("", "a") + "...\ndtype: float16\n", 6, "merge_method: missing"},
		{"too many", strings.Repeat("---\na: 1\n", maxDocuments+1), 129, "more than 64 documents"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ParseRecipe([]byte(c.text))
			var in *mergesearch.InputError
			if c.name == "too many" || c.name == "text after the end" { // nothing to point at
				if !errors.As(err, &in) || !strings.Contains(in.Error(), c.want) {
					t.Errorf("%v, want %q", err, c.want)
				}
				return
			}
			wantRefused(t, err, c.line, c.want)
		})
	}
}

// What no text can hold is refused as well, for recipes that a program makes.
func TestRecipesThatNoTextHolds(t *testing.T) {
	ok := mergesearch.Recipe{Method: "linear", Models: []mergesearch.Input{{Model: "a"}}}
	stage := func(name, model string) mergesearch.Stage {
		return mergesearch.Stage{Name: name, Recipe: mergesearch.Recipe{Method: "linear", Models: []mergesearch.Input{{Model: model}}}}
	}
	id := -1
	for want, change := range map[string]func(r *mergesearch.Recipe){
		`mergesearch.compat: unknown "x"`:          func(r *mergesearch.Recipe) { r.Compat = "x" },
		"base_model: missing, or with unprintable": func(r *mergesearch.Recipe) { r.Base = "\x1b" },
		"modules.m: listed twice": func(r *mergesearch.Recipe) {
			r.Modules = []mergesearch.Module{{Name: "m", Models: r.Models}, {Name: "m"}}
			r.Models = nil
		},
		"tokenizer.source: missing":                  func(r *mergesearch.Recipe) { r.Tokenizer = &mergesearch.Tokenizer{} },
		"pad_to_multiple_of: -1":                     func(r *mergesearch.Recipe) { r.Tokenizer = &mergesearch.Tokenizer{Source: "base", PadToMultipleOf: -1} },
		`"x".source: a zero embedding has neither`:   tokenOf(mergesearch.TokenSource{Zero: true, Model: "a"}),
		`"x".source: want one of token and token_id`: tokenOf(mergesearch.TokenSource{Model: "a", ID: &id}),
		`"x".source.model: missing`:                  tokenOf(mergesearch.TokenSource{Token: "a"}),
		"chat_template: unprintable character":       func(r *mergesearch.Recipe) { r.ChatTemplate = strings.Repeat("{\x1b", 20) },
		`two stages are named "x"`:                   func(r *mergesearch.Recipe) { r.Stages = []mergesearch.Stage{stage("x", "a"), stage("x", "a")} },
		`stage "x": y: names a stage that does not`:  func(r *mergesearch.Recipe) { r.Stages = []mergesearch.Stage{stage("x", "y"), stage("y", "a")} },
		`stage "x" has stages of its own`: func(r *mergesearch.Recipe) {
			s := stage("x", "a")
			s.Recipe.Stages = []mergesearch.Stage{stage("y", "a")}
			r.Stages = []mergesearch.Stage{s}
		},
		`nothing uses the result of stage "x"`:   func(r *mergesearch.Recipe) { r.Stages = []mergesearch.Stage{stage("x", "b")} },
		`stage "x": merge_method: missing`:       func(r *mergesearch.Recipe) { r.Stages = []mergesearch.Stage{{Name: "x"}} },
		`name: "a+b" cannot be named as a model`: func(r *mergesearch.Recipe) { r.Stages = []mergesearch.Stage{stage("a+b", "a")} },
		"x@v: the result of another document":    func(r *mergesearch.Recipe) { r.Stages = []mergesearch.Stage{stage("x", "a")}; r.Base = "x@v" },
	} {
		r := ok
		change(&r)
		_, err := checkRecipe(r)
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !strings.Contains(in.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	if _, err := checkRecipe(ok); err != nil {
		t.Error(err)
	}
}

func tokenOf(s mergesearch.TokenSource) func(r *mergesearch.Recipe) {
	return func(r *mergesearch.Recipe) {
		r.Tokenizer = &mergesearch.Tokenizer{Source: "union", Tokens: []mergesearch.TokenRule{{Token: "x", Source: s}}}
	}
}
