package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/evidence"
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
	backupEvery time.Duration
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
	c.Flags().DurationVar(&f.backupEvery, "backup-every", 15*time.Minute, "time between two backups of the store, three kept; 0 for none")
	c.Flags().BoolVar(&f.requireGain, "require-gain", false, "exit with code 9 when no candidate beats the best parent")
	return c
}

func run(c *cobra.Command, path string, f runFlags) error {
	ctx := c.Context()
	file, err := runfile.Read(path)
	if err != nil {
		return err
	}
	if f.backupEvery < 0 {
		return &mergesearch.InputError{Field: "--backup-every", Problem: "cannot be negative", Hint: "such as 15m, or 0 for no backups"}
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
	last, words, crashed := lastWords(dir)
	if crashed { // before the models are opened, which may be what it died of
		fmt.Fprintln(c.ErrOrStderr(), oneLine(words))
	}
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
	if s.accounts, err = s.keepAccounts(ctx, db, dir, began, &options); err != nil {
		return err
	}
	defer s.accounts.waiting.Wait()
	n, err := s.newNight(ctx, c, db, dir, f, options)
	if err != nil {
		return err
	}
	defer n.end()
	if crashed {
		n.journal.aside(eventCrash, map[string]any{"text": words, "in_flight": flight(last.InFlight), "pid": last.PID, "since": last.Since})
	}
	if err = s.finish(ctx, n, options, path); err != nil {
		n.ended(ctx, err)
	} else {
		err = s.accounts.close(ctx)
	}
	leaveReport(ctx, c, db.Reader, dir)
	if err != nil {
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
	if err := db.Freeze(ctx, configuration); err != nil {
		return err
	}
	return s.keepWeights(ctx, db)
}

// keepWeights records the tasks and their weights where the run file does not say
// them, once for the run: a file may hold a group of tasks. Without them nobody could
// compute a fitness again from the store alone.
func (s *session) keepWeights(ctx context.Context, db *store.DB) error {
	if len(s.benchmark.Tasks) == len(s.file.Tasks) {
		return nil
	}
	known, err := db.Events(ctx, 0, 0)
	if err != nil || slices.ContainsFunc(known, func(e store.Event) bool { return e.Kind == evidence.BenchmarkEvent }) {
		return err
	}
	return db.Event(ctx, evidence.BenchmarkEvent, map[string]any{"tasks": s.benchmark.Tasks})
}

// finish brings the run to its verdict, unless an earlier process did, and writes
// the winner's checkpoint.
func (s *session) finish(ctx context.Context, n *night, options search.Options, path string) error {
	var none *store.NotFoundError
	ending, err := n.journal.Ending(ctx)
	if errors.As(err, &none) {
		ending, err = s.search(ctx, n, options)
	}
	if err == nil {
		err = s.writeBest(ctx, n, ending.Result.Best)
	}
	if errors.Is(err, context.Canceled) {
		hint := fmt.Sprintf("everything reported done is kept; continue with: mergesearch run %s --dir %s --seed %d", shellWord(path), shellWord(n.dir), s.file.Seed)
		return &outcome{code: exitInterrupted, text: "interrupted", hint: hint}
	}
	return err
}

// writeBest writes the winner's checkpoint, unless it is there.
func (s *session) writeBest(ctx context.Context, n *night, winner mergesearch.Finalist) error {
	best := filepath.Join(n.dir, "best")
	if _, err := os.Stat(filepath.Join(best, "COMPLETE")); err == nil {
		return nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := n.disk.ready(ctx); err != nil {
		return err
	}
	e, err := n.journal.Evidence(ctx)
	if err != nil {
		return err
	}
	trial, _ := trialOf(e, winner.Candidate)
	defer n.marker.does("writing", winner.Candidate)()
	err = n.disk.retry(ctx, func() error {
		_, err := s.engine.Write(ctx, winner.Recipe, best, merge.WriteOptions{Tool: tool, Paths: s.models, Sections: sections(e, trial)})
		return err
	})
	if err != nil {
		return err
	}
	return n.journal.Once(ctx, eventCheckpoint, string(winner.RecipeID), map[string]any{"out": best, "candidate": winner.Candidate})
}

// search runs the loop and records its ending.
func (s *session) search(ctx context.Context, n *night, options search.Options) (store.Ending, error) {
	s.announce(n.line, n.dir, options.Workers)
	if err := n.begin(ctx, options.Workers); err != nil {
		return store.Ending{}, err
	}
	stop := n.look(ctx, s)
	defer stop()
	found, err := search.Run(ctx, watched(n.options(ctx, s, options)))
	if err != nil {
		return store.Ending{}, err
	}
	mergesearch.Failpoint("verdict/found")
	peeks, err := heldOutPeeks(ctx, n.journal.Reader, n.dir)
	if err != nil {
		return store.Ending{}, err
	}
	var ending store.Ending
	err = n.disk.retry(ctx, func() (err error) {
		ending, err = n.journal.SetEnding(ctx, store.Ending{
			Status: "done", StopReason: string(found.Stop), Result: found.Result, HeldOutPeeks: peeks, Faults: int(s.evaluator.Retries()),
		})
		return err
	})
	if err != nil {
		return ending, err
	}
	v := found.Result.Verdict
	return ending, n.journal.Once(ctx, eventVerdict, "", map[string]any{
		"winner": found.Result.Best.Candidate, "best_parent": found.Result.BestParent, "beats_best_parent": v.BeatsBestParent, "gain": v.Gain, "p_value": v.PValue,
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
	case s.StopReason == string(search.StopDisk):
		return &outcome{code: exitBudget, text: "the disk budget ended the search early", hint: "raise budget.disk and start it with --fork, or take the verdict as it is"}
	case s.StopReason == string(search.StopTokens):
		return &outcome{code: exitBudget, text: "the token budget ended the search early", hint: "raise budget.tokens and start it with --fork, or take the verdict as it is"}
	case float64(s.Missing) > missingLimit*float64(s.ItemAnswers):
		return &outcome{code: exitDegraded, text: fmt.Sprintf("%d of %d answers are missing", s.Missing, s.ItemAnswers), hint: "look at the endpoint's log, then repeat the run with --fork"}
	case requireGain && !s.Result.Verdict.BeatsBestParent:
		return &outcome{code: exitNoGain, text: "no candidate beats the best parent"}
	}
	return nil
}
