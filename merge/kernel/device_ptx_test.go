package kernel

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// The program in the binary is that of the sources, byte for byte, where the compiler
// that makes it is there.
func TestPTXIsOfTheSources(t *testing.T) {
	clang := os.Getenv("CLANG")
	if clang == "" {
		clang = "clang-19"
	}
	if _, err := exec.LookPath(clang); err != nil {
		t.Skip("no " + clang)
	}
	want, err := PTX()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "kernels.ptx")
	if out, err := exec.Command("sh", "device_ptx.sh", file).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("device.ptx.gz is not of these sources, or of another compiler than Debian's clang 19: make kernels")
	}
}

// No product and sum are fused, whose rounding would differ from the CPU's, nothing is
// called, and every entry is there.
func TestPTX(t *testing.T) {
	ptx, err := PTX()
	if err != nil {
		t.Fatal(err)
	}
	if m := regexp.MustCompile(`(?m)^.*(\bfma\b|\bmad\.(rn|f)|\.ftz|\.approx|\bcall\b|\.extern).*$`).Find(ptx); m != nil {
		t.Errorf("the kernels hold %q", m)
	}
	if !bytes.Contains(ptx, []byte(".target sm_80")) {
		t.Error("the kernels are not for compute capability 8.0")
	}
	for _, name := range entryNames() {
		if !bytes.Contains(ptx, []byte(".visible .entry msmerge_"+name+"(")) {
			t.Errorf("no entry %s", name)
		}
	}
}
