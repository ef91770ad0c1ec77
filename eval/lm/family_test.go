package lm_test

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"mergesearch/eval/lm"
	"mergesearch/eval/lm/lmtest"
)

const familyDir = "../../configs/quickstart"

// load loads a model of the family; the caller closes it.
func load(tb testing.TB, name string) *lm.Model {
	return loadDir(tb, filepath.Join(familyDir, "models", name))
}

func loadDir(tb testing.TB, dir string) *lm.Model {
	tb.Helper()
	files, tensors, err := lmtest.Open(dir)
	if err != nil {
		tb.Fatal(err)
	}
	m, err := lm.Load(files, tensors)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// family loads a model of the family; it is closed with the test.
func family(tb testing.TB, name string) *lm.Model {
	m := load(tb, name)
	tb.Cleanup(m.Close)
	return m
}

// serve serves a model; the instance is closed with the test.
func serve(tb testing.TB, m *lm.Model, o lm.Options) *lm.Instance {
	tb.Helper()
	i := lm.NewEngine(o).Serve(m)
	tb.Cleanup(i.Close)
	return i
}

func do(tb testing.TB, i *lm.Instance, requests ...lm.Request) []lm.Response {
	tb.Helper()
	answers, err := i.Do(context.Background(), requests)
	if err != nil {
		tb.Fatal(err)
	}
	return answers
}

// familyGolden is configs/quickstart/family/golden.json: PyTorch in float32.
type familyGolden struct {
	Tolerance float64
	Models    map[string]struct {
		Greedy []struct {
			Prompt    string
			PromptIDs []int32 `json:"prompt_ids"`
			Text      string
			Steps     []struct {
				Token   int32
				LogProb float64
				Top5    [][2]float64
			}
		}
		MultipleChoice []struct {
			ID      string
			Prompt  string
			Choices []string
			Sums    []float64 `json:"sum_logprob_with_eos"`
		} `json:"multiple_choice"`
	}
}

func TestFamilyGolden(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(familyDir, "family", "golden.json"))
	if err != nil {
		t.Fatal(err)
	}
	var golden familyGolden
	if err := json.Unmarshal(data, &golden); err != nil {
		t.Fatal(err)
	}
	if len(golden.Models) < 4 {
		t.Fatalf("golden.json has %d models, want the base and three experts", len(golden.Models))
	}
	for name, want := range golden.Models {
		t.Run(name, func(t *testing.T) {
			m := family(t, name)
			i := serve(t, m, lm.Options{})
			for _, g := range want.Greedy {
				ids := m.Tokenizer().Encode(g.Prompt, true)
				if !slices.Equal(ids, g.PromptIDs) {
					t.Fatalf("%q: ids %v, want %v", g.Prompt, ids, g.PromptIDs)
				}
				a := do(t, i, lm.Request{Prompt: ids, MaxTokens: len(g.Steps), IgnoreEOS: true, LogProbs: true, Top: 5})[0]
				for k, step := range g.Steps {
					got := a.Generated[k]
					if got.Token != step.Token || math.Abs(got.LogProb-step.LogProb) > golden.Tolerance {
						t.Fatalf("%q step %d: token %d %.6f, want %d %.6f", g.Prompt, k, got.Token, got.LogProb, step.Token, step.LogProb)
					}
					for n, top := range step.Top5 {
						if alt := got.Top[n]; float64(alt.Token) != top[0] || math.Abs(alt.LogProb-top[1]) > golden.Tolerance {
							t.Fatalf("%q step %d: alternative %d is %+v, want %v", g.Prompt, k, n, alt, top)
						}
					}
				}
				if a.Text != g.Text {
					t.Errorf("%q: text %q, want %q", g.Prompt, a.Text, g.Text)
				}
			}
			for _, mc := range want.MultipleChoice {
				prompt := m.Tokenizer().Encode(mc.Prompt, true)
				var requests []lm.Request
				for _, c := range mc.Choices {
					ids := append(slices.Clone(prompt), m.Tokenizer().Encode(c, false)...)
					requests = append(requests, lm.Request{Prompt: append(ids, m.EOS()[0]), PromptLogProbs: true})
				}
				for k, a := range do(t, i, requests...) {
					sum := 0.0
					for _, p := range a.Prompt[len(prompt):] {
						sum += p.LogProb
					}
					if math.Abs(sum-mc.Sums[k]) > golden.Tolerance {
						t.Errorf("%s %q: sum %.6f, want %.6f", mc.ID, mc.Choices[k], sum, mc.Sums[k])
					}
				}
			}
		})
	}
}
