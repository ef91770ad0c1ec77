package main

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// A process that ended without a word is explained at the next start, one that ended
// in order is not.
func TestMarkerExplains(t *testing.T) {
	dir := t.TempDir()
	parent := filepath.Join(dir, "model.safetensors")
	write := func(text string) {
		if err := os.WriteFile(parent, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("tensors")
	state, err := stateOf(parent)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, there := lastWords(dir); there {
		t.Error("a new directory has a marker")
	}
	m, err := newMarker(dir, []fileState{state})
	if err != nil {
		t.Fatal(err)
	}
	done := m.does("building", "c0012")
	m.does("scoring", "c0011")
	done()
	m.does("building", "c0013")
	if _, said, _ := lastWords(dir); !strings.Contains(said, "while scoring c0011, building c0013: killed, out of memory") {
		t.Errorf("said %q", said)
	}
	write("tens")
	if _, said, _ := lastWords(dir); !strings.Contains(said, "has 4 bytes, it had 7") || !strings.Contains(said, "SIGBUS") {
		t.Errorf("said %q", said)
	}
	m.now.Boot = "another"
	m.write()
	if _, said, _ := lastWords(dir); !strings.Contains(said, "the machine was started again") {
		t.Errorf("said %q", said)
	}
	m.remove()
	if _, said, there := lastWords(dir); there {
		t.Errorf("said %q of a process that ended in order", said)
	}
	if err := os.WriteFile(filepath.Join(dir, markerName), []byte("{half"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, said, there := lastWords(dir); !there || said != "the last process ended without a word" {
		t.Errorf("said %q of a broken marker", said)
	}
}

// A parent that was cut, replaced, touched or removed ends the run before the next
// candidate is built of it.
func TestChangedParentEndsTheRun(t *testing.T) {
	f := searchtest.NewFamily(4, searchtest.Items{Search: 6, Validation: 4, HeldOut: 6})
	for name, change := range map[string]func(path string) error{
		"has 2 bytes": func(path string) error { return os.Truncate(path, 2) },
		"was removed": os.Remove,
		"was written": func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1e9, 0)) },
		"was replaced": func(path string) error {
			state, err := stateOf(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path+".new", []byte("tensors"), 0o644), os.Chtimes(path+".new", time.Time{}, state.MTime), os.Rename(path+".new", path))
		},
	} {
		path := filepath.Join(t.TempDir(), "model.safetensors")
		if err := os.WriteFile(path, []byte("tensors"), 0o644); err != nil {
			t.Fatal(err)
		}
		state, err := stateOf(path)
		if err != nil {
			t.Fatal(err)
		}
		s := &stages{Builder: f, files: []fileState{state}}
		recipe := mergesearch.Passthrough(f.Space.Base, f.Space.DType)
		if _, err := s.Build(context.Background(), "c0001", recipe); err != nil {
			t.Fatal(err)
		}
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		_, err = s.Build(context.Background(), "c0002", recipe)
		if err == nil || codeOf(err) != exitUnfit || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

var _ search.Builder = (*stages)(nil)
