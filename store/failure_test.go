package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/mattn/go-sqlite3"

	"mergesearch"
)

func TestFailure(t *testing.T) {
	cases := []struct {
		err    error
		want   string // type
		unsure bool
	}{
		{sqlite3.Error{Code: sqlite3.ErrCorrupt}, "*store.DamagedError", true},
		{sqlite3.Error{Code: sqlite3.ErrNotADB}, "*store.DamagedError", true},
		{sqlite3.Error{Code: sqlite3.ErrFull}, "*store.DiskError full", false},
		{sqlite3.Error{Code: sqlite3.ErrReadonly}, "*store.DiskError", true},
		{sqlite3.Error{Code: sqlite3.ErrCantOpen, SystemErrno: syscall.EIO}, "*store.DiskError", true},
		{sqlite3.Error{Code: sqlite3.ErrCantOpen, SystemErrno: syscall.EMFILE}, "*fmt.wrapError", false},
		{sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EFBIG}, "*store.DiskError full", false},
		{sqlite3.Error{Code: sqlite3.ErrIoErr, SystemErrno: syscall.EDQUOT}, "*store.DiskError full", false},
		{sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync, SystemErrno: syscall.EIO}, "*store.DiskError", true},
		{fmt.Errorf("parent: %w", sqlite3.Error{Code: sqlite3.ErrConstraint}), "*fmt.wrapError", false},
		{&fs.PathError{Op: "sync", Path: "x", Err: syscall.EIO}, "*store.DiskError", false},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "*store.DiskError full", false},
		{&mergesearch.InputError{Problem: "p"}, "*mergesearch.InputError", false},
		{&DivergedError{}, "*store.DivergedError", false},
		{errors.New("other"), "*fmt.wrapError", false},
	}
	for _, c := range cases {
		got := failure("runs/x/run.db", "do", c.err)
		kind := fmt.Sprintf("%T", got)
		var disk *DiskError
		if errors.As(got, &disk) && disk.Full {
			kind += " full"
		}
		if kind != c.want || unsure(got) != c.unsure {
			t.Errorf("%v: %s (unsure %t), want %s", c.err, kind, unsure(got), c.want)
		}
		if strings.Contains(got.Error(), "\n") {
			t.Errorf("more than one line: %q", got)
		}
	}
	if failure("x", "do", nil) != nil {
		t.Error("no error became one")
	}
}

// TestFailedSync makes one sync fail as far as the store can tell: every later
// write must be refused with the same error, since the disk may forget.
func TestFailedSync(t *testing.T) {
	dir := t.TempDir()
	db, err := Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	bad := sqlite3.Error{Code: sqlite3.ErrIoErr, ExtendedCode: sqlite3.ErrIoErrFsync, SystemErrno: syscall.EIO}
	first := db.write(t.Context(), "try", func(ctx context.Context) error { return bad })
	if first == nil {
		t.Fatal("accepted")
	}
	if again := db.Event(t.Context(), "note", nil); again != first {
		t.Errorf("after a failed sync: %v", again)
	}
	if _, err := db.Events(t.Context(), 0, 0); err != nil {
		t.Errorf("reading: %v", err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	db, err = Open(t.Context(), dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Event(t.Context(), "note", nil); err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func FuzzParseCanonical(f *testing.F) {
	r := mergesearch.Recipe{Method: "ties", Base: "b", Models: []mergesearch.Input{{Model: "x", Parameters: map[string]mergesearch.Setting{"weight": {{Filter: "mlp", Values: []float64{1, 2}}}}}}, Seed: 1 << 63}
	f.Add(string(r.ID()), string(r.Canonical()))
	f.Add("0123456789abcdef", `{"method":"linear","models":null}`)
	f.Fuzz(func(t *testing.T, id, text string) {
		got, err := parseCanonical(mergesearch.RecipeID(id), text)
		if err == nil && got.ID() != mergesearch.RecipeID(id) {
			t.Errorf("%q is filed under %q", text, id)
		}
		if again, err := parseCanonical(got.ID(), string(got.Canonical())); err != nil || again.ID() != got.ID() {
			t.Errorf("%q does not survive: %v", text, err)
		}
	})
}
