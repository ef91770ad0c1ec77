package eval_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"testing"

	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/lm"
)

// economyTask is a four-choice task answered by letters, with five examples.
func economyTask(t *testing.T, sampler string) *eval.Task {
	t.Helper()
	var pool, test strings.Builder
	for i := range 60 {
		to := &test
		if i < 20 {
			to = &pool
		}
		fmt.Fprintf(to, `{"q": "Which of these four is the sum of %d and %d, in plain digits?", "c": ["%d", "%d", "%d", "none"], "a": %d}`+"\n", 10+i, 11+2*i, 20+3*i, 21+3*i, 22+3*i, i%4)
	}
	files := map[string]string{"pool.jsonl": pool.String(), "test.jsonl": test.String(), "task.yaml": `task: letters
dataset_path: json
dataset_kwargs: {data_files: {pool: pool.jsonl, test: test.jsonl}}
test_split: test
fewshot_split: pool
num_fewshot: 5
fewshot_config: {sampler: ` + sampler + `}
output_type: multiple_choice
doc_to_text: "{{q}}\nA. {{c[0]}}\nB. {{c[1]}}\nC. {{c[2]}}\nD. {{c[3]}}\nAnswer:"
doc_to_choice: [A, B, C, D]
doc_to_target: a
`}
	task, err := eval.ReadTask(write(t, files)+"/task.yaml", eval.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	return task
}

// The embedded engine computes the beginning that prompts share once, so that
// four-choice questions cost a fraction of what lm-evaluation-harness asks for: one
// full prompt for each choice.
func TestPromptTokens(t *testing.T) {
	for sampler, most := range map[string]float64{"first_n": 1.0 / 8, "default": 0.27} {
		served, err := endpoint.NewEmbedded(lm.ServerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer served.Close()
		task := economyTask(t, sampler)
		e, err := eval.New(eval.Options{Tasks: []*eval.Task{task}, Endpoint: served})
		if err != nil {
			t.Fatal(err)
		}
		defer e.Close()
		c := parent(t, 0, "base")
		const own, longer = `"max_position_embeddings": 128`, `"max_position_embeddings": 4096`
		config := bytes.Replace(c.Files["config.json"], []byte(own), []byte(longer), 1)
		if bytes.Equal(config, c.Files["config.json"]) {
			t.Fatal("the model's config.json has another context")
		}
		c.Files = map[string][]byte{"config.json": config, "tokenizer.json": c.Files["tokenizer.json"]}
		asked := 0
		for _, n := range eval.PromptTokens(e, c, eval.HarnessSplit) {
			asked += n
		}
		if _, err := e.Score(context.Background(), c, items(e, eval.HarnessSplit)); err != nil {
			t.Fatal(err)
		}
		share := float64(served.Computed()) / float64(asked)
		t.Logf("%s: %d of %d tokens computed, %.3f", sampler, served.Computed(), asked, share)
		if !(share <= most) {
			t.Errorf("%s: %.3f of the tokens are computed, want at most %.3f", sampler, share, most)
		}
	}
}
