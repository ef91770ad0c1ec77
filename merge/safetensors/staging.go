package safetensors

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"mergesearch"
)

// The two names of the manifest: while a directory is being written, and when it
// is whole.
const (
	incompleteFile = "INCOMPLETE"
	CompleteFile   = "COMPLETE"
)

// staging is the temporary directory of a Writer. It lies beside the final one,
// so that a rename puts it in place, and is locked while its process lives, so
// that leftovers of dead processes can be told from work in progress.
type staging struct {
	out, tmp string
	lock     *os.File // the directory itself
}

// newStaging makes the temporary directory for out. It refuses an out that holds
// anything but an incomplete leftover, and removes leftovers.
func newStaging(out string) (*staging, error) {
	abs, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	s := &staging{out: abs}
	parent := filepath.Dir(abs)
	if err := makeDirectories(parent); err != nil {
		return nil, &mergesearch.InputError{File: out, Problem: cause(err), Hint: placeForModel, Cause: err}
	}
	if err := s.checkOut(out); err != nil {
		return nil, err
	}
	s.removeLeftovers()
	var random [8]byte
	if _, err := rand.Read(random[:]); err != nil {
		return nil, err
	}
	s.tmp = s.prefix() + hex.EncodeToString(random[:])
	if err := os.Mkdir(s.tmp, 0o777); err != nil {
		return nil, &mergesearch.InputError{File: out, Problem: cause(err), Hint: placeForModel, Cause: err}
	}
	if err := s.begin(); err != nil {
		s.abort()
		return nil, fmt.Errorf("write %s: %w", out, err)
	}
	return s, nil
}

func (s *staging) prefix() string {
	return filepath.Join(filepath.Dir(s.out), ".tmp-"+filepath.Base(s.out)+"-")
}

// begin locks the directory and marks it as incomplete.
func (s *staging) begin() (err error) {
	if s.lock, err = os.Open(s.tmp); err != nil {
		return err
	}
	if err := unix.Flock(int(s.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return err
	}
	mergesearch.Failpoint("checkpoint/begin")
	return os.WriteFile(filepath.Join(s.tmp, incompleteFile), []byte("{}\n"), 0o666)
}

// checkOut admits an output directory that is absent or empty. One that carries
// the mark of an interrupted write is removed.
func (s *staging) checkOut(shown string) error {
	entries, err := os.ReadDir(s.out)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return &mergesearch.InputError{File: shown, Problem: cause(err), Hint: placeForModel, Cause: err}
	}
	for _, e := range entries {
		if e.Name() == incompleteFile {
			return os.RemoveAll(s.out)
		}
	}
	return &mergesearch.InputError{File: shown, Problem: "directory is not empty", Hint: "choose another output directory, or remove this one"}
}

// removeLeftovers deletes the temporary directories that killed writers for the
// same name left behind: those that carry a mark and that nobody holds a lock
// on. It is housekeeping, so failures are left to the next one.
func (s *staging) removeLeftovers() {
	entries, err := os.ReadDir(filepath.Dir(s.out))
	if err != nil {
		return
	}
	base := filepath.Base(s.prefix())
	for _, e := range entries {
		random, ours := strings.CutPrefix(e.Name(), base)
		if _, err := hex.DecodeString(random); !ours || len(random) != 16 || err != nil || !e.IsDir() {
			continue
		}
		removeIfDead(filepath.Join(filepath.Dir(s.out), e.Name()))
	}
}

func removeIfDead(dir string) {
	f, err := os.Open(dir)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
		_ = os.RemoveAll(dir)
	}
}

// commit writes the manifest, syncs the directory and renames it into place.
// Files must have been synced before.
func (s *staging) commit(manifest []byte) error {
	mark := filepath.Join(s.tmp, incompleteFile)
	if err := writeSynced(mark, manifest); err != nil {
		return err
	}
	mergesearch.Failpoint("checkpoint/complete/before")
	if err := os.Rename(mark, filepath.Join(s.tmp, CompleteFile)); err != nil {
		return err
	}
	mergesearch.Failpoint("checkpoint/complete/after")
	if err := s.lock.Sync(); err != nil {
		return err
	}
	mergesearch.Failpoint("checkpoint/rename/before")
	// rename(2) replaces an empty directory and refuses any other, in one step.
	switch err := syscall.Rename(s.tmp, s.out); {
	case errors.Is(err, fs.ErrExist): // also what a directory that is not empty answers
		return &mergesearch.InputError{
			File: s.out, Problem: "directory was filled while this merge was under way, by another process",
			Hint: "what the other process wrote was left as it is; choose another output directory",
		}
	case err != nil:
		return &os.LinkError{Op: "rename", Old: s.tmp, New: s.out, Err: err}
	}
	mergesearch.Failpoint("checkpoint/rename/after")
	if err := syncDirectory(filepath.Dir(s.out)); err != nil {
		return err
	}
	return s.lock.Close()
}

// abort removes the temporary directory.
func (s *staging) abort() {
	_ = os.RemoveAll(s.tmp) // what stays behind is marked as incomplete
	if s.lock != nil {
		_ = s.lock.Close()
	}
}

// makeDirectories is os.MkdirAll for directories that must be there after a power cut:
// the name of each that it makes is synced.
func makeDirectories(path string) error {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return nil
	}
	above := filepath.Dir(path)
	if above != path {
		if err := makeDirectories(above); err != nil {
			return err
		}
	}
	if err := os.Mkdir(path, 0o777); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if st, err := os.Stat(path); err != nil {
		return err
	} else if !st.IsDir() {
		return &fs.PathError{Op: "mkdir", Path: path, Err: syscall.ENOTDIR}
	}
	return syncDirectory(above)
}

func syncDirectory(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return f.Sync()
}

func writeSynced(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// checkSpace refuses, before anything is written, what the file system has no
// room for.
func (s *staging) checkSpace(shown string, need int64) error {
	var st unix.Statfs_t
	if err := unix.Statfs(s.tmp, &st); err != nil {
		return nil // no figure to go by; the writes themselves will tell
	}
	if free := int64(st.Bavail) * int64(st.Bsize); need > free {
		return &mergesearch.InputError{
			File: shown, Problem: fmt.Sprintf("not enough space: needs %d bytes, the file system has %d free", need, free),
			Hint: "free some space or choose another output directory",
		}
	}
	return nil
}
