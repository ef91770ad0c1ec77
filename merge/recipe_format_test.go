package merge

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mergesearch"
)

// mustSurvive writes a recipe, reads it and wants the same.
func mustSurvive(t interface {
	Helper()
	Fatalf(string, ...any)
}, r mergesearch.Recipe,
) {
	t.Helper()
	text := FormatRecipe(r)
	got, err := ParseRecipe(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	if _, err := checkRecipe(got); err != nil {
		t.Fatalf("read, but refused as a recipe: %v in\n%s", err, text)
	}
	if d := cmp.Diff(r, got); d != "" || got.ID() != r.ID() {
		t.Fatalf("%s\nin\n%s", d, text)
	}
}

func TestRecipeRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := drawRecipe(t)
		var names []string
		for i := range rapid.IntRange(0, 3).Draw(t, "stages") {
			s := mergesearch.Stage{Name: fmt.Sprintf("stage %d:", i), Recipe: drawRecipe(t)}
			if i > 0 {
				useOne(&s.Recipe, names[i-1])
			}
			names = append(names, s.Name)
			r.Stages = append(r.Stages, s)
		}
		if len(names) > 0 {
			useOne(&r, names[len(names)-1])
		}
		if _, err := checkRecipe(r); err != nil {
			t.Fatalf("drew a recipe that is refused: %v", err)
		}
		mustSurvive(t, r)
	})
}

// useOne puts the name of a stage in the place of a model, wherever that stands.
func useOne(r *mergesearch.Recipe, stage string) {
	stages := r.Stages
	r.Stages = nil // they keep their models
	from := r.ModelNames()[0]
	*r = r.Renamed(func(name string) string {
		if name == from {
			return stage
		}
		return name
	})
	r.Stages = stages
}

// oddText draws text that YAML could take for something else.
var oddText = rapid.StringOfN(rapid.OneOf(
	rapid.RuneFrom([]rune("ab1-._/ :#'\"\\{}[],&*!|>%`~?=<é\u00a0漢😀")),
).Filter(func(r rune) bool { return printable(string(r)) }), 1, 12, -1)

// words are names that YAML has a meaning for.
var words = rapid.SampledFrom([]string{"yes", "No", "null", "~", "1e3", "0x1F", "12:30", "true", ".inf", "---", "...", "- a", "a: b", "<<", "=", " ", "2026-01-01", "0b1", "1_000"})

var oddName = rapid.OneOf(oddText, words)

var drawModel = rapid.Custom(func(t *rapid.T) string {
	r := ModelRef{Path: oddName.Draw(t, "path")}
	if rapid.Bool().Draw(t, "revision") {
		r.Revision = oddName.Draw(t, "revision")
	}
	if rapid.IntRange(0, 3).Draw(t, "adapter") == 0 {
		r.Adapter = oddName.Draw(t, "adapter")
	}
	return r.String()
})

// drawRecipe draws a recipe of any kind with odd names and numbers, without stages.
func drawRecipe(t *rapid.T) mergesearch.Recipe {
	m := rapid.SampledFrom(methods).Draw(t, "method")
	r := mergesearch.Recipe{Method: m.Name, Seed: rapid.Uint64().Draw(t, "seed")}
	if m.NeedsBase || m.Pair {
		r.Base = drawModel.Draw(t, "base")
	}
	types := rapid.SampledFrom([]string{"", "float16", "bfloat16", "float32"})
	r.DType, r.OutDType = types.Draw(t, "dtype"), types.Draw(t, "out_dtype")
	r.Compat = rapid.SampledFrom([]string{"", "mergekit"}).Draw(t, "compat")
	r.ChatTemplate = rapid.SampledFrom([]string{
		"", "auto", "llama3", "{% for m in messages %}\n\t'{{ m }}' \\ \"é\"\n---\n  {% endfor %}\n\n",
		"{{ messages[0]['content'] }}", " {{ an odd beginning and end }} \n",
	}).Draw(t, "chat template")
	switch rapid.IntRange(0, 2).Draw(t, "kind") {
	case 0:
		r.Models = drawModels(t, m)
	case 1:
		r.Slices = drawSlices(t, m)
	default:
		for _, name := range rapid.SliceOfNDistinct(oddName, 1, 2, rapid.ID).Draw(t, "modules") {
			mod := mergesearch.Module{Name: name, Parameters: drawParameters(t, m, false)}
			if rapid.Bool().Draw(t, "module of slices") {
				mod.Slices = drawSlices(t, m)
			} else {
				mod.Models = drawModels(t, m)
			}
			r.Modules = append(r.Modules, mod)
		}
	}
	r.Parameters = drawParameters(t, m, false)
	if rapid.Bool().Draw(t, "tokenizer") {
		r.Tokenizer = drawTokenizer(t)
	}
	return r
}

func drawModels(t *rapid.T, m *method) []mergesearch.Input {
	var out []mergesearch.Input
	for _, model := range rapid.SliceOfNDistinct(drawModel, 1, 4, rapid.ID).Draw(t, "models") {
		out = append(out, mergesearch.Input{Model: model, Parameters: drawParameters(t, m, true)})
	}
	return out
}

func drawSlices(t *rapid.T, m *method) []mergesearch.Slice {
	var out []mergesearch.Slice
	for range rapid.IntRange(1, 3).Draw(t, "slices") {
		s := mergesearch.Slice{Parameters: drawParameters(t, m, false)}
		length := rapid.IntRange(0, 40).Draw(t, "length")
		for i := range rapid.IntRange(1, 3).Draw(t, "sources") {
			first := 50*i + rapid.IntRange(0, 9).Draw(t, "first") // never the same source twice
			s.Sources = append(s.Sources, mergesearch.Source{
				Input: mergesearch.Input{Model: drawModel.Draw(t, "source"), Parameters: drawParameters(t, m, true)},
				First: first, End: first + length,
			})
		}
		if rapid.Bool().Draw(t, "base of the slice") {
			s.Base = drawModel.Draw(t, "base")
		}
		out = append(out, s)
	}
	return out
}

func drawTokenizer(t *rapid.T) *mergesearch.Tokenizer {
	out := &mergesearch.Tokenizer{Source: rapid.OneOf(rapid.Just("union"), rapid.Just("base"), drawModel).Draw(t, "source")}
	if rapid.Bool().Draw(t, "pad") {
		out.PadToMultipleOf = rapid.IntRange(1, 1024).Draw(t, "rows")
	}
	token := rapid.OneOf(oddName, rapid.SampledFrom([]string{"\n", "\t", "\n\n", " \n", "<|im_start|>", "▁the", "@", "+"}))
	for _, text := range rapid.SliceOfNDistinct(token, 0, 3, rapid.ID).Draw(t, "tokens") {
		rule := mergesearch.TokenRule{Token: text}
		switch rapid.IntRange(0, 4).Draw(t, "source") {
		case 0:
			rule.Source.Model = drawModel.Draw(t, "model")
		case 1:
			rule.Source = mergesearch.TokenSource{Model: drawModel.Draw(t, "model"), Token: token.Draw(t, "token")}
		case 2:
			id := rapid.IntRange(0, maxTokenID).Draw(t, "id")
			rule.Source = mergesearch.TokenSource{Model: drawModel.Draw(t, "model"), ID: &id}
		case 3:
			rule.Source.Zero = true
		}
		rule.Force = rule.Source != mergesearch.TokenSource{} && rapid.Bool().Draw(t, "force")
		out.Tokens = append(out.Tokens, rule)
	}
	return out
}

func drawParameters(t *rapid.T, m *method, ofModel bool) map[string]mergesearch.Setting {
	var out map[string]mergesearch.Setting
	for _, p := range m.Parameters {
		if ofModel && !p.PerModel || rapid.Bool().Draw(t, "leave out") {
			continue
		}
		value := rapid.Float64Range(-1e30, 1e30)
		switch {
		case p.Step == 1:
			value = rapid.SampledFrom([]float64{0, 1})
		case p.Name == "density":
			value = rapid.Float64Range(0, 1)
		}
		value = rapid.Map(value, func(x float64) float64 { return x + 0 }) // no negative zero
		var s mergesearch.Setting
		for range rapid.IntRange(1, 3).Draw(t, "conditions") {
			c := mergesearch.Condition{Values: rapid.SliceOfN(value, 1, 4).Draw(t, "values")}
			if rapid.Bool().Draw(t, "filtered") {
				c.Filter = oddName.Draw(t, "filter")
			}
			s = append(s, c)
		}
		if out == nil {
			out = map[string]mergesearch.Setting{}
		}
		out[p.Name] = s
	}
	return out
}
