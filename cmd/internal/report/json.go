package report

import (
	"encoding/json"
	"io"

	"mergesearch"
)

// Document is the JSON of run and show.
type Document struct {
	Run         mergesearch.RunID `json:"run"`
	Dir         string            `json:"dir"`
	Status      string            `json:"status"`
	Seed        uint64            `json:"seed"`
	Evaluations int               `json:"evaluations"`
	Candidates  int               `json:"candidates"`
	ItemAnswers int               `json:"item_answers"`
	Tokens      int               `json:"tokens,omitempty"`
	Requests    int64             `json:"requests,omitempty"`
	Rungs       []Rung            `json:"rungs"`

	Best      *Finalist  `json:"best"` // null until there is a verdict, like what follows
	Parents   []Finalist `json:"parents"`
	Baselines []Finalist `json:"baselines"`
	Verdict   *Verdict   `json:"verdict"`

	Constraints []Kept `json:"constraints,omitempty"`
	Front       *Front `json:"front,omitempty"` // of a run with several objectives

	Shortlist      []Shortlisted  `json:"shortlist"` // what the winner was chosen from, the winner first
	FailedParents  []FailedParent `json:"failed_parents,omitempty"`
	HeldoutPeeks   int            `json:"heldout_peeks"`
	StopReason     string         `json:"stop_reason"`
	PopulationHash string         `json:"population_hash"`
	Failures       map[string]int `json:"failures"`
	Faults         map[string]int `json:"faults"`
	Drift          *Drift         `json:"drift,omitempty"` // null where nothing was asked again
	BestDir        string         `json:"best_dir,omitempty"`
	Planned        *Planned       `json:"planned,omitempty"`
	Seconds        float64        `json:"seconds,omitempty"`
}

// Rung says how many trials of the search answered so many items.
type Rung struct {
	Items   int `json:"items"`
	Reached int `json:"reached"`
}

// Finalist is a model that answered held-out items.
type Finalist struct {
	Name        string                  `json:"name"`
	Candidate   mergesearch.CandidateID `json:"candidate"`
	RecipeID    mergesearch.RecipeID    `json:"recipe_id"`
	Recipe      string                  `json:"recipe"`  // mergekit YAML
	Fitness     float64                 `json:"fitness"` // on search items
	SearchScore Score                   `json:"search_score"`
	Heldout     Score                   `json:"heldout"`

	// Ahead is the winner's gain over this model, for parents and baselines.
	Ahead *Comparison `json:"winner_gain,omitempty"`

	// Optimism is the search score minus the held-out score: selection and luck.
	Optimism float64 `json:"optimism"`
}

// Shortlisted is a model that answered validation items.
type Shortlisted struct {
	Name       string                  `json:"name,omitempty"` // of a baseline, or "recommendation"
	Candidate  mergesearch.CandidateID `json:"candidate"`
	RecipeID   mergesearch.RecipeID    `json:"recipe_id"`
	Search     Score                   `json:"search_score"`
	Validation Score                   `json:"validation"`
	BestShare  float64                 `json:"best_share"` // of resamples of validation items in which it is the best
}

// Score is a fitness with its parts.
type Score struct {
	Fitness float64     `json:"fitness"`
	StdErr  float64     `json:"stderr"`
	Items   int         `json:"items"`
	Tasks   []TaskScore `json:"tasks,omitempty"`

	Cost      float64 `json:"cost,omitempty"`      // deducted from the fitness
	Violation float64 `json:"violation,omitempty"` // of the constraints; such a score comes after all without
}

// TaskScore is the score of one task.
type TaskScore struct {
	Task      string  `json:"task"`
	Value     float64 `json:"value"`
	StdErr    float64 `json:"stderr"`
	Items     int     `json:"items"`
	Truncated int     `json:"truncated"`
	Empty     int     `json:"empty"`
	Missing   int     `json:"missing"`
}

// Comparison is a paired comparison.
type Comparison struct {
	Gain   float64 `json:"gain"`
	CILow  float64 `json:"ci_low"`
	CIHigh float64 `json:"ci_high"`
	PValue float64 `json:"p_value"`
	Items  int     `json:"items"`
}

// Verdict is the winner against the best parent, and against the best of the usual
// recipes.
type Verdict struct {
	BeatsBestParent bool   `json:"beats_best_parent"`
	BestParent      string `json:"best_parent"`
	Comparison
	ItemsForHalf int `json:"items_for_half_width"` // held-out items that would halve the interval

	BestBaseline *AgainstBaseline `json:"best_baseline"` // null when there is none
}

// AgainstBaseline is the winner against the baseline that was best on search items.
type AgainstBaseline struct {
	Name  string `json:"name"`
	Beats bool   `json:"beats"`
	Comparison
}

// JSON writes the summary as one document. The format function writes a recipe
// as mergekit YAML.
func JSON(w io.Writer, s Summary, format func(mergesearch.Recipe) string) error {
	d := Document{
		Run: s.Run, Dir: s.Dir, Status: s.Status, Seed: s.Seed, Evaluations: s.Evaluations,
		Candidates: s.Candidates, ItemAnswers: s.ItemAnswers, Tokens: s.Tokens, Requests: s.Requests,
		Rungs: []Rung{}, Parents: []Finalist{}, Baselines: []Finalist{}, Shortlist: []Shortlisted{},
		FailedParents: s.FailedParents, HeldoutPeeks: s.HeldoutPeeks, StopReason: s.StopReason, PopulationHash: s.PopulationHash,
		Failures: s.Failures, Faults: s.Faults, Planned: s.Planned, BestDir: s.BestDir, Seconds: s.Elapsed.Seconds(),
	}
	if s.Drift.Checks > 0 {
		d.Drift = &s.Drift
	}
	for i, n := range s.Reached {
		if i < len(s.RungItems) && s.RungItems[i] > 0 {
			d.Rungs = append(d.Rungs, Rung{Items: s.RungItems[i], Reached: n})
		}
	}
	if r := s.Result; r != nil {
		best := finalist(r.Best, format)
		d.Best = &best
		d.Parents = compared(r.Parents, r.AgainstParents, format)
		d.Baselines = compared(r.Baselines, r.AgainstBaselines, format)
		for _, x := range r.Shortlist {
			d.Shortlist = append(d.Shortlist, Shortlisted{x.Name, x.Candidate, x.RecipeID, ScoreOf(x.Search), ScoreOf(x.Validation), x.BestShare})
		}
		d.Verdict = &Verdict{
			BeatsBestParent: r.Verdict.BeatsBestParent, BestParent: r.BestParent, Comparison: Comparison(r.Verdict.Comparison),
			ItemsForHalf: r.Verdict.ItemsForHalf(),
		}
		if c, ok := r.AgainstBestBaseline(); ok {
			d.Verdict.BestBaseline = &AgainstBaseline{Name: r.BestBaseline, Beats: c.Ahead(), Comparison: Comparison(c)}
		}
		d.Constraints, d.Front = kept(r.Kept), front(r.Front, format)
	}
	return Write(w, d)
}

// Write writes any document as indented JSON with a final newline.
func Write(w io.Writer, document any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(document)
}

// compared pairs models with the winner's gains over them.
func compared(models []mergesearch.Finalist, gains []mergesearch.Comparison, format func(mergesearch.Recipe) string) []Finalist {
	out := []Finalist{}
	for i, f := range models {
		doc := finalist(f, format)
		if i < len(gains) { // stores of earlier versions have none for parents
			c := Comparison(gains[i])
			doc.Ahead = &c
		}
		out = append(out, doc)
	}
	return out
}

func finalist(f mergesearch.Finalist, format func(mergesearch.Recipe) string) Finalist {
	return Finalist{
		Name: f.Name, Candidate: f.Candidate, RecipeID: f.RecipeID, Recipe: format(f.Recipe),
		Fitness: f.Search.Fitness, SearchScore: ScoreOf(f.Search), Heldout: ScoreOf(f.HeldOut), Optimism: f.Optimism(),
	}
}

// ScoreOf returns the document of a score.
func ScoreOf(s mergesearch.Score) Score {
	d := Score{Fitness: s.Fitness, StdErr: s.StdErr, Items: s.Items, Cost: s.Cost, Violation: s.Violation}
	for _, t := range s.Tasks {
		d.Tasks = append(d.Tasks, TaskScore(t))
	}
	return d
}
