package main

import (
	"fmt"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/store"
)

// lineageLimit bounds the steps of descent in a model card.
const lineageLimit = 12

// sections says in a model card how good a candidate is, how that is known, and where
// it comes from.
func sections(e store.Evidence, t store.Trial) []merge.Section {
	out := []merge.Section{evaluation(e, t), descent(e, t)}
	data := merge.Section{Title: "Data", Header: []string{"file", "SHA-256"}, Text: []string{
		fmt.Sprintf("Run %s, seed %d, mergesearch %s, population hash %s.", e.Run.Run, e.Run.Seed, e.Run.Version, mergesearch.PopulationHash(e.Records())),
	}}
	for _, d := range e.Run.Data {
		data.Rows = append(data.Rows, []string{d.Name, d.SHA256})
	}
	for _, m := range e.Run.Models {
		data.Rows = append(data.Rows, []string{"model " + m.Name + " (digest)", m.Digest})
	}
	return append(out, data)
}

// evaluation has the held-out scores of the winner beside those of the parents, or what
// a candidate that is not the winner scored on search items. It says nothing of other
// runs, so that equal runs write equal cards; reports do.
func evaluation(e store.Evidence, t store.Trial) merge.Section {
	s := merge.Section{Title: "Evaluation"}
	if e.Ending == nil || e.Ending.Result.Best.RecipeID != t.RecipeID {
		if _, ok := t.Member(); !ok {
			s.Text = []string{"This candidate has no score."}
			return s
		}
		s.Text = []string{fmt.Sprintf("Candidate %s of the search, not its winner: fitness %.3f ± %.3f on %d items that the search was steered by, so it is likely to be worse on others.",
			t.ID(), t.Score.Fitness, t.Score.StdErr, t.Score.Items)}
		return s
	}
	r := e.Ending.Result
	v := r.Verdict
	says := "is not shown to beat"
	if v.BeatsBestParent {
		says = "beats"
	}
	s.Text = []string{fmt.Sprintf("It %s the best parent, %s: %+.1f points (95 %% interval %+.1f to %+.1f, p = %.4f) on %d held-out items, answered in pairs, that nothing was chosen by.",
		says, r.BestParent, 100*v.Gain, 100*v.CILow, 100*v.CIHigh, v.PValue, v.Items)}
	s.Header = []string{"on held-out items", "fitness", "± error"}
	for _, task := range r.Best.HeldOut.Tasks {
		s.Header = append(s.Header, task.Task)
	}
	for _, f := range append([]mergesearch.Finalist{r.Best}, r.Parents...) {
		name := f.Name
		if f.Name == "winner" {
			name = "this model"
		}
		row := []string{name, fmt.Sprintf("%.3f", f.HeldOut.Fitness), fmt.Sprintf("%.3f", f.HeldOut.StdErr)}
		for _, task := range f.HeldOut.Tasks {
			row = append(row, fmt.Sprintf("%.3f ± %.3f", task.Value, task.StdErr))
		}
		s.Rows = append(s.Rows, row)
	}
	return s
}

// descent follows the parent with the largest share back to where it began.
func descent(e store.Evidence, t store.Trial) merge.Section {
	s := merge.Section{Title: "Lineage", Header: []string{"candidate", "made by", "from", "fitness on search items"}}
	for range lineageLimit {
		from, fitness := "", "none"
		for i, p := range t.Individual.Parents {
			if i > 0 {
				from += " and "
			}
			from += string(p)
		}
		if _, ok := t.Member(); ok {
			fitness = fmt.Sprintf("%.3f ± %.3f on %d", t.Score.Fitness, t.Score.StdErr, t.Score.Items)
		}
		made := t.Individual.Operator
		if t.Name != "" {
			made += " " + t.Name
		}
		s.Rows = append(s.Rows, []string{string(t.ID()), made, from, fitness})
		if len(t.Individual.Parents) == 0 {
			return s
		}
		next, ok := trialOf(e, t.Individual.Parents[0])
		if !ok {
			return s
		}
		t = next
	}
	s.Text = []string{fmt.Sprintf("The last %d steps along the parent with the largest share.", lineageLimit)}
	return s
}
