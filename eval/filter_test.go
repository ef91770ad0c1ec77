package eval

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"mergesearch/eval/metric"
)

// filterGolden is what lm-evaluation-harness's filters made of answers.
type filterGolden struct {
	Peer, Command string
	Choices       []any
	Cases         []struct {
		Steps   []map[string]any
		Answers []string
		Left    any // one text, or a list
	}
}

// pipelineOf reads a pipeline as a task file would have it.
func pipelineOf(t *testing.T, steps any) pipeline {
	t.Helper()
	text, err := json.Marshal(steps) // JSON is YAML
	if err != nil {
		t.Fatal(err)
	}
	entries, err := parseYAML(fmt.Appendf(nil, "filter_list: [{name: x, filter: %s}]\n", text), "")
	if err != nil {
		t.Fatal(err)
	}
	c := &config{}
	if err := c.readFilters(entries[0]); err != nil {
		t.Fatal(err)
	}
	return c.pipelines[0]
}

func TestFiltersAreTheHarness(t *testing.T) {
	text, err := os.ReadFile("testdata/filters.json")
	if err != nil {
		t.Fatal(err)
	}
	var g filterGolden
	if err := json.Unmarshal(text, &g); err != nil {
		t.Fatal(err)
	}
	if g.Peer != "lm_eval 0.4.12" || len(g.Cases) < 200 {
		t.Fatalf("%d cases of %q", len(g.Cases), g.Peer)
	}
	q := &question{fields: map[string]any{"choices": g.Choices}}
	for i, c := range g.Cases {
		p := pipelineOf(t, c.Steps)
		got, err := p.run(q, c.Answers)
		want, one := []string{}, false
		switch left := c.Left.(type) {
		case string:
			want, one = []string{left}, true
		case nil:
			want, one = []string{"None"}, true // a missing word of map
		case []any:
			for _, x := range left {
				want = append(want, x.(string))
			}
		}
		if err != nil || got.one != one || !slices.Equal(got.texts, want) {
			t.Errorf("case %d, %v of %q: %q, %v, want %q", i, c.Steps, c.Answers, got.texts, err, want)
		}
		// One changed byte of the expectation is noticed.
		if want[0] += "\x00"; slices.Equal(got.texts, want) {
			t.Errorf("case %d: a changed byte is not noticed", i)
		}
	}
	t.Logf("%s: %d cases", g.Peer, len(g.Cases))
}

// A question that is asked several times is scored by what its pipelines leave:
// pass@k by all answers, the others by one or by the share of right ones.
func TestSeveralAnswers(t *testing.T) {
	const several = promptTask + "repeats: 4\ngeneration_kwargs: {temperature: 0.5, do_sample: true}\n"
	for _, c := range []struct {
		more string
		want map[string]float64
	}{
		{"metric_list: [{metric: exact_match}]\n", map[string]float64{"exact_match": 0}},
		{"metric_list: [{metric: pass@k, k: 2}]\nfilter_list: [{name: all, filter: [{function: take_first_k, k: 4}]}]\n", map[string]float64{"pass@k,all": metric.PassAtK(4, 2, 2)}},
		{"metric_list: [{metric: exact_match}]\nfilter_list: [{name: all, filter: [{function: take_first_k, k: 4}]}, {name: vote, filter: [{function: majority_vote}, {function: take_first}]}]\n", map[string]float64{"exact_match,all": 0.5, "exact_match,vote": 1}},
	} {
		task := assemble(t, several+c.more)
		q := &task.questions[0]
		a := answers{}
		for _, text := range []string{"no", "yes", "yes", "maybe"} {
			a.texts = append(a.texts, written{text: text, finish: "stop"})
		}
		g, err := task.grade(q, a)
		if err != nil {
			t.Fatal(err)
		}
		for key, want := range c.want {
			if got, ok := g.sample.Metrics[key]; !ok || got != want {
				t.Errorf("%s: %v of %v, want %v", key, got, g.sample.Metrics, want)
			}
		}
		if !slices.Equal(g.sample.Outputs, []string{"no", "yes", "yes", "maybe"}) || strings.Join(g.sample.Outputs[:1], "") != g.sample.Output {
			t.Errorf("%+v", g.sample)
		}
	}
}
