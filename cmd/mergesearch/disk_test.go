package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mergesearch/store"
)

// diskOf is a guard of a directory on a file system with so many bytes free.
func diskOf(t *testing.T, free *atomic.Int64) (*diskGuard, *[]string) {
	said := &[]string{}
	return &diskGuard{
		dir: t.TempDir(), need: func() int64 { return 1000 }, every: time.Millisecond,
		free: func(string) (int64, error) { return free.Load(), nil },
		say:  func(kind string, _ map[string]any) { *said = append(*said, kind) },
	}, said
}

// A run waits for room, a tenth more than comes next, and goes on by itself.
func TestDiskGuardWaits(t *testing.T) {
	var free atomic.Int64
	free.Store(1100)
	g, said := diskOf(t, &free)
	if err := g.ready(context.Background()); err != nil || len(*said) > 0 {
		t.Fatalf("with room: %v, said %v", err, *said)
	}
	free.Store(1099)
	looks := 0
	g.free = func(string) (int64, error) {
		if looks++; looks > 5 {
			free.Store(2000)
		}
		return free.Load(), nil
	}
	if err := g.ready(context.Background()); err != nil || !slices.Equal(*said, []string{eventDiskShort, eventDiskEnough}) {
		t.Errorf("error %v, said %v", err, *said)
	}
}

// Ctrl-C works while a run waits, in both of its stages.
func TestDiskGuardIsInterrupted(t *testing.T) {
	var free atomic.Int64
	g, _ := diskOf(t, &free)
	g.every = time.Hour
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := g.ready(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	drain := make(chan struct{})
	close(drain)
	g.drain = drain
	if err := g.ready(context.Background()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// What may be deleted is deleted before a run waits: stale checkpoints and old backups.
func TestDiskGuardTidies(t *testing.T) {
	var free atomic.Int64
	g, said := diskOf(t, &free)
	for _, name := range []string{backupName(3), backupName(4), backupName(12), "run.db", "best/model.safetensors", ".tmp-best-0123456789abcdef/model.safetensors"} {
		path := filepath.Join(g.dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte("bytes"), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	g.free = func(dir string) (int64, error) { return 2000 - 50*dirBytes(dir), nil } // six files of 5 bytes, then three
	if err := g.ready(context.Background()); err != nil || len(*said) > 0 {
		t.Fatalf("error %v, said %v", err, *said)
	}
	left, _ := filepath.Glob(filepath.Join(g.dir, "*"))
	for i := range left {
		left[i] = filepath.Base(left[i])
	}
	if want := []string{"best", backupName(12), "run.db"}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
	if _, err := os.Stat(filepath.Join(g.dir, ".tmp-best-0123456789abcdef")); err == nil {
		t.Error("a stale checkpoint is there")
	}
}

// A write that finds the disk full gives up the reserve first, then waits. One that
// fails although there is room is given up after some tries.
func TestDiskGuardRetries(t *testing.T) {
	var free atomic.Int64
	free.Store(reserveBytes + 1100)
	g, said := diskOf(t, &free)
	if err := g.ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	reserve := filepath.Join(g.dir, reserveName)
	if info, err := os.Stat(reserve); err != nil || info.Size() != reserveBytes {
		t.Fatalf("reserve %v", err)
	}
	full := &store.DiskError{Path: "run.db", Op: "write", Full: true, Err: syscall.ENOSPC}
	calls := 0
	err := g.retry(context.Background(), func() error {
		if calls++; calls == 1 {
			return full
		}
		return nil
	})
	if _, there := os.Stat(reserve); err != nil || calls != 2 || there == nil || len(*said) > 0 {
		t.Errorf("error %v, %d calls, said %v", err, calls, *said)
	}
	calls = 0
	free.Store(0)
	err = g.retry(context.Background(), func() error {
		if calls++; calls == 1 {
			go func() { time.Sleep(5 * time.Millisecond); free.Store(5000) }()
			return syscall.ENOSPC
		}
		return nil
	})
	if err != nil || calls != 2 || !slices.Equal(*said, []string{eventDiskShort, eventDiskEnough}) {
		t.Errorf("error %v, %d calls, said %v", err, calls, *said)
	}
	calls = 0
	if err = g.retry(context.Background(), func() error { calls++; return full }); !errors.Is(err, full) || calls != mostFutile+1 {
		t.Errorf("error %v after %d calls", err, calls)
	}
	other := errors.New("another fault")
	if err = g.retry(context.Background(), func() error { return other }); !errors.Is(err, other) {
		t.Errorf("error %v", err)
	}
}

// A directory that has grown to its limit is full; deleting what may go comes first.
func TestDiskGuardLimit(t *testing.T) {
	var free atomic.Int64
	g, _ := diskOf(t, &free)
	g.limit, g.every = 3000, 0
	write := func(name string, n int) {
		if err := os.WriteFile(filepath.Join(g.dir, name), make([]byte, n), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("run.db", 1000)
	write(backupName(1), 600)
	write(backupName(2), 399)
	if g.full() {
		t.Error("full below the limit")
	}
	write(backupName(2), 400)
	if g.full() || len(backups(g.dir)) != 1 {
		t.Errorf("full, or not tidied: backups %v", backups(g.dir))
	}
	write("run.db-wal", 700)
	if !g.full() {
		t.Error("not full at the limit")
	}
}

// Three backups are kept, each a store that can be opened.
func TestBackups(t *testing.T) {
	ctx, dir := context.Background(), filepath.Join(t.TempDir(), "run")
	db, err := store.Open(ctx, dir, store.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for range 5 {
		if err := db.Event(ctx, "marker", nil); err != nil {
			t.Fatal(err)
		}
		if _, err := backUp(ctx, db.Reader, dir); err != nil {
			t.Fatal(err)
		}
	}
	if got := backups(dir); !slices.Equal(got, []int{3, 4, 5}) {
		t.Fatalf("backups %v", got)
	}
	other := t.TempDir()
	if err := os.Rename(filepath.Join(dir, backupName(4)), filepath.Join(other, store.FileName)); err != nil {
		t.Fatal(err)
	}
	copied, err := store.OpenReadOnly(ctx, other)
	if err != nil {
		t.Fatal(err)
	}
	defer copied.Close()
	if events, err := copied.Events(ctx, 0, 0); err != nil || len(events) != 4 {
		t.Errorf("%d events, error %v", len(events), err)
	}
}
