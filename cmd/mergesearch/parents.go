package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"mergesearch"
	"mergesearch/search"
)

// stages are a run's builder and scorer with what a night needs around them: parents
// are looked at before a candidate is built of them, the marker knows what is in
// flight, and a full disk is waited for.
type stages struct {
	search.Builder
	search.Scorer
	files  []fileState // of the parents
	marker *marker
	retry  func(ctx context.Context, f func() error) error
}

// Build implements search.Builder. Parents that changed end the run: nothing that is
// built of them is what the run file says.
func (s *stages) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (c mergesearch.Candidate, err error) {
	if err := changedFile(s.files); err != nil {
		return c, &unfit{err: err, hint: "put the file back as it was and start the same command again; what was recorded is kept"}
	}
	defer s.marker.does("building", id)()
	return s.Builder.Build(ctx, id, r)
}

// Score implements search.Scorer.
func (s *stages) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) (out []mergesearch.Outcome, err error) {
	defer s.marker.does("scoring", c.ID)()
	err = s.retry(ctx, func() error {
		out, err = s.Scorer.Score(ctx, c, items)
		return err
	})
	return out, err
}

// parentFiles returns the state of the weights of all models.
func (s *session) parentFiles() ([]fileState, error) {
	var out []fileState
	for _, dir := range s.models {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return nil, err
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if !strings.HasSuffix(e.Name(), ".safetensors") {
				continue
			}
			state, err := stateOf(filepath.Join(dir, e.Name()))
			if err != nil {
				return nil, err
			}
			out = append(out, state)
		}
	}
	slices.SortFunc(out, func(a, b fileState) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// inodeOf returns the number of a file, 0 where the system has none.
func inodeOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return st.Ino
	}
	return 0
}
