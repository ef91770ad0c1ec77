package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
	"mergesearch/eval/lm"
	"mergesearch/merge"
)

// The real servers, where there are some: the path of a llama-server, and the URL
// of a running `transformers serve` that reads this machine's directories.
const (
	llamaServerEnv  = "MERGESEARCH_LLAMA_SERVER"
	transformersEnv = "MERGESEARCH_TRANSFORMERS"
)

// tenCandidates are the quickstart's models and linear merges of them, in float32.
func tenCandidates(t *testing.T) []mergesearch.Candidate {
	t.Helper()
	names := []string{"base", "expert-arithmetic", "expert-reverse", "expert-atlas"}
	o := merge.Options{Models: map[string]string{}, Base: "base", Threads: 1}
	for _, n := range names {
		o.Models[n] = filepath.Join("..", "..", "configs", "quickstart", "models", n)
	}
	engine, err := merge.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(engine.Close)
	var out []mergesearch.Candidate
	build := func(text string) {
		r, err := merge.ParseRecipe([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		c, err := engine.Build(context.Background(), mergesearch.CandidateOf(len(out)), r)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(c.Release)
		out = append(out, c)
	}
	for _, n := range names {
		build(fmt.Sprintf("merge_method: passthrough\nmodels: [{model: %s}]\ndtype: float32\n", n))
	}
	for i := range 6 {
		w := float64(i+1) / 8
		build(fmt.Sprintf("merge_method: linear\nmodels: [{model: expert-arithmetic, parameters: {weight: %v}}, {model: expert-reverse, parameters: {weight: %v}}]\ndtype: float32\n", w, 1-w))
	}
	return out
}

// scoresOf scores candidates on the quickstart's written answers.
func scoresOf(t *testing.T, e eval.Endpoint, candidates []mergesearch.Candidate, tasks ...string) [][]eval.Sample {
	t.Helper()
	var all []*eval.Task
	for _, name := range tasks {
		task, err := eval.ReadTask(filepath.Join("..", "..", "configs", "quickstart", "tasks", name+".yaml"), eval.Reading{})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, task)
	}
	ev, err := eval.New(eval.Options{Tasks: all, Endpoint: e, Concurrency: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer ev.Close()
	var items []mergesearch.ItemID
	for i, item := range ev.Items(mergesearch.SearchSplit) {
		if i%10 == 0 && len(items) < 24 {
			items = append(items, item.ID)
		}
	}
	var out [][]eval.Sample
	for _, c := range candidates {
		r, err := ev.ScoreDetailed(context.Background(), c, items)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, r.Samples)
	}
	return out
}

// compare counts answers that differ from those of the embedded engine.
func compare(t *testing.T, got, want [][]eval.Sample) (items, differ int) {
	t.Helper()
	for i := range got {
		for j := range got[i] {
			items++
			if strings.TrimSpace(got[i][j].Output) != strings.TrimSpace(want[i][j].Output) {
				differ++
				t.Logf("candidate %d, %s: %q, embedded %q", i, got[i][j].DocID, got[i][j].Output, want[i][j].Output)
			}
		}
	}
	return items, differ
}

// swapTimes collects how long swaps took.
type swapTimes struct{ apply, canary, total []time.Duration }

func (s *swapTimes) add(r endpoint.SwapReport) {
	s.apply, s.canary, s.total = append(s.apply, r.Apply), append(s.canary, r.Canary), append(s.total, r.Total)
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2].Round(100 * time.Microsecond)
}

// realServer scores ten candidates, and the first four again, and compares them
// with the embedded engine.
func realServer(t *testing.T, open func(parents []mergesearch.Candidate, swapped func(endpoint.SwapReport)) (*endpoint.Servers, error), tasks ...string) {
	t.Helper()
	candidates := tenCandidates(t)
	var times swapTimes
	began := time.Now()
	s, err := open([]mergesearch.Candidate{candidates[1], candidates[2]}, times.add)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	t.Logf("%+v, noise %.2g, ready after %s, notes %q", s.Profile(), s.Noise(), time.Since(began).Round(time.Millisecond), s.Notes())
	order := append(slices.Clone(candidates), candidates[:4]...)
	got := scoresOf(t, s, order, tasks...)
	embedded, err := endpoint.NewEmbedded(lm.ServerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.Close()
	items, differ := compare(t, got, scoresOf(t, embedded, order, tasks...))
	n := s.Counts()
	t.Logf("%d candidates, %d items: %d answers differ from the embedded engine's; %+v", len(order), items, differ, n)
	t.Logf("median: apply %s, canary %s, all %s", median(times.apply), median(times.canary), median(times.total))
	if n.Doubts+n.Voided+n.Lost > 0 {
		t.Error("something was doubted")
	}
	if differ*100 > items {
		t.Error("more than one answer in a hundred differs")
	}
}

func TestLlamaServer(t *testing.T) {
	program := os.Getenv(llamaServerEnv)
	if program == "" {
		t.Skip(llamaServerEnv + " names no llama-server")
	}
	for _, args := range [][]string{nil, {"--load-mode", "none"}} {
		t.Run(fmt.Sprint(args), func(t *testing.T) {
			dir := t.TempDir()
			realServer(t, func(parents []mergesearch.Candidate, swapped func(endpoint.SwapReport)) (*endpoint.Servers, error) {
				return endpoint.LlamaCpp(context.Background(), endpoint.ServerOptions{
					Command: []string{program}, Args: append([]string{"-np", "2", "-c", "256", "-t", "1", "-dev", "none", "--no-webui", "--no-warmup"}, args...),
					Environment: os.Environ(), Parents: parents, WriteGGUF: writeIntoGGUF, Storage: dir, Swapped: swapped,
				})
			}, "reverse")
		})
	}
}

func TestTransformersServe(t *testing.T) {
	url := os.Getenv(transformersEnv)
	if url == "" {
		t.Skip(transformersEnv + " names no server")
	}
	realServer(t, func(parents []mergesearch.Candidate, swapped func(endpoint.SwapReport)) (*endpoint.Servers, error) {
		return endpoint.Commanded(context.Background(), endpoint.OpenAIOptions{
			BaseURL: url, Model: "{dir}", Parents: parents, Write: writeInto, Storage: t.TempDir(), Swapped: swapped,
		})
	}, "reverse")
}
