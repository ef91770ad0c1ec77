package kernel

import (
	"testing"

	"mergesearch/merge/kernel/cuda/cudatest"
)

// testDevice is a GPU with -cuda; without, the fake driver, which runs the same kernels
// compiled for the host.
func testDevice(t testing.TB, o DeviceOptions) *Device {
	t.Helper()
	o.Library = cudatest.Library(t)
	d, err := OpenDevice(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}
