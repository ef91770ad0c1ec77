package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mergesearch/store"
)

// TestFullDisk fills a small file system, looks at what is there, frees space
// and goes on.
func TestFullDisk(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount a small file system here (%v); TestFileSizeLimit covers the error", err)
	}
	defer func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) }()
	ballast := filepath.Join(disk, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o644))
	dir := filepath.Join(disk, "run")

	db, err := store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	n, err := fill(db)
	var full *store.DiskError
	if !errors.As(err, &full) || !full.Full {
		t.Fatalf("after %d trials: %v", n, err)
	}
	t.Logf("after %d trials: %v", n, err)
	countAnswers(t, db.Reader, n)
	_ = db.Close() // it may or may not find room for its last checkpoint

	r, err := store.OpenReadOnly(t.Context(), dir)
	must(t, err)
	countAnswers(t, r, n)
	must(t, r.Close())

	must(t, os.Remove(ballast))
	db, err = store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	more, err := fill(db)
	if !errors.As(err, &full) || more <= n {
		t.Errorf("with more room: %d trials, %v", more, err)
	}
	countAnswers(t, db.Reader, more)
	_ = db.Close()
}

// TestFullDiskGoesOn frees space under an open store: the call that failed
// succeeds when it is repeated.
func TestFullDiskGoesOn(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	defer func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) }()
	ballast := filepath.Join(disk, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, 1<<20), 0o644))
	db, err := store.Open(t.Context(), filepath.Join(disk, "run"), store.Options{})
	must(t, err)
	n, _ := fill(db)
	must(t, os.Remove(ballast))
	if more, err := fill(db); more <= n {
		t.Errorf("%d trials before, %d after: %v", n, more, err)
	}
	_ = db.Close()
}

// TestNoRoomAtAll starts on a disk that is full already.
func TestNoRoomAtAll(t *testing.T) {
	disk := t.TempDir()
	if err := syscall.Mount("tmpfs", disk, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("cannot mount a small file system here: %v", err)
	}
	defer func() { must(t, syscall.Unmount(disk, syscall.MNT_DETACH)) }()
	_ = os.WriteFile(filepath.Join(disk, "ballast"), make([]byte, 64<<10), 0o644)
	_, err := store.Open(t.Context(), filepath.Join(disk, "run"), store.Options{})
	var full *store.DiskError
	if !errors.As(err, &full) || !full.Full {
		t.Errorf("got %v", err)
	}
}

// TestFileSizeLimit needs no rights: the process may not let files grow.
func TestFileSizeLimit(t *testing.T) {
	dir := t.TempDir()
	c := helper(t, "limited", dir)
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	first, message, _ := strings.Cut(string(out), "\n")
	if !strings.Contains(message, "disk is full") || strings.Count(message, "\n") != 1 {
		t.Errorf("message %q", message)
	}
	r, err := store.OpenReadOnly(t.Context(), dir)
	must(t, err)
	defer r.Close()
	n := 0
	for _, d := range strings.TrimPrefix(first, "full ") {
		n = 10*n + int(d-'0')
	}
	countAnswers(t, r, n)
}

// countAnswers checks the store and that n trials have their 100 answers.
func countAnswers(t *testing.T, r *store.Reader, n int) {
	t.Helper()
	report, err := r.Check(t.Context())
	must(t, err)
	if len(report.Problems) > 0 || report.Answers != 100*n {
		t.Errorf("%d answers, want %d; %v", report.Answers, 100*n, report.Problems)
	}
}

// remountReadOnly returns a second, read-only view of a directory.
func remountReadOnly(t *testing.T, dir string) string {
	t.Helper()
	view := t.TempDir()
	if err := syscall.Mount(dir, view, "", syscall.MS_BIND, ""); err != nil {
		t.Skipf("cannot mount here: %v", err)
	}
	t.Cleanup(func() { must(t, syscall.Unmount(view, syscall.MNT_DETACH)) })
	must(t, syscall.Mount("", view, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""))
	return view
}
