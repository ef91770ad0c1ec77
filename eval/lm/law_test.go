package lm_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"mergesearch/eval/lm"
	"mergesearch/eval/lm/kernel"
)

// TestLaw: what a request is answered does not depend on anything but itself.
// Each variant answers the same requests in another way; all must give the bits
// of the first, which answers one by one, without reuse, on one thread.
func TestLaw(t *testing.T) {
	models := map[string]*lm.Model{"family": family(t, "expert-reverse")}
	for _, dir := range goldenDirs(t)[:3] {
		models[dir] = loadGolden(t, dir)
	}
	variants := []struct {
		name     string
		options  lm.Options
		together bool // in one call
	}{
		{"one by one, with reuse", lm.Options{Threads: 1}, false},
		{"together", lm.Options{Threads: 1, NoPrefixReuse: true}, true},
		{"together, with reuse", lm.Options{Threads: 1}, true},
		{"three rows a pass", lm.Options{Threads: 1, Rows: 3}, true},
		{"one row a pass, no reuse", lm.Options{Threads: 1, Rows: 1, NoPrefixReuse: true}, true},
		{"four threads", lm.Options{Threads: 4, Rows: 20}, false},
		{"a cache for one sequence", lm.Options{Threads: 2, Rows: 33, CacheBytes: 1}, false},
	}
	for name, m := range models {
		t.Run(name, func(t *testing.T) {
			requests := randomRequests(m, 40)
			alone := serve(t, m, lm.Options{Threads: 1, NoPrefixReuse: true})
			want := make([]lm.Response, len(requests))
			for i, r := range requests {
				want[i] = do(t, alone, r)[0]
			}
			for _, v := range variants {
				t.Run(v.name, func(t *testing.T) {
					i := serve(t, m, v.options)
					for round := range 2 { // the second finds the cache of the first
						check(t, want, answerAll(t, i, requests, uint64(round), v.together))
					}
				})
			}
			for _, level := range kernel.Levels() {
				if name == "family" && level == kernel.Portable {
					continue // fused multiply-adds in software are slow; the small models cover it
				}
				t.Run(level.String(), func(t *testing.T) {
					defer kernel.SetLevel(kernel.SetLevel(level))
					check(t, want, answerAll(t, serve(t, m, lm.Options{Threads: 2}), requests, 7, true))
				})
			}
		})
	}
}

// randomRequests returns requests of all kinds, many with a beginning in common.
func randomRequests(m *lm.Model, n int) []lm.Request {
	r := rand.New(rand.NewPCG(11, 12))
	token := func() int32 { return int32(4 + r.IntN(m.Vocab()-4)) }
	var prompts [][]int32
	requests := make([]lm.Request, n)
	for i := range requests {
		prompt := []int32{1}
		if len(prompts) > 0 && r.IntN(4) > 0 {
			before := prompts[r.IntN(len(prompts))]
			prompt = slices.Clone(before[:1+r.IntN(len(before))])
		}
		for range r.IntN(20) {
			prompt = append(prompt, token())
		}
		prompts = append(prompts, prompt)
		requests[i] = lm.Request{
			Prompt: prompt, MaxTokens: r.IntN(3) * r.IntN(10), LogProbs: r.IntN(2) == 0, PromptLogProbs: r.IntN(2) == 0,
			Top: r.IntN(4), IgnoreEOS: r.IntN(2) == 0,
		}
		if r.IntN(3) == 0 {
			requests[i].Temperature, requests[i].TopP, requests[i].Seed = 0.8, 0.9, r.Uint64()
		}
		if r.IntN(3) == 0 {
			requests[i].Stop = []string{"a", "xyz"}
		}
	}
	return requests
}

// answerAll answers in a random order and returns the answers in that of the requests.
func answerAll(t *testing.T, i *lm.Instance, requests []lm.Request, seed uint64, together bool) []lm.Response {
	t.Helper()
	order := rand.New(rand.NewPCG(seed, 5)).Perm(len(requests))
	answers := make([]lm.Response, len(requests))
	if together {
		shuffled := make([]lm.Request, len(requests))
		for k, at := range order {
			shuffled[k] = requests[at]
		}
		for k, a := range do(t, i, shuffled...) {
			answers[order[k]] = a
		}
		return answers
	}
	var wg sync.WaitGroup
	for _, at := range order {
		wg.Go(func() {
			a, err := i.Do(context.Background(), requests[at:at+1])
			if err != nil {
				t.Error(err)
				return
			}
			answers[at] = a[0]
		})
	}
	wg.Wait()
	return answers
}

// check compares every bit.
func check(t *testing.T, want, got []lm.Response) {
	t.Helper()
	for i := range want {
		if w, g := spell(want[i]), spell(got[i]); w != g {
			t.Fatalf("request %d:\ngot  %s\nwant %s", i, g, w)
		}
	}
}

// spell writes a response with all its bits.
func spell(r lm.Response) string {
	s := fmt.Sprintf("%v %q %s %q", r.Tokens, r.Text, r.Finish, r.StopString)
	for _, list := range [][]lm.TokenLogProb{r.Prompt, r.Generated} {
		s += " |"
		for _, t := range list {
			s += fmt.Sprintf(" %d:%016x", t.Token, math.Float64bits(t.LogProb))
			for _, a := range t.Top {
				s += fmt.Sprintf(",%d:%016x", a.Token, math.Float64bits(a.LogProb))
			}
		}
	}
	return s
}
