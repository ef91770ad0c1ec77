package endpoint

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"mergesearch"
)

const (
	shelfPrefix = "mergesearch-candidates-"
	ownerFile   = "owner"
)

// shelf holds candidates in directories that servers read. It has a few places:
// one for the candidate that is being scored and one for the next, which is
// written meanwhile.
type shelf struct {
	dir    string // all of it; ends with the shelf
	write  func(ctx context.Context, c mergesearch.Candidate, path string) error
	check  func(path string) error
	file   string // name of the file that is written below the place; empty: the place itself is the directory
	places chan struct{}

	mu     sync.Mutex
	serial int
}

// placed is a candidate on the shelf, or in a directory of its own.
type placed struct {
	path  string // what the server is told to load
	bytes int64  // written for it
	take  func() // takes it off the shelf
	own   bool   // it is one candidate's, and goes when no server reads it
}

// newShelf makes the directory in which candidates are written.
func newShelf(parent string, places int) (*shelf, error) {
	dir, err := os.MkdirTemp(parent, shelfPrefix)
	if err != nil {
		return nil, err
	}
	s := &shelf{dir: dir, places: make(chan struct{}, places), check: func(string) error { return nil }}
	note, err := writeNote(dir, "")
	if err == nil && note != "" {
		err = os.Rename(note, filepath.Join(dir, ownerFile))
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *shelf) close() { os.RemoveAll(s.dir) }

// fresh returns a path that never was: servers that remember what they read by its
// name read it anew.
func (s *shelf) fresh() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serial++
	return filepath.Join(s.dir, fmt.Sprintf("c%d", s.serial))
}

// put writes a candidate and waits for a place before. One that has a directory
// stays there, unless a file of its own format must be written.
func (s *shelf) put(ctx context.Context, c mergesearch.Candidate) (*placed, error) {
	if c.Dir != "" && s.file == "" {
		if err := s.check(c.Dir); err != nil {
			return nil, err
		}
		return &placed{path: c.Dir, take: func() {}}, nil
	}
	if s.write == nil {
		return nil, fmt.Errorf("candidate %s has no directory that the server could load", c.ID)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case s.places <- struct{}{}:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	place := s.fresh()
	p := &placed{path: place, own: true, take: sync.OnceFunc(func() { os.RemoveAll(place); <-s.places })}
	if s.file != "" {
		p.path = filepath.Join(place, s.file)
	}
	if err := s.fill(ctx, c, p); err != nil {
		p.take()
		return nil, fmt.Errorf("write candidate %s: %w", c.ID, err)
	}
	return p, nil
}

func (s *shelf) fill(ctx context.Context, c mergesearch.Candidate, p *placed) error {
	need, err := bytesOf(c)
	if err != nil {
		return err
	}
	if free, err := freeBytes(s.dir); err == nil && free < need {
		return &fullError{dir: s.dir, need: need, free: free}
	}
	if s.file != "" {
		if err := os.Mkdir(filepath.Dir(p.path), 0o755); err != nil {
			return err
		}
	}
	if err := s.write(ctx, c, p.path); err != nil {
		return err
	}
	if err := s.check(p.path); err != nil {
		return err
	}
	p.bytes = need
	return nil
}

// fullError says that a candidate has no room.
type fullError struct {
	dir        string
	need, free int64
}

// Unwrap makes it the error that a full disk gives.
func (e *fullError) Unwrap() error { return syscall.ENOSPC }

func (e *fullError) Error() string {
	return fmt.Sprintf("%s has %d MB free, the candidate needs %d MB", e.dir, e.free>>20, e.need>>20)
}

// bytesOf returns what a candidate takes on disk, with a margin of 1/16.
func bytesOf(c mergesearch.Candidate) (int64, error) {
	var n int64
	if c.Tensors != nil {
		for _, name := range c.Tensors.Names() {
			t, err := c.Tensors.Tensor(name)
			if err != nil {
				return 0, err
			}
			n += int64(len(t.Data))
		}
	} else if c.Dir != "" {
		entries, err := os.ReadDir(c.Dir)
		if err != nil {
			return 0, err
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil {
				return 0, err
			}
			n += info.Size()
		}
	}
	for _, f := range c.Files {
		n += int64(len(f))
	}
	return n + n/16, nil
}

// memoryBacked is where Linux keeps files in memory.
const memoryBacked = "/dev/shm"

// storage returns the directory below which candidates are written.
func storage(asked string) (string, error) {
	if asked == "" {
		asked = memoryBacked
		if info, err := os.Stat(asked); err != nil || !info.IsDir() {
			asked = os.TempDir()
		}
	}
	info, err := os.Stat(asked)
	if err == nil && !info.IsDir() {
		err = errors.New("not a directory")
	}
	if err != nil {
		return "", &mergesearch.InputError{File: asked, Field: "endpoint.storage", Problem: err.Error(), Hint: "name a directory in memory-backed storage, such as " + memoryBacked, Cause: err}
	}
	return asked, nil
}
