package mergesearch

// RunID names a run: the name in its run file and its seed, "quickstart-s1".
type RunID string

// Verdict is what a run claims in the end: the winner against the best parent,
// compared in pairs on held-out items that the search never saw.
type Verdict struct {
	BeatsBestParent bool // the winner is Comparison.Ahead of each parent, so of the best, whichever that is
	Comparison           // with the parent that is taken for the best
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

// Optimism returns by how much the search score is above the held-out score: what
// selection and luck made of it (Efron 1983).
func (f Finalist) Optimism() float64 { return f.Search.Fitness - f.HeldOut.Fitness }

// Shortlisted is a model that the winner was chosen from.
type Shortlisted struct {
	Name       string // a baseline's name, "recommendation", or empty for any other candidate
	Candidate  CandidateID
	RecipeID   RecipeID
	Search     Score
	Validation Score

	// BestShare is the share of bootstrap resamples of the validation items in which
	// it is the best of the shortlist: near 1, another draw of items would have led to
	// the same choice; far below, several are as good.
	BestShare float64
}

// Result is the outcome of a finished run.
type Result struct {
	Best       Finalist
	Parents    []Finalist
	BestParent string // by search and validation items
	Baselines  []Finalist
	Verdict    Verdict

	// BestBaseline names the baseline that was best on search items; empty when there
	// is none.
	BestBaseline string

	Shortlist []Shortlisted // the winner first

	// AgainstParents holds the paired comparison of the winner with each parent, in the
	// order of Parents.
	AgainstParents []Comparison

	// AgainstBaselines holds the paired comparison of the winner with each
	// baseline, in the order of Baselines.
	AgainstBaselines []Comparison

	Kept  []Kept `json:",omitempty"` // the constraints, each with the parent that it referred to
	Front *Front `json:",omitempty"` // of a run with several objectives
}

// AgainstBestBaseline returns the comparison of the winner with BestBaseline, and
// false when there is none.
func (r Result) AgainstBestBaseline() (Comparison, bool) {
	for i, f := range r.Baselines {
		if f.Name == r.BestBaseline && i < len(r.AgainstBaselines) {
			return r.AgainstBaselines[i], true
		}
	}
	return Comparison{}, false
}
