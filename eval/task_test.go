package eval_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/eval"
)

func TestReadTask(t *testing.T) {
	task := readTask(t, generateTask)
	if task.Name != "sums" || task.Metric() != eval.ExactMatch || len(task.Notes) != 0 {
		t.Errorf("%+v", task)
	}
	for split, want := range map[mergesearch.Split]string{
		mergesearch.SearchSplit:     "[{sums/s1 sums} {sums/s2 sums} {sums/s3 sums}]",
		mergesearch.ValidationSplit: "[{sums/v1 sums}]",
		mergesearch.HeldOutSplit:    "[{sums/t1 sums} {sums/t2 sums}]",
	} {
		if got := fmt.Sprint(task.Items(split)); got != want {
			t.Errorf("%s: %s, want %s", split, got, want)
		}
	}
}

// A key without a value is as good as absent, as harness files write it.
func TestNullKeys(t *testing.T) {
	task := readTask(t, generateTask+"dataset_name: null\nprocess_docs: ~\nfewshot_split: null\ndoc_to_choice:\nnum_fewshot: null\n")
	if len(task.Items(mergesearch.SearchSplit)) != 3 {
		t.Error("items are missing")
	}
}

// Each fault of a task file is one line with the place, and a hint where there is
// a remedy.
func TestTaskFaults(t *testing.T) {
	for _, c := range []struct {
		name, old, new string
		at             string // line:column
		field, problem string
		hint           string
	}{
		{"misspelt key", "output_type:", "output_typ:", "7:1", "output_typ", "unknown key", `"output_type"`},
		{"harness key", "metadata: {version: 1}", "use_prompt: x", "13:1", "use_prompt", "not supported", "doc_to_text"},
		{"no function", "metadata: {version: 1}", "process_docs: x", "13:15", "process_docs", "want a function", ""},
		{"python function", "doc_to_text: prompt", "doc_to_text: !function utils.f", "8:14", "doc_to_text", "no port of the Python function utils.f", "hellaswag"},
		{"anchor", "doc_to_text: prompt", "doc_to_text: &a prompt", "8:14", "doc_to_text", "anchors", ""},
		{"hub data", "dataset_path: json", "dataset_path: cais/mmlu", "2:15", "dataset_path", "not on this machine", ""},
		{"tag", "doc_to_text: prompt", "doc_to_text: !python x", "8:14", "doc_to_text", "YAML tag !python", ""},
		{"unknown split", "test_split: test", "test_split: tset", "6:13", "test_split", `no split "tset"`, `"test"`},
		{"same split twice", "test_split: test", "test_split: search", "6:13", "test_split", "the same data", ""},
		{"missing column", "doc_to_text: prompt", "doc_to_text: promt", "8:14", "doc_to_text", "no column", `"prompt"`},
		{"missing column in template", "doc_to_text: prompt", `doc_to_text: "{{promt}}"`, "", "doc_to_text", `no column "promt"`, `"prompt"`},
		{"bad template", "doc_to_text: prompt", `doc_to_text: "{{prompt ** 2}}"`, "8:14", "doc_to_text", `"**" is not supported`, ""},
		{"unknown filter", "doc_to_text: prompt", `doc_to_text: "{{prompt|wordcount}}"`, "8:14", "doc_to_text", `filter "wordcount"`, ""},
		{"statement", "doc_to_text: prompt", `doc_to_text: "{% include x %}"`, "8:14", "doc_to_text", "{% include %}", ""},
		{"missing target", "doc_to_target: answer", "doc_to_target:", "", "doc_to_target", "missing", ""},
		{"missing text", "doc_to_text: prompt\n", "", "", "doc_to_text", "missing", ""},
		{"no data", "dataset_kwargs: {data_files: {search: s.jsonl, validation: v.jsonl, test: t.jsonl}}\n", "", "", "dataset_kwargs.data_files", "missing", ""},
		{"no splits", "training_split: search\nvalidation_split: validation\ntest_split: test\n", "", "", "test_split", "missing", ""},
		{"temperature", "temperature: 0.0", "temperature: -1", "11:66", "generation_kwargs.temperature", "out of range", ""},
		{"sampling 2", "do_sample: false", "do_sample: yes", "11:82", "generation_kwargs.do_sample", "greedy", ""},
		{"no tokens", "max_gen_toks: 8", "max_gen_toks: 0", "11:50", "generation_kwargs.max_gen_toks", "out of range", ""},
		{"empty stop", `until: ["\n"]`, `until: [""]`, "11:28", "generation_kwargs.until", "empty stop", ""},
		{"boolean word", `until: ["\n"]`, `until: [no]`, "11:29", "generation_kwargs.until[0]", "boolean", "quotes"},
		{"unknown metric", "metric: exact_match", "metric: exact_mach", "12:24", "metric_list[0].metric", "unknown metric", `"exact_match"`},
		{"metric elsewhere", "metric: exact_match", "metric: acc", "12:24", "metric_list[0].metric", "not supported with", "exact_match"},
		{"metric of libraries", "metric: exact_match", "metric: code_eval", "12:24", "metric_list[0].metric", "code_eval is not supported", "exact_match"},
		{"aggregation of another kind", "aggregation: mean", "aggregation: bleu", "12:24", "metric_list[0].metric", "takes texts of each item", "leave aggregation out"},
		{"aggregation", "aggregation: mean", "aggregation: middle", "12:50", "metric_list[0].aggregation", "unknown aggregation", ""},
		{"lower is better", "higher_is_better: true", "higher_is_better: false", "12:74", "metric_list[0].higher_is_better", "wrong for exact_match", ""},
		{"pipeline twice", "metadata: {version: 1}", "filter_list: [{name: a, filter: [{function: take_first}]}, {name: a, filter: [{function: take_first}]}]", "13:60", "filter_list[1]", "two pipelines", ""},
		{"empty pipeline", "metadata: {version: 1}", "filter_list: [{name: a}]", "13:15", "filter_list[0]", "no filter", ""},
		{"regex", "metadata: {version: 1}", "filter_list: [{name: a, filter: [{function: regex, regex_pattern: '('}]}]", "13:67", "filter_list[0].filter[0].regex_pattern", "not a regular expression", ""},
		{"filter option", "metadata: {version: 1}", "filter_list: [{name: a, filter: [{function: take_first, k: 1}]}]", "13:57", "filter_list[0].filter[0].k", "no such option", ""},
		{"unknown filter of answers", "metadata: {version: 1}", "filter_list: [{name: a, filter: [{function: regexx}]}]", "13:45", "filter_list[0].filter[0].function", "unknown filter", `"regex"`},
		{"too few answers", "metadata: {version: 1}", "filter_list: [{name: a, filter: [{function: take_first_k, k: 4}]}]", "13:15", "filter_list[0]", "needs 4 answers", "repeats: 4"},
		{"repeats", "metadata: {version: 1}", "repeats: 3", "13:10", "repeats", "greedy answers", "temperature"},
		{"shots", "metadata: {version: 1}", "num_fewshot: -2", "13:14", "num_fewshot", "out of range", ""},
		{"too many shots", "metadata: {version: 1}", "num_fewshot: 3", "13:14", "num_fewshot", "too small", ""},
		{"shots from held-out", "metadata: {version: 1}", "num_fewshot: 1\nfewshot_config: {sampler: first_n, split: test}", "13:14", "num_fewshot", "held-out", ""},
		{"choices of likelihood", "output_type: generate_until", "output_type: loglikelihood\ndoc_to_choice: choices", "8:1", "doc_to_choice", "no meaning", ""},
		{"key twice", "metadata: {version: 1}", "task: again", "13:1", "", "already defined", ""},
		{"task with slash", "task: sums", "task: a/b", "", "task", "slashes", ""},
		{"two documents", "metadata: {version: 1}", "---\na: 1", "14:2", "", "second YAML document", ""},
		{"list", generateTask, "- a", "1:1", "", "want keys and values", ""},
		{"empty", generateTask, "# nothing", "", "", "empty", ""},
		{"no YAML", generateTask, "a: [1", "1:4", "", "not valid YAML", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if !strings.Contains(generateTask, c.old) {
				t.Fatalf("the task file has no %q", c.old)
			}
			dir := write(t, dataFiles(strings.Replace(generateTask, c.old, c.new, 1)))
			_, err := eval.ReadTask(filepath.Join(dir, "task.yaml"), eval.Reading{})
			in := inputError(t, err)
			if c.at != "" && fmt.Sprintf("%d:%d", in.Line, in.Column) != c.at {
				t.Errorf("at %d:%d, want %s", in.Line, in.Column, c.at)
			}
			if in.Field != c.field || !strings.Contains(in.Problem, c.problem) || !strings.Contains(in.Hint, c.hint) || in.File == "" {
				t.Errorf("%+v", in)
			}
			if strings.ContainsAny(in.Error(), "\n") {
				t.Errorf("more than one line: %q", in.Error())
			}
		})
	}
}

// Each fault of the data names file and line.
func TestDataFaults(t *testing.T) {
	for _, c := range []struct {
		name, task, file, text string
		line                   int
		field, problem         string
	}{
		{"empty file", generateTask, "s.jsonl", " \n\n", 0, "", "no documents"},
		{"no JSON", generateTask, "s.jsonl", "{\"prompt\": \"a\", \"answer\": \"b\"}\n{oops}\n", 2, "", "not valid JSON"},
		{"cut off", generateTask, "s.jsonl", "{\"prompt\": \"a\", \"answer\": \"b\"}\n\n{\"prompt\": \"a", 3, "", "ends too early"},
		{"two on a line", generateTask, "s.jsonl", `{"prompt": "a", "answer": "b"} {}`, 1, "", "something follows"},
		{"no object", generateTask, "s.jsonl", `"text"`, 1, "", "want a JSON object"},
		{"no UTF-8", generateTask, "s.jsonl", "{\"prompt\": \"\xff\"}", 1, "", "UTF-8"},
		{"column missing", generateTask, "v.jsonl", `{"id": 1, "prompt": "a"}`, 1, "answer", "lacks this column"},
		{"answer empty", generateTask, "v.jsonl", `{"id": 1, "prompt": "a", "answer": ""}`, 1, "answer", "answer is empty"},
		{"answer null in a template", strings.Replace(generateTask, "doc_to_target: answer", `doc_to_target: "{{answer}}"`, 1), "v.jsonl", `{"id": 1, "prompt": "a", "answer": null}`, 1, "doc_to_target", "answer is null"},
		{"question null in a template", strings.Replace(generateTask, "doc_to_text: prompt", `doc_to_text: "{{prompt}}"`, 1), "v.jsonl", `{"id": 1, "prompt": null, "answer": "x"}`, 1, "doc_to_text", "found null"},
		{"answer null", generateTask, "v.jsonl", `{"id": 1, "prompt": "a", "answer": null}`, 1, "answer", "answer is null"},
		{"answers none", generateTask, "v.jsonl", `{"id": 1, "prompt": "a", "answer": []}`, 1, "answer", "list of answers is empty"},
		{"question empty", generateTask, "v.jsonl", `{"id": 1, "prompt": "", "answer": "x"}`, 1, "prompt", "question is empty"},
		{"question a list", generateTask, "v.jsonl", `{"id": 1, "prompt": ["a"], "answer": "x"}`, 1, "prompt", "want text"},
		{"id twice", generateTask, "v.jsonl", "{\"id\": \"v1\", \"prompt\": \"a\", \"answer\": \"x\"}\n{\"id\": \"v1\", \"prompt\": \"b\", \"answer\": \"x\"}", 2, "id", "already the id of"},
		{"id missing", generateTask, "v.jsonl", `{"prompt": "a", "answer": "x"}`, 1, "id", "other documents have an id"},
		{"huge number", generateTask, "v.jsonl", `{"id": 99999999999999999999}`, 1, "id", "64 bits"},
		{"label out of range", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", "y"], "label": 2}`, 1, "label", "label 2 is out of range"},
		{"label negative", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", "y"], "label": -1}`, 1, "label", "out of range"},
		{"label a fraction", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", "y"], "label": 0.5}`, 1, "label", "want a label"},
		{"label unknown", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", "y"], "label": "z"}`, 1, "label", "not among the choices"},
		{"choice empty", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", ""], "label": 0}`, 1, "choices", "choice 1 is empty"},
		{"choice null", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", null], "label": 0}`, 1, "choices", "choice 1 is null"},
		{"one choice", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": ["x"], "label": 0}`, 1, "choices", "at least two"},
		{"f1 of three", choiceTask + "metric_list: [{metric: f1}]\n", "s.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", "y"], "label": 0}` + "\n" + `{"id": 2, "prompt": "b", "choices": ["x", "y", "z"], "label": 0}`, 2, "choices", "f1 is for two"},
		{"brier of unlike", choiceTask + "metric_list: [{metric: brier_score}]\n", "s.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", "y"], "label": 0}` + "\n" + `{"id": 2, "prompt": "b", "choices": ["x", "y", "z"], "label": 0}`, 2, "choices", "the same number"},
		{"same choices", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": ["x", "x"], "label": 0}`, 1, "choices", "all choices are the same"},
		{"choices text", choiceTask, "v.jsonl", `{"id": 1, "prompt": "a", "choices": "xy", "label": 0}`, 1, "choices", "want a list"},
		{"array cut off", generateTask, "v.jsonl", "[{\"id\": 1, \"prompt\": \"a\", \"answer\": \"x\"},\n", 2, "", "too early"},
		{"array second line", choiceTask, "v.jsonl", "[{\"id\": 1, \"prompt\": \"a\", \"choices\": [1, 2], \"label\": 1},\n {\"id\": 2, \"prompt\": \"b\"}]", 2, "choices", "found null"},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := dataFiles(c.task)
			files[c.file] = c.text
			_, err := eval.ReadTask(filepath.Join(write(t, files), "task.yaml"), eval.Reading{})
			in := inputError(t, err)
			if filepath.Base(in.File) != c.file || in.Line != c.line || in.Field != c.field || !strings.Contains(in.Problem, c.problem) {
				t.Errorf("%+v, want %s:%d %s %s", in, c.file, c.line, c.field, c.problem)
			}
		})
	}
	files := dataFiles(generateTask)
	delete(files, "v.jsonl")
	_, err := eval.ReadTask(filepath.Join(write(t, files), "task.yaml"), eval.Reading{})
	if in := inputError(t, err); filepath.Base(in.File) != "v.jsonl" || !strings.Contains(in.Problem, "no such file") {
		t.Errorf("%+v", in)
	}
	_, err = eval.ReadTask(filepath.Join(t.TempDir(), "none.yaml"), eval.Reading{})
	inputError(t, err)
}

// A task file with one split is divided: every document once, each in one split,
// in the proportions promised, and independently of the other documents.
func TestDividedSplits(t *testing.T) {
	const text = `task: one
dataset_path: json
dataset_kwargs: {data_files: {test: t.jsonl}}
test_split: test
doc_to_text: q
doc_to_target: a
`
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(200, 400).Draw(t, "n")
		salt := rapid.IntRange(0, 1000).Draw(t, "salt")
		drop := rapid.IntRange(0, n-1).Draw(t, "drop")
		read := func(skip int) (map[mergesearch.ItemID]mergesearch.Split, int) {
			dir, err := os.MkdirTemp("", "divided")
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			var b strings.Builder
			for i := range n {
				if i != skip {
					fmt.Fprintf(&b, "{\"id\": %d, \"q\": \"%d of %d\", \"a\": 1}\n", i, i, salt)
				}
			}
			err = errors.Join(os.WriteFile(filepath.Join(dir, "task.yaml"), []byte(text), 0o600), os.WriteFile(filepath.Join(dir, "t.jsonl"), []byte(b.String()), 0o600))
			if err != nil {
				t.Fatal(err)
			}
			task, err := eval.ReadTask(filepath.Join(dir, "task.yaml"), eval.Reading{})
			if err != nil {
				t.Fatal(err)
			}
			if len(task.Notes) != 1 {
				t.Fatalf("notes %v", task.Notes)
			}
			of := map[mergesearch.ItemID]mergesearch.Split{}
			for _, s := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
				for _, i := range task.Items(s) {
					if _, twice := of[i.ID]; twice {
						t.Fatalf("%s is in two splits", i.ID)
					}
					of[i.ID] = s
				}
			}
			return of, len(task.Items(mergesearch.SearchSplit))
		}
		all, search := read(-1)
		if len(all) != n || search < n*25/100 || search > n*55/100 {
			t.Fatalf("%d of %d items, %d for the search", len(all), n, search)
		}
		fewer, _ := read(drop)
		for id, split := range fewer {
			if all[id] != split {
				t.Fatalf("%s moved from %s to %s", id, all[id], split)
			}
		}
	})
}

// Documents without an id are named by split and line.
func TestLineIDs(t *testing.T) {
	files := dataFiles(generateTask)
	files["s.jsonl"] = "\n{\"prompt\": \"a\", \"answer\": 1}\n"
	files["v.jsonl"] = "[{\"prompt\": \"b\", \"answer\": 1.5}, {\"prompt\": \"c\", \"answer\": true}]"
	files["t.jsonl"] = "{\"prompt\": \"d\", \"answer\": [\"x\", \"y\"]}"
	task, err := eval.ReadTask(filepath.Join(write(t, files), "task.yaml"), eval.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(task.Items(mergesearch.SearchSplit), task.Items(mergesearch.ValidationSplit), task.Items(mergesearch.HeldOutSplit))
	if want := "[{sums/search-2 sums}] [{sums/validation-1 sums} {sums/validation-2 sums}] [{sums/test-1 sums}]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Ids that each split counts for itself get the split's name in front; others stay.
func TestIDsOfSplits(t *testing.T) {
	files := dataFiles(generateTask)
	files["v.jsonl"] = `{"id": "s1", "prompt": "3+3=", "answer": "6"}` + "\n"
	task, err := eval.ReadTask(filepath.Join(write(t, files), "task.yaml"), eval.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(task.Items(mergesearch.ValidationSplit), task.Items(mergesearch.SearchSplit)[0]); got != "[{sums/validation-s1 sums}] {sums/search-s1 sums}" {
		t.Error(got)
	}
}

// A run is bound to every file that decides a prompt: included ones and those of the
// examples too.
func TestFilesOfATask(t *testing.T) {
	files := dataFiles("include: common.yaml\ntask: sums\nnum_fewshot: 1\nfewshot_split: pool\n")
	files["common.yaml"] = strings.Replace(strings.Replace(generateTask, "task: sums\n", "", 1), "test: t.jsonl", "test: t.jsonl, pool: p.jsonl", 1)
	files["p.jsonl"] = `{"prompt": "7+1=", "answer": "8"}` + "\n"
	dir := write(t, files)
	task, err := eval.ReadTask(filepath.Join(dir, "task.yaml"), eval.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range task.Files() {
		got = append(got, filepath.Base(f))
	}
	if want := "[common.yaml p.jsonl s.jsonl t.jsonl task.yaml v.jsonl]"; fmt.Sprint(got) != want {
		t.Errorf("%v, want %s", got, want)
	}
}
