package inspect

import (
	"context"
	"errors"
	"time"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/store"
)

// State says whether somebody works on a run.
type State string

// The states of a run.
const (
	Running  State = "running"
	Stopped  State = "stopped" // before its end: the same command goes on
	Finished State = "finished"
)

// Status is how a run stands.
type Status struct {
	Run    mergesearch.RunID
	State  State
	Holder store.Holder // while it is Running
	Ending *store.Ending

	// Phase is parents, baselines, search, validation or held-out: the furthest of
	// which something is recorded; done with an ending.
	Phase string

	Candidates int // of the search, decided
	InFlight   int // begun and not decided
	Failures   map[string]int
	Budget     runfile.Budget
	Share      float64 // of the budget that is spent; 0 when only time limits it
	Counts     store.Counts

	Best       *store.Brief // nil while nothing but parents has a score
	BestParent *store.Brief
	Gain       *Pair // of the best over the best parent, on search items

	PerHour float64       // candidates decided, in this process's last half hour; 0 when unknown
	Left    time.Duration // to the end of the search; 0 when unknown

	Last *store.Event // newest
}

// paceWindow is how far back the pace looks.
const paceWindow = 30 * time.Minute

// Status looks at a run. Now is the clock that the pace is measured with.
func (r *Run) Status(ctx context.Context, now time.Time) (Status, error) {
	s := Status{Run: r.Frozen.Run, State: Stopped, Failures: map[string]int{}, Budget: r.File.Budget}
	if err := r.learnTasks(ctx); err != nil {
		return s, err
	}
	holder, held, err := store.HeldBy(r.Dir())
	if err != nil {
		return s, err
	}
	if held {
		s.State, s.Holder = Running, holder
	}
	var none *store.NotFoundError
	ending, err := r.Ending(ctx)
	switch {
	case err == nil:
		s.Ending = &ending
		if !held {
			s.State = Finished
		}
	case !errors.As(err, &none):
		return s, err
	}
	all, err := r.Briefs(ctx, store.Filter{Lean: true})
	if err != nil {
		return s, err
	}
	if s.Counts, err = r.Counts(ctx); err != nil {
		return s, err
	}
	if last, ok, err := r.LastEvent(ctx); err != nil {
		return s, err
	} else if ok {
		s.Last = &last
	}
	s.count(all)
	s.pace(all, now)
	return s, r.standing(ctx, &s)
}

func (s *Status) count(all []store.Brief) {
	s.Phase = "parents"
	for _, b := range all {
		if b.State == mergesearch.Failed {
			s.Failures[b.Reason.Code]++
		}
		switch {
		case b.Finished.IsZero():
			s.InFlight++
		case b.Name == "":
			s.Candidates++
		}
		if b.Name == "" {
			s.Phase = "search"
		} else if b.Operator != parentOperator && s.Phase == "parents" {
			s.Phase = "baselines"
		}
	}
	switch by := s.Counts.BySplit; {
	case s.Ending != nil:
		s.Phase = "done"
	case by[mergesearch.HeldOutSplit] > 0:
		s.Phase = "held-out"
	case by[mergesearch.ValidationSplit] > 0:
		s.Phase = "validation"
	}
	part := func(done, of int) {
		if of > 0 {
			s.Share = max(s.Share, min(1, float64(done)/float64(of)))
		}
	}
	part(s.Candidates, s.Budget.Candidates)
	part(s.Counts.BySplit[mergesearch.SearchSplit], s.Budget.Answers)
	part(s.Counts.Tokens[mergesearch.SearchSplit], s.Budget.Tokens)
}

// pace measures what this process has decided lately and how long the rest of the
// budget will take at that.
func (s *Status) pace(all []store.Brief, now time.Time) {
	if s.State != Running || s.Ending != nil {
		return
	}
	from := now.Add(-paceWindow)
	if s.Holder.Start.After(from) {
		from = s.Holder.Start
	}
	var first time.Time // when this process began to search
	done := 0
	for _, b := range all {
		if b.Name != "" {
			continue
		}
		if b.Begun.After(s.Holder.Start) && (first.IsZero() || b.Begun.Before(first)) {
			first = b.Begun
		}
		if b.Finished.After(from) {
			done++
		}
	}
	if first.After(from) {
		from = first
	}
	spent := now.Sub(from)
	if s.Phase != "search" || done == 0 || spent <= 0 {
		return
	}
	s.PerHour = float64(done) / spent.Hours()
	if s.Share > 0 && s.Share < 1 {
		whole := float64(s.Candidates) / s.Share
		s.Left = time.Duration((whole - float64(s.Candidates)) / s.PerHour * float64(time.Hour))
	}
	if s.Budget.Hours > 0 {
		rest := max(0, time.Duration(s.Budget.Hours*float64(time.Hour))-now.Sub(s.Holder.Start))
		if s.Left == 0 || rest < s.Left {
			s.Left = rest
		}
	}
}

// standing fills in who is best.
func (r *Run) standing(ctx context.Context, s *Status) error {
	var none *store.NotFoundError
	parent, err := r.BestParent(ctx)
	if errors.As(err, &none) {
		return nil
	} else if err != nil {
		return err
	}
	s.BestParent = &parent
	best, err := r.Winner(ctx)
	if err != nil || best.Operator == parentOperator {
		return err
	}
	s.Best = &best
	a, err := r.Subject(ctx, best.ID())
	if err != nil {
		return err
	}
	b, err := r.Subject(ctx, parent.ID())
	if err != nil {
		return err
	}
	s.Gain, err = r.pair(a, b)
	return err
}
