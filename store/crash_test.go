package store_test

import (
	"context"
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

// kills is how often the crash test kills its helper.
const kills = 24

// TestCrash kills a writing process at random moments, in its creation of the
// run too, and starts it again each time. Everything that it reported must be
// there, the store must be sound, and the end must be that of an undisturbed run.
func TestCrash(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "runs", "crash")
	random := rand.New(rand.NewPCG(1, uint64(time.Now().UnixNano())))
	reported := map[string]bool{}
	for i := range kills {
		c := helper(t, "write", dir)
		out, err := c.StdoutPipe()
		must(t, err)
		must(t, c.Start())
		heard := listen(out)
		if i >= kills/4 { // the first ones die while they make the run
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
	t.Logf("%d kills, %d reports", kills, len(reported))
	must(t, helper(t, "write", dir).Run())
	report := verify(t, dir, map[string]bool{"ended": true})
	if want := undisturbed(t); report.PopulationHash != want {
		t.Errorf("population hash %s, undisturbed %s", report.PopulationHash, want)
	}
}

// verify opens the run for looking and checks that everything reported is there.
func verify(t *testing.T, dir string, reported map[string]bool) store.Report {
	t.Helper()
	ctx := context.Background()
	if _, err := os.Stat(filepath.Join(dir, store.FileName)); err != nil {
		if len(reported) > 0 {
			t.Errorf("reports, but %v", err)
		}
		return store.Report{}
	}
	r, err := store.OpenReadOnly(ctx, dir)
	must(t, err)
	defer r.Close()
	check, err := r.Check(ctx)
	must(t, err)
	for _, p := range check.Problems {
		t.Error(p)
	}
	trials, err := r.Trials(ctx, store.Filter{})
	must(t, err)
	byIndex := map[int]store.Trial{}
	for _, x := range trials {
		byIndex[x.Index] = x
	}
	for line := range reported {
		var kind string
		var index, n int
		_, _ = fmt.Sscan(line, &kind, &index, &n)
		x, found := byIndex[index]
		switch kind {
		case "frozen":
			if run, err := r.Run(ctx); err != nil || run.Seed != configuration().Seed {
				t.Errorf("frozen: %v", err)
			}
		case "begun":
			if !found {
				t.Errorf("%s: not there", line)
			}
		case "answered":
			if k, err := r.Known(ctx, x.RecipeID); err != nil || len(k.Outcomes) < n {
				t.Errorf("%s: %d outcomes, %v", line, len(k.Outcomes), err)
			}
		case "finished":
			if x.State != mergesearch.Scored || x.Score.Items != 40 {
				t.Errorf("%s: %s on %d items", line, x.State, x.Score.Items)
			}
		case "ended":
			if _, err := r.Ending(ctx); err != nil {
				t.Errorf("ended: %v", err)
			}
		default:
			t.Errorf("unknown report %q", line)
		}
	}
	return check
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
