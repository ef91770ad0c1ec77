package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/google/go-cmp/cmp"
	"mergesearch"
	"mergesearch/eval/port"
)

// assemble reads a task over three splits of two documents each.
func assemble(t *testing.T, text string) *Task {
	t.Helper()
	return assembleAs(t, text, Reading{})
}

func parse(text string) (*config, error) {
	entries, err := parseYAML([]byte(text), "")
	if err != nil {
		return nil, err
	}
	return parseConfig(entries, "")
}

func assembleAs(t *testing.T, text string, r Reading) *Task {
	t.Helper()
	c, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	docs := map[string][]document{}
	for i, name := range []string{"a", "b", "c"} {
		lines := fmt.Sprintf(`{"q": "%[1]s1", "w": "yes", "c": ["yes", "no", "日本"], "l": 0}
{"q": "%[1]s2", "w": "no", "c": ["yes", "no"], "l": 1}
`, name)
		docs[name] = documents(t, lines)
		for k := range docs[name] {
			docs[name][k].file = fmt.Sprint(i)
		}
	}
	task, err := newTask(c, r, docs)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

const promptTask = `task: t
dataset_path: json
dataset_kwargs: {data_files: {a: a, b: b, c: c}}
training_split: a
validation_split: b
test_split: c
doc_to_text: "Q: {{q}}\nA:"
doc_to_target: w
`

func (t *Task) prompts() (out []string) {
	for _, q := range t.questions {
		out = append(out, q.prompt)
	}
	return out
}

// Prompts are put together as lm-evaluation-harness does: description, examples
// each with delimiter and answer, then the question alone.
func TestPrompts(t *testing.T) {
	task := assemble(t, promptTask)
	if d := cmp.Diff([]string{"Q: a1\nA:", "Q: a2\nA:", "Q: b1\nA:", "Q: b2\nA:", "Q: c1\nA:", "Q: c2\nA:"}, task.prompts()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([]string{"\n\n"}, task.until); d != "" || task.maxTokens != 256 {
		t.Errorf("defaults of the harness: %s, %d tokens", d, task.maxTokens)
	}
	task = assemble(t, promptTask+"num_fewshot: 1\nfewshot_config: {sampler: first_n}\ndescription: \"Answer {{w|length}}.\\n\\n\"\n")
	want := []string{
		"Answer 3.\n\nQ: a2\nA: no\n\nQ: a1\nA:", // never the document itself
		"Answer 2.\n\nQ: a1\nA: yes\n\nQ: a2\nA:",
		"Answer 3.\n\nQ: a1\nA: yes\n\nQ: b1\nA:", "Answer 2.\n\nQ: a1\nA: yes\n\nQ: b2\nA:",
		"Answer 3.\n\nQ: a1\nA: yes\n\nQ: c1\nA:", "Answer 2.\n\nQ: a1\nA: yes\n\nQ: c2\nA:",
	}
	if d := cmp.Diff(want, task.prompts()); d != "" {
		t.Error(d)
	}
	task = assemble(t, strings.Replace(promptTask, "doc_to_target: w", "doc_to_target: l\ndoc_to_choice: c\noutput_type: multiple_choice\ntarget_delimiter: ':'\nfewshot_delimiter: '|'\nnum_fewshot: 1\nfewshot_config: {sampler: first_n}", 1))
	q := task.questions[2]
	if q.prompt != "Q: a1\nA::yes|Q: b1\nA:" || q.golds[0] != 0 || q.answer() != "yes" {
		t.Errorf("%+v", q)
	}
	if d := cmp.Diff([]string{":yes", ":no", ":日本"}, continuations(q)); d != "" {
		t.Error(d)
	}
	task = assemble(t, promptTask+"output_type: loglikelihood\n")
	if d := cmp.Diff([]string{"yes"}, continuations(task.questions[0])); d != "" {
		t.Errorf("no delimiter is put before a loglikelihood target: %s", d)
	}
}

// pairs is a tokenizer of one token per letter, but "ab" and ": " are one token,
// as merges across a joint make them. Token 1 begins a text.
type pairs struct{ begin bool }

func (p pairs) Encode(text string, special bool) []int32 {
	var ids []int32
	if special && p.begin {
		ids = append(ids, 1)
	}
	for text != "" {
		switch {
		case strings.HasPrefix(text, "<s>"):
			ids, text = append(ids, 1), text[3:]
		case strings.HasPrefix(text, "ab"):
			ids, text = append(ids, 500), text[2:]
		default:
			ids, text = append(ids, int32(text[0])), text[1:]
		}
	}
	if special && p.begin {
		ids = append(ids, 2) // some tokenizers end a text too; a prompt is not at its end
	}
	return ids
}

func TestPair(t *testing.T) {
	for _, c := range []struct {
		context, continuation string
		begin                 bool
		ids                   []int32
		ctx                   int
	}{
		{"x", "y", true, []int32{1, 'x', 'y'}, 2},
		{"x", "y", false, []int32{'x', 'y'}, 1},
		{"x ", "y", true, []int32{1, 'x', ' ', 'y'}, 2}, // white space goes to the continuation
		{"x\n\t ", "y", true, []int32{1, 'x', '\n', '\t', ' ', 'y'}, 2},
		{"a", "bc", true, []int32{1, 500, 'c'}, 2}, // one token across the joint is context, by length
		{"", "y", true, []int32{1, 'y'}, 1},
		{"  ", "y", true, []int32{1, ' ', ' ', 'y'}, 1},
		{"<s>x", "y", true, []int32{1, 'x', 'y'}, 2}, // a begin token that is there is not doubled
	} {
		e := newEncoder(pairs{c.begin})
		ids, ctx, err := e.pair(c.context, c.continuation)
		if err != nil || ctx != c.ctx || !cmp.Equal(ids, c.ids) {
			t.Errorf("%q + %q: %v, %d, %v; want %v, %d", c.context, c.continuation, ids, ctx, err, c.ids, c.ctx)
		}
	}
	if _, _, err := newEncoder(pairs{true}).pair("a", "b"); err == nil {
		t.Error("a continuation without a token of its own was taken")
	}
	if _, _, err := newEncoder(pairs{false}).pair("", "y"); err == nil {
		t.Error("an empty context without a begin token was taken")
	}
}

// The prompt of a pair is the prompt of the whole text, and the cut lies within.
func TestPairIsWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("ab xy\n")))
		context, continuation := text.Draw(t, "context"), text.Draw(t, "continuation")
		e := newEncoder(pairs{true})
		ids, ctx, err := e.pair(context, continuation)
		if err != nil {
			return
		}
		if !cmp.Equal(ids, e.prompt(context+continuation)) || ctx < 1 || ctx >= len(ids) {
			t.Fatalf("%v, %d", ids, ctx)
		}
	})
}

func TestExactMatch(t *testing.T) {
	read := func(options string) *Metric {
		c, err := parse(promptTask + "metric_list: [{metric: exact_match" + options + "}]\n")
		if err != nil {
			t.Fatal(err)
		}
		return &c.metrics[0]
	}
	for _, c := range []struct {
		options, answer, target string
		want                    bool
	}{
		{"", "18", "18", true},
		{"", " 18", "18", false}, // nothing is trimmed
		{"", "18\n", "18", false},
		{", ignore_case: true", "YES", "yes", true},
		{", ignore_punctuation: true", "1,018.", "1018", true},
		{", ignore_punctuation: true", "1 018", "1018", false},
		{", ignore_numbers: true", "a1", "a2", true},
		{`, regexes_to_ignore: [",", "\\$", "(?s).*#### ", "\\.$"]`, "so\n#### $1,018.", "x #### 1,018", true},
		{`, regexes_to_ignore: ["(?s).*#### ", "\\.$"]`, "#### 18..", "#### 18", false}, // one stop only
		{`, regexes_to_ignore: ["b(?=c)"]`, "abc", "ac", true},
		{", ignore_case: true, regexes_to_ignore: [B]", "abB", "ab", true}, // expressions come before case
	} {
		got, err := read(c.options).normal.Matches(c.answer, []string{"never", c.target})
		if err != nil || got != c.want {
			t.Errorf("%s: %q against %q: %v, %v", c.options, c.answer, c.target, got, err)
		}
	}
	// A pattern that backtracks for ever is an error, not a hang.
	if _, err := read(`, regexes_to_ignore: ["(a+)+$"]`).normal.Matches(strings.Repeat("a", 60)+"b", []string{"x"}); err == nil {
		t.Error("a runaway expression was taken")
	}
}

// Lengths are counted in code points, as Python does: bytes would choose otherwise.
func TestPerCharacter(t *testing.T) {
	choices := []string{"日本", "Tokyo city"}
	scores := []float64{-6, -12}
	if got := likeliest(scores); got != 0 {
		t.Errorf("acc chooses %d", got)
	}
	if got := likeliest(perLength(scores, choices, codePoints)); got != 1 {
		t.Errorf("acc_norm chooses %d", got)
	}
	if got := likeliest([]float64{-1, -1}); got != 0 {
		t.Error("the first wins a tie")
	}
}

// Choices in another order get the same outcome, and the sample names the choice.
func TestGradePermutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 5).Draw(t, "n")
		scores := rapid.SliceOfNDistinct(rapid.Float64Range(-50, -0.1), n, n, rapid.ID[float64]).Draw(t, "scores")
		order := rapid.Permutation(indices(n)).Draw(t, "order")
		gold := rapid.IntRange(0, n-1).Draw(t, "gold")
		task := &Task{Name: "t", Output: MultipleChoice, Metrics: []Metric{{Name: Acc}, {Name: AccNorm}}}
		grade := func(order []int) Sample {
			q, a := &question{asked: asked{context: -1}, id: "t/1"}, answers{}
			for place, i := range order {
				q.choices = append(q.choices, strings.Repeat("x", i+1))
				if i == gold {
					q.golds = []int{place}
				}
				a.likelihoods = append(a.likelihoods, likelihood{logprob: scores[i]})
			}
			g, err := task.grade(q, a)
			if err != nil || g.outcome.Value != g.sample.Metrics[Acc] || g.outcome.Item != mergesearch.ItemID("t/1") {
				t.Fatal(g, err)
			}
			return g.sample
		}
		a, b := grade(indices(n)), grade(order)
		if a.Output != b.Output || !cmp.Equal(a.Metrics, b.Metrics) {
			t.Fatalf("%+v, permuted %+v", a, b)
		}
	})
}

func indices(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = i
	}
	return out
}

func continuations(q question) []string {
	var out []string
	for _, p := range q.pairs {
		out = append(out, p.continuation)
	}
	return out
}

// documents reads JSON lines as a task would.
func documents(t testing.TB, lines string) []document {
	t.Helper()
	file := filepath.Join(t.TempDir(), "a.jsonl")
	if err := os.WriteFile(file, []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	s := dataSource{}
	s.Path, s.DataFiles = "json", map[string][]string{"a": {file}}
	docs, err := s.read(splitName{name: "a"}, "")
	if err != nil {
		t.Fatal(err)
	}
	return docs
}

// A question that looks like a Python list is a question; an answer that does is
// several.
func TestLists(t *testing.T) {
	const text = "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {a: a}}\ntest_split: a\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{w}}'\n"
	c, err := parse(text)
	if err != nil {
		t.Fatal(err)
	}
	docs := documents(t, `{"q": "[1, 2]", "w": "['x', \"it's\"]"}`+"\n"+`{"q": ["a", "it's"], "w": ["x"]}`+"\n")
	task, err := newTask(c, Reading{}, map[string][]document{"a": docs})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{"[1, 2]", `['a', "it's"]`}, task.prompts()); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]string{{"x", "it's"}, {"x"}}, [][]string{task.questions[0].targets, task.questions[1].targets}); d != "" {
		t.Error(d)
	}
}

// No document is an example of its own prompt, however examples are drawn; and the
// harness's numbers are drawn all the same.
func TestNoDocumentShowsItself(t *testing.T) {
	const text = "task: t\ndataset_path: json\ndataset_kwargs: {data_files: {a: a}}\ntest_split: a\nnum_fewshot: 2\ndoc_to_text: '{{q}}'\ndoc_to_target: '{{w}}'\n"
	var lines strings.Builder
	for i := range 6 {
		fmt.Fprintf(&lines, "{\"q\": \"q%d?\", \"w\": \"w%d\"}\n", i, i)
	}
	for _, more := range []string{"", "training_split: a\n", "fewshot_split: a\n", "fewshot_config: {sampler: first_n}\n"} {
		for _, draw := range []Draw{DrawPerItem, DrawHarness} {
			c, err := parse(text + more)
			if err != nil {
				t.Fatal(err)
			}
			task, err := newTask(c, Reading{Draw: draw}, map[string][]document{"a": documents(t, lines.String())})
			if err != nil {
				t.Fatal(err)
			}
			for _, q := range task.questions {
				if strings.Count(q.prompt, q.text) != 1 || strings.Count(q.prompt, "?") != 3 || strings.Contains(q.prompt, q.answer()) {
					t.Errorf("%s%s: %q", more, draw, q.prompt)
				}
			}
		}
	}
}

// A ported metric of which less is better steers a search towards less.
func TestPortedMetricThatFalls(t *testing.T) {
	values := map[float64]float64{}
	for _, x := range []float64{0, 0.5, 3, 40} {
		task := &Task{
			Name: "t", Output: LogLikelihood, pipelines: []pipeline{{name: plainPipeline, steps: []filterStep{takeFirst}}},
			Metrics: []Metric{{Name: "difference", Filter: plainPipeline, aggregation: "mean", lower: true}},
			results: &port.Function{Name: "p", Results: func(port.Fields, port.Answers) (map[string]port.Mark, error) {
				return map[string]port.Mark{"difference": {Value: x}}, nil
			}},
		}
		g, err := task.grade(&question{asked: asked{context: -1, targets: []string{"a"}}, id: "t/1"}, answers{likelihoods: []likelihood{{logprob: -1}}})
		if err != nil || g.sample.Metrics["difference"] != x || g.outcome.Value < 0 || g.outcome.Value > 1 {
			t.Fatalf("%v: %+v, %v", x, g, err)
		}
		values[x] = g.outcome.Value
	}
	if !(values[0] > values[0.5] && values[0.5] > values[3] && values[3] > values[40]) {
		t.Errorf("%v", values)
	}
}
