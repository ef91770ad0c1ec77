package safetensors

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"mergesearch"
)

// A file system of one megabyte: refused before anything is written when the need
// is known, and cleaned up when space runs out on the way.
func TestFullDisk(t *testing.T) {
	small := t.TempDir()
	if err := unix.Mount("tmpfs", small, "tmpfs", 0, "size=1m"); err != nil {
		t.Skip("cannot mount a small file system here: ", err)
	}
	defer func() { _ = unix.Unmount(small, unix.MNT_DETACH) }()
	out := filepath.Join(small, "m")
	var in *mergesearch.InputError
	if _, err := Create(out, large(8), WriterOptions{}); !errors.As(err, &in) || !strings.Contains(in.Problem, "not enough space") {
		t.Errorf("got %v, want an input error", err)
	}
	tensors := large(3)
	w, err := Create(out, tensors, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(small, "other"), make([]byte, 1<<19), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, x := range tensors {
		if _, err = w.Write(x.Data); err != nil {
			break
		}
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want no space left", err)
	}
	w.Abort()
	mustBeAlone(t, small, "other")
}
