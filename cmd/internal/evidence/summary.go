package evidence

import (
	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

// Summary returns what there is to say about a run. The status of a run without a
// result is "interrupted": whether a process is at it is not in the evidence.
func Summary(e store.Evidence, dir string) report.Summary {
	s := report.Summary{
		Run: e.Run.Run, Dir: dir, Seed: e.Run.Seed, Status: "interrupted", StopReason: "not finished",
		Failures: map[string]int{}, Faults: map[string]int{}, PopulationHash: mergesearch.PopulationHash(e.Records()),
	}
	for _, a := range e.Answers {
		s.ItemAnswers += len(a.Outcomes)
		for _, o := range a.Outcomes {
			s.Tokens += o.Tokens()
			if o.Missing {
				s.Missing++
			}
		}
	}
	Describe(&s, e.Trials)
	if x := e.Ending; x != nil {
		s.Status, s.StopReason, s.HeldoutPeeks, s.Result = x.Status, x.StopReason, x.HeldOutPeeks, &x.Result
		if x.Faults > 0 {
			s.Faults["retried_requests"] = x.Faults
		}
	}
	return s
}

// Describe counts the trials of the search by rung and follows the best of those that
// answered all search items.
func Describe(s *report.Summary, trials []store.Trial) {
	best := 0.0
	for _, t := range trials {
		if t.State == mergesearch.Failed {
			s.Failures[t.Reason.Code]++
			if t.Individual.Operator == "parent" {
				s.FailedParents = append(s.FailedParents, report.FailedParent{Name: t.Name, Reason: t.Reason.Code, Text: t.Reason.Text})
			}
		}
		_, scored := t.Member()
		if scored || t.State == mergesearch.Failed {
			s.Evaluations++
		}
		if t.Name != "" {
			continue // a parent or baseline
		}
		if !scored {
			if t.State == mergesearch.Failed {
				s.Candidates++
			}
			continue
		}
		s.Candidates++
		for len(s.Reached) <= t.Rung {
			s.Reached = append(s.Reached, 0)
			s.RungItems = append(s.RungItems, 0)
		}
		for rung := range t.Rung + 1 {
			s.Reached[rung]++
		}
		s.RungItems[t.Rung] = max(s.RungItems[t.Rung], t.Score.Items)
		if t.State == mergesearch.Scored && t.Score.Merit() > best {
			best = t.Score.Fitness
			s.Curve = append(s.Curve, report.Point{Trial: s.Candidates - 1, Fitness: best})
		}
	}
}
