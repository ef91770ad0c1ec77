//go:build unix

package lm_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"mergesearch/eval/lm"
	"mergesearch/eval/lm/lmtest"
)

// question is an item of the quickstart.
type question struct {
	Prompt  string
	Choices []string
}

func questions(tb testing.TB) (all []question) {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(familyDir, "data", "*.search.jsonl"))
	if err != nil || len(paths) == 0 {
		tb.Fatalf("no data: %v", err)
	}
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			tb.Fatal(err)
		}
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			var q question
			if err := json.Unmarshal(lines.Bytes(), &q); err != nil {
				tb.Fatal(err)
			}
			all = append(all, q)
		}
	}
	return all
}

// BenchmarkSwap is what it takes to serve another candidate: load and add, and
// remove the one before.
func BenchmarkSwap(b *testing.B) {
	files, tensors, err := lmtest.Open(filepath.Join(familyDir, "models", "base"))
	if err != nil {
		b.Fatal(err)
	}
	s := lm.NewServer(lm.ServerOptions{})
	defer s.Close()
	digested := &digested{tensors, tensors.Digest()}
	for b.Loop() {
		m, err := lm.Load(files, digested)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.Add("candidate", m); err != nil {
			b.Fatal(err)
		}
		s.Remove("candidate")
	}
}

// digested remembers its digest, as a merged candidate does.
type digested struct {
	*lmtest.Tensors
	digest string
}

func (d *digested) Digest() string { return d.digest }

// BenchmarkEngine answers the quickstart's search items with a fresh
// candidate in each round, 64 in flight, without HTTP: by a greedy completion, or
// by scoring four choices.
func BenchmarkEngine(b *testing.B) {
	all := questions(b)
	forms := map[string]func(m *lm.Model, q question) []lm.Request{
		"generate": func(m *lm.Model, q question) []lm.Request {
			return []lm.Request{{Prompt: m.Tokenizer().Encode(q.Prompt, true), MaxTokens: 8}}
		},
		"choices": func(m *lm.Model, q question) (requests []lm.Request) {
			for _, c := range q.Choices {
				ids := append(m.Tokenizer().Encode(q.Prompt+c, true), 2)
				requests = append(requests, lm.Request{Prompt: ids, PromptLogProbs: true, Top: 1})
			}
			return requests
		},
	}
	for _, name := range []string{"generate", "choices"} {
		b.Run(name, func(b *testing.B) {
			e := lm.NewEngine(lm.Options{})
			measure(b, func() {
				m := load(b, "expert-atlas")
				defer m.Close()
				i := e.Serve(m)
				defer i.Close()
				inFlight(all, func(q question) {
					if _, err := i.Do(context.Background(), forms[name](m, q)); err != nil {
						b.Error(err)
					}
				})
			})
		})
	}
}

// BenchmarkServer is BenchmarkEngine over HTTP, client included.
func BenchmarkServer(b *testing.B) {
	all := questions(b)
	forms := map[string]func(q question) any{
		"generate": func(q question) any {
			return map[string]any{"model": "m", "prompt": q.Prompt, "max_tokens": 8, "temperature": 0}
		},
		"choices": func(q question) any {
			var prompts []string
			for _, c := range q.Choices {
				prompts = append(prompts, q.Prompt+c)
			}
			return map[string]any{"model": "m", "prompt": prompts, "max_tokens": 0, "temperature": 0, "echo": true, "logprobs": 1}
		},
	}
	for _, name := range []string{"generate", "choices"} {
		b.Run(name, func(b *testing.B) {
			s, url := start(b, lm.ServerOptions{})
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
			defer client.CloseIdleConnections()
			measure(b, func() {
				s.Remove("m")
				if err := s.Add("m", load(b, "expert-atlas")); err != nil {
					b.Fatal(err)
				}
				inFlight(all, func(q question) { ask(b, client, url, forms[name](q)) })
			})
		})
	}
}

func ask(b *testing.B, client *http.Client, url string, body any) {
	data, err := json.Marshal(body)
	if err != nil {
		b.Error(err)
		return
	}
	resp, err := client.Post(url+"/v1/completions", "application/json", bytes.NewReader(data))
	if err != nil {
		b.Error(err)
		return
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil || resp.StatusCode != http.StatusOK {
		b.Errorf("%s %v", resp.Status, err)
	}
}

// inFlight asks all questions, 64 at a time.
func inFlight(all []question, ask func(q question)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range 64 {
		wg.Go(func() {
			for n := next.Add(1) - 1; int(n) < len(all); n = next.Add(1) - 1 {
				ask(all[n])
			}
		})
	}
	wg.Wait()
}

// measure reports processor time beside the wall clock: other work on the
// machine does not change it.
func measure(b *testing.B, round func()) {
	before := processorTime(b)
	for b.Loop() {
		round()
	}
	b.ReportMetric((processorTime(b)-before)*1e3/float64(b.N), "cpu-ms/op")
}

// processorTime is that of the whole process so far, in seconds.
func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
