package eval_test

import (
	"context"
	"encoding/json"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/lm"
	"mergesearch/eval/lm/lmtest"
)

const quickstart = "../configs/quickstart"

// quickstartTasks reads the task files of the quickstart.
func quickstartTasks(t testing.TB) []*eval.Task {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(quickstart, "tasks", "*.yaml"))
	if err != nil || len(files) == 0 {
		t.Fatalf("task files: %v, %v", files, err)
	}
	var tasks []*eval.Task
	for _, f := range files {
		task, err := eval.ReadTask(f, eval.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		tasks = append(tasks, task)
	}
	return tasks
}

func parent(t testing.TB, index int, name string) mergesearch.Candidate {
	t.Helper()
	files, tensors, err := lmtest.Open(filepath.Join(quickstart, "models", name))
	if err != nil {
		t.Fatal(err)
	}
	return mergesearch.Candidate{ID: mergesearch.CandidateOf(index), Tensors: tensors, Files: files, Fingerprint: tensors.Digest()}
}

// engine is an evaluator of the quickstart's tasks over the embedded endpoint.
func engine(t testing.TB) (*eval.Evaluator, *endpoint.Embedded) {
	t.Helper()
	served, err := endpoint.NewEmbedded(lm.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := eval.New(eval.Options{Tasks: quickstartTasks(t), Endpoint: served})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close(); served.Close() })
	return e, served
}

// The whole path, task file to score, on trained models: what every parent of the
// quickstart scores agrees, to two items, with what PyTorch measured.
func TestFamilyScores(t *testing.T) {
	var expected struct {
		Parents map[string]map[string]map[string]float64
	}
	text, err := os.ReadFile(filepath.Join(quickstart, "family", "expected_scores.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &expected); err != nil || len(expected.Parents) == 0 {
		t.Fatalf("expected scores: %v", err)
	}
	e, served := engine(t)
	asked := int64(0)
	for i, name := range slices.Sorted(maps.Keys(expected.Parents)) {
		if testing.Short() && i == 2 {
			break // two are enough to see races
		}
		c := parent(t, 0, name)
		if err := e.Prepare(c.Files); err != nil {
			t.Fatal(err)
		}
		for split, want := range expected.Parents[name] {
			r, err := e.ScoreDetailed(context.Background(), c, items(e, mergesearch.Split(split)))
			if err != nil {
				t.Fatal(err)
			}
			asked += int64(len(r.Outcomes))
			for _, task := range r.Tasks {
				metric := "exact_match"
				if task.Task == "atlas" {
					metric = "acc"
				}
				got := task.Metrics[metric].Value
				if d := math.Abs(got-want[task.Task]) * float64(task.Items); d > 2.1 {
					t.Errorf("%s, %s, %s: %.4f, PyTorch %.4f", name, split, task.Task, got, want[task.Task])
				}
			}
		}
	}
	if e.Requests() != asked || served.Requests() != asked {
		t.Errorf("%d items, %d requests sent, %d counted by the server", asked, e.Requests(), served.Requests())
	}
}

// BenchmarkScore measures one candidate on the quickstart's search items.
func BenchmarkScore(b *testing.B) {
	e, _ := engine(b)
	c, ids := parent(b, 0, "expert-atlas"), items(e, mergesearch.SearchSplit)
	for b.Loop() {
		if _, err := e.Score(context.Background(), c, ids); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*len(ids)), "µs/item")
}
