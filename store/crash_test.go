package store_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

var kills = flag.Int("kills", 20, "how often TestCrash kills its helper")

// TestCrash kills a writing process at random moments, in its creation of the
// run too, and starts it again each time. Everything that it reported must be
// there, the store must be sound, and the end must be that of an undisturbed run.
func TestCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "crash")
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	reported := map[string]bool{}
	for i := range *kills {
		c := helper(t, "write", dir)
		out, err := c.StdoutPipe()
		must(t, err)
		must(t, c.Start())
		heard := listen(out)
		if i >= *kills/4 { // the first ones die while they make the run
			heard.wait(len(reported) + random.IntN(24))
		}
		time.Sleep(time.Duration(random.Int64N(int64(12 * time.Millisecond))))
		_ = c.Process.Kill()
		for range heard.grown { // until the pipe is closed: all that was written before the kill
		}
		_ = c.Wait()
		for line := range strings.SplitSeq(heard.text(), "\n") {
			if line != "" {
				reported[line] = true
			}
		}
		verify(t, dir, reported)
		if t.Failed() {
			t.Fatalf("after kill %d with %d reports", i, len(reported))
		}
	}
	t.Logf("%d kills, %d reports", *kills, len(reported))
	must(t, helper(t, "write", dir).Run())
	report := verify(t, dir, map[string]bool{"ended": true})
	if want := undisturbed(t); report.PopulationHash != want {
		t.Errorf("population hash %s, undisturbed %s", report.PopulationHash, want)
	}
}

// lost opens the run for looking and returns what is wrong with it or missing of
// what was reported.
func lost(t *testing.T, dir string, reported map[string]bool) []string {
	t.Helper()
	_, found := inspect(t, dir, reported)
	return found
}

// verify fails the test when something is lost.
func verify(t *testing.T, dir string, reported map[string]bool) store.Report {
	t.Helper()
	report, found := inspect(t, dir, reported)
	for _, f := range found {
		t.Error(f)
	}
	return report
}

func inspect(t *testing.T, dir string, reported map[string]bool) (store.Report, []string) {
	t.Helper()
	ctx := context.Background()
	if _, err := os.Stat(filepath.Join(dir, store.FileName)); err != nil {
		if len(reported) > 0 {
			return store.Report{}, []string{fmt.Sprintf("reports, but %v", err)}
		}
		return store.Report{}, nil
	}
	r, err := store.OpenReadOnly(ctx, dir)
	if err != nil {
		return store.Report{}, []string{err.Error()}
	}
	defer r.Close()
	check, err := r.Check(ctx)
	if err != nil {
		return check, []string{err.Error()}
	}
	found := check.Problems
	trials, err := r.Trials(ctx, store.Filter{})
	if err != nil {
		return check, append(found, err.Error())
	}
	byIndex := map[int]store.Trial{}
	for _, x := range trials {
		byIndex[x.Index] = x
	}
	for line := range reported {
		if problem := contradiction(ctx, r, byIndex, line); problem != "" {
			found = append(found, line+": "+problem)
		}
	}
	return check, found
}

// contradiction compares one report with the store; it is empty when they agree.
func contradiction(ctx context.Context, r *store.Reader, trials map[int]store.Trial, line string) string {
	var kind string
	var index, n int
	_, _ = fmt.Sscan(line, &kind, &index, &n)
	x, found := trials[index]
	switch kind {
	case "frozen":
		if run, err := r.Run(ctx); err != nil || run.Seed != configuration().Seed {
			return fmt.Sprint("not frozen: ", err)
		}
	case "begun":
		if !found {
			return "not there"
		}
	case "answered":
		if k, err := r.Known(ctx, x.RecipeID); err != nil || len(k.Outcomes) < n {
			return fmt.Sprint(len(k.Outcomes), " outcomes ", err)
		}
	case "finished":
		if x.State != mergesearch.Scored || x.Score.Items != 40 {
			return fmt.Sprint(x.State, " on ", x.Score.Items, " items")
		}
	case "ended":
		if _, err := r.Ending(ctx); err != nil {
			return err.Error()
		}
	default:
		return "an unknown report"
	}
	return ""
}

// undisturbed returns the population hash of the helper's run, made in memory.
func undisturbed(t *testing.T) string {
	t.Helper()
	var m storetest.Memory
	for i := range crashTrials {
		trial, genome := crashSample.Trial(i)
		must(t, m.Begin(t.Context(), trial, genome))
	}
	for i := range crashTrials {
		trial, _ := crashSample.Trial(i)
		o := crashSample.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 40)
		must(t, m.Answered(t.Context(), trial, mergesearch.SearchSplit, o))
		must(t, m.Answered(t.Context(), trial, mergesearch.HeldOutSplit, crashSample.Outcomes(trial.RecipeID, mergesearch.HeldOutSplit, 40, 20)))
		must(t, m.Finish(t.Context(), crashSample.Finished(trial, o)))
	}
	return mergesearch.PopulationHash(m.Records())
}

// TestUnfinishedCreation puts a directory into every state that a killed
// creation can leave, and opens it.
func TestUnfinishedCreation(t *testing.T) {
	whole := t.TempDir()
	db, err := store.Open(t.Context(), whole, store.Options{})
	must(t, err)
	must(t, db.Close())
	complete, err := os.ReadFile(filepath.Join(whole, store.FileName))
	must(t, err)
	for name, left := range map[string]map[string][]byte{
		"nothing":           {},
		"lock only":         {"run.lock": nil},
		"empty file":        {"run.lock": nil, "run.db.new": nil},
		"half a file":       {"run.db.new": complete[:len(complete)/2], "run.db.new-journal": []byte("x")},
		"with a log":        {"run.db.new": complete, "run.db.new-wal": []byte("junk"), "run.db.new-shm": nil},
		"before the rename": {"run.db.new": complete},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, content := range left {
				must(t, os.WriteFile(filepath.Join(dir, file), content, 0o644))
			}
			db, err := store.Open(t.Context(), dir, store.Options{})
			must(t, err)
			must(t, db.Event(t.Context(), "note", nil))
			must(t, db.Close())
			verify(t, dir, nil)
			files, err := filepath.Glob(filepath.Join(dir, "run.db.new*"))
			must(t, err)
			if len(files) > 0 {
				t.Errorf("left over: %v", files)
			}
		})
	}
}
