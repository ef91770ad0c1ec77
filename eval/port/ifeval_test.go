package port

import (
	"encoding/json"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"mergesearch"
)

// examples are arguments for each instruction.
var examples = map[string]map[string]any{
	"keywords:existence":                            {"keywords": []any{"foo", "b.r"}},
	"keywords:frequency":                            {"keyword": "o", "frequency": int64(2), "relation": "less than"},
	"keywords:forbidden_words":                      {"forbidden_words": []any{"foo"}},
	"keywords:letter_frequency":                     {"letter": "e", "let_frequency": 2.0, "let_relation": "at least"},
	"length_constraints:number_paragraphs":          {"num_paragraphs": int64(2)},
	"length_constraints:number_words":               {"num_words": int64(3), "relation": "at least"},
	"length_constraints:nth_paragraph_first_word":   {"num_paragraphs": int64(2), "nth_paragraph": int64(2), "first_word": "b"},
	"detectable_content:number_placeholders":        {"num_placeholders": int64(1)},
	"detectable_content:postscript":                 {"postscript_marker": "PS"},
	"detectable_format:number_bullet_lists":         {"num_bullets": int64(1)},
	"detectable_format:constrained_response":        {},
	"detectable_format:number_highlighted_sections": {"num_highlights": int64(1)},
	"detectable_format:multiple_sections":           {"section_spliter": "Section", "num_sections": int64(1)},
	"detectable_format:json_format":                 {},
	"detectable_format:title":                       {},
	"combination:two_responses":                     {},
	"combination:repeat_prompt":                     {"prompt_to_repeat": "Foo"},
	"startend:end_checker":                          {"end_phrase": "bye"},
	"startend:quotation":                            {},
	"punctuation:no_comma":                          {},
}

func instructed(ids ...string) Fields {
	var names, given []any
	for _, id := range ids {
		names = append(names, id)
		given = append(given, map[string]any{"language": nil})
		if e, ok := examples[id]; ok {
			given[len(given)-1] = e
		}
	}
	return Fields{"prompt": "p", "instruction_id_list": names, "kwargs": given}
}

func TestEveryInstructionHasAnExample(t *testing.T) {
	known := slices.Sorted(maps.Keys(checkers))
	if !slices.Equal(known, slices.Sorted(maps.Keys(examples))) || len(known)+len(undecidable) != 25 {
		t.Errorf("%d checked and %d refused of 25: %q", len(known), len(undecidable), known)
	}
}

// Instructions that need a model, and arguments that would be drawn, are refused by
// name before the answer is looked at, and decidable_docs drops their documents.
func TestUndecidableInstructions(t *testing.T) {
	results, decidable := port(t, "ifeval/utils.process_results"), port(t, "ifeval/utils.decidable_docs")
	good := instructed("punctuation:no_comma")
	for id := range undecidable {
		bad := instructed("startend:quotation", id)
		_, err := results.Results(bad, Answers{})
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !strings.Contains(err.Error(), id) || in.Hint == "" {
			t.Errorf("%s: %v", id, err)
		}
		kept, err := decidable.Docs([]Fields{good, bad, good})
		if err != nil || len(kept) != 2 {
			t.Errorf("%s: %d documents kept, %v", id, len(kept), err)
		}
	}
	for id, arguments := range examples {
		for name := range arguments {
			for _, v := range []any{nil, "", int64(-1), []any{}, "\x00", map[string]any{"a": "b"}} {
				changed := maps.Clone(arguments)
				changed[name] = v
				d := Fields{"instruction_id_list": []any{id}, "kwargs": []any{changed}}
				_, isText := arguments[name].(string)
				if _, err := results.Results(d, Answers{Texts: []string{"x"}}); err == nil && !(isText && v == "\x00") {
					t.Errorf("%s with %s = %v was scored", id, name, v)
				}
			}
		}
	}
	if _, err := results.Results(good, Answers{}); err == nil || !strings.Contains(err.Error(), "no text") {
		t.Errorf("no answer: %v", err)
	}
}

func TestMeanOfParts(t *testing.T) {
	f := port(t, "ifeval/utils.agg_inst_level_acc")
	if got := f.Aggregation([]Mark{{Value: 1, Values: []float64{1, 1, 0}}, {Values: nil}, {Values: []float64{0}}}); got != 0.5 {
		t.Errorf("got %v, want 2 of 4", got)
	}
	if got := f.Aggregation(nil); !math.IsNaN(got) {
		t.Errorf("of nothing: %v", got)
	}
}

// No response makes a check panic; who follows strictly follows loosely; prompt level
// is that all instructions are followed.
func FuzzIFEval(f *testing.F) {
	for _, s := range []string{"", "foo bar, o e e.\n\nb", "* a\n- b\n***\n<<t>> [x] *y*", "Section 1 P.S.", `{"a": [NaN]}`, "\xff\xfe*", "a******b", "İ\u212a\u017f"} {
		f.Add(s)
	}
	g, err := parseGolden(readGolden(f))
	if err != nil {
		f.Fatal(err)
	}
	for _, s := range g.Responses {
		f.Add(s)
	}
	ids := slices.Sorted(maps.Keys(examples))
	d := instructed(ids...)
	results := port(f, "ifeval/utils.process_results")
	f.Fuzz(func(t *testing.T, response string) {
		marks, err := results.Results(d, Answers{Texts: []string{response}})
		if err != nil {
			t.Fatal(err)
		}
		strict, loose := marks["inst_level_strict_acc"], marks["inst_level_loose_acc"]
		if len(strict.Values) != len(ids) || len(loose.Values) != len(ids) {
			t.Fatalf("%d and %d values for %d instructions", len(strict.Values), len(loose.Values), len(ids))
		}
		for i, id := range ids {
			if strict.Values[i] > loose.Values[i] {
				t.Errorf("%s: followed strictly, but not loosely", id)
			}
		}
		for _, level := range []string{"strict", "loose"} {
			all := slices.Min(marks["inst_level_"+level+"_acc"].Values)
			if marks["prompt_level_"+level+"_acc"].Value != all {
				t.Errorf("%s: prompt level %v, instructions %v", level, marks["prompt_level_"+level+"_acc"].Value, all)
			}
		}
	})
}

// isJSON takes what encoding/json takes, and more only where Python does.
func FuzzIsJSON(f *testing.F) {
	for _, s := range []string{`{}`, `[1, 2.5e-3, null]`, `"\u00e9"`, `{"a":1,}`, `-`, `01`, `1.`, `NaN`, `[-Infinity]`, "\"\t\"", `{"a" : {"b":[]}}`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !utf8.ValidString(s) || len(s) > 4000 {
			return
		}
		ours, strict := isJSON(s), json.Valid([]byte(s))
		deep := strings.Count(s, "[")+strings.Count(s, "{") > jsonDepth
		if strict && !ours && !deep {
			t.Errorf("%q: JSON that is refused", s)
		}
		if ours && !strict && !strings.Contains(s, "NaN") && !strings.Contains(s, "Infinity") {
			t.Errorf("%q is no JSON, but is taken", s)
		}
	})
}
