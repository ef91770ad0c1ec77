package kernel

import (
	"strings"
	"testing"

	"mergesearch"
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

// Large tensors, whose last block is not whole, give a device's bits of the CPU at every
// type; the tests of each operation do so for small ones.
func TestDeviceOnLargeTensors(t *testing.T) {
	longNumeric(t)
	d, host := testDevice(t, DeviceOptions{}).Kernel(), New(Best)
	const n = 1<<20 + 7
	for i, dtype := range floats {
		base, x, y := sample(1, n, dtype, false), sample(2, n, dtype, false), sample(3, n, dtype, i%2 == 1)
		mask := NewMask(7, "model", "tensor", 0.37)
		got, want := empty(dtype, n), empty(dtype, n)
		mustEqual(t, "weighted sum", got, want, d.WeightedSum(got, []View{x, y}, []float32{.3, .7}), host.WeightedSum(want, []View{x, y}, []float32{.3, .7}))
		trim := host.SelectMagnitude(base, x, n/3, 1<<16, Serial)
		if on := d.SelectMagnitude(base, x, n/3, 1<<24, Serial); on != trim {
			t.Errorf("%s: selected %+v, want %+v", dtype, on, trim)
		}
		if on, off := d.SumKept(base, x, mask, 1<<24, Serial), host.SumKept(base, x, mask, 1<<16, Serial); on != off {
			t.Errorf("%s: sums %+v, want %+v", dtype, on, off)
		}
		models := []TaskVector{
			{Model: x, Weight: .6, Keep: KeepMagnitude, Trim: trim},
			{Model: y, Weight: .5, Keep: KeepRandom, Mask: mask, Scale: 1.5},
		}
		c := Consensus{Elect: true, Normalize: true, Lambda: .9}
		mustEqual(t, "combine", got, want, d.Combine(got, base, models, c, 0), host.Combine(want, base, models, c, 0))
		g := Group{Base: base, Models: []Source{x, y}}
		on, off := d.Products(g, Whole(n), 1<<24, Serial), host.Products(g, Whole(n), 1<<16, Serial)
		for a := range 2 {
			if got, want := on.Line(0).At(a, 1), off.Line(0).At(a, 1); got != want && i%2 == 0 {
				t.Errorf("%s: product %v, want %v", dtype, got, want)
			}
		}
	}
}

// What is kept on a device is forgotten at the right moment, and only that.
func TestDeviceKeeps(t *testing.T) {
	d := testDevice(t, DeviceOptions{Memory: 40_000})
	k := d.Kernel()
	in := make([]View, 4)
	for i := range in {
		in[i] = sample(uint64(i), 4096, mergesearch.BF16, false) // at odd addresses
		d.Keep(in[i].Data)
	}
	out, want := empty(mergesearch.BF16, 4096), empty(mergesearch.BF16, 4096)
	for range 3 {
		for i := range in {
			pair := []View{in[i], in[(i+1)%4]}
			mustEqual(t, "sum", out, want, k.WeightedSum(out, pair, []float32{.5, .5}), New(Best).WeightedSum(want, pair, []float32{.5, .5}))
			if d.Resident() > 40_000 || d.Resident() < 2*8192 {
				t.Errorf("%d bytes are on the device", d.Resident())
			}
		}
	}
	// Memory that changes after Forget is read anew.
	d.Forget(in[0].Data)
	copy(in[0].Data, in[1].Data)
	mustEqual(t, "changed", out, want, k.WeightedSum(out, in[:1], []float32{1}), New(Best).WeightedSum(want, in[:1], []float32{1}))
	for _, v := range in {
		d.Forget(v.Data)
	}
	if d.Resident() != 0 {
		t.Errorf("%d bytes stay", d.Resident())
	}
}

// A device on which a kernel does not do its work is refused when it is opened.
func TestDeviceIsChecked(t *testing.T) {
	for _, c := range []struct{ kernel, want string }{
		{"msmerge_combine_f32", "combine of F32 gives other bits than the CPU"},
		{"msmerge_nearswap_bf16", "nearswap of BF16 gives other bits than the CPU"},
		{"msmerge_ram_any", "ram of F16 gives other bits than the CPU"},
		{"msmerge_histogram", "select of BF16 gives impossible numbers: runtime error: index out of range [-1]"},
	} {
		t.Setenv("MSMERGE_FAKE_WRONG", c.kernel)
		d, err := OpenDevice(DeviceOptions{Library: cudatest.Fake(t)})
		if err == nil {
			d.Close()
		}
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%s: error %v, want %s", c.kernel, err, c.want)
		}
	}
}
