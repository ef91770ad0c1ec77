package inspect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/store"
)

// Run is a run directory that is looked at.
type Run struct {
	*store.Reader
	Frozen store.Run

	// File is the run file as frozen. Its paths are relative to it, and it has no
	// endpoint.
	File runfile.RunFile

	// Benchmark is what the run optimises. Its tasks are known when a parent has a
	// score; until then there are none.
	Benchmark mergesearch.Benchmark

	// Notes say what could not be told and was assumed.
	Notes []string
}

// Open reads what a run is bound to. The reader stays the caller's, who closes it.
func Open(ctx context.Context, r *store.Reader) (*Run, error) {
	frozen, err := r.Run(ctx)
	if err != nil {
		return nil, err
	}
	run := &Run{Reader: r, Frozen: frozen}
	if err := json.Unmarshal([]byte(frozen.Effective), &run.File); err != nil {
		return nil, fmt.Errorf("%s: the frozen configuration cannot be read: %w", r.Dir(), err)
	}
	run.File.File = frozen.RunFile
	scored, err := r.Briefs(ctx, store.Filter{States: []mergesearch.State{mergesearch.Scored}, Limit: 1})
	if err != nil {
		return nil, err
	}
	var tasks []string
	for _, b := range scored {
		for _, t := range b.Score.Tasks {
			tasks = append(tasks, t.Task)
		}
	}
	weights, ok := run.weights(tasks)
	if !ok {
		run.Notes = append(run.Notes, "which task belongs to which group of the run file is not clear: all tasks count alike")
	}
	run.Benchmark = run.File.Benchmark(weights)
	return run, nil
}

// weights gives the tasks, which are in the order of the run file, their weights.
// A task file's own task is told by its data; the tasks between two such are those
// of a group, which share its weight.
func (r *Run) weights(tasks []string) ([]mergesearch.TaskWeight, bool) {
	out := make([]mergesearch.TaskWeight, len(tasks))
	for i, t := range tasks {
		out[i] = mergesearch.TaskWeight{Task: t, Weight: 1}
	}
	entries := r.File.Tasks
	if len(entries) == len(tasks) {
		for i, e := range entries {
			if e.Weight != nil {
				out[i].Weight = *e.Weight
			}
		}
		return out, true
	}
	next := 0
	for i, e := range entries {
		end := next + 1
		if r.taskOf(e.File) == "" { // a group: up to the task of the next file
			end = len(tasks)
			if i+1 < len(entries) {
				if end = slices.Index(tasks, r.taskOf(entries[i+1].File)); end < 0 {
					return out, false
				}
			}
		}
		if end > len(tasks) || end <= next {
			return out, false
		}
		for k := next; k < end; k++ {
			if e.Weight != nil {
				out[k].Weight = *e.Weight / float64(end-next)
			}
		}
		next = end
	}
	return out, next == len(tasks)
}

// taskOf returns the task that a task file declares, or "" for a group's.
func (r *Run) taskOf(file string) string {
	path := r.File.Path(file)
	for _, d := range r.Frozen.Data {
		if filepath.Clean(d.Path) == path {
			task, _, _ := strings.Cut(d.Name, "/")
			return task
		}
	}
	return ""
}

// Models returns the names of the base model and of the experts.
func (r *Run) Models() (base string, experts []string) {
	for _, e := range r.File.Experts {
		experts = append(experts, filepath.Base(filepath.Clean(e)))
	}
	return filepath.Base(filepath.Clean(r.File.Base)), experts
}

// Subject is a candidate with everything that it answered.
type Subject struct {
	store.Trial
	Answers []store.Answer // in the order of the items' first appearance
}

// Label returns the subject's ID, with its name where it has one.
func (s Subject) Label() string {
	if s.Name == "" {
		return string(s.ID())
	}
	return fmt.Sprintf("%s (%s)", s.ID(), s.Name)
}

// Subject reads a candidate.
func (r *Run) Subject(ctx context.Context, id mergesearch.CandidateID) (Subject, error) {
	t, answers, err := r.Trial(ctx, id)
	return Subject{Trial: t, Answers: answers}, err
}

// The words that stand for a candidate whose number is not known beforehand.
const (
	WordWinner     = "best"        // the winner; while there is none, the best so far
	WordBestParent = "best-parent" // likewise among the parents
)

// Find returns the candidate that a word means: an ID, the name of a parent or
// baseline, WordWinner or WordBestParent. It returns an InputError that names the
// nearest word for any other.
func (r *Run) Find(ctx context.Context, word string) (mergesearch.CandidateID, error) {
	switch word {
	case WordWinner:
		b, err := r.Winner(ctx)
		return b.ID(), err
	case WordBestParent:
		b, err := r.BestParent(ctx)
		return b.ID(), err
	}
	named, err := r.Briefs(ctx, store.Filter{Names: []string{word}, Limit: 1})
	if err != nil {
		return "", err
	}
	if len(named) > 0 {
		return named[0].ID(), nil
	}
	if _, err := store.IndexOf(mergesearch.CandidateID(word)); err == nil {
		return mergesearch.CandidateID(word), nil // Subject says whether it is there
	}
	d, err := r.Distinct(ctx)
	if err != nil {
		return "", err
	}
	e := mergesearch.UnknownWord("candidate", word, append([]string{WordWinner, WordBestParent}, d.Names...))
	e.Problem = "is neither a candidate nor the name of a parent or baseline"
	if strings.HasPrefix(e.Hint, "known: ") {
		e.Hint = "candidates are named c0000, c0001, ...; " + e.Hint
	}
	return "", e
}

// Winner returns the winner of a run that has a verdict, and otherwise the best so
// far: the best on all search items that is no parent; the best parent before
// anything else is scored.
func (r *Run) Winner(ctx context.Context) (store.Brief, error) {
	var none *store.NotFoundError
	ending, err := r.Ending(ctx)
	if err != nil && !errors.As(err, &none) {
		return store.Brief{}, err
	}
	if err == nil && ending.Result.Best.Candidate != "" {
		return r.Brief(ctx, ending.Result.Best.Candidate)
	}
	all, err := r.Briefs(ctx, store.Filter{States: []mergesearch.State{mergesearch.Scored}})
	if err != nil {
		return store.Brief{}, err
	}
	if best, ok := bestOf(all, func(b store.Brief) bool { return b.Operator != parentOperator }); ok {
		return best, nil
	}
	return r.BestParent(ctx)
}

// parentOperator is that of the models that are merged.
const parentOperator = "parent"

// BestParent returns the parent that the verdict is against, and before there is
// one the best on search items.
func (r *Run) BestParent(ctx context.Context) (store.Brief, error) {
	parents, err := r.Briefs(ctx, store.Filter{Operators: []string{parentOperator}})
	if err != nil {
		return store.Brief{}, err
	}
	var none *store.NotFoundError
	ending, err := r.Ending(ctx)
	if err != nil && !errors.As(err, &none) {
		return store.Brief{}, err
	}
	if err == nil {
		for _, p := range parents {
			if p.Name == ending.Result.BestParent {
				return p, nil
			}
		}
	}
	if best, ok := bestOf(parents, func(store.Brief) bool { return true }); ok {
		return best, nil
	}
	return store.Brief{}, &store.NotFoundError{Path: r.Dir(), What: "parent with a score yet"}
}

// Brief returns one trial in brief.
func (r *Run) Brief(ctx context.Context, id mergesearch.CandidateID) (store.Brief, error) {
	index, err := store.IndexOf(id)
	if err != nil {
		return store.Brief{}, err
	}
	found, err := r.Briefs(ctx, store.Filter{From: index, Limit: 1})
	if err == nil && (len(found) == 0 || found[0].Index != index) {
		err = &store.NotFoundError{Path: filepath.Join(r.Dir(), store.FileName), What: "candidate " + string(id)}
	}
	if err != nil {
		return store.Brief{}, err
	}
	return found[0], nil
}

// bestOf returns the first of the best of those that were scored on all search items.
func bestOf(all []store.Brief, of func(store.Brief) bool) (best store.Brief, found bool) {
	for _, b := range all {
		if b.State == mergesearch.Scored && of(b) && (!found || b.Score.Merit() > best.Score.Merit()) {
			best, found = b, true
		}
	}
	return best, found
}
