package lm

import (
	"cmp"
	"math"
	"math/rand/v2"
	"slices"

	"mergesearch/eval/lm/kernel"
)

// logProb is the log-probability of a token with this logit.
func logProb(logit float32, s kernel.LogitStats) float64 {
	return float64(logit) - (float64(s.Max) + math.Log(s.Sum))
}

// mostLikely appends the k tokens with the largest logits, of equals the lower id
// first.
func mostLikely(top []Alternative, logits []float32, s kernel.LogitStats, k int) []Alternative {
	if k == 1 {
		return append(top, Alternative{s.Best, logProb(s.Max, s)})
	}
	from := len(top)
	for id, l := range logits {
		at := len(top)
		for at > from && float64(l) > top[at-1].LogProb {
			at--
		}
		if at-from >= k {
			continue
		}
		if len(top)-from == k {
			top = top[:len(top)-1]
		}
		top = slices.Insert(top, at, Alternative{int32(id), float64(l)})
	}
	for i := range top[from:] {
		top[from+i].LogProb = logProb(float32(top[from+i].LogProb), s)
	}
	return top
}

// choose picks the next token of a request: draw number step.
func choose(r *Request, step int, logits []float32, s kernel.LogitStats) int32 {
	if r.Temperature == 0 {
		return s.Best
	}
	type option struct {
		id     int32
		weight float64
	}
	options := make([]option, 0, len(logits))
	total := 0.0
	for id, l := range logits {
		w := math.Exp((float64(l) - float64(s.Max)) / r.Temperature)
		if w > 0 {
			options = append(options, option{int32(id), w})
			total += w
		}
	}
	if r.TopP > 0 && r.TopP < 1 {
		slices.SortStableFunc(options, func(a, b option) int { return cmp.Compare(b.weight, a.weight) })
		kept := 0.0
		for i, o := range options {
			if kept += o.weight; kept >= r.TopP*total {
				options, total = options[:i+1], kept
				break
			}
		}
	}
	at := rand.New(rand.NewPCG(r.Seed, uint64(step))).Float64() * total
	for _, o := range options {
		if at -= o.weight; at < 0 {
			return o.id
		}
	}
	return options[len(options)-1].id
}
