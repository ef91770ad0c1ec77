package merge_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/kernel"
	"mergesearch/merge/kernel/cuda"
	"mergesearch/merge/kernel/cuda/cudatest"
	"mergesearch/merge/mergetest"
)

// onDevice is a family on a device.
func onDevice(t *testing.T, library string, o kernel.DeviceOptions) (*merge.Engine, *kernel.Device) {
	t.Helper()
	o.Library = library
	d, err := kernel.OpenDevice(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return family(t, mergetest.Checkpoint{DType: mergesearch.BF16, Buffer: true}, merge.Options{Device: d}), d
}

func deviceRecipes() []mergesearch.Recipe {
	var out []mergesearch.Recipe
	for _, method := range []string{"ties", "dare_ties", "della", "sce"} {
		r := recipe(method, "base", "expert-a", "expert-b", "expert-c")
		if method != "sce" {
			r.Parameters["density"] = mergesearch.Number(0.5)
			r.Parameters["weight"] = mergesearch.Number(0.4)
		}
		out = append(out, r)
	}
	return out
}

// A candidate that stays on the device is the one that is built in memory.
func TestDeviceCandidate(t *testing.T) {
	e, d := onDevice(t, cudatest.Library(t), kernel.DeviceOptions{})
	for _, r := range deviceRecipes() {
		want := build(t, e, r)
		before := d.Resident()
		c, err := e.BuildOnDevice(context.Background(), "c0001", r)
		if err != nil {
			t.Fatal(err)
		}
		got, err := c.Digest()
		if err != nil {
			t.Fatal(err)
		}
		if got != want.Fingerprint {
			t.Errorf("%s: digest %s, want %s", r.Method, got, want.Fingerprint)
		}
		if len(c.Handle) != 128 || strings.Trim(c.Handle, "0") == "" || len(c.Tensors) != len(want.Tensors.Names()) {
			t.Errorf("%s: handle %q, %d tensors", r.Method, c.Handle, len(c.Tensors))
		}
		for i, tensor := range c.Tensors {
			if tensor.Name != want.Tensors.Names()[i] || tensor.Offset%64 != 0 {
				t.Errorf("%s: tensor %d is %s at %d", r.Method, i, tensor.Name, tensor.Offset)
			}
		}
		c.Release()
		if d.Resident() != before {
			t.Errorf("%s: %d bytes stay on the device, %d before", r.Method, d.Resident(), before)
		}
	}
}

// What is written through a device is what is written without one.
func TestWriteOnDevice(t *testing.T) {
	e, _ := onDevice(t, cudatest.Library(t), kernel.DeviceOptions{})
	for i, r := range deviceRecipes() {
		want := build(t, e, r)
		done, err := e.Write(context.Background(), r, filepath.Join(t.TempDir(), fmt.Sprint(i)), merge.WriteOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if done.SHA256 != want.Fingerprint || !strings.HasPrefix(done.Device, "cuda:0 (") {
			t.Errorf("%s: %s on %s, want %s", r.Method, done.SHA256, done.Device, want.Fingerprint)
		}
	}
}

// Many merges in a row leave nothing behind on the device and do not drift.
func TestDeviceMemoryDoesNotGrow(t *testing.T) {
	merges := 40
	if cudatest.OnGPU() {
		merges = 1000
	}
	e, d := onDevice(t, cudatest.Library(t), kernel.DeviceOptions{})
	want, room := map[string]string{}, int64(0)
	for i := range merges {
		for _, r := range deviceRecipes() {
			c := build(t, e, r)
			if want[r.Method] == "" {
				want[r.Method] = c.Fingerprint
			}
			if c.Fingerprint != want[r.Method] {
				t.Fatalf("merge %d of %s: %s, want %s", i, r.Method, c.Fingerprint, want[r.Method])
			}
			c.Release()
		}
		if i == 1 { // every queue has its scratch memory by now
			room = d.Resident()
		}
	}
	if d.Resident() != room {
		t.Errorf("%d bytes on the device, %d after two rounds", d.Resident(), room)
	}
}

// Whatever the driver refuses, at any call, is an error of the merge that holds the
// driver's name for it; the next merge is right, or refused too where nobody knows what
// was done.
func TestDeviceFaults(t *testing.T) {
	library := cudatest.Fake(t)
	r := deviceRecipes()[1]
	want := build(t, family(t, mergetest.Checkpoint{DType: mergesearch.BF16, Buffer: true}, merge.Options{}), r)
	for _, fault := range []struct {
		function string
		code     int
		name     string
	}{
		{"cuLaunchKernel", 719, "CUDA_ERROR_LAUNCH_FAILED"},
		{"cuMemcpyHtoDAsync_v2", 700, "CUDA_ERROR_ILLEGAL_ADDRESS"},
		{"cuMemcpyDtoHAsync_v2", 719, "CUDA_ERROR_LAUNCH_FAILED"},
		{"cuStreamSynchronize", 719, "CUDA_ERROR_LAUNCH_FAILED"},
		{"cuEventRecord", 719, "CUDA_ERROR_LAUNCH_FAILED"},
		{"cuEventSynchronize", 719, "CUDA_ERROR_LAUNCH_FAILED"},
		{"cuMemAlloc_v2", 46, "CUDA_ERROR_DEVICES_UNAVAILABLE"},
	} {
		for _, nth := range []string{"1", "3", "7", "7+"} {
			t.Run(fault.function+" "+nth, func(t *testing.T) {
				e, _ := onDevice(t, library, kernel.DeviceOptions{})
				call, sticky := strings.CutSuffix(nth, "+")
				text := fmt.Sprintf("%s:%s:%d", fault.function, call, fault.code)
				if sticky {
					text += "+"
				}
				t.Setenv("MSMERGE_FAKE_FAIL", text)
				out := filepath.Join(t.TempDir(), "out")
				_, err := e.Write(context.Background(), r, out, merge.WriteOptions{})
				var failed *cuda.Error
				if err != nil && (!errors.As(err, &failed) || failed.Name != fault.name) {
					t.Errorf("error %v, want one with %s", err, fault.name)
				}
				if err == nil && fault.function == "cuLaunchKernel" {
					t.Error("no error")
				}
				if _, statErr := os.Stat(out); err != nil && statErr == nil {
					t.Error("a directory that looks complete was left behind")
				}
				t.Setenv("MSMERGE_FAKE_FAIL", "")
				again, err := e.Build(context.Background(), "c0001", r)
				if err != nil {
					if !errors.As(err, &failed) {
						t.Errorf("the merge after the fault: %v", err)
					}
					return
				}
				defer again.Release()
				if again.Fingerprint != want.Fingerprint {
					t.Error("the merge after the fault is another one")
				}
			})
		}
	}
}

// A device with too little memory for a tensor says so; one with too little for all of
// them merges.
func TestDeviceOutOfMemory(t *testing.T) {
	library := cudatest.Fake(t)
	r := deviceRecipes()[0]
	want := build(t, family(t, mergetest.Checkpoint{DType: mergesearch.BF16, Buffer: true}, merge.Options{}), r)
	var merged, refused bool
	for _, memory := range []int{300_000, 600_000, 1_400_000, 3_000_000, 6_000_000} {
		t.Setenv("MSMERGE_FAKE_MEMORY", fmt.Sprint(memory))
		d, err := kernel.OpenDevice(kernel.DeviceOptions{Library: library, Queues: 1})
		if err == nil {
			t.Cleanup(d.Close)
			e := family(t, mergetest.Checkpoint{DType: mergesearch.BF16, Buffer: true}, merge.Options{Device: d})
			var c mergesearch.Candidate
			if c, err = e.Build(context.Background(), "c0000", r); err == nil {
				merged = true
				if c.Fingerprint != want.Fingerprint {
					t.Errorf("%d bytes: other bytes", memory)
				}
				c.Release()
				continue
			}
		}
		refused = true
		var failed *cuda.Error
		if !errors.As(err, &failed) || failed.Code != cuda.OutOfMemory {
			t.Errorf("%d bytes: %v", memory, err)
		}
	}
	if !merged || !refused {
		t.Errorf("merged %v, refused %v: the sizes show only one side", merged, refused)
	}
}
