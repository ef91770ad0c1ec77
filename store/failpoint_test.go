//go:build failpoints

package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"mergesearch"
	"mergesearch/store"
)

// helperFailing opens a run for writing, and makes a backup, and ends at a place.
func helperFailing(dir string) error {
	name, visit, _ := strings.Cut(os.Getenv("STORE_FAILPOINT"), "#")
	want, err := strconv.Atoi(visit)
	if err != nil {
		return err
	}
	visits := 0
	mergesearch.OnFailpoint = func(at string) {
		if at != name {
			return
		}
		if visits++; visits == want {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {}
		}
	}
	db, err := store.Open(context.Background(), dir, store.Options{})
	if err != nil {
		return err
	}
	if err := db.Backup(context.Background(), filepath.Join(dir, "backup.db")); err != nil {
		return err
	}
	return db.Close()
}

func init() { helpers["failing"] = helperFailing }

// killedAt runs the helper until it dies at a place; it reports false when it ended
// without coming there.
func killedAt(t *testing.T, dir, place string, visit int) bool {
	t.Helper()
	c := helper(t, "failing", dir)
	c.Env = append(c.Env, fmt.Sprintf("STORE_FAILPOINT=%s#%d", place, visit))
	err := c.Run()
	if err != nil && c.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatal(err)
	}
	return err != nil
}

// sqlite runs f on the database of a run, as any program could that knows SQLite.
func sqlite(t *testing.T, dir string, f func(*sql.DB) error) {
	t.Helper()
	db, err := sql.Open("sqlite3", filepath.Join(dir, store.FileName))
	must(t, err)
	must(t, f(db))
	must(t, db.Close())
}

// TestKillMigration kills the migration of a database of every older schema before and
// after the commit of each step. What is left is the version before or after the step,
// whole; the next start brings it to the newest with all that it held.
func TestKillMigration(t *testing.T) {
	kills := 0
	for from := 1; from < store.Schema; from++ {
		for _, place := range []string{"migrate/before", "migrate/after"} {
			for visit := 1; from+visit <= store.Schema; visit++ {
				dir := t.TempDir()
				copyFile(t, filepath.Join("testdata", "schema", fmt.Sprintf("%04d.db", from)), filepath.Join(dir, store.FileName))
				if !killedAt(t, dir, place, visit) {
					t.Fatalf("from schema %d it never came to %s for the %d. time", from, place, visit)
				}
				kills++
				want := from + visit
				if place == "migrate/before" {
					want--
				}
				whole := filepath.Join(t.TempDir(), "whole.db") // with what is in the log
				var got int
				sqlite(t, dir, func(db *sql.DB) error {
					if err := db.QueryRow("PRAGMA user_version").Scan(&got); err != nil {
						return err
					}
					_, err := db.Exec("VACUUM INTO ?", whole)
					return err
				})
				if got != want {
					t.Errorf("from schema %d, killed at %s#%d: schema %d, want %d", from, place, visit, got, want)
				}
				testSchema(t, whole, from)
			}
		}
	}
	t.Logf("%d kills", kills)
}

// TestKillBackup kills a backup at each of its places. The file of that name is the
// old one or the new one, and the next backup removes what was left.
func TestKillBackup(t *testing.T) {
	for _, place := range []string{"backup/copied", "backup/before", "backup/after"} {
		dir := made(t)
		backup := filepath.Join(dir, "backup.db")
		for range 20 {
			if !killedAt(t, dir, place, 1) {
				t.Fatalf("it never came to %s", place)
			}
			if _, err := os.Stat(backup); errors.Is(err, os.ErrNotExist) != (place != "backup/after") {
				t.Fatalf("killed at %s: %v", place, err)
			}
			verify(t, dir, nil)
		}
		if killedAt(t, dir, "nowhere", 1) {
			t.Fatal("killed without a reason")
		}
		other := t.TempDir()
		copyFile(t, backup, filepath.Join(other, store.FileName))
		verify(t, other, map[string]bool{"ended": true})
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp*")); len(left) > 0 {
			t.Errorf("left over: %v", left)
		}
	}
}
