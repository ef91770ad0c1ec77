package merge_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"mergesearch/merge"
)

// A merge takes less private memory than one of its models: here a process that
// may have 192 MiB of it merges four models of 256 MiB, thresholds from scratch.
func TestMergeFitsIntoLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector's shadow memory counts")
	}
	const limit = 192 << 20
	if dir := os.Getenv("MERGESEARCH_TEST_MEMORY"); dir != "" {
		if err := syscall.Setrlimit(syscall.RLIMIT_DATA, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			t.Fatal(err)
		}
		mergeLarge(t, dir)
		return
	}
	dir := t.TempDir()
	for _, name := range []string{"base", "a", "b", "c"} {
		writeHollow(t, filepath.Join(dir, name), 256<<20)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestMergeFitsIntoLittleMemory$")
	cmd.Env = append(os.Environ(), "MERGESEARCH_TEST_MEMORY="+dir)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, bytes.TrimSpace(out[:min(len(out), 2000)]))
	}
	if info, err := os.Stat(filepath.Join(dir, "out", "model.safetensors")); err != nil || info.Size() < 256<<20 {
		t.Errorf("output: %v, %v", info, err)
	}
}

func mergeLarge(t *testing.T, dir string) {
	dirs := map[string]string{}
	for _, name := range []string{"base", "a", "b", "c"} {
		dirs[name] = filepath.Join(dir, name)
	}
	e, err := merge.Open(merge.Options{Models: dirs})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	r := recipe("ties", "base", "a", "b", "c")
	maps.Copy(r.Parameters, set(set(recipe("ties", ""), "weight", 1), "density", .5).Parameters)
	if _, err := e.Write(t.Context(), r, filepath.Join(dir, "out"), merge.WriteOptions{}); err != nil {
		t.Fatal(err)
	}
}

// writeHollow writes a model of zeros in bfloat16 that takes no room on the disk.
func writeHollow(t *testing.T, dir string, size int64) {
	t.Helper()
	header := fmt.Appendf(nil, `{"w":{"dtype":"BF16","shape":[%d,4096],"data_offsets":[0,%d]}}`, size/8192, size)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "model.safetensors")
	if err := os.WriteFile(file, append(binary.LittleEndian.AppendUint64(nil, uint64(len(header))), header...), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 8+int64(len(header))+size); err != nil {
		t.Fatal(err)
	}
}
