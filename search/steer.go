package search

import (
	"fmt"

	"mergesearch"
)

// chooseReferences settles which parent each constraint refers to, once for the
// run: the named one, or the one that is best at the task on all search items.
func (l *loop) chooseReferences() error {
	items := l.rungs[len(l.rungs)-1]
	for i, c := range l.Benchmark.Constraints {
		var best *attempt
		most := -1.0
		for _, a := range l.parents {
			if a.answers.failed(items) || c.Parent != "" && c.Parent != a.trial.Name {
				continue
			}
			s, err := l.Benchmark.Score(a.answers.on(items), a.answers.fingerprint)
			if err != nil {
				return err
			}
			for _, t := range s.Tasks {
				if t.Task == c.Task && t.Value > most {
					best, most = a, t.Value
				}
			}
		}
		if best == nil && c.Parent != "" {
			return &mergesearch.InputError{
				Field: fmt.Sprintf("constraints[%d].parent", i), Problem: c.Parent + " cannot be scored, so there is nothing to keep",
				Hint: "name another parent, or none for the one that is best at the task",
			}
		}
		if best == nil {
			return nil // no parent can be scored: the caller says so
		}
		l.keepers = append(l.keepers, best)
	}
	return nil
}

// referencesOn returns the scores of the constraints' parents on the items; of one
// that cannot answer them all, that on all search items stands in.
func (l *loop) referencesOn(items []mergesearch.ItemID) ([]mergesearch.Score, error) {
	var out []mergesearch.Score
	for _, a := range l.keepers {
		if len(a.answers.missing(items)) > 0 {
			out = append(out, a.trial.Score)
			continue
		}
		s, err := l.Benchmark.Score(a.answers.on(items), a.answers.fingerprint)
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// steer scores an attempt on items that it answered, with costs and constraints.
// The references are those of the same items.
func (l *loop) steer(a *attempt, items []mergesearch.ItemID, references []mergesearch.Score) (mergesearch.Score, error) {
	s, err := l.Benchmark.Score(a.answers.on(items), a.answers.fingerprint)
	if err != nil || len(l.Benchmark.Constraints)+len(l.Benchmark.Costs) == 0 {
		return s, err
	}
	return l.Benchmark.Steer(s, a.trial.Recipe.Depth(l.Layers), references), nil
}
