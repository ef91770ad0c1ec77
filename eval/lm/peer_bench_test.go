//go:build unix

package lm_test

import (
	"context"
	"flag"
	"math"
	"sync"
	"testing"
	"time"

	"mergesearch/eval/lm"
)

var (
	peerModel   = flag.String("peer-model", "", "model directory of BenchmarkPeer")
	peerThreads = flag.Int("peer-threads", 1, "threads of BenchmarkPeer")
	peerRows    = flag.Int("peer-rows", 0, "rows of a pass of BenchmarkPeer, 0 for the default")
)

// BenchmarkPeer does what docs/peers/llama/bench.c does with libllama: prefill of
// 512 tokens in one sequence, and 128 tokens of 1 and of 16 sequences after a
// first token. It reports the best round and the sum of the chosen tokens, by
// which one sees whether both computed the same.
func BenchmarkPeer(b *testing.B) {
	if *peerModel == "" {
		b.Skip("no -peer-model")
	}
	m := loadDir(b, *peerModel)
	defer m.Close()
	var long []int32
	for i := range int32(512) {
		long = append(long, 3+i*37%250)
	}
	prefill := []lm.Request{{Prompt: long, MaxTokens: 1, IgnoreEOS: true}}
	var sixteen []lm.Request
	for i := range int32(16) {
		sixteen = append(sixteen, lm.Request{Prompt: []int32{3 + i}, MaxTokens: 128, IgnoreEOS: true})
	}
	for _, c := range []struct {
		name     string
		requests []lm.Request
		tokens   int
	}{{"prefill", prefill, 512}, {"decode-1", sixteen[:1], 128}, {"decode-16", sixteen, 16 * 128}} {
		b.Run(c.name, func(b *testing.B) {
			e := lm.NewEngine(lm.Options{Threads: *peerThreads, Rows: *peerRows, NoPrefixReuse: true})
			i := e.Serve(m)
			defer i.Close()
			wall, processor, sum := math.Inf(1), math.Inf(1), 0
			for b.Loop() {
				from, cpu := time.Now(), processorTime(b)
				sum = askAll(b, i, c.requests)
				wall = min(wall, time.Since(from).Seconds())
				processor = min(processor, processorTime(b)-cpu)
			}
			b.ReportMetric(float64(c.tokens)/wall, "tokens/s")
			b.ReportMetric(float64(c.tokens)/processor, "tokens/cpu-s")
			b.ReportMetric(float64(sum), "sum")
		})
	}
}

// askAll asks each request by itself, all at once, and adds up the chosen tokens.
func askAll(b *testing.B, i *lm.Instance, requests []lm.Request) (sum int) {
	var wg sync.WaitGroup
	answers := make([][]lm.Response, len(requests))
	for k := range requests {
		wg.Go(func() {
			var err error
			if answers[k], err = i.Do(context.Background(), requests[k:k+1]); err != nil {
				b.Error(err)
			}
		})
	}
	wg.Wait()
	for _, a := range answers {
		for _, t := range a[0].Tokens {
			sum += int(t)
		}
	}
	return sum
}
