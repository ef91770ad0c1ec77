package safetensors

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mergesearch"
)

// large returns tensors of n times 256 kB.
func large(n int) []mergesearch.Tensor {
	var out []mergesearch.Tensor
	for i := range n {
		out = append(out, mergesearch.Tensor{
			Name: fmt.Sprintf("model.layers.%d.w", i), DType: mergesearch.BF16, Shape: []int{256, 512}, Data: make([]byte, 1<<18),
		})
	}
	return out
}

// A helper process writes the same model until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("MERGESEARCH_TEST_WRITE"); dir != "" {
		if err := writeLarge(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func writeLarge(dir string) error {
	tensors := large(24)
	w, err := Create(dir, tensors, WriterOptions{ShardBytes: 1 << 20})
	if err != nil {
		return err
	}
	defer w.Abort()
	for _, t := range tensors {
		if _, err := w.Write(t.Data); err != nil {
			return err
		}
	}
	_, err = w.Commit()
	return err
}

func TestKilledWriterLeavesNothingThatLooksComplete(t *testing.T) {
	parent := t.TempDir()
	out := filepath.Join(parent, "model")
	killed := 0
	for i := range 25 {
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), "MERGESEARCH_TEST_WRITE="+out)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.IntN(150)+i) * time.Millisecond)
		_ = cmd.Process.Kill() // it may have ended
		if err := cmd.Wait(); err != nil {
			killed++
		}
		if _, err := os.Stat(out); errors.Is(err, os.ErrNotExist) {
			continue
		}
		checkComplete(t, out)
		if err := os.RemoveAll(out); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("%d of 25 writers were killed", killed)
	if killed == 0 {
		t.Error("no writer was killed in time")
	}
	if err := writeLarge(out); err != nil {
		t.Fatal(err)
	}
	checkComplete(t, out)
	mustBeAlone(t, parent, "model")
}

// checkComplete opens a directory and compares it with its manifest.
func checkComplete(t *testing.T, dir string) {
	t.Helper()
	c, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	text, err := os.ReadFile(filepath.Join(dir, CompleteFile))
	if err != nil {
		t.Fatal(err)
	}
	var m Manifest
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	if m.Digest != c.Digest() {
		t.Errorf("%s holds %s, its manifest says %s", dir, c.Digest(), m.Digest)
	}
	for _, f := range m.Files {
		if st, err := os.Stat(filepath.Join(dir, f.Name)); err != nil || st.Size() != f.Bytes {
			t.Errorf("%s: %v, want %d bytes", f.Name, err, f.Bytes)
		}
	}
}

// mustBeAlone demands that a directory holds one entry of this name, or none.
func mustBeAlone(t *testing.T, dir, name string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != name {
			t.Errorf("%s was left behind", e.Name())
		}
	}
}

func TestWorkInProgressIsNotRemoved(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m")
	tensors := sample()
	first, err := Create(out, tensors, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer first.Abort()
	write(t, out, tensors, 0) // a second writer for the same name
	for _, x := range tensors {
		if len(x.Data) == 0 {
			continue
		}
		if _, err := first.Write(x.Data); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := first.Commit(); err == nil {
		t.Error("two writers both say that they made the directory")
	}
	first.Abort()
	checkComplete(t, out)
	mustBeAlone(t, filepath.Dir(out), "m")
}

func TestOutputDirectoryMustBeFree(t *testing.T) {
	parent := t.TempDir()
	full, empty, leftover := filepath.Join(parent, "full"), filepath.Join(parent, "empty"), filepath.Join(parent, "leftover")
	if err := errors.Join(
		os.Mkdir(full, 0o777), os.WriteFile(filepath.Join(full, "notes.txt"), nil, 0o666), os.Mkdir(empty, 0o777),
		os.Mkdir(leftover, 0o777), os.WriteFile(filepath.Join(leftover, incompleteFile), nil, 0o666),
	); err != nil {
		t.Fatal(err)
	}
	var in *mergesearch.InputError
	if _, err := Create(full, sample(), WriterOptions{}); !errors.As(err, &in) || in.Hint == "" {
		t.Errorf("a directory in use: %v, want an input error", err)
	}
	if _, err := Create(filepath.Join(full, "notes.txt"), sample(), WriterOptions{}); !errors.As(err, &in) {
		t.Errorf("a file in the way: %v, want an input error", err)
	}
	if _, err := Create(filepath.Join(full, "notes.txt", "m"), sample(), WriterOptions{}); !errors.As(err, &in) {
		t.Errorf("a file for a parent: %v, want an input error", err)
	}
	for _, dir := range []string{empty, leftover} {
		write(t, dir, sample(), 0)
		checkComplete(t, dir)
	}
	if _, err := os.Stat(filepath.Join(full, "notes.txt")); err != nil {
		t.Error(err)
	}
}

// Of two writers of one directory the second finds that it was filled, and says so.
func TestTwoWritersOfOneDirectory(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	var writers [2]*Writer
	for i := range writers {
		w, err := Create(out, []mergesearch.Tensor{{Name: "w", DType: mergesearch.F32, Shape: []int{1}}}, WriterOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		if _, err := w.Write([]byte{byte(i), 0, 0, 0}); err != nil {
			t.Fatal(err)
		}
		writers[i] = w
	}
	if _, err := writers[0].Commit(); err != nil {
		t.Fatal(err)
	}
	_, err := writers[1].Commit()
	var in *mergesearch.InputError
	if !errors.As(err, &in) || !strings.Contains(in.Problem, "another process") {
		t.Fatalf("second writer: %v", err)
	}
	c, err := Open(out)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	if x, err := c.Tensor("w"); err != nil || x.Data[0] != 0 {
		t.Errorf("the first writer's file was touched: %v, %v", x.Data, err)
	}
}

func TestMissingDataIsNotCommitted(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m")
	tensors := sample()
	w, err := Create(out, tensors, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(tensors[0].Data[:10]); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Commit(); err == nil || !strings.Contains(err.Error(), tensors[0].Name) {
		t.Errorf("committed a part: %v", err)
	}
	w.Abort()
	mustBeAlone(t, filepath.Dir(out), "")
}

// A write that fails as on a full disk (TestFullDisk has a real one): the file is closed behind the writer's
// back.
func TestFailingWriteLeavesNothing(t *testing.T) {
	out := filepath.Join(t.TempDir(), "m")
	tensors := large(2)
	w, err := Create(out, tensors, WriterOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(tensors[0].Data); err != nil {
		t.Fatal(err)
	}
	if err := w.open.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(tensors[1].Data); err == nil {
		t.Error("the failure was lost")
	}
	w.Abort()
	mustBeAlone(t, filepath.Dir(out), "")
}
