package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mergesearch/store"
)

// TestCheckFinds changes a run behind the store's back, in ways that the file
// format allows, and checks it.
func TestCheckFinds(t *testing.T) {
	for name, c := range map[string]struct{ change, want string }{
		"nothing":             {"SELECT 1", ""},
		"an event's text":     {`DROP TRIGGER event_kept; UPDATE event SET attrs = '{"trial":99}' WHERE seq = 4`, "event 4 (scored): the chain is broken"},
		"an event's time":     {"DROP TRIGGER event_kept; UPDATE event SET at = at + 1 WHERE seq = 4", "event 4"},
		"an event less":       {"DROP TRIGGER event_stays; DELETE FROM event WHERE seq = 2", "event 3"},
		"an answer":           {"DROP TRIGGER answer_kept; UPDATE answer SET value = 1 - value, missing = 0", "population hash"},
		"an answer less":      {"DROP TRIGGER answer_stays; DELETE FROM answer WHERE recipe = 3 AND item = 7", "c0002: a score on 30 items, but 29 answers"},
		"a genome":            {"UPDATE trial SET genome = 'other' WHERE idx = 3", "population hash"},
		"a recipe":            {`UPDATE recipe SET canonical = '{"method":"ties"}' WHERE key = 2`, "its content has the ID"},
		"a fitness":           {"UPDATE trial SET fitness = fitness / 2 WHERE idx = 5", "c0005: fitness"},
		"a configuration":     {"UPDATE run SET effective = '{}'", "frozen configuration"},
		"a reference":         {"PRAGMA foreign_keys = OFF; UPDATE trial SET recipe = 4711 WHERE idx = 11", "foreign_key_check: trial"},
		"a rule of the table": {"PRAGMA ignore_check_constraints = ON; UPDATE item SET split = 'mine' WHERE key = 1", "CHECK constraint failed in item"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := made(t)
			raw, err := sql.Open("sqlite3", filepath.Join(dir, store.FileName))
			must(t, err)
			raw.SetMaxOpenConns(1)
			_, err = raw.Exec(c.change)
			must(t, err)
			must(t, raw.Close())
			r, err := store.OpenReadOnly(t.Context(), dir)
			must(t, err)
			defer r.Close()
			report, err := r.Check(t.Context())
			must(t, err)
			found := strings.Join(report.Problems, "\n")
			if (c.want == "") != (found == "") || !strings.Contains(found, c.want) {
				t.Errorf("found %q, want %q", found, c.want)
			}
		})
	}
}

// TestTablesRefuse writes what no caller may write, past the store's own checks.
func TestTablesRefuse(t *testing.T) {
	dir := made(t)
	raw, err := sql.Open("sqlite3", filepath.Join(dir, store.FileName)+"?_foreign_keys=1")
	must(t, err)
	raw.SetMaxOpenConns(1)
	defer raw.Close()
	for _, s := range []string{
		"UPDATE trial SET fitness = 9e999 WHERE idx = 1",
		"UPDATE trial SET fitness = NULL WHERE idx = 1",
		"UPDATE trial SET stderr = -1 WHERE idx = 1",
		"UPDATE trial SET build_s = 9e999 WHERE idx = 1",
		"UPDATE trial SET state = 'done' WHERE idx = 1",
		"UPDATE trial SET state = 'failed' WHERE idx = 1",
		"UPDATE trial SET idx = 'x' WHERE idx = 1",
		"UPDATE trial SET score = '{' WHERE idx = 1",
		"INSERT INTO parent VALUES (3, 0, 3)",
		"INSERT INTO parent VALUES (3, 0, 99)",
		"INSERT INTO answer VALUES (1, 99, 0.5, 0, 0, 0, '')",
		"INSERT INTO answer VALUES (1, 1, 0.5, 0, 0, 0, '')",
		"INSERT INTO item (id, split) VALUES ('a/b', 'test')",
		"UPDATE answer SET value = 0.5",
		"DELETE FROM answer",
		"UPDATE event SET kind = 'x'",
		"DELETE FROM event",
		"INSERT INTO run SELECT 2, id, seed, version, run_file, effective, effective_sha, created FROM run",
	} {
		if _, err := raw.Exec(s); err == nil {
			t.Errorf("accepted: %s", s)
		}
	}
	if _, err := raw.Exec("INSERT INTO item (id, split) VALUES ('a/b', 'held-out')"); err != nil {
		t.Errorf("a legal row: %v", err)
	}
	for _, value := range []float64{2, -0.5} {
		if _, err := raw.Exec("INSERT INTO answer SELECT 1, max(key), ?, 0, 0, 0, '' FROM item", value); err == nil {
			t.Errorf("accepted the value %v", value)
		}
	}
	var text string
	if err := raw.QueryRow("SELECT item_id || ' ' || value FROM answers WHERE recipe_id = (SELECT id FROM recipe WHERE key = 1) LIMIT 1").Scan(&text); err != nil || text == "" {
		t.Errorf("the view for people: %q, %v", text, err)
	}
}

func TestBackup(t *testing.T) {
	dir := made(t)
	db, err := store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	must(t, db.Event(t.Context(), "before", nil)) // still in the write-ahead log
	hash, err := db.PopulationHash(t.Context())
	must(t, err)
	other := t.TempDir()
	copied := filepath.Join(other, store.FileName)
	must(t, os.WriteFile(copied, []byte("an older backup"), 0o644))
	must(t, os.WriteFile(copied+".tmp", []byte("one that was cut off"), 0o644))
	must(t, db.Backup(t.Context(), copied))
	must(t, db.Event(t.Context(), "after", nil))
	must(t, db.Close())

	back, err := store.Open(t.Context(), other, store.Options{})
	must(t, err)
	defer back.Close()
	report, err := back.Check(t.Context())
	must(t, err)
	if len(report.Problems) > 0 || report.PopulationHash != hash || report.Events != 13 {
		t.Errorf("%+v", report)
	}
	must(t, back.Freeze(t.Context(), configuration()))
	must(t, back.Event(t.Context(), "goes on", nil))
	if left, _ := filepath.Glob(filepath.Join(other, "*.tmp*")); len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
	if err := back.Backup(t.Context(), filepath.Join(other, "no such directory", "x.db")); err == nil {
		t.Error("a backup to nowhere")
	}
}
