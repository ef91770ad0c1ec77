package eval_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/evaltest"
)

// write puts files into a new directory and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	generateTask = `task: sums
dataset_path: json
dataset_kwargs: {data_files: {search: s.jsonl, validation: v.jsonl, test: t.jsonl}}
training_split: search
validation_split: validation
test_split: test
output_type: generate_until
doc_to_text: prompt
doc_to_target: answer
target_delimiter: ""
generation_kwargs: {until: ["\n"], max_gen_toks: 8, temperature: 0.0, do_sample: false}
metric_list: [{metric: exact_match, aggregation: mean, higher_is_better: true}]
metadata: {version: 1}
`
	choiceTask = `task: facts
dataset_path: json
dataset_kwargs: {data_files: {search: s.jsonl, validation: v.jsonl, test: t.jsonl}}
training_split: search
validation_split: validation
test_split: test
output_type: multiple_choice
doc_to_text: "{{prompt}}"
doc_to_target: label
doc_to_choice: choices
target_delimiter: ""
`
	searchLines = `{"id": "s1", "prompt": "1+2=", "answer": "3", "choices": ["3", "4"], "label": 0}
{"id": "s2", "prompt": "2+2=", "answer": "4", "choices": ["3", "4"], "label": 1}
{"id": "s3", "prompt": "5+4=", "answer": "9", "choices": ["90", "9", "8"], "label": 1}
`
	validationLines = `{"id": "v1", "prompt": "3+3=", "answer": "6", "choices": ["5", "6"], "label": 1}
`
	testLines = `{"id": "t1", "prompt": "4+4=", "answer": "8", "choices": ["8", "7"], "label": 0}
{"id": "t2", "prompt": "6+1=", "answer": "7", "choices": ["8", "7"], "label": 1}
`
)

func dataFiles(task string) map[string]string {
	return map[string]string{"task.yaml": task, "s.jsonl": searchLines, "v.jsonl": validationLines, "t.jsonl": testLines}
}

// readTask reads a task over the three data files.
func readTask(t testing.TB, text string) *eval.Task {
	t.Helper()
	return readTaskAs(t, text, eval.Reading{})
}

func readTaskAs(t testing.TB, text string, r eval.Reading) *eval.Task {
	t.Helper()
	task, err := eval.ReadTask(filepath.Join(write(t, dataFiles(text)), "task.yaml"), r)
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// good knows every answer; poor knows one of the search items and errs in another.
var (
	good = evaltest.Model{Seed: 1, Fingerprint: "good", Answers: map[string]string{
		"1+2=": "3", "2+2=": "4", "5+4=": "9", "3+3=": "6", "4+4=": "8", "6+1=": "7",
	}}
	poor = evaltest.Model{Seed: 2, Fingerprint: "poor", Answers: map[string]string{"1+2=": "3", "2+2=": "3", "5+4=": "90"}}
)

// evaluator scores the tasks on a fresh test server with the models.
func evaluator(t testing.TB, p eval.Profile, tasks ...*eval.Task) (*eval.Evaluator, *evaltest.Server) {
	t.Helper()
	s := evaltest.NewServer(t, p, nil)
	e, err := eval.New(eval.Options{
		Tasks: tasks, Endpoint: s.Endpoint(good, poor, flat), Concurrency: 4,
		Timeout: 300 * time.Millisecond, Patience: 5 * time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e, s
}

var flat = evaltest.Model{Flat: true, Fingerprint: "flat"}

func items(e *eval.Evaluator, split mergesearch.Split) []mergesearch.ItemID {
	var ids []mergesearch.ItemID
	for _, i := range e.Items(split) {
		ids = append(ids, i.ID)
	}
	return ids
}

// score scores a model on the search items.
func score(t testing.TB, e *eval.Evaluator, m evaltest.Model) ([]mergesearch.Outcome, error) {
	t.Helper()
	return e.Score(context.Background(), evaltest.Candidate(1, m), items(e, mergesearch.SearchSplit))
}

func inputError(t testing.TB, err error) *mergesearch.InputError {
	t.Helper()
	var in *mergesearch.InputError
	if !errors.As(err, &in) {
		t.Fatalf("got %v, want an InputError", err)
	}
	return in
}
