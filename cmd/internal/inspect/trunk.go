package inspect

import (
	"context"
	"slices"

	"mergesearch"
	"mergesearch/store"
)

// Trunk is how a run came to a candidate: the candidates on one line that were better
// than all before them on it. A candidate of a long search descends from most of the
// run, so its ancestors tell nobody anything; the trunk has one or two dozen steps.
type Trunk struct {
	Of   mergesearch.CandidateID
	Line Line
	// Steps from the first to the candidate itself, which is the last also when it is
	// not better than the one before.
	Steps []Step

	// BestParent is whom the first step and AgainstParent are compared with; nil while
	// no parent has a score.
	BestParent    *store.Brief
	AgainstParent *Pair // Of against the best parent, on search items
}

// Line says on which line a trunk lies.
type Line string

// The lines.
const (
	// Descent follows, from the candidate back, the parent with the highest fitness.
	Descent Line = "descent"
	// Records are the bests of the run so far, in the order of asking, up to the
	// candidate: for algorithms that make candidates of no parents.
	Records Line = "records"
)

// Step is one improvement.
type Step struct {
	store.Brief
	Parents []mergesearch.CandidateID

	// Over is how many generations of descent lie between the step before and this
	// one, 1 for its child; 0 on a line of records, and in the first step.
	Over int

	// Changes from the recipe of the step before; none in the first step.
	Changes []Change

	// Gain over the step before, and in the first step over the best parent, on search
	// items, with 2,000 resamples; nil where there is nobody to compare with.
	Gain *Pair
}

// Trunk returns the steps that led to a candidate.
func (r *Run) Trunk(ctx context.Context, id mergesearch.CandidateID) (Trunk, error) {
	t := Trunk{Of: id, Line: Descent}
	all, err := r.Briefs(ctx, store.Filter{})
	if err != nil {
		return t, err
	}
	parents, err := r.Parents(ctx)
	if err != nil {
		return t, err
	}
	at := make(map[mergesearch.CandidateID]store.Brief, len(all))
	for _, b := range all {
		at[b.ID()] = b
	}
	of, known := at[id]
	if !known {
		_, err := r.Brief(ctx, id)
		return t, err
	}
	t.Steps = descent(of, at, parents)
	if len(t.Steps) == 1 && of.Operator != parentOperator {
		t.Line, t.Steps = Records, records(of, all)
	}
	for i := range t.Steps {
		t.Steps[i].Parents = parents[t.Steps[i].Index]
	}
	return t, r.measure(ctx, &t)
}

// descent follows the best parents and keeps what was better than all before it on
// the line.
func descent(of store.Brief, at map[mergesearch.CandidateID]store.Brief, parents map[int][]mergesearch.CandidateID) []Step {
	line := []store.Brief{of}
	for b := of; ; {
		var best store.Brief
		found := false
		for _, p := range parents[b.Index] {
			x := at[p]
			if better := !found || comparable(x) && (!comparable(best) || x.Score.Merit() > best.Score.Merit()); better && x.Index < b.Index {
				best, found = x, true
			}
		}
		if !found {
			break
		}
		line = append(line, best)
		b = best
	}
	slices.Reverse(line)
	var steps []Step
	last := 0
	for i, b := range line {
		improves := len(steps) == 0 || b.Score.Merit() > steps[len(steps)-1].Score.Merit()
		if i < len(line)-1 && (!comparable(b) || !improves) {
			continue
		}
		s := Step{Brief: b}
		if len(steps) > 0 {
			s.Over = i - last
		}
		last = i
		steps = append(steps, s)
	}
	return steps
}

// comparable reports whether a trial has a score on all search items.
func comparable(b store.Brief) bool { return b.State == mergesearch.Scored }

// records keeps the bests so far, the parents of the family left aside.
func records(of store.Brief, all []store.Brief) []Step {
	var steps []Step
	for _, b := range all {
		if b.Index >= of.Index {
			break
		}
		if comparable(b) && b.Operator != parentOperator && (len(steps) == 0 || b.Score.Merit() > steps[len(steps)-1].Score.Merit()) {
			steps = append(steps, Step{Brief: b})
		}
	}
	return append(steps, Step{Brief: of})
}

// measure fills in what each step changed and bought.
func (r *Run) measure(ctx context.Context, t *Trunk) error {
	var before Subject
	parent, err := r.BestParent(ctx)
	if err == nil {
		t.BestParent = &parent
		if before, err = r.Subject(ctx, parent.ID()); err != nil {
			return err
		}
	}
	best := before
	for i := range t.Steps {
		s := &t.Steps[i]
		now, err := r.Subject(ctx, s.ID())
		if err != nil {
			return err
		}
		if i > 0 {
			s.Changes = r.Diff(before.Trial, now.Trial)
		}
		if (i > 0 || t.BestParent != nil) && now.ID() != before.ID() {
			if s.Gain, err = r.pair(now, before); err != nil {
				return err
			}
		}
		if i == len(t.Steps)-1 && t.BestParent != nil && now.ID() != best.ID() {
			if t.AgainstParent, err = r.pair(now, best); err != nil {
				return err
			}
		}
		before = now
	}
	return nil
}

// pair compares on search items, quickly; nil without common ones.
func (r *Run) pair(a, b Subject) (*Pair, error) {
	p, err := r.compare(a, b, mergesearch.SearchSplit, quickResamples)
	if err != nil || p.Comparison.Items == 0 {
		return nil, err
	}
	return &p, nil
}
