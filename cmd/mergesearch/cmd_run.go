package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/merge"
	"mergesearch/search"
	"mergesearch/store"
)

var _ search.Recorder = (*store.DB)(nil)

// missingLimit is the share of missing answers above which a run that ended is
// degraded (exit code 3).
const missingLimit = 0.005

type runFlags struct {
	dir         string
	seed        uint64
	seedGiven   bool
	workers     int
	fork        bool
	requireGain bool
	device      deviceFlag
}

func newRunCommand() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run RUNFILE",
		Short: "search for the best merge; the same command again resumes",
		Long: `run scores the parents and the usual recipes, searches until the budget is spent,
judges the winner on held-out items and writes its checkpoint to DIR/best.

Everything that is reported done is on disk. Stop it in any way, start it again
with the same command, and the result is the same.`,
		Args:              arguments(1, 1),
		ValidArgsFunction: yamlFiles,
		RunE: func(c *cobra.Command, args []string) error {
			f.seedGiven = c.Flags().Changed("seed")
			return run(c, args[0], f)
		},
	}
	c.Flags().StringVar(&f.dir, "dir", "", "directory of the run (default runs/<name>-s<seed>)")
	c.Flags().Uint64Var(&f.seed, "seed", 0, "seed instead of the run file's")
	c.Flags().IntVar(&f.workers, "workers", 2, "candidates in flight; never changes the result")
	f.device.add(c, "auto")
	c.Flags().BoolVar(&f.fork, "fork", false, "start a new run beside an existing directory")
	c.Flags().BoolVar(&f.requireGain, "require-gain", false, "exit with code 9 when no candidate beats the best parent")
	return c
}

func run(c *cobra.Command, path string, f runFlags) error {
	ctx := c.Context()
	file, err := runfile.Read(path)
	if err != nil {
		return err
	}
	if f.workers < 1 {
		return &mergesearch.InputError{Field: "--workers", Problem: "must be at least 1", Hint: "2 suits most machines"}
	}
	if f.seedGiven {
		file.Seed = f.seed
	}
	id := mergesearch.RunID(fmt.Sprintf("%s-s%d", file.Name, file.Seed))
	dir := f.dir
	if dir == "" {
		dir = filepath.Join("runs", string(id))
	}
	if f.fork {
		dir = unusedBeside(dir)
	}
	began := time.Now()
	s, err := openSession(ctx, file, f.device)
	if err != nil {
		return err
	}
	defer s.Close()
	options, err := s.options(f.workers)
	if err != nil {
		return err
	}
	if err := freeForRun(dir); err != nil {
		return err
	}
	if err := s.roomFor(dir); err != nil {
		return err
	}
	db, err := store.Open(ctx, dir, store.Options{})
	if err != nil {
		return err
	}
	defer db.Close()
	if err := s.freeze(ctx, db, id); err != nil {
		return err
	}
	s.remember(db)
	if err := s.finish(ctx, c, db, dir, options, path); err != nil {
		return err
	}
	summary, err := summarize(ctx, db.Reader, dir)
	if err != nil {
		return err
	}
	summary.Elapsed = time.Since(began)
	summary.Requests = s.requests()
	if wantsJSON(c) {
		err = report.JSON(c.OutOrStdout(), summary, formatRecipe)
	} else {
		err = report.Text(c.OutOrStdout(), summary)
	}
	if err != nil {
		return err
	}
	return verdictCode(summary, f.requireGain)
}

// freeze binds the run directory to what the run is made of.
func (s *session) freeze(ctx context.Context, db *store.DB, id mergesearch.RunID) error {
	effective, err := json.Marshal(s.file)
	if err != nil {
		return err
	}
	configuration := store.Configuration{Run: id, Seed: s.file.Seed, Version: version, RunFile: s.file.File, Effective: string(effective)}
	for name, dir := range s.models {
		checkpoint, _ := s.engine.Model(name)
		path, err := filepath.Abs(dir) // so that export finds the models from any working directory
		if err != nil {
			return err
		}
		configuration.Models = append(configuration.Models, store.Model{Name: name, Path: path, Digest: checkpoint.Digest(), Bytes: checkpoint.MappedBytes()})
	}
	named := map[string]bool{}
	for _, t := range s.tasks {
		for _, path := range t.Files() {
			sum, n, err := hashFile(path)
			if err != nil {
				return err
			}
			name := t.Name + "/" + filepath.Base(path)
			if named[name] { // files of two folders
				name = t.Name + "/" + filepath.ToSlash(path)
			}
			named[name] = true
			configuration.Data = append(configuration.Data, store.Dataset{Name: name, Path: path, SHA256: sum, Bytes: n})
		}
	}
	if path := s.chat.File; path != "" {
		sum, n, err := hashFile(path)
		if err != nil {
			return err
		}
		configuration.Data = append(configuration.Data, store.Dataset{Name: "chat_template", Path: path, SHA256: sum, Bytes: n})
	}
	return db.Freeze(ctx, configuration)
}

// finish brings the run to its verdict, unless an earlier process did, and writes
// the winner's checkpoint.
func (s *session) finish(ctx context.Context, c *cobra.Command, db *store.DB, dir string, options search.Options, path string) error {
	var none *store.NotFoundError
	ending, err := db.Ending(ctx)
	if errors.As(err, &none) {
		ending, err = s.search(ctx, c, db, dir, options)
	}
	if errors.Is(err, context.Canceled) {
		hint := fmt.Sprintf("everything reported done is kept; continue with: mergesearch run %s --dir %s --seed %d", shellWord(path), shellWord(dir), s.file.Seed)
		return &outcome{code: exitInterrupted, text: "interrupted", hint: hint}
	}
	if err != nil {
		return err
	}
	best := filepath.Join(dir, "best")
	if _, err := os.Stat(filepath.Join(best, "COMPLETE")); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	_, err = s.engine.Write(ctx, ending.Result.Best.Recipe, best, merge.WriteOptions{Tool: tool, Paths: s.models})
	return err
}

// search runs the loop and records its ending.
func (s *session) search(ctx context.Context, c *cobra.Command, db *store.DB, dir string, options search.Options) (store.Ending, error) {
	status := newStatusLine(c.ErrOrStderr())
	defer status.done()
	watch := &watcher{line: status, began: time.Now()}
	options.Recorder = db
	options.Progress = watch.update
	s.announce(status, dir, options.Workers)
	found, err := search.Run(ctx, watched(options))
	if err != nil {
		return store.Ending{}, err
	}
	mergesearch.Failpoint("verdict/found")
	peeks, err := heldOutPeeks(ctx, db.Reader, dir)
	if err != nil {
		return store.Ending{}, err
	}
	return db.SetEnding(ctx, store.Ending{
		Status: "done", StopReason: string(found.Stop), Result: found.Result, HeldOutPeeks: peeks, Faults: int(s.evaluator.Retries()),
	})
}

// unusedBeside returns dir, or the first of dir-fork1, dir-fork2, ... that does
// not exist.
func unusedBeside(dir string) string {
	free := dir
	for n := 1; ; n++ {
		if _, err := os.Stat(free); errors.Is(err, fs.ErrNotExist) {
			return free
		}
		free = fmt.Sprintf("%s-fork%d", dir, n)
	}
}

// verdictCode turns what a finished run says into an exit code.
func verdictCode(s report.Summary, requireGain bool) error {
	switch {
	case s.StopReason == string(search.StopTime):
		return &outcome{code: exitBudget, text: "the time budget ended the search early", hint: "raise budget.hours and start it with --fork, or take the verdict as it is"}
	case s.StopReason == string(search.StopTokens):
		return &outcome{code: exitBudget, text: "the token budget ended the search early", hint: "raise budget.tokens and start it with --fork, or take the verdict as it is"}
	case float64(s.Missing) > missingLimit*float64(s.ItemAnswers):
		return &outcome{code: exitDegraded, text: fmt.Sprintf("%d of %d answers are missing", s.Missing, s.ItemAnswers), hint: "look at the endpoint's log, then repeat the run with --fork"}
	case requireGain && !s.Result.Verdict.BeatsBestParent:
		return &outcome{code: exitNoGain, text: "no candidate beats the best parent"}
	}
	return nil
}
