package search

import "mergesearch"

// StopReason says why a search ended and the verdict began.
type StopReason string

// The reasons. A run that stopped for time, disk or tokens is not what its run file
// planned.
const (
	StopFinished    StopReason = "finished"     // the algorithm had no more to ask
	StopCandidates  StopReason = "candidates"   // Budget.Candidates
	StopItemAnswers StopReason = "item_answers" // Budget.ItemAnswers
	StopTokens      StopReason = "tokens"       // Budget.Tokens
	StopTime        StopReason = "time"         // Budget.Time
	StopDisk        StopReason = "disk"         // Options.Full
	StopExhausted   StopReason = "exhausted"    // three cohorts in a row brought no new recipe
)

// Report is the outcome of a run and what it took.
type Report struct {
	mergesearch.Result

	Stop        StopReason
	Evaluations int // trials that ended scored, eliminated or failed, parents and baselines included
	Candidates  int // those of them that the algorithm proposed

	// ItemAnswers counts the distinct answers that the run rests on, by split,
	// whichever process of it asked for them.
	ItemAnswers map[mergesearch.Split]int
	Missing     int // answers among them without a usable outcome
	Tokens      int // of prompts and completions, of the answers to search items

	Reached  []int          // candidates of the search that answered rung i or more
	Failures map[string]int // failed trials by reason code
}

// Phase is a part of a run.
type Phase string

// The phases in order.
const (
	PhaseParents        Phase = "parents"
	PhaseBaselines      Phase = "baselines"
	PhaseSearch         Phase = "search"
	PhaseRecommendation Phase = "recommendation"
	PhaseValidation     Phase = "validation"
	PhaseHeldOut        Phase = "held-out"
)

// Progress is how a run stands.
type Progress struct {
	Phase       Phase
	Generation  int
	Batch       int // candidates of the present rung that are done ...
	BatchTotal  int // ... of this many that had something to do
	Candidates  int // of the search, decided
	ItemAnswers int // to search items
	Tokens      int // of these
	Budget      Budget
	Reached     []int
	Failed      int

	Best       Standing // best trial on all search items, parents left out; zero while there is none
	BestParent Standing // on all search items
}

// Standing names a trial and its score.
type Standing struct {
	Candidate mergesearch.CandidateID
	Name      string // of a parent or baseline
	Score     mergesearch.Score
}
