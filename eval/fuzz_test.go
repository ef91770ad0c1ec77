package eval

import (
	"errors"
	"strings"
	"testing"

	"mergesearch"
)

const (
	fuzzTask = `task: sums
dataset_path: json
dataset_kwargs: {data_files: {a: a.jsonl, b: b.jsonl, c: c.jsonl}}
training_split: a
validation_split: b
test_split: c
output_type: multiple_choice
doc_to_text: "{{q}}"
doc_to_target: label
doc_to_choice: [x, "no"]
description: "Answer.\n"
generation_kwargs: {until: ["\n"], max_gen_toks: 8, temperature: 0.0, do_sample: no}
metric_list: [{metric: acc, aggregation: mean, higher_is_better: true}]
num_fewshot: 1
fewshot_config: {sampler: first_n}
filter_list: [{name: none, filter: [{function: take_first}]}]
`
	fuzzLines = `{"id": 1, "q": "a", "label": 0, "choices": ["x", "y"]}
{"id": 2, "q": "b", "label": 1, "choices": ["x", "y", 3]}
`
)

func onlyInputErrors(t *testing.T, err error) {
	var in *mergesearch.InputError
	if err != nil && !errors.As(err, &in) {
		t.Fatalf("%T: %v", err, err)
	}
}

// FuzzTask feeds arbitrary task files over good data: each is understood or
// refused with an InputError.
func FuzzTask(f *testing.F) {
	f.Add(fuzzTask)
	f.Add("task: a\ndoc_to_choice: [\"a\", no]\n")
	f.Add("? a\n: b")
	f.Add("<<: {a: 1}")
	f.Add("task: |\n  a\ndoc_to_text: !function utils.f\n")
	f.Add(strings.Replace(fuzzTask, "output_type: multiple_choice\n", "output_type: generate_until\njudge: {url: http://h, model: m, prompt: '{{answer}}', grade: '(.)', scale: [0, 1]}\n", 1))
	docs := documents(f, fuzzLines)
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parse(text)
		if err != nil {
			onlyInputErrors(t, err)
			return
		}
		all := map[string][]document{}
		for name := range c.data.DataFiles {
			all[name] = docs
		}
		_, err = newTask(c, Reading{}, all)
		onlyInputErrors(t, err)
	})
}
