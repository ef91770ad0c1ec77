package cudatest

import (
	"crypto/sha256"
	"encoding/hex"
	"flag"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
)

var gpu = flag.Bool("cuda", false, "test on the first GPU instead of the fake driver")

// OnGPU reports whether tests run on a GPU.
func OnGPU() bool { return *gpu }

// Library returns the path of the driver that tests are to open: empty, which is the
// system's, with -cuda, else that of the fake driver, which it builds. The result is kept in the
// directory for temporary files under a name made of its sources, since it takes a
// quarter of a minute. Without a C compiler the test is skipped.
func Library(t testing.TB) string {
	t.Helper()
	if OnGPU() {
		return ""
	}
	return Fake(t)
}

// Fake builds the fake driver. A test that asks for faults needs it on every machine.
func Fake(t testing.TB) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the fake driver is for Linux")
	}
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("no C compiler for the fake driver")
	}
	_, here, _, _ := runtime.Caller(0)
	dir := filepath.Dir(here)
	if _, err := os.Stat(filepath.Join(dir, "testdata", "fake.c")); err != nil {
		t.Skip("the sources of the fake driver are not on this machine")
	}
	path := filepath.Join(os.TempDir(), "mergesearch-fake-driver-"+digest(t, dir)+".so")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	own := filepath.Join(t.TempDir(), "fake.so")
	cmd := exec.Command(compiler, "-std=c11", "-O2", "-shared", "-fPIC", "-DMSMERGE_DEVICE", "-Wall", "-Werror", "-Wno-unknown-pragmas",
		filepath.Join(dir, "testdata", "fake.c"), "-o", own, "-lpthread", "-ldl")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("compile the fake driver: %v\n%s", err, out)
	}
	if err := os.Rename(own, path); err != nil { // another file system
		return own
	}
	return path
}

// digest is of all sources that the library is made of.
func digest(t testing.TB, dir string) string {
	t.Helper()
	sum := sha256.New()
	for _, root := range []string{filepath.Join(dir, "testdata", "fake.c"), filepath.Join(dir, "..", "..", "native")} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			text, err := os.ReadFile(path)
			sum.Write(text)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}
