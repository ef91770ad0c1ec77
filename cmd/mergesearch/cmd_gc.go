package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/report"
	"mergesearch/store"
)

// gcFlags says what may go.
type gcFlags struct{ dryRun, temporary, backups, checkpoints bool }

func newGCCommand() *cobra.Command {
	var f gcFlags
	c := &cobra.Command{
		Use: "gc [DIR|RUNS]", Short: "remove what runs left and nobody needs", Args: arguments(0, 1),
		Long: `gc looks at a run directory, or at all of a folder (default runs), for

  --temporary    what a killed process left half-written (.tmp-*)
  --backups      backups of the store, all but the newest
  --checkpoints  winners' checkpoints that export can build again, bit for bit: the
                 run has its result, and its models are where they were, unchanged

With --dry-run it lists what could go and what that would free, of all three kinds
unless some are named. Without it, kinds must be named. A run that a process
holds is left alone, as is everything that gc does not know.`,
		RunE: func(c *cobra.Command, args []string) error {
			path := "runs"
			if len(args) == 1 {
				path = args[0]
			}
			if !f.temporary && !f.backups && !f.checkpoints {
				if !f.dryRun {
					return &mergesearch.InputError{Problem: "nothing was named to be removed", Hint: "look first: mergesearch gc " + shellWord(path) + " --dry-run; then name kinds: --temporary, --backups, --checkpoints"}
				}
				f = gcFlags{true, true, true, true}
			}
			d, err := sweep(c.Context(), path, f)
			if err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), d)
			}
			return d.print(c.OutOrStdout())
		},
	}
	c.Flags().BoolVar(&f.dryRun, "dry-run", false, "remove nothing, say what could go")
	c.Flags().BoolVar(&f.temporary, "temporary", false, "half-written files and directories")
	c.Flags().BoolVar(&f.backups, "backups", false, "backups of the store but the newest")
	c.Flags().BoolVar(&f.checkpoints, "checkpoints", false, "winners' checkpoints that can be built again")
	return c
}

// gcDocument is the JSON of gc.
type gcDocument struct {
	DryRun bool     `json:"dry_run"`
	Items  []gcItem `json:"items"`
	Kept   []gcKept `json:"kept"`
	Bytes  int64    `json:"bytes"` // freed, or that would be
}

type gcItem struct {
	Path  string `json:"path"`
	Kind  string `json:"kind"` // temporary, backup or checkpoint
	Bytes int64  `json:"bytes"`
}

// gcKept is a run, or a checkpoint, that is left alone, and why.
type gcKept struct {
	Path string `json:"path"`
	Why  string `json:"why"`
}

// sweep looks at the runs one by one and removes what it may.
func sweep(ctx context.Context, path string, f gcFlags) (gcDocument, error) {
	d := gcDocument{DryRun: f.dryRun, Items: []gcItem{}, Kept: []gcKept{}}
	runs, err := runsAt(path)
	if err != nil {
		return d, err
	}
	for _, dir := range runs {
		if err := ctx.Err(); err != nil {
			return d, err
		}
		if err := d.run(ctx, dir, f); err != nil {
			return d, err
		}
	}
	return d, nil
}

// runsAt returns the run directories at a path: itself, or those in it. Links are not
// followed.
func runsAt(path string) ([]string, error) {
	if isFile(filepath.Join(path, store.FileName)) {
		return []string{path}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, &mergesearch.InputError{File: path, Problem: "no run and no folder of runs", Hint: "name the directory of a run, or the folder that holds them"}
	}
	var out []string
	for _, x := range entries {
		if dir := filepath.Join(path, x.Name()); x.IsDir() && isFile(filepath.Join(dir, store.FileName)) {
			out = append(out, dir)
		}
	}
	return out, nil
}

func isFile(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode().IsRegular()
}

// run takes one run directory. Its lock is held while something is removed, so that no
// process can start there meanwhile.
func (d *gcDocument) run(ctx context.Context, dir string, f gcFlags) error {
	if holder, held, err := store.HeldBy(dir); err != nil {
		return err
	} else if held {
		d.Kept = append(d.Kept, gcKept{dir, fmt.Sprintf("process %d is at it", holder.PID)})
		return nil
	}
	if !f.dryRun {
		unlock, err := lockRun(dir)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			d.Kept = append(d.Kept, gcKept{dir, "a process has just started there"})
			return nil
		} else if err != nil {
			return err
		}
		defer unlock()
	}
	var found []gcItem
	if f.temporary {
		found = append(found, temporaries(dir)...)
	}
	if f.backups {
		found = append(found, oldBackups(dir)...)
	}
	if best := filepath.Join(dir, "best"); f.checkpoints && isCheckpoint(best) {
		if why := canRebuild(ctx, dir); why != "" {
			d.Kept = append(d.Kept, gcKept{best, why})
		} else {
			found = append(found, gcItem{best, "checkpoint", bytesBelow(best)})
		}
	}
	for _, x := range found {
		if !f.dryRun {
			if err := os.RemoveAll(x.Path); err != nil {
				return &unfit{err: err, hint: "what was removed before stays removed; the rest is as it was"}
			}
		}
		d.Items = append(d.Items, x)
		d.Bytes += x.Bytes
	}
	return nil
}

// lockRun takes the lock of a run directory without writing to it.
func lockRun(dir string) (func(), error) {
	lock, err := os.Open(filepath.Join(dir, store.LockName))
	if errors.Is(err, fs.ErrNotExist) {
		return func() {}, nil // nobody has ever written here with this program
	} else if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		return nil, err
	}
	return func() { lock.Close() }, nil
}

// temporaries lists what this program writes before it renames.
func temporaries(dir string) []gcItem {
	var out []gcItem
	entries, _ := os.ReadDir(dir)
	for _, x := range entries {
		name := x.Name()
		half := strings.HasPrefix(name, ".tmp-") || strings.HasSuffix(name, ".tmp") && strings.Contains(name, "backup")
		if path := filepath.Join(dir, name); half && (x.IsDir() || x.Type().IsRegular()) {
			out = append(out, gcItem{path, "temporary", sizeOf(path)})
		}
	}
	return out
}

// oldBackups lists copies of the store, but the newest.
func oldBackups(dir string) []gcItem {
	type backup struct {
		gcItem
		at time.Time
	}
	var all []backup
	for _, folder := range []string{dir, filepath.Join(dir, "backup"), filepath.Join(dir, "backups")} {
		entries, _ := os.ReadDir(folder)
		for _, x := range entries {
			path := filepath.Join(folder, x.Name())
			inside := folder != dir || strings.Contains(x.Name(), "backup") || strings.Contains(x.Name(), ".bak")
			if !x.Type().IsRegular() || x.Name() == store.FileName || !inside || !isDatabase(path) {
				continue
			}
			if info, err := x.Info(); err == nil {
				all = append(all, backup{gcItem{path, "backup", info.Size()}, info.ModTime()})
			}
		}
	}
	slices.SortFunc(all, func(a, b backup) int {
		if c := b.at.Compare(a.at); c != 0 {
			return c
		}
		return strings.Compare(b.Path, a.Path)
	})
	var out []gcItem
	for _, b := range all[min(1, len(all)):] {
		out = append(out, b.gcItem)
	}
	return out
}

func isDatabase(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	return err == nil && bytes.Equal(head, []byte(magic)) && !strings.HasSuffix(path, ".tmp")
}

func isCheckpoint(dir string) bool {
	st, err := os.Lstat(dir)
	return err == nil && st.IsDir() && complete(dir)
}

// canRebuild says why export could not build a run's winner again, or "".
func canRebuild(ctx context.Context, dir string) string {
	r, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		return err.Error()
	}
	defer r.Close()
	run, err := r.Run(ctx)
	if err != nil {
		return err.Error()
	}
	ending, err := r.Ending(ctx)
	if err != nil {
		return "the run has no result"
	}
	engine, err := openFrozen(run, ending.Result.Best.Recipe)
	if err != nil {
		return err.Error()
	}
	defer engine.Close()
	if _, err := engine.Plan(ending.Result.Best.Recipe); err != nil {
		return err.Error()
	}
	return ""
}

func sizeOf(path string) int64 {
	st, err := os.Lstat(path)
	if err != nil {
		return 0
	}
	if st.IsDir() {
		return bytesBelow(path)
	}
	return st.Size()
}

func (d gcDocument) print(w io.Writer) error {
	var b strings.Builder
	for _, x := range d.Items {
		fmt.Fprintf(&b, "%-10s  %9s  %s\n", x.Kind, bytesText(x.Bytes), report.Plain(x.Path))
	}
	for _, k := range d.Kept {
		fmt.Fprintf(&b, "kept        %s: %s\n", report.Plain(k.Path), oneLine(k.Why))
	}
	did := "freed"
	if d.DryRun {
		did = "would free"
	}
	fmt.Fprintf(&b, "%s %s\n", did, bytesText(d.Bytes))
	_, err := io.WriteString(w, b.String())
	return err
}
