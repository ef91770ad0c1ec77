package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"mergesearch"
	"mergesearch/store"
)

// markerName is the file that says, while a process runs, what it is doing. A process
// that ends in order removes it, so one that is there tells of one that did not: it was
// killed, ran out of memory, lost its power, or had a file cut under a mapping (SIGBUS).
const markerName = "run.doing"

// doing is what the marker holds.
type doing struct {
	PID      int               `json:"pid"`
	Since    time.Time         `json:"since"`
	Version  string            `json:"version"`
	Boot     string            `json:"boot"` // of the machine; a new one with every start
	InFlight map[string]string `json:"in_flight"`
	Files    []fileState       `json:"files"` // of the parents, which are mapped
}

// marker keeps a run's marker up to date. It is safe for concurrent use; a nil marker
// keeps nothing. It is written in place and never synced: it has to outlive the
// process, not the machine.
type marker struct {
	path string

	mu   sync.Mutex
	file *os.File
	now  doing
}

// newMarker begins a marker in a run directory that is held.
func newMarker(dir string, files []fileState) (*marker, error) {
	path := filepath.Join(dir, markerName)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	m := &marker{path: path, file: file, now: doing{
		PID: os.Getpid(), Since: time.Now().UTC().Truncate(time.Second), Version: version, Boot: bootID(),
		InFlight: map[string]string{}, Files: files,
	}}
	m.write()
	return m, nil
}

// does notes that something began to happen to a candidate; the function that it
// returns, that it came to its end.
func (m *marker) does(what string, id mergesearch.CandidateID) (done func()) {
	if m == nil {
		return func() {}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now.InFlight[string(id)] = what
	m.write()
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(m.now.InFlight, string(id))
		m.write()
	}
}

// write puts the marker down, in one line followed by spaces: what is left of a longer
// one does no harm. It is a hint for people, so a disk that is full is no fault.
func (m *marker) write() {
	if m.file == nil {
		return
	}
	text, err := json.Marshal(m.now)
	if err != nil {
		return
	}
	text = append(text, '\n')
	if _, err := m.file.WriteAt(text, 0); err == nil {
		_ = m.file.Truncate(int64(len(text)))
	}
}

// flying returns what is in flight, as words.
func (m *marker) flying() []string {
	if m == nil {
		return nil
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	return flight(m.now.InFlight)
}

func flight(inFlight map[string]string) []string {
	var out []string
	for _, id := range slices.Sorted(maps.Keys(inFlight)) {
		out = append(out, inFlight[id]+" "+id)
	}
	return out
}

// remove ends the marker: the process ends in order.
func (m *marker) remove() {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.file != nil {
		m.file.Close()
		m.file = nil
		_ = os.Remove(m.path)
	}
}

// lastWords explains a process that ended without a word, and returns false where the
// last one ended in order, or still runs.
func lastWords(dir string) (doing, string, bool) {
	text, err := os.ReadFile(filepath.Join(dir, markerName))
	if err != nil {
		return doing{}, "", false
	}
	if _, held, err := store.HeldBy(dir); held || err != nil {
		return doing{}, "", false
	}
	var d doing
	line, _, _ := strings.Cut(string(text), "\n")
	if json.Unmarshal([]byte(line), &d) != nil {
		return doing{}, "the last process ended without a word", true
	}
	return d, d.explain(), true
}

func (d doing) explain() string {
	what := "with nothing in flight"
	if f := flight(d.InFlight); len(f) > 0 {
		what = "while " + strings.Join(f[:min(len(f), 4)], ", ")
		if len(f) > 4 {
			what += fmt.Sprintf(" and %d more", len(f)-4)
		}
	}
	why := "killed, out of memory or a crash; the system log may say which"
	switch changed := changedFile(d.Files); {
	case d.Boot != "" && d.Boot != bootID():
		why = "the machine was started again since"
	case changed != nil:
		why = fmt.Sprintf("%v; a file that is cut while it is mapped ends the process (SIGBUS)", changed)
	}
	return fmt.Sprintf("the last process (%d, since %s) ended without a word %s: %s", d.PID, d.Since.Format(time.RFC3339), what, why)
}

// bootID names this start of the machine; empty where the system does not say.
func bootID() string {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// fileState is what tells whether a file is the one that was mapped.
type fileState struct {
	Path  string    `json:"path"`
	Size  int64     `json:"size"`
	MTime time.Time `json:"mtime"`
	Inode uint64    `json:"inode"`
}

func stateOf(path string) (fileState, error) {
	info, err := os.Stat(path)
	if err != nil {
		return fileState{}, err
	}
	return fileState{Path: path, Size: info.Size(), MTime: info.ModTime().UTC(), Inode: inodeOf(info)}, nil
}

// changedFile returns what is wrong with the first file that is not as it was.
func changedFile(files []fileState) error {
	for _, was := range files {
		is, err := stateOf(was.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("%s was removed", was.Path)
		case err != nil:
			return err
		case is.Size != was.Size:
			return fmt.Errorf("%s has %d bytes, it had %d", was.Path, is.Size, was.Size)
		case is.Inode != was.Inode:
			return fmt.Errorf("%s was replaced", was.Path)
		case !is.MTime.Equal(was.MTime):
			return fmt.Errorf("%s was written at %s", was.Path, is.MTime.Format(time.RFC3339))
		}
	}
	return nil
}
