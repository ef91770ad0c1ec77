package store

import (
	"errors"
	"fmt"
	"strings"
	"syscall"

	"github.com/mattn/go-sqlite3"

	"mergesearch"
)

// Hinted is an error that knows what to do about it: one line for people.
type Hinted interface {
	error
	Hint() string
}

// DamagedError says that the database cannot be trusted.
type DamagedError struct {
	Path   string
	Detail string // what was found
}

func (e *DamagedError) Error() string { return e.Path + ": store is damaged: " + e.Detail }

// Hint names the remedies.
func (e *DamagedError) Hint() string {
	return "keep a copy of the directory, restore a backup of run.db, or start again in a new directory with --dir"
}

// NewerError says that a later version of the program wrote the database.
type NewerError struct {
	Path         string
	Schema, Mine int
}

func (e *NewerError) Error() string {
	return fmt.Sprintf("%s: written by a newer version of the program (schema %d, this one knows up to %d)", e.Path, e.Schema, e.Mine)
}

// Hint names the remedy.
func (e *NewerError) Hint() string { return "use the version that wrote it, or a later one" }

// ForeignError says that the file is a healthy database of something else.
type ForeignError struct {
	Path          string
	ApplicationID uint32
}

func (e *ForeignError) Error() string {
	return fmt.Sprintf("%s: a database of another program (application id %#08x)", e.Path, e.ApplicationID)
}

// Hint names the remedy.
func (e *ForeignError) Hint() string { return "choose another directory with --dir" }

// DiskError says that the disk is full or failed. Nothing of the method that
// returns it is recorded, unless the disk failed while syncing, which nobody can
// tell before the next Open.
type DiskError struct {
	Path string
	Op   string
	Full bool // there is no space left; the same call may succeed later
	Err  error
}

func (e *DiskError) Error() string {
	if e.Full {
		return fmt.Sprintf("%s: %s: the disk is full", e.Path, e.Op)
	}
	return fmt.Sprintf("%s: %s: the disk failed: %v", e.Path, e.Op, e.Err)
}

func (e *DiskError) Unwrap() error { return e.Err }

// Hint names the remedy.
func (e *DiskError) Hint() string {
	if e.Full {
		return "free some space and start the same command again; what was recorded is kept"
	}
	return "look at the system log, then start the same command again; what was recorded is kept"
}

// DivergedError says that a replay, or a second answer, differs from what is
// recorded: a part that must repeat did not.
type DivergedError struct {
	Thing         string // "c0012", "item add/17 of recipe 0f3a..."
	Field         string // "genome", "recipe", "answer", "weights", "fitness", ...
	Recorded, Got string
}

func (e *DivergedError) Error() string {
	return fmt.Sprintf("%s: %s differs from what is recorded: %s, recorded %s", e.Thing, e.Field, e.Got, e.Recorded)
}

// Hint names the likely causes.
func (e *DivergedError) Hint() string {
	return "the program, a model or the endpoint does not repeat itself; start a new run with --fork"
}

// NotFoundError says that the run holds no such thing.
type NotFoundError struct {
	Path string
	What string // "candidate c0012", "result"
}

func (e *NotFoundError) Error() string { return e.Path + ": no " + e.What }

// failure gives SQLite's errors their type and all others the operation's name.
func failure(path, op string, err error) error {
	var s sqlite3.Error
	if err == nil || typed(err) {
		return err
	}
	if !errors.As(err, &s) {
		return systemFailure(path, op, err)
	}
	switch s.Code {
	case sqlite3.ErrCorrupt, sqlite3.ErrNotADB:
		return &DamagedError{Path: path, Detail: s.Error()}
	case sqlite3.ErrFull:
		return &DiskError{Path: path, Op: op, Full: true, Err: err}
	case sqlite3.ErrReadonly: // SQLite opens a file for reading that it cannot open for writing
		return &DiskError{Path: path, Op: op, Err: err}
	case sqlite3.ErrCantOpen:
		if s.SystemErrno == syscall.ENOENT { // of the second try, after the first had made the file in vain
			return &DiskError{Path: path, Op: op, Err: err}
		}
		if s.SystemErrno != 0 {
			return systemFailure(path, op, &systemError{err, s.SystemErrno})
		}
	case sqlite3.ErrIoErr:
		if noRoom(s.SystemErrno) {
			return &DiskError{Path: path, Op: op, Full: true, Err: err}
		}
		return &DiskError{Path: path, Op: op, Err: fmt.Errorf("%w (code %d)", err, s.ExtendedCode)}
	}
	return fmt.Errorf("%s: %s: %w", path, op, err)
}

// systemError is an error of SQLite with that of the operating system behind it.
type systemError struct {
	error
	errno syscall.Errno
}

func (e *systemError) Unwrap() []error { return []error{e.error, e.errno} }

// systemFailure is failure for errors of the operating system.
func systemFailure(path, op string, err error) error {
	var errno syscall.Errno
	errors.As(err, &errno)
	switch {
	case noRoom(errno):
		return &DiskError{Path: path, Op: op, Full: true, Err: err}
	case errno == syscall.EIO:
		return &DiskError{Path: path, Op: op, Err: err}
	}
	return fmt.Errorf("%s: %s: %w", path, op, err)
}

// noRoom reports whether an error number says that nothing more can be written
// for lack of space, quota or permitted file size.
func noRoom(errno syscall.Errno) bool {
	return errno == syscall.ENOSPC || errno == syscall.EDQUOT || errno == syscall.EFBIG
}

func typed(err error) bool {
	var h Hinted
	var n *NotFoundError
	var in *mergesearch.InputError
	return errors.As(err, &h) || errors.As(err, &n) || errors.As(err, &in)
}

// short cuts a text for a message.
func short(s string) string {
	if s = strings.Join(strings.Fields(s), " "); len(s) > 80 {
		return strings.ToValidUTF8(s[:77], "") + "..."
	}
	return s
}
