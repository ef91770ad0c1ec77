package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mergesearch/store"
)

// smallRun is a search of a few candidates over the quickstart's family, for tests
// that run it many times: real merges, the real engine, a few items.
const smallRun = `name: small
seed: 1
base: models/base
experts: [models/expert-arithmetic, models/expert-reverse]
dtype: bfloat16
methods: [linear, task_arithmetic, ties]
genes:
  weight: {min: 0, max: 1.5, per: [expert]}
  density: {min: 0.1, max: 1, step: 0.01, per: [expert]}
groups:
  - {name: all}
tasks:
  - {file: tasks/arithmetic.yaml}
  - {file: tasks/reverse.yaml, weight: 2}
algorithm: {name: ga, population: 4, islands: 1}
race: {rungs: [3, 6], keep: 0.5}
budget: {candidates: 6}
shortlist: 2
`

// writeSmallRun makes a directory with the run file, to which more is added, its
// tasks with a few items each, and the models.
func writeSmallRun(t testing.TB, more string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	quickstart, err := filepath.Abs(filepath.Join("..", "..", "configs", "quickstart"))
	check(t, err)
	for _, sub := range []string{"tasks", "data"} {
		check(t, os.Mkdir(filepath.Join(dir, sub), 0o755))
	}
	check(t, os.Symlink(filepath.Join(quickstart, "models"), filepath.Join(dir, "models")))
	for _, task := range []string{"arithmetic", "reverse"} {
		text, err := os.ReadFile(filepath.Join(quickstart, "tasks", task+".yaml"))
		check(t, err)
		check(t, os.WriteFile(filepath.Join(dir, "tasks", task+".yaml"), text, 0o644))
		for split, items := range map[string]int{"search": 6, "validation": 4, "held-out": 4} {
			name := filepath.Join("data", task+"."+split+".jsonl")
			text, err := os.ReadFile(filepath.Join(quickstart, name))
			check(t, err)
			lines := bytes.SplitAfter(text, []byte("\n"))
			check(t, os.WriteFile(filepath.Join(dir, name), bytes.Join(lines[:items], nil), 0o644))
		}
	}
	check(t, os.WriteFile(filepath.Join(dir, "run.yaml"), []byte(smallRun+more), 0o644))
	return dir
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// soundStore opens a run for looking and returns its report; all that is wrong with
// it fails the test. There may be no database yet.
func soundStore(t testing.TB, dir string) (r *store.Reader, report store.Report) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, store.FileName)); os.IsNotExist(err) {
		return nil, report
	}
	r, err := store.OpenReadOnly(t.Context(), dir)
	check(t, err)
	t.Cleanup(func() { r.Close() })
	report, err = r.Check(t.Context())
	check(t, err)
	for _, p := range report.Problems {
		t.Errorf("%s: %s", dir, p)
	}
	return r, report
}

// soundStoreIfAny is soundStore of a run that may be at any point of its creation.
func soundStoreIfAny(t testing.TB, dir string) (*store.Reader, store.Report) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(dir, store.LockName)); err != nil {
		return nil, store.Report{}
	}
	return soundStore(t, dir)
}

// contents returns a hash of the names and bytes of all files below a directory, but
// those of temporary directories, which leftovers looks for.
func contents(t testing.TB, dir string) string {
	t.Helper()
	h := sha256.New()
	check(t, fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasPrefix(d.Name(), ".tmp-") {
			return fs.SkipDir
		}
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(filepath.Join(dir, path))
		fmt.Fprintf(h, "%s %d\n%s", path, len(b), b)
		return err
	}))
	return hex.EncodeToString(h.Sum(nil))
}

// leftovers returns the temporary files and directories below dir.
func leftovers(t testing.TB, dir string) []string {
	t.Helper()
	var found []string
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if name := d.Name(); strings.HasPrefix(name, ".tmp") || strings.HasSuffix(name, ".tmp") || strings.Contains(name, ".new") || strings.HasPrefix(name, "mergesearch-") {
			found = append(found, path)
		}
		return err
	}))
	return found
}
