package lm_test

import (
	"compress/gzip"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"

	"mergesearch/eval/lm"
	"mergesearch/eval/lm/lmtest"
)

// golden is what testdata/golden/make.py got from another implementation.
type golden struct {
	Command  string
	Versions map[string]string
	Cases    []struct {
		Prompt         []int32
		PromptLogProbs []float64 `json:"prompt_logprobs"` // from the second token on
		Tokens         []int32
		LogProbs       []float64
		Ties           []int // steps whose best two are closer than 1e-4
	}
}

func readGolden(t *testing.T, file string) (g golden) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(z).Decode(&g); err != nil {
		t.Fatal(err)
	}
	return g
}

// loadGolden loads a variant with the tokenizer that all share.
func loadGolden(tb testing.TB, dir string) *lm.Model {
	tb.Helper()
	files, tensors, err := lmtest.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	if files["tokenizer.json"], err = os.ReadFile(filepath.Join(dir, "..", "tokenizer.json")); err != nil {
		tb.Fatal(err)
	}
	m, err := lm.Load(files, tensors)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(m.Close)
	return m
}

func goldenDirs(tb testing.TB) []string {
	tb.Helper()
	configs, err := filepath.Glob("testdata/golden/*/config.json")
	if err != nil || len(configs) < 8 {
		tb.Fatalf("%d golden variants, want eight: %v", len(configs), err)
	}
	dirs := make([]string, len(configs))
	for i, c := range configs {
		dirs[i] = filepath.Dir(c)
	}
	return dirs
}

// TestGolden compares the engine with transformers: 64 greedy tokens after each
// prompt, with the log-probabilities of both, within 1e-3. After a step whose
// best two tokens are as good as equal, either may be followed.
func TestGolden(t *testing.T) {
	const tolerance = 1e-3
	prompts := map[string]int{}
	for _, dir := range goldenDirs(t) {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			g := readGolden(t, filepath.Join(dir, "golden.json.gz"))
			m := loadGolden(t, dir)
			prompts[m.Architecture()] += len(g.Cases)
			requests := make([]lm.Request, len(g.Cases))
			for k, c := range g.Cases {
				requests[k] = lm.Request{Prompt: c.Prompt, MaxTokens: len(c.Tokens), IgnoreEOS: true, LogProbs: true, PromptLogProbs: true}
			}
			worst := 0.0
			near := func(what string, k, step int, got, want float64) {
				worst = max(worst, math.Abs(got-want))
				if !(math.Abs(got-want) <= tolerance) {
					t.Fatalf("case %d, %s %d: log-probability %.6f, want %.6f", k, what, step, got, want)
				}
			}
			for k, a := range do(t, serve(t, m, lm.Options{}), requests...) {
				c := g.Cases[k]
				for n, want := range c.PromptLogProbs {
					near("prompt token", k, n+1, a.Prompt[n+1].LogProb, want)
				}
				for step, want := range c.LogProbs {
					near("step", k, step, a.Generated[step].LogProb, want)
					if a.Tokens[step] == c.Tokens[step] {
						continue
					}
					if !contains(c.Ties, step) {
						t.Fatalf("case %d, step %d: token %d, want %d", k, step, a.Tokens[step], c.Tokens[step])
					}
					break
				}
			}
			t.Logf("%d prompts, largest difference %.2g (%v)", len(g.Cases), worst, g.Versions)
		})
	}
	for _, architecture := range []string{"LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM", "Qwen3ForCausalLM"} {
		if prompts[architecture] < 200 {
			t.Errorf("%s: %d golden prompts, want at least 200", architecture, prompts[architecture])
		}
	}
}

func contains(list []int, x int) bool {
	for _, y := range list {
		if x == y {
			return true
		}
	}
	return false
}
