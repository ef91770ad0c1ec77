package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"

	"mergesearch"
	"mergesearch/cmd/internal/evidence"
	"mergesearch/cmd/internal/report"
	"mergesearch/merge"
	"mergesearch/store"
)

func formatRecipe(r mergesearch.Recipe) string { return string(merge.FormatRecipe(r)) }

// summarize reads what there is to say about a run from its store, whether it is
// running, was cut off or is done.
func summarize(ctx context.Context, r *store.Reader, dir string) (report.Summary, error) {
	run, err := r.Run(ctx)
	if err != nil {
		return report.Summary{}, err
	}
	counts, trials, err := countsAndTrials(ctx, r)
	if err != nil {
		return report.Summary{}, err
	}
	s := report.Summary{
		Run: run.Run, Dir: dir, Seed: run.Seed, ItemAnswers: counts.ItemAnswers, Missing: counts.Missing,
		Tokens:   counts.Tokens[mergesearch.SearchSplit] + counts.Tokens[mergesearch.ValidationSplit] + counts.Tokens[mergesearch.HeldOutSplit],
		Failures: map[string]int{}, Faults: map[string]int{},
	}
	evidence.Describe(&s, trials)
	if s.Drift, err = driftOf(ctx, r); err != nil {
		return s, err
	}
	if s.PopulationHash, err = r.PopulationHash(ctx); err != nil {
		return s, err
	}
	var none *store.NotFoundError
	ending, err := r.Ending(ctx)
	switch {
	case errors.As(err, &none):
		s.Status, s.StopReason, err = "interrupted", "not finished", nil
		if _, held, _ := store.HeldBy(dir); held {
			s.Status = "running"
		}
	case err == nil:
		s.Status, s.StopReason, s.HeldoutPeeks, s.Result = ending.Status, ending.StopReason, ending.HeldOutPeeks, &ending.Result
		if ending.Faults > 0 {
			s.Faults["retried_requests"] = ending.Faults
		}
		if best := filepath.Join(dir, "best"); complete(best) {
			s.BestDir = best
		}
	}
	if err != nil {
		return s, err
	}
	s.Planned, err = planned(ctx, r, s)
	return s, err
}

// driftOf adds up what the looks at a server found.
func driftOf(ctx context.Context, r *store.Reader) (report.Drift, error) {
	var d report.Drift
	events, err := r.Events(ctx, 0, 0)
	for _, e := range events {
		if e.Kind != eventDrift {
			continue
		}
		var a struct {
			Items, Changed int
			Alarm          bool
		}
		if err := json.Unmarshal(e.Attrs, &a); err != nil {
			return d, err
		}
		d.Checks, d.Items, d.Changed = d.Checks+1, d.Items+a.Items, d.Changed+a.Changed
		if a.Alarm {
			d.Alarms++
		}
	}
	return d, err
}

func complete(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, "COMPLETE"))
	return err == nil
}

// heldOutPeeks counts the other runs beside this one that opened held-out items
// of the same data before.
func heldOutPeeks(ctx context.Context, mine *store.Reader, dir string) (int, error) {
	run, err := mine.Run(ctx)
	if err != nil {
		return 0, err
	}
	opened, err := mine.HeldOut(ctx)
	if err != nil {
		return 0, err
	}
	siblings, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Clean(dir)), "*", store.FileName))
	if err != nil {
		return 0, nil // a directory whose name is a malformed pattern has no siblings that can be found
	}
	peeks := 0
	for _, path := range siblings {
		if filepath.Dir(path) == filepath.Clean(dir) {
			continue
		}
		if peeked(ctx, filepath.Dir(path), run, opened) {
			peeks++
		}
	}
	return peeks, nil
}

// peeked reports whether a run opened held-out items of the same data earlier. A
// directory that cannot be read counts as none: it is somebody else's.
func peeked(ctx context.Context, dir string, mine store.Run, opened store.Opening) bool {
	r, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		return false
	}
	defer r.Close()
	run, err := r.Run(ctx)
	if err != nil {
		return false
	}
	theirs, err := r.HeldOut(ctx)
	if err != nil || theirs.At.IsZero() || !opened.At.IsZero() && theirs.At.After(opened.At) {
		return false
	}
	sums := func(data []store.Dataset) []string {
		var out []string
		for _, d := range data {
			out = append(out, d.SHA256)
		}
		slices.Sort(out)
		return out
	}
	return slices.Equal(sums(run.Data), sums(mine.Data))
}
