package store_test

import (
	"database/sql"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/store"
	"mergesearch/store/storetest"
)

// made returns the directory of a small finished run.
func made(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "run")
	db, err := store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	must(t, db.Freeze(t.Context(), configuration()))
	var s storetest.Sample
	for i := range 12 {
		trial, genome := s.Trial(i)
		must(t, db.Begin(t.Context(), trial, genome))
		trial.Fingerprint = storetest.Fingerprint(trial.RecipeID)
		o := s.Outcomes(trial.RecipeID, mergesearch.SearchSplit, 0, 30)
		must(t, db.Answered(t.Context(), trial, mergesearch.SearchSplit, o))
		must(t, db.Event(t.Context(), "scored", map[string]any{"trial": i}))
		must(t, db.Finish(t.Context(), s.Finished(trial, o)))
	}
	_, err = db.SetEnding(t.Context(), store.Ending{Status: "done", StopReason: "candidates"})
	must(t, err)
	must(t, db.Close())
	return dir
}

func TestCleanCloseLeavesOneFile(t *testing.T) {
	dir := made(t)
	for _, suffix := range []string{"-wal", "-shm", ".new"} {
		if _, err := os.Stat(filepath.Join(dir, store.FileName+suffix)); err == nil {
			t.Errorf("%s is left", suffix)
		}
	}
}

func TestOddPaths(t *testing.T) {
	for _, name := range []string{"with space", "a?mode=ro", "50%25#x", "ümlaut", "q'uote\"s", "a&b=c"} {
		dir := filepath.Join(t.TempDir(), name, "run")
		db, err := store.Open(t.Context(), dir, store.Options{})
		must(t, err)
		must(t, db.Event(t.Context(), "note", nil))
		must(t, db.Backup(t.Context(), filepath.Join(dir, "backup.db")))
		must(t, db.Close())
		if _, err := os.Stat(filepath.Join(dir, store.FileName)); err != nil {
			t.Error(err)
		}
		r, err := store.OpenReadOnly(t.Context(), dir)
		must(t, err)
		if e, err := r.Events(t.Context(), 0, 0); err != nil || len(e) != 1 {
			t.Errorf("%s: %v, %v", name, e, err)
		}
		must(t, r.Close())
	}
	t.Chdir(t.TempDir()) // a relative path means the same after a change of directory
	db, err := store.Open(t.Context(), "runs/x", store.Options{})
	must(t, err)
	t.Chdir(t.TempDir())
	must(t, db.Event(t.Context(), "note", nil))
	if e, err := db.Events(t.Context(), 0, 0); err != nil || len(e) != 1 {
		t.Errorf("%v, %v", e, err)
	}
	must(t, db.Backup(t.Context(), "copy.db"))
	must(t, db.Close())
}

// edit changes the bytes of a run's database.
func edit(t *testing.T, dir string, f func([]byte) []byte) {
	t.Helper()
	path := filepath.Join(dir, store.FileName)
	b, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, f(b), 0o644))
}

func TestDamaged(t *testing.T) {
	for name, f := range map[string]func([]byte) []byte{
		"empty":     func([]byte) []byte { return nil },
		"short":     func(b []byte) []byte { return b[:60] },
		"text":      func([]byte) []byte { return []byte(strings.Repeat("not a database\n", 100)) },
		"cut":       func(b []byte) []byte { return b[:len(b)/2] },
		"zero page": func(b []byte) []byte { clear(b[len(b)-8192:]); return b },
		"version 0": func(b []byte) []byte { binary.BigEndian.PutUint32(b[60:], 0); return b },
		"one page": func(b []byte) []byte {
			for i := 4096 * 2; i < 4096*3; i++ {
				b[i] ^= 0xa5
			}
			return b
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := made(t)
			edit(t, dir, f)
			_, err := store.Open(t.Context(), dir, store.Options{})
			var damaged *store.DamagedError
			if !errors.As(err, &damaged) {
				t.Fatalf("got %T %v", err, err)
			}
			t.Log(err)
			if strings.Contains(err.Error(), "\n") || damaged.Hint() == "" {
				t.Errorf("not one line with a hint: %v", err)
			}
			r, err := store.OpenReadOnly(t.Context(), dir)
			if err != nil {
				if !errors.As(err, &damaged) {
					t.Errorf("for looking: %T %v", err, err)
				}
				return
			}
			defer r.Close()
			if report, err := r.Check(t.Context()); err != nil || len(report.Problems) == 0 {
				t.Errorf("check found %v, %v", report.Problems, err)
			}
		})
	}
}

func TestLogWithoutDatabase(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, store.FileName+"-wal"), []byte("log"), 0o644))
	var damaged *store.DamagedError
	if _, err := store.Open(t.Context(), dir, store.Options{}); !errors.As(err, &damaged) {
		t.Errorf("got %v", err)
	}
}

func TestForeign(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, store.FileName)
	other, err := sql.Open("sqlite3", path)
	must(t, err)
	_, err = other.Exec("CREATE TABLE theirs (x); PRAGMA application_id = 77")
	must(t, err)
	must(t, other.Close())
	before, err := os.ReadFile(path)
	must(t, err)
	var foreign *store.ForeignError
	if _, err := store.Open(t.Context(), dir, store.Options{}); !errors.As(err, &foreign) || foreign.ApplicationID != 77 {
		t.Errorf("got %v", err)
	}
	if _, err := store.OpenReadOnly(t.Context(), dir); !errors.As(err, &foreign) {
		t.Errorf("for looking: %v", err)
	}
	if after, err := os.ReadFile(path); err != nil || string(before) != string(after) {
		t.Error("the foreign file was changed")
	}
}

func TestNewer(t *testing.T) {
	dir := made(t)
	edit(t, dir, func(b []byte) []byte { binary.BigEndian.PutUint32(b[60:], 99); return b })
	var newer *store.NewerError
	if _, err := store.Open(t.Context(), dir, store.Options{}); !errors.As(err, &newer) || newer.Schema != 99 || newer.Mine != store.Schema {
		t.Errorf("got %v", err)
	}
	if _, err := store.OpenReadOnly(t.Context(), dir); !errors.As(err, &newer) {
		t.Errorf("for looking: %v", err)
	}
}

func TestNotADirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o644))
	var input *mergesearch.InputError
	for _, dir := range []string{file, filepath.Join(file, "below")} {
		if _, err := store.Open(t.Context(), dir, store.Options{}); !errors.As(err, &input) {
			t.Errorf("%s: got %v", dir, err)
		}
		if _, err := store.OpenReadOnly(t.Context(), dir); !errors.As(err, &input) {
			t.Errorf("for looking at %s: got %v", dir, err)
		}
	}
	if _, err := store.OpenReadOnly(t.Context(), t.TempDir()); !errors.As(err, &input) || input.Hint == "" {
		t.Errorf("an empty directory: got %v", err)
	}
}

// TestReadOnlyCannotWrite asks a reader's own connections to write.
func TestReadOnlyNeverWrites(t *testing.T) {
	dir := made(t)
	before, err := os.ReadFile(filepath.Join(dir, store.FileName))
	must(t, err)
	r, err := store.OpenReadOnly(t.Context(), dir)
	must(t, err)
	if report, err := r.Check(t.Context()); err != nil || len(report.Problems) > 0 {
		t.Errorf("%v, %v", report, err)
	}
	must(t, r.Close())
	if after, err := os.ReadFile(filepath.Join(dir, store.FileName)); err != nil || string(before) != string(after) {
		t.Error("looking changed the database")
	}
}

// TestReadOnlyDisk looks at a run on a disk that allows no writing at all.
func TestReadOnlyDirectory(t *testing.T) {
	dir := made(t)
	mounted := remountReadOnly(t, dir)
	r, err := store.OpenReadOnly(t.Context(), mounted)
	must(t, err)
	if report, err := r.Check(t.Context()); err != nil || len(report.Problems) > 0 || report.Trials != 12 {
		t.Errorf("%+v, %v", report, err)
	}
	must(t, r.Close())
	var input *mergesearch.InputError
	if _, err := store.Open(t.Context(), mounted, store.Options{}); !errors.As(err, &input) {
		t.Errorf("for writing: %v", err)
	}
}

func TestClosed(t *testing.T) {
	db, err := store.Open(t.Context(), t.TempDir(), store.Options{})
	must(t, err)
	must(t, db.Close())
	if err := db.Event(t.Context(), "late", nil); err == nil {
		t.Error("a closed store records")
	}
}
