package port

import (
	"encoding/json"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestLookup(t *testing.T) {
	for _, c := range []struct{ task, dir, name, want string }{
		{"hellaswag", "", "utils.process_docs", "hellaswag/utils.process_docs"},
		{"mine", "/data/tasks/hellaswag", "utils.process_docs", "hellaswag/utils.process_docs"},
		{"mine", "tasks/hellaswag/", "utils.process_docs", "hellaswag/utils.process_docs"},
		{"gpqa_main_zeroshot", ".", "utils.process_docs", "gpqa/zeroshot/utils.process_docs"},
		{"gpqa_diamond_cot_n_shot", ".", "utils.process_docs", "gpqa/cot_n_shot/utils.process_docs"},
		{"gpqa_diamond_generative_n_shot", ".", "utils.process_docs", "gpqa/generative/utils.process_docs"},
		{"x", "lm_eval/tasks/gpqa/n_shot", "utils.process_docs", "gpqa/n_shot/utils.process_docs"},
		{"x", "tasks/leaderboard/gpqa", "utils.process_docs", "leaderboard/gpqa/utils.process_docs"},
		{"x", "tasks/leaderboard/ifeval", "utils.process_results", "ifeval/utils.process_results"},
		{"x", "tasks/leaderboard/mmlu_pro", "utils.doc_to_choice", "leaderboard/mmlu_pro/utils.doc_to_choice"},
		{"bbh_zeroshot_snarks", ".", "utils.MultiChoiceRegexFilter", "bbh/zeroshot/utils.MultiChoiceRegexFilter"},
		{"bbh_cot_zeroshot_snarks", ".", "utils.MapRegexFilter", "bbh/cot_zeroshot/utils.MapRegexFilter"},
		{"mmlu_pro_law", ".", "utils.process_law", "mmlu_pro/utils.process_law"},
		{"hellaswag", "tasks/race", "utils.process_docs", "hellaswag/utils.process_docs"},
		{"leaderboard_mmlu_pro", "mmlu_pro", "utils.doc_to_text", "leaderboard/mmlu_pro/utils.doc_to_text"},
		{"hellaswag", "tasks/winogrande", "preprocess_winogrande.doc_to_text", "winogrande/preprocess_winogrande.doc_to_text"},

		{"hellaswag_fr", ".", "utils.process_docs", ""}, // other code
		{"x", "tasks/hellaswag_multilingual", "utils.process_docs", ""},
		{"x", "tasks/ifeval/multilingual", "utils.process_results", ""},
		{"x", "shellaswag", "utils.process_docs", ""},
		{"hellaswag", "hellaswag", "utils.process_doc", ""},
		{"hellaswag", "hellaswag", "other.process_docs", ""},
		{"", "", "", ""},
	} {
		f, ok := Lookup(c.task, c.dir, c.name)
		if f.Name != c.want || ok != (c.want != "") {
			t.Errorf("Lookup(%q, %q, %q) = %q, %v, want %q", c.task, c.dir, c.name, f.Name, ok, c.want)
		}
	}
}

// Names are sorted, different, and found again; each does exactly one thing.
func TestNames(t *testing.T) {
	names := Names()
	if !slices.IsSorted(names) || len(slices.Compact(slices.Clone(names))) != len(names) || len(names) < 40 {
		t.Errorf("%d names: %q", len(names), names)
	}
	for _, n := range names {
		family, name, _ := cutLast(n, "/")
		f, ok := Lookup("", family, name)
		if !ok || f.Name != n {
			t.Errorf("%s: found %q", n, f.Name)
		}
		does := 0
		for _, set := range []bool{f.Docs != nil, f.Value != nil, f.Results != nil, f.Aggregation != nil, f.Filter != nil} {
			if set {
				does++
			}
		}
		if does != 1 {
			t.Errorf("%s does %d things", n, does)
		}
	}
}

func port(tb testing.TB, name string) Function {
	tb.Helper()
	family, name, _ := cutLast(name, "/")
	f, ok := Lookup("", family, name)
	if !ok {
		tb.Fatalf("no port %s/%s", family, name)
	}
	return f
}

// No port changes what it is given, and a second call gives the same.
func TestPortsArePure(t *testing.T) {
	data := readGolden(t)
	g, err := parseGolden(data)
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := parseGolden(data)
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Cases {
		c := &g.Cases[i]
		if strings.HasPrefix(c.Function, "ifeval") && i%7 > 0 {
			continue // slow
		}
		first, errFirst := g.run(c)
		if again, err := g.run(c); (err == nil) != (errFirst == nil) || !reflect.DeepEqual(first, again) {
			t.Errorf("case %d, %s: first %v (%v), then %v (%v)", i, c.Function, first, errFirst, again, err)
		}
		if !reflect.DeepEqual(*c, fresh.Cases[i]) {
			t.Errorf("case %d, %s: its input has changed", i, c.Function)
		}
	}
}

// What maps documents keeps count, order and other columns; what filters them keeps
// order. Split in two they give the same, but for shuffles, which go on.
func TestDocsLaws(t *testing.T) {
	g, err := parseGolden(readGolden(t))
	if err != nil {
		t.Fatal(err)
	}
	for i := range g.Cases {
		c := &g.Cases[i]
		if c.Documents == nil || c.Raises != "" {
			continue
		}
		f := port(t, c.Function)
		for k, d := range c.Documents {
			d["place"] = int64(k)
		}
		out, err := f.Docs(c.Documents)
		if err != nil {
			t.Fatal(err)
		}
		filters := strings.HasPrefix(c.Function, "mmlu_pro") || strings.Contains(c.Function, "filter_")
		if !filters && len(out) != len(c.Documents) {
			t.Errorf("%s: %d documents of %d", c.Function, len(out), len(c.Documents))
		}
		last := int64(-1)
		for _, d := range out {
			place := d["place"].(int64)
			if place <= last || !filters && place != last+1 {
				t.Errorf("%s: document %d after %d", c.Function, place, last)
			}
			last = place
			for column := range c.Documents[place] {
				if _, ok := d[column]; !ok {
					t.Errorf("%s: column %s is gone", c.Function, column)
				}
			}
		}
		if strings.Contains(c.Function, "gpqa") {
			continue
		}
		half := len(c.Documents) / 2
		front, _ := f.Docs(c.Documents[:half])
		back, _ := f.Docs(c.Documents[half:])
		if !reflect.DeepEqual(append(front, back...), out) {
			t.Errorf("%s: in two parts it gives other documents", c.Function)
		}
	}
}

// The four choices are the four answers, and the letter names the right one.
func TestGPQAShuffles(t *testing.T) {
	for _, name := range Names() {
		if !strings.Contains(name, "gpqa/") {
			continue
		}
		f := port(t, name)
		documents := make([]Fields, 200)
		for i := range documents {
			documents[i] = Fields{"Correct Answer": "r", "Incorrect Answer 1": "1", "Incorrect Answer 2": "2", "Incorrect Answer 3": "3"}
		}
		out, err := f.Docs(documents)
		if err != nil {
			t.Fatal(err)
		}
		places := map[any]int{}
		for _, d := range out {
			choices := []string{d["choice1"].(string), d["choice2"].(string), d["choice3"].(string), d["choice4"].(string)}
			if answer := d["answer"].(string); choices[answer[1]-'A'] != "r" {
				t.Errorf("%s: %q is not the right one of %q", name, answer, choices)
			}
			if list, ok := d["choices"].([]any); ok && !reflect.DeepEqual(list, anys(choices)) {
				t.Errorf("%s: choices %q, one by one %q", name, list, choices)
			}
			slices.Sort(choices)
			if !slices.Equal(choices, []string{"1", "2", "3", "r"}) {
				t.Errorf("%s: %q", name, choices)
			}
			places[d["answer"]]++
		}
		for letter, n := range places {
			if n < 30 || n > 70 { // 50 expected, 6 is one standard deviation
				t.Errorf("%s: the right answer is %v %d times of 200", name, letter, n)
			}
		}
	}
}

// The mass of true choices and that of false ones make 1, neither depends on a constant,
// and there is one also where every probability is too small for a float.
func TestTrueMass(t *testing.T) {
	f := port(t, "truthfulqa/utils.process_results_mc2")
	mass := func(labels []any, l []float64) float64 {
		marks, err := f.Results(Fields{"mc2_targets": map[string]any{"labels": labels}}, Answers{LogLikelihoods: l})
		if err != nil {
			t.Fatal(err)
		}
		return marks["acc"].Value
	}
	rapid.Check(t, func(t *rapid.T) {
		l := rapid.SliceOfN(rapid.Float64Range(-900, 0), 1, 30).Draw(t, "log-likelihoods")
		shift := rapid.Float64Range(-2000, 0).Draw(t, "shift")
		labels, others, shifted := make([]any, len(l)), make([]any, len(l)), make([]float64, len(l))
		for i := range l {
			label := rapid.Int64Range(0, 1).Draw(t, "label")
			labels[i], others[i], shifted[i] = label, 1-label, l[i]+shift
		}
		m := mass(labels, l)
		if !(m >= 0 && m <= 1) || math.Abs(m+mass(others, l)-1) > 1e-12 || math.Abs(m-mass(labels, shifted)) > 1e-9 {
			t.Fatalf("%v of %v: %v, others %v, shifted %v", labels, l, m, mass(others, l), mass(labels, shifted))
		}
	})
	for _, l := range [][]float64{{math.NaN(), -1}, {math.Inf(-1), math.Inf(-1)}, {}, {-1}} {
		if marks, err := f.Results(Fields{"mc2_targets": map[string]any{"labels": []any{int64(1), int64(0)}}}, Answers{LogLikelihoods: l}); err == nil {
			t.Errorf("%v: %v", l, marks)
		}
	}
}

// An answer equals itself, f1 is symmetric for single spans and lies in [0, 1].
func TestDropLaws(t *testing.T) {
	words := []string{"the", "a", "Cat", "cat", "5", "5.0", "1,000", "-3", "x-y", "don't", "inf", "nan", "①", "?", ""}
	phrase := rapid.Custom(func(t *rapid.T) string {
		return strings.Join(rapid.SliceOfN(rapid.SampledFrom(words), 0, 5).Draw(t, "words"), " ")
	})
	rapid.Check(t, func(t *rapid.T) {
		a, b := phrase.Draw(t, "a"), phrase.Draw(t, "b")
		if em, f1 := dropCompare(a, []string{a}); em != 1 || f1 != 1 {
			t.Fatalf("%q against itself: %v, %v", a, em, f1)
		}
		em, f1 := dropCompare(a, []string{b})
		if f1 < 0 || f1 > 1 || em == 1 && f1 != 1 || dropNormal(dropNormal(a)) != dropNormal(a) {
			t.Fatalf("%q against %q: %v, %v", a, b, em, f1)
		}
	})
}

// literal reads back what json.Marshal writes of texts, lists and mappings, where both
// notations agree.
func TestLiteralReadsWhatIsWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := someValue(t, 3)
		text, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		got, err := literal(string(text))
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Fatalf("%s: got %v, %v", text, got, err)
		}
	})
}

// someValue makes no true, false, null or slash, which Python writes in another way.
func someValue(t *rapid.T, depth int) any {
	kinds := 4
	if depth == 0 {
		kinds = 2
	}
	switch rapid.IntRange(0, kinds-1).Draw(t, "kind") {
	case 0:
		return strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "")
	case 1:
		return rapid.Int64().Draw(t, "number")
	case 2:
		out := []any{}
		for range rapid.IntRange(0, 3).Draw(t, "length") {
			out = append(out, someValue(t, depth-1))
		}
		return out
	}
	out := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(t, "length") {
		out[rapid.StringMatching(`[a-z'"\\é日]*`).Draw(t, "key")] = someValue(t, depth-1)
	}
	return out
}

// A text that is cut off anywhere is refused, never half read.
func TestLiteralRefusesPieces(t *testing.T) {
	whole := `[{'question': 'it\'s', "options": ('a', "b"), 'n': [1, -2.5e3, None, True], '''k''': r'\x'}]`
	if _, err := literal(whole); err != nil {
		t.Fatal(err)
	}
	for n := range whole {
		if v, err := literal(whole[:n]); err == nil {
			t.Errorf("%q: %v", whole[:n], v)
		}
	}
	if _, err := literal(strings.Repeat("[", 100_000)); err == nil {
		t.Error("100,000 brackets were read")
	}
}
