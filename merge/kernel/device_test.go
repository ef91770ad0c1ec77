package kernel

import (
	flags "flag"
	"testing"

	"mergesearch/merge/kernel/cuda/cudatest"
)

// With -cuda the tests run on the first GPU; without, on the fake driver, which runs
// the same kernels compiled for the host.
var onGPU = flags.Bool("cuda", false, "run on a GPU instead of the fake driver")

func testDevice(t testing.TB, o DeviceOptions) *Device {
	t.Helper()
	if !*onGPU {
		o.Library = cudatest.Library(t)
	}
	d, err := OpenDevice(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}
