package plan

import (
	"math"

	"mergesearch"
)

// Estimate is what a run will take.
type Estimate struct {
	Work
	Answered int `json:"answers"` // of all splits

	PromptTokens     float64 `json:"prompt_tokens,omitempty"` // 0: unknown
	CompletionTokens float64 `json:"completion_tokens,omitempty"`

	SecondsP50 float64 `json:"seconds_p50,omitempty"`
	SecondsP90 float64 `json:"seconds_p90,omitempty"`

	DiskBytes   int64 `json:"disk_bytes"`             // that the run leaves behind
	PeakBytes   int64 `json:"disk_peak_bytes"`        // while it runs
	MemoryBytes int64 `json:"memory_bytes,omitempty"` // of the process at the peak, shared pages included

	Cost float64 `json:"cost,omitempty"` // 0: no price
}

// Price is what tokens and hours cost.
type Price struct{ Input, Output, Hour float64 } // of a million tokens, of a million tokens, of an hour

// drift is the standard deviation of a machine's speed from one quarter of an hour to
// the next, as a share; docs/log/plan.md has what was seen.
const drift = 0.08

// New puts work and costs together; costs may be nil.
func New(w Work, c *Costs) Estimate {
	e := Estimate{Work: w, Answered: w.Answers()}
	if c == nil {
		return e
	}
	for task, n := range w.ByTask {
		e.PromptTokens += float64(n) * c.Tokens[task].Prompt
		e.CompletionTokens += float64(n) * c.Tokens[task].Completion
	}
	e.MemoryBytes = c.MemoryBytes
	if c.Token == 0 && c.Call == 0 {
		return e
	}
	working := float64(w.Builds)*c.Build.Mean + float64(w.Calls)*c.Call + c.Token*(e.PromptTokens+e.CompletionTokens)
	e.SecondsP50 = c.Start + float64(w.Trials)*c.Record + working/c.overlap() + w.LoopSeconds
	e.SecondsP90 = e.SecondsP50 * (1 + 1.28*drift)
	if n := float64(c.Eval.N); n > 0 { // the mean of few samples is not sure either
		sd := (c.Eval.P90 - c.Eval.P50) / 1.28 / max(1e-9, c.Eval.Mean)
		e.SecondsP90 = e.SecondsP50 * (1 + 1.28*math.Hypot(drift, min(1, sd)/math.Sqrt(n)))
	}
	return e
}

// Priced adds what it costs.
func (e *Estimate) Priced(p Price) {
	e.Cost = (e.PromptTokens*p.Input+e.CompletionTokens*p.Output)/1e6 + e.SecondsP50/3600*p.Hour
}

// Bytes that a store takes, as seen in runs of the quickstart (docs/log/plan.md).
const (
	emptyRecords  = 150 << 10
	itemRecords   = 95
	trialRecords  = 1600 // and what each gene takes, in genome and recipe
	geneRecords   = 98
	answerRecords = 25
	textRecords   = 4 // a token of a completion beyond the first few
	shortText     = 8
	logBytes      = 4 << 20 // the write-ahead log before it is folded in
)

// Store is what the records of a run are of.
type Store struct{ Genes, Items int }

// Disk fills in what the disk must hold: the records, the winner, and what servers are
// handed.
func (e *Estimate) Disk(s Store, winner, handed int64) {
	records := int64(emptyRecords + s.Items*itemRecords + e.Trials*(trialRecords+geneRecords*s.Genes) + e.Answered*answerRecords)
	e.DiskBytes = records + int64(max(0, e.CompletionTokens-shortText*float64(e.Answered))*textRecords) + winner
	e.PeakBytes = e.DiskBytes + logBytes + handed
}

// Grow adds to a process's memory, measured when the parents had answered, what a
// search adds: candidates held between two rungs, and answers, twice for the garbage
// that lies about.
func (e *Estimate) Grow(held int64) {
	if e.MemoryBytes > 0 {
		e.MemoryBytes += held + 2*answerMemory*int64(e.Answered)
	}
}

// answerMemory is what an answer takes in the loop's ledger.
const answerMemory = 300

// Attrs are what a run records of its plan. What is unknown is left out.
func (e Estimate) Attrs(source string) map[string]any {
	out := map[string]any{
		"source": source, "candidates": e.Candidates, "answers": e.Answered, "disk_bytes": e.DiskBytes, "disk_peak_bytes": e.PeakBytes,
	}
	if t := e.PromptTokens + e.CompletionTokens; t > 0 {
		out["tokens"] = int(math.Round(t))
	}
	if e.SecondsP50 > 0 {
		out["seconds_p50"], out["seconds_p90"] = e.SecondsP50, e.SecondsP90
	}
	if e.MemoryBytes > 0 {
		out["memory_bytes"] = e.MemoryBytes
	}
	return out
}

// Detectable returns the smallest true gain that a comparison of two models on the
// same items shows with a probability of 80 %: an interval of 95 % whose lower end is
// above zero. Items says how many each task has, weights how much it counts, and
// discordance is the share of items that the two answer differently: the difference on
// an item is then -1, 0 or 1, with a variance of at most the discordance.
func Detectable(items map[string]int, tasks []mergesearch.TaskWeight, discordance float64) float64 {
	var variance, total float64
	for _, t := range tasks {
		n := float64(items[t.Task])
		if n == 0 {
			return 1
		}
		variance += t.Weight * t.Weight * discordance / n
		total += t.Weight
	}
	if total == 0 {
		return 1
	}
	return min(1, (1.960+0.842)*math.Sqrt(variance)/total)
}
