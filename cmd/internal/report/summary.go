package report

import (
	"strings"
	"time"
	"unicode"

	"mergesearch"
)

// Summary is what there is to say about a run.
type Summary struct {
	Run    mergesearch.RunID
	Dir    string
	Status string // "done", "running", "interrupted" or "stopped"
	Seed   uint64

	Evaluations int            // trials that ended scored, eliminated or failed, with parents and baselines
	Candidates  int            // those of them that the algorithm proposed
	ItemAnswers int            // answers asked of the endpoint, all splits
	Missing     int            // of them, without a usable outcome
	Tokens      int            // that they took, prompts and completions
	Requests    int64          // requests that the endpoint counted for this process; 0 when it does not say
	Elapsed     time.Duration  // of this process; 0 when unknown
	Reached     []int          // candidates that answered each rung
	RungItems   []int          // items of each rung, all tasks together; 0: no score of it is known
	Failures    map[string]int // trials by reason code

	FailedParents []FailedParent // they take no part in the verdict
	StopReason    string

	// Result is nil until the run has a verdict.
	Result *mergesearch.Result

	// Curve holds the best search fitness so far at each candidate that
	// improved it on all search items, in ask order.
	Curve []Point

	HeldoutPeeks   int // earlier openings of the same held-out items by other runs
	PopulationHash string
	Faults         map[string]int // infrastructure faults by kind, all retried
	Drift          Drift          // of a server outside this process
	Planned        *Planned       // nil: no plan was recorded
	BestDir        string         // directory of the winning checkpoint; empty when not written
}

// Drift says how often the best parent was asked some items again, and what came of it.
type Drift struct {
	Checks  int `json:"checks"`
	Items   int `json:"items"`   // asked again, all checks together
	Changed int `json:"changed"` // answered otherwise
	Alarms  int `json:"alarms"`  // checks with more of these than chance explains: the server changed
}

// FailedParent is a parent that could not be asked, and why.
type FailedParent struct {
	Name   string `json:"name"`
	Reason string `json:"reason"`
	Text   string `json:"text"`
}

// Point is one step of the curve.
type Point struct {
	Trial   int // how many candidates came before it
	Fitness float64
}

// Plain returns s with control characters, bidirectional marks and line breaks
// replaced by '?', so that a name or a completion cannot drive a terminal.
func Plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp) || r == unicode.ReplacementChar {
			return '?'
		}
		return r
	}, s)
}
