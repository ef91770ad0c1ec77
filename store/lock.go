package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockPatience is how long Open waits for a lock: a process that only looks
// whether the lock is held, or one that is just ending, must not refuse a start.
const lockPatience = 300 * time.Millisecond

// Holder is the process that holds a run directory, as it described itself.
type Holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Start time.Time `json:"start"`
}

// LockedError says that another process holds the run directory.
type LockedError struct {
	Dir string
	Holder
}

func (e *LockedError) Error() string {
	if e.PID == 0 {
		return e.Dir + ": in use by another process"
	}
	return fmt.Sprintf("%s: in use by process %d on %s since %s", e.Dir, e.PID, e.Host, e.Start.Format(time.RFC3339))
}

// Hint names the remedy.
func (e *LockedError) Hint() string {
	return "wait for it to end or stop it; status, show and candidates can look at the run meanwhile"
}

// lockDir takes the lock of a run directory. The kernel gives it back when the
// process ends, however it ends; the file itself stays, since deleting a lock
// file lets two processes hold locks on two files of one name.
func lockDir(dir string, now time.Time) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, LockName), os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	deadline := time.Now().Add(lockPatience)
	for {
		err = flock(f, syscall.LOCK_EX)
		if err == nil {
			break
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			f.Close()
			return nil, fmt.Errorf("lock %s: %w", f.Name(), err)
		}
		if time.Now().After(deadline) {
			held := &LockedError{Dir: dir, Holder: readHolder(f)}
			f.Close()
			return nil, held
		}
		time.Sleep(5 * time.Millisecond)
	}
	if err := writeHolder(f, now); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// HeldBy tells which process is running in a directory, and false when none is.
func HeldBy(dir string) (Holder, bool, error) {
	f, err := os.Open(filepath.Join(dir, LockName))
	if errors.Is(err, os.ErrNotExist) {
		return Holder{}, false, nil
	} else if err != nil {
		return Holder{}, false, err
	}
	defer f.Close()
	switch err := flock(f, syscall.LOCK_SH); {
	case err == nil:
		return Holder{}, false, nil
	case errors.Is(err, syscall.EWOULDBLOCK):
		return readHolder(f), true, nil
	default:
		return Holder{}, false, err
	}
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how|syscall.LOCK_NB)
		if err != syscall.EINTR {
			return err
		}
	}
}

// readHolder reads what the holder wrote of itself; a holder that has not got
// that far yet is the zero value.
func readHolder(f *os.File) Holder {
	var h Holder
	b, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil || json.Unmarshal(b, &h) != nil {
		return Holder{}
	}
	return h
}

func writeHolder(f *os.File, now time.Time) error {
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	b, err := json.Marshal(Holder{PID: os.Getpid(), Host: host, Start: now.UTC().Truncate(time.Second)})
	if err != nil {
		return err
	}
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt(append(b, '\n'), 0)
	return err
}
