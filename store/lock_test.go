package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mergesearch/store"
)

// hold starts a process that holds a run directory.
func hold(t *testing.T, dir string) (pid int, kill func()) {
	t.Helper()
	c := helper(t, "hold", dir)
	_, err := c.StdinPipe()
	must(t, err)
	out, err := c.StdoutPipe()
	must(t, err)
	must(t, c.Start())
	listen(out).wait(1)
	return c.Process.Pid, func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	}
}

func TestLocked(t *testing.T) {
	dir := t.TempDir()
	pid, kill := hold(t, dir)
	began := time.Now()
	_, err := store.Open(t.Context(), dir, store.Options{})
	var locked *store.LockedError
	if !errors.As(err, &locked) || locked.PID != pid {
		t.Fatalf("got %v, want a LockedError of process %d", err, pid)
	}
	if host, _ := os.Hostname(); locked.Host != host || time.Since(locked.Start) > time.Hour {
		t.Errorf("holder %+v", locked.Holder)
	}
	t.Logf("refused after %v: %v", time.Since(began), err)

	holder, held, err := store.HeldBy(dir)
	if err != nil || !held || holder.PID != pid {
		t.Errorf("held by %+v, %t, %v", holder, held, err)
	}
	r, err := store.OpenReadOnly(t.Context(), dir)
	must(t, err)
	must(t, r.Close())

	kill()
	db, err := store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	if _, err := store.Open(t.Context(), dir, store.Options{}); !errors.As(err, &locked) || locked.PID != os.Getpid() {
		t.Errorf("the same process again: %v", err)
	}
	must(t, db.Close())
	must(t, db.Close())
	if _, held, err := store.HeldBy(dir); held || err != nil {
		t.Errorf("held after close: %v", err)
	}
}

// TestLookingDoesNotRefuse has a process look whether the lock is held, over and
// over, while another starts.
func TestLookingDoesNotRefuse(t *testing.T) {
	dir := t.TempDir()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			select {
			case <-stop:
				return
			default:
				_, _, _ = store.HeldBy(dir)
			}
		}
	}()
	for range 10 {
		db, err := store.Open(t.Context(), dir, store.Options{})
		must(t, err)
		must(t, db.Close())
	}
	close(stop)
	<-stopped
}

func TestHolderIsOnlyForTheMessage(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, store.LockName), []byte(`{"pid": 1, "host": "gone"}`), 0o644))
	db, err := store.Open(t.Context(), dir, store.Options{})
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, store.LockName), []byte("garbage"), 0o644))
	var locked *store.LockedError
	if _, err := store.Open(t.Context(), dir, store.Options{}); !errors.As(err, &locked) || locked.PID != 0 {
		t.Errorf("got %v", err)
	}
	must(t, db.Close())
}
