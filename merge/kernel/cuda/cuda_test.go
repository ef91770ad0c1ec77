package cuda_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mergesearch/merge/kernel"
	"mergesearch/merge/kernel/cuda"
	"mergesearch/merge/kernel/cuda/cudatest"
)

func open(t *testing.T) (*cuda.Library, *cuda.Device) {
	t.Helper()
	lib, err := cuda.Open(cudatest.Library(t))
	if err != nil {
		t.Fatal(err)
	}
	d, err := lib.Device(0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return lib, d
}

// compiled makes a library of C text.
func compiled(t *testing.T, text string) string {
	t.Helper()
	dir := t.TempDir()
	source, library := filepath.Join(dir, "a.c"), filepath.Join(dir, "a.so")
	if err := os.WriteFile(source, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cc", "-shared", "-fPIC", source, "-o", library).CombinedOutput(); err != nil {
		t.Skipf("no C compiler: %v\n%s", err, out)
	}
	return library
}

// A machine whose driver is missing, of another kind, too old or without a device says
// which of these it is.
func TestOpenErrors(t *testing.T) {
	fake := cudatest.Fake(t)
	notLibrary := filepath.Join(t.TempDir(), "libcuda.so.1")
	if err := os.WriteFile(notLibrary, []byte("not a library"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, path, env, value, want string
		noDriver                     bool
	}{
		{name: "missing", path: "/nowhere/libcuda.so.1", want: "open the driver /nowhere/libcuda.so.1: ", noDriver: true},
		{name: "no library", path: notLibrary, want: "file too short", noDriver: true},
		{name: "no function", path: compiled(t, "int cuInit(unsigned f) { return 0; }"), want: "it has no function cuDriverGetVersion"},
		{name: "fails", path: fake, env: "FAIL", value: "cuInit:1:100", want: "initialise the driver: CUDA_ERROR_NO_DEVICE"},
		{name: "old", path: fake, env: "VERSION", value: "10020", want: "it speaks CUDA 10.2, and 11.0 or newer is needed"},
		{name: "old device", path: fake, env: "CAPABILITY", value: "75", want: "device 0 (fake 0): its compute capability is 7.5, and 8.0 or newer is needed"},
		{name: "none", path: fake, env: "DEVICES", value: "0", want: "open device 0: the driver sees 0 devices"},
		{name: "busy", path: fake, env: "FAIL", value: "cuDevicePrimaryCtxRetain:1:46", want: "open a context on device 0 (fake 0): CUDA_ERROR_DEVICES_UNAVAILABLE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.env != "" {
				t.Setenv("MSMERGE_FAKE_"+c.env, c.value)
			}
			lib, err := cuda.Open(c.path)
			if err == nil {
				_, err = lib.Device(0)
			}
			var failed *cuda.Error
			if !errors.As(err, &failed) || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Fatalf("error %q, want one line with %q", err, c.want)
			}
			if failed.NoDriver != c.noDriver {
				t.Errorf("NoDriver is %v", failed.NoDriver)
			}
		})
	}
}

func TestCopies(t *testing.T) {
	_, d := open(t)
	s, err := d.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	const n = 100_003
	host, err := d.Pin(2 * n)
	if err != nil {
		t.Fatal(err)
	}
	a, errA := d.Alloc(n)
	b, errB := d.Alloc(n)
	if errA != nil || errB != nil {
		t.Fatal(errA, errB)
	}
	if a%256 != 0 {
		t.Errorf("memory begins at %x", a)
	}
	from, to := host[:n], host[n:]
	for i := range from {
		from[i] = byte(i * 7)
	}
	for _, err := range []error{s.Upload(a, from), s.Copy(b, a, n), s.Fill(a, 3, n), s.Download(to, b), s.Wait()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(from, to) {
		t.Error("what came back is not what was sent")
	}
	for _, err := range []error{s.Download(to, a), s.Wait(), d.Free(a), d.Free(b), s.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if want := bytes.Repeat([]byte{3}, n); !bytes.Equal(to, want) {
		t.Error("memory was not filled")
	}
	if err := d.Unpin(host); err != nil {
		t.Fatal(err)
	}
}

func TestEvents(t *testing.T) {
	_, d := open(t)
	s, err := d.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	from, err := d.NewEvent()
	if err != nil {
		t.Fatal(err)
	}
	to, err := d.NewEvent()
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{from.Record(s), to.Record(s), to.Wait()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if passed, err := to.Since(from); err != nil || passed < 0 {
		t.Errorf("%v between events, error %v", passed, err)
	}
	for _, err := range []error{from.Close(), to.Close(), s.Close()} {
		if err != nil {
			t.Error(err)
		}
	}
}

// Errors hold the driver's name, what was being done and on which device.
func TestErrors(t *testing.T) {
	_, d := open(t)
	_, err := d.Alloc(1 << 60)
	var failed *cuda.Error
	if !errors.As(err, &failed) || failed.Code != cuda.OutOfMemory || failed.Name != "CUDA_ERROR_OUT_OF_MEMORY" {
		t.Errorf("too much memory: %v", err)
	}
	if !strings.HasPrefix(err.Error(), "reserve 1152921504606846976 bytes on device 0 (") {
		t.Errorf("error %q", err)
	}
	if _, err := d.Load([]byte("no program")); err == nil || !strings.HasPrefix(err.Error(), "load the kernels on device 0 (") {
		t.Errorf("a module of nonsense: %v", err)
	}
	ptx, err := kernel.PTX()
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Load(ptx)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.Function("msmerge_nothing"); !errors.As(err, &failed) || failed.Name != "CUDA_ERROR_NOT_FOUND" {
		t.Errorf("an entry that there is not: %v", err)
	}
	if _, err := m.Function("msmerge_combine_bf16"); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
}

// A launch with an address that is none of the device's, and a copy of memory that is
// not pinned, are refused by the fake driver: whoever passes its tests does neither.
func TestFakeIsStrict(t *testing.T) {
	lib, err := cuda.Open(cudatest.Fake(t))
	if err != nil {
		t.Fatal(err)
	}
	d, err := lib.Device(0)
	if err != nil {
		t.Fatal(err)
	}
	s, err := d.NewStream()
	if err != nil {
		t.Fatal(err)
	}
	a, err := d.Alloc(64)
	if err != nil {
		t.Fatal(err)
	}
	pinned, err := d.Pin(64)
	if err != nil {
		t.Fatal(err)
	}
	ptx, err := kernel.PTX()
	if err != nil {
		t.Fatal(err)
	}
	m, err := d.Load(ptx)
	if err != nil {
		t.Fatal(err)
	}
	f, err := m.Function("msmerge_join")
	if err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{
		"unpinned memory":    s.Upload(a, make([]byte, 64)),
		"beyond the end":     s.Upload(a+1, pinned),
		"no device memory":   s.Launch(f, 4096, 1),
		"download too much":  s.Download(pinned, a+32),
		"free in the middle": d.Free(a + 1),
	} {
		if err == nil || !strings.Contains(err.Error(), "CUDA_ERROR_INVALID_VALUE") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := s.Upload(a, pinned); err != nil {
		t.Fatal(err)
	}
	pinned[0] = 42 // the copy has not been made yet
	if err := errors.Join(s.Wait(), s.Download(pinned, a), s.Wait()); err != nil {
		t.Fatal(err)
	}
	if pinned[0] != 42 {
		t.Error("a copy was made before anybody waited for it")
	}
}
