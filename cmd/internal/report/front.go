package report

import (
	"fmt"
	"slices"
	"strings"

	"mergesearch"
)

// Front is the candidates of which none is better than another in every objective.
type Front struct {
	Objectives        []string      `json:"objectives"`
	BestParents       []string      `json:"best_parents"` // of the objectives of tasks: whom the gains are over
	Reference         []float64     `json:"reference"`    // of the hypervolumes
	Hypervolume       float64       `json:"hypervolume"`  // on held-out items
	ParentHypervolume float64       `json:"parent_hypervolume"`
	Members           []FrontMember `json:"members"`
}

// FrontMember is a candidate of the front.
type FrontMember struct {
	Candidate  mergesearch.CandidateID `json:"candidate"`
	RecipeID   mergesearch.RecipeID    `json:"recipe_id"`
	Recipe     string                  `json:"recipe"`
	Fitness    float64                 `json:"fitness"` // on held-out items: the weighted mean
	Objectives []Objective             `json:"objectives"`
	Heldout    Score                   `json:"heldout"`
}

// Objective is what a member is worth in one objective, higher is better.
type Objective struct {
	Name   string      `json:"name"`
	Value  float64     `json:"value"` // on held-out items
	StdErr float64     `json:"stderr"`
	Chosen float64     `json:"chosen"`         // on search and validation items, by which it was chosen
	Gain   *Comparison `json:"gain,omitempty"` // over the best parent of the objective
}

// Kept is what became of a constraint: the winner on held-out items.
type Kept struct {
	Task      string  `json:"task"`
	Keep      float64 `json:"keep"`
	Parent    string  `json:"parent"`
	Value     float64 `json:"value"`
	Reference float64 `json:"reference"`
	Holds     bool    `json:"holds"`
}

func kept(all []mergesearch.Kept) []Kept {
	var out []Kept
	for _, k := range all {
		out = append(out, Kept{Task: k.Task, Keep: k.Keep, Parent: k.Parent, Value: k.Value, Reference: k.Reference, Holds: k.Holds()})
	}
	return out
}

func front(f *mergesearch.Front, format func(mergesearch.Recipe) string) *Front {
	if f == nil {
		return nil
	}
	d := &Front{
		Objectives: f.Objectives, BestParents: f.BestParents, Reference: f.Reference,
		Hypervolume: f.Hypervolume, ParentHypervolume: f.ParentHypervolume,
	}
	for _, m := range f.Members {
		doc := FrontMember{Candidate: m.Candidate, RecipeID: m.RecipeID, Recipe: format(m.Recipe), Fitness: m.HeldOut.Fitness, Heldout: ScoreOf(m.HeldOut)}
		for i, x := range m.Measures {
			o := Objective{Name: x.Name, Value: x.Value, StdErr: x.StdErr, Chosen: m.Chosen[i].Value}
			if i < len(m.Gains) {
				c := Comparison(m.Gains[i])
				o.Gain = &c
			}
			doc.Objectives = append(doc.Objectives, o)
		}
		d.Members = append(d.Members, doc)
	}
	return d
}

// frontText writes a row for each member of the front: its value in each objective
// and the gain over the best parent there, in points.
func frontText(b *strings.Builder, s Summary) {
	f := s.Result.Front
	if f == nil {
		return
	}
	fmt.Fprintf(b, "\nfront of %d, hypervolume %.3f (parents %.3f)\n", len(f.Members), f.Hypervolume, f.ParentHypervolume)
	header := fmt.Sprintf("%-14s", "")
	for _, name := range f.Objectives {
		header += fmt.Sprintf("  %-22s", clip(name, 22))
	}
	b.WriteString(strings.TrimRight(header, " ") + "\n")
	for _, m := range f.Members {
		label := string(m.Candidate)
		if m.Candidate == s.Result.Best.Candidate {
			label += " winner"
		}
		line := fmt.Sprintf("%-14s", label)
		for i, x := range m.Measures {
			cell := fmt.Sprintf("%.4g", -x.Value) // a cost
			if i < len(m.Gains) {
				cell = fmt.Sprintf("%.3f ± %.3f %+5.1f%s", x.Value, x.StdErr, 100*m.Gains[i].Gain, mark(m.Gains[i]))
			}
			line += fmt.Sprintf("  %-22s", cell)
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	fmt.Fprintf(b, "gains in points over %s; *: the interval leaves out zero\nexport any of them: mergesearch export %s %s OUT\n",
		plainList(f.BestParents), Plain(s.Dir), f.Members[0].Candidate)
}

// mark stars a gain whose interval leaves out zero.
func mark(c mergesearch.Comparison) string {
	if c.CILow > 0 || c.CIHigh < 0 {
		return "*"
	}
	return ""
}

// plainList joins the different ones of some names.
func plainList(names []string) string {
	var out []string
	for _, n := range names {
		if n = Plain(n); !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return strings.Join(out, ", ")
}

// keptText writes a line for each constraint.
func keptText(b *strings.Builder, all []mergesearch.Kept) {
	for _, k := range all {
		says := "violated"
		if k.Holds() {
			says = "kept"
		}
		fmt.Fprintf(b, "         constraint %s: %s has %.3f, %s %.3f, asked for %.0f %% of it\n", says, Plain(k.Task), k.Value, Plain(k.Parent), k.Reference, 100*k.Keep)
	}
}
