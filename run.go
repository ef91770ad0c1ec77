package mergesearch

// RunID names a run: the name in its run file and its seed, "quickstart-s1".
type RunID string

// Verdict is what a run claims in the end: the winner against the best parent,
// compared in pairs on held-out items that the search never saw.
type Verdict struct {
	BeatsBestParent bool // the whole interval of the gain is above zero
	Comparison
}

// Finalist is a model that was scored on held-out items.
type Finalist struct {
	Name      string // "winner", a parent's or a baseline's name
	Candidate CandidateID
	RecipeID  RecipeID
	Recipe    Recipe
	Search    Score // on all search items
	HeldOut   Score
}

// Result is the outcome of a finished run.
type Result struct {
	Best       Finalist
	Parents    []Finalist
	BestParent string
	Baselines  []Finalist
	Verdict    Verdict

	// AgainstBaselines holds the paired comparison of the winner with each
	// baseline, in the order of Baselines.
	AgainstBaselines []Comparison

	Kept  []Kept `json:",omitempty"` // the constraints, each with the parent that it referred to
	Front *Front `json:",omitempty"` // of a run with several objectives
}
