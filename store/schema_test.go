package store_test

import (
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

var update = flag.Bool("update", false, "write testdata/schema anew for the current schema")

// goldenHash is the population hash of testdata/schema/0001.db. It also pins what
// mergesearch.PopulationHash covers.
const goldenHash = "f05ab407b2c86a7e06a8a671c54526ba46d768b7e08e0e9af39ce8b6488517a3"

// TestSchemas opens a database that each schema wrote, as every later version must.
func TestSchemas(t *testing.T) {
	newest := filepath.Join("testdata", "schema", fmt.Sprintf("%04d.db", store.Schema))
	if *update {
		must(t, os.MkdirAll(filepath.Dir(newest), 0o755))
		writeGolden(t, newest)
	}
	for schema := range store.Schema {
		t.Run(fmt.Sprint(schema+1), func(t *testing.T) {
			testSchema(t, filepath.Join("testdata", "schema", fmt.Sprintf("%04d.db", schema+1)), schema+1)
		})
	}
}

func testSchema(t *testing.T, golden string, schema int) {
	dir := t.TempDir()
	copyFile(t, golden, filepath.Join(dir, store.FileName))
	db, err := store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	defer db.Close()
	report, err := db.Check(t.Context())
	must(t, err)
	if len(report.Problems) > 0 || report.Trials != 8 || report.Answers != 88 || report.Events != 2 {
		t.Errorf("%+v", report)
	}
	if report.PopulationHash != goldenHash {
		t.Errorf("population hash %s", report.PopulationHash)
	}
	must(t, db.Freeze(t.Context(), configuration()))
	trial, answers, err := db.Trial(t.Context(), "c0006")
	must(t, err)
	if trial.State != mergesearch.Scored || len(answers) != 11 || trial.Score.Fitness == 0 || trial.Begun.Unix() < 1000 {
		t.Errorf("%+v", trial)
	}
	if ending, err := db.Ending(t.Context()); err != nil || ending.Status != "done" {
		t.Errorf("%+v, %v", ending, err)
	}
	replay(t, db, 9) // and one trial more
	value, found, err := db.Cache().Lookup(t.Context(), [32]byte{1, 2, 3})
	if err != nil || found != (schema >= 2) || found && string(value) != "answer" {
		t.Errorf("cached %q, %v, %v", value, found, err)
	}
}

// replay runs n trials, as far as they are not recorded.
func replay(t *testing.T, db *store.DB, n int) {
	t.Helper()
	var s storetest.Sample
	for i := range n {
		trial, genome := s.Trial(i)
		must(t, db.Begin(t.Context(), trial, genome))
		o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 11)
		trial.Fingerprint = storetest.Fingerprint(trial.RecipeID)
		must(t, db.Answered(t.Context(), trial, mergesearch.SearchSplit, o))
		must(t, db.Finish(t.Context(), s.Finished(trial, o)))
	}
}

func writeGolden(t *testing.T, path string) {
	t.Helper()
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{Now: clock()})
	must(t, err)
	must(t, db.Freeze(t.Context(), configuration()))
	must(t, db.Event(t.Context(), "start", map[string]any{"version": "0.3.1"}))
	replay(t, db, 8)
	must(t, db.Event(t.Context(), "generation", map[string]any{"generation": 1}))
	_, err = db.SetEnding(t.Context(), store.Ending{Status: "done", StopReason: "candidates"})
	must(t, err)
	must(t, db.Cache().Store(t.Context(), [32]byte{1, 2, 3}, []byte("answer")))
	must(t, db.Cache().Flush(t.Context()))
	must(t, db.Backup(t.Context(), path))
	must(t, db.Close())
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	must(t, err)
	defer in.Close()
	out, err := os.Create(to)
	must(t, err)
	_, err = io.Copy(out, in)
	must(t, err)
	must(t, out.Close())
}

// TestTimesOfOneMoment pins that recorded times are UTC nanoseconds.
func TestTimesOfOneMoment(t *testing.T) {
	at := time.Date(2001, 2, 3, 4, 5, 6, 789, time.FixedZone("x", 3600))
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{Now: func() time.Time { return at }})
	must(t, err)
	defer db.Close()
	must(t, db.Event(t.Context(), "note", nil))
	e, err := db.Events(t.Context(), 0, 0)
	must(t, err)
	if !e[0].At.Equal(at) || e[0].At.Location() != time.UTC {
		t.Errorf("%v, want %v", e[0].At, at)
	}
}
