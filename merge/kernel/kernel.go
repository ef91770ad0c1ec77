package kernel

/*
#cgo CFLAGS: -std=c11 -O3 -Wall -Werror=implicit-function-declaration
#include "native/kernel.h"

static void call_weighted_sum(int l, msmerge_tile *t, const msmerge_input *in) { msmerge_level(l)->weighted_sum(t, in); }
static void call_combine(int l, msmerge_tile *t, const msmerge_input *in) { msmerge_level(l)->combine(t, in); }
static void call_histogram(int l, const msmerge_scan *s, uint32_t *bins) { msmerge_level(l)->histogram(s, bins); }
static int64_t call_count_equal(int l, const msmerge_scan *s) { return msmerge_level(l)->count_equal(s); }
static int64_t call_find_equal(int l, const msmerge_scan *s, int64_t nth) { return msmerge_level(l)->find_equal(s, nth); }
static void call_sum_magnitudes(int l, const msmerge_scan *s, double *sums, double *kept) { msmerge_level(l)->sum_magnitudes(s, sums, kept); }
static void call_philox(int l, const uint32_t *c, const uint32_t *k, uint32_t *out) { msmerge_level(l)->philox(c, k, out); }
*/
import "C"

import (
	"fmt"
	"runtime"
	"unsafe"

	"mergesearch"
)

// MaxModels is the largest number of models that one merge takes.
const MaxModels = C.MSMERGE_MAX_INPUTS

// TileMultiple divides the number of the first element of every tile.
const TileMultiple = C.MSMERGE_REDUCE_BLOCK

// Kernel is the set of operations at one vector level. Levels differ in speed
// only.
type Kernel struct {
	level  Level
	device *Device // of level CUDA
}

// New returns the operations at a level. It panics if the machine cannot run
// them.
func New(l Level) Kernel {
	if l == Best {
		l = Levels()[0]
	}
	if !l.Available() {
		panic(fmt.Sprintf("kernel: this machine cannot run %v", l))
	}
	return Kernel{level: l}
}

// Level returns the level that was chosen.
func (k Kernel) Level() Level { return k.level }

// Device returns the device that runs the operations, or nil.
func (k Kernel) Device() *Device { return k.device }

// View is a run of elements of one floating type, little-endian. It may start
// at any address.
type View struct {
	DType mergesearch.DType
	Data  []byte

	// Stream is true for outputs that are not read again soon. They are written
	// around the caches, if they begin at a multiple of a vector's size.
	Stream bool
}

// Len returns the number of elements.
func (v View) Len() int { return len(v.Data) / v.DType.Size() }

// Slice returns the elements from lo up to hi.
func (v View) Slice(lo, hi int) View {
	size := v.DType.Size()
	return View{DType: v.DType, Data: v.Data[lo*size : hi*size], Stream: v.Stream}
}

// Source is a tensor that is read in pieces: a View, or something that computes
// its elements while it is read (an adapter on top of a model, rows of an
// embedding in another order, the result of an earlier recipe). It is safe for
// concurrent use, and equal pieces are equal bit for bit at every reading.
type Source interface {
	// Len returns the number of elements.
	Len() int
	// Slice returns the elements from lo up to hi, of one type for all pieces.
	// They are read-only and valid for as long as the source is.
	Slice(lo, hi int) View
}

// Counts is what an operation wrote that is not finite.
type Counts struct{ NaN, Inf int64 }

// Add returns the sum of both.
func (c Counts) Add(d Counts) Counts { return Counts{NaN: c.NaN + d.NaN, Inf: c.Inf + d.Inf} }

// WeightedSum writes w[0] in[0] + w[1] in[1] + ..., added in this order. Lengths
// must be equal, with 1 to MaxModels inputs.
func (k Kernel) WeightedSum(out View, in []View, w []float32) Counts {
	inputs := make([]C.msmerge_input, len(in))
	var pin runtime.Pinner
	defer pin.Unpin()
	for i, v := range in {
		mustMatch(v, out)
		inputs[i] = C.msmerge_input{x: view(&pin, v), weight: C.float(w[i])}
	}
	t := tile(&pin, out, len(in))
	switch {
	case out.Len() == 0:
	case k.device != nil:
		k.device.weightedSum(&t, inputs)
	default:
		C.call_weighted_sum(C.int(k.level), &t, &inputs[0])
	}
	return Counts{NaN: int64(t.nan), Inf: int64(t.inf)}
}

// Keep says which elements of a task vector survive.
type Keep int

// The ways to make a task vector sparse.
const (
	KeepAll       Keep = iota
	KeepMagnitude      // those that Trim describes
	KeepBand           // those that Trim describes and Drop does not
	KeepRandom         // those that Mask draws
	KeepBits           // those whose bit is set
)

// TaskVector is one model of Combine with its coefficients.
type TaskVector struct {
	Model      View
	Weight     float32
	Keep       Keep
	Trim, Drop Trim
	Mask       Mask
	Bits       []byte  // BitBytes for each block of the tile; see Kernel.KeepRanked
	Scale      float32 // multiplies what is kept; 0 counts as 1
}

// factor returns what the kept elements are multiplied by.
func (m TaskVector) factor() float32 {
	if m.Scale == 0 {
		return m.Weight
	}
	return m.Weight * m.Scale
}

// Consensus says how Combine joins weighted task vectors.
type Consensus struct {
	Elect     bool // drop, for each element, what disagrees with the sign of the sum
	Normalize bool // divide by the weights: by Divisor, or with Elect by those that agree (0 counts as 1)
	Divisor   float32
	Lambda    float32
}

// Combine writes base + lambda * consensus of the weighted task vectors, for
// the elements from number first of the tensor on; first is a multiple of
// TileMultiple.
func (k Kernel) Combine(out, base View, models []TaskVector, c Consensus, first int) Counts {
	inputs := make([]C.msmerge_input, len(models))
	var pin runtime.Pinner
	defer pin.Unpin()
	for i, m := range models {
		mustMatch(m.Model, out)
		inputs[i] = C.msmerge_input{
			x: view(&pin, m.Model), weight: C.float(m.Weight), factor: C.float(m.factor()), keep: C.int32_t(m.Keep),
			kept: m.Trim.c(), dropped: m.Drop.c(), mask: m.Mask.c(),
		}
		if m.Keep == KeepBits {
			inputs[i].bits = bitsOf(&pin, m.Bits, out.Len())
		}
	}
	mustMatch(base, out)
	t := tile(&pin, out, len(models))
	t.base, t.first = view(&pin, base), firstElement(first)
	t.elect, t.normalize, t.lambda = flag(c.Elect), flag(c.Normalize), C.float(c.Lambda)
	t.divisor = C.float(c.Divisor)
	switch {
	case out.Len() == 0:
	case k.device != nil:
		k.device.combine(&t, inputs)
	default:
		C.call_combine(C.int(k.level), &t, &inputs[0])
	}
	return Counts{NaN: int64(t.nan), Inf: int64(t.inf)}
}

func tile(pin *runtime.Pinner, out View, inputs int) C.msmerge_tile {
	if inputs < 1 || inputs > MaxModels {
		panic(fmt.Sprintf("kernel: %d models, want 1 to %d", inputs, MaxModels))
	}
	if out.DType.Eight() {
		panic(fmt.Sprintf("kernel: %s is read, never written", out.DType))
	}
	v := view(pin, out)
	return C.msmerge_tile{out: v.data, out_dtype: v.dtype, n: C.int64_t(out.Len()), inputs: C.int64_t(inputs), stream: flag(out.Stream)}
}

// view pins the data, because its address goes into a structure that C reads.
func view(pin *runtime.Pinner, v View) C.msmerge_view {
	p := unsafe.Pointer(unsafe.SliceData(v.Data))
	if len(v.Data) > 0 {
		pin.Pin(p)
	} else {
		p = nil
	}
	return C.msmerge_view{data: p, dtype: code(v.DType)}
}

func code(d mergesearch.DType) C.int64_t {
	switch d {
	case mergesearch.BF16:
		return C.MSMERGE_BF16
	case mergesearch.F16:
		return C.MSMERGE_F16
	case mergesearch.F32:
		return C.MSMERGE_F32
	case mergesearch.F64:
		return C.MSMERGE_F64
	case mergesearch.F8E4M3:
		return C.MSMERGE_F8_E4M3
	case mergesearch.F8E5M2:
		return C.MSMERGE_F8_E5M2
	}
	panic(fmt.Sprintf("kernel: %s is not a floating type", d))
}

func mustMatch(v, out View) {
	if v.Len() != out.Len() || len(v.Data) != v.Len()*v.DType.Size() {
		panic(fmt.Sprintf("kernel: an input of %d elements for an output of %d", v.Len(), out.Len()))
	}
}

func firstElement(first int) C.int64_t {
	if first%TileMultiple != 0 {
		panic(fmt.Sprintf("kernel: a tile starts at element %d, which is no multiple of %d", first, TileMultiple))
	}
	return C.int64_t(first)
}

func flag(b bool) C.int32_t {
	if b {
		return 1
	}
	return 0
}

// histogram counts, for the elements of x - base whose magnitude shifted by
// prefixShift is prefix, the values of the next 11 or 10 bits above shift.
func (k Kernel) histogram(base, x Source, tileSize, tiles, shift, prefixShift int, prefix uint32, run Runner) []int {
	parts := make([][]uint32, tiles)
	run(tiles, func(i int) {
		lo, hi := bounds(i, tileSize, x.Len())
		bins := make([]uint32, C.MSMERGE_DIGIT_BINS)
		k.scan(base.Slice(lo, hi), x.Slice(lo, hi), func(s *C.msmerge_scan) {
			s.shift, s.prefix_shift, s.prefix = C.int32_t(shift), C.int32_t(min(prefixShift, 31)), C.int32_t(prefix)
			if k.device != nil {
				k.device.histogram(s, bins)
				return
			}
			C.call_histogram(C.int(k.level), s, (*C.uint32_t)(&bins[0]))
		})
		parts[i] = bins
	})
	width := prefixShift - shift
	sum := make([]int, 1<<width)
	for _, bins := range parts {
		for b, n := range bins {
			sum[b&(1<<width-1)] += int(n)
		}
	}
	return sum
}

func (k Kernel) countEqual(base, x View, threshold uint32) (n int) {
	k.scan(base, x, func(s *C.msmerge_scan) {
		s.threshold = C.int32_t(threshold)
		if k.device != nil {
			n = k.device.countEqual(s)
			return
		}
		n = int(C.call_count_equal(C.int(k.level), s))
	})
	return n
}

func (k Kernel) findEqual(base, x View, threshold uint32, nth int) (place int) {
	k.scan(base, x, func(s *C.msmerge_scan) {
		s.threshold = C.int32_t(threshold)
		if k.device != nil {
			place = k.device.findEqual(s, nth)
			return
		}
		place = int(C.call_find_equal(C.int(k.level), s, C.int64_t(nth)))
	})
	return place
}

// blockSums writes the sums of blocks of TileMultiple elements: of all, and of those
// that the mask or the bits keep if there are any.
func (k Kernel) blockSums(base, x View, m *Mask, bits []byte, first int, sums, kept []float64) {
	k.scan(base, x, func(s *C.msmerge_scan) {
		s.first = firstElement(first)
		var pin runtime.Pinner
		defer pin.Unpin()
		keep := KeepAll
		switch {
		case m != nil:
			keep, s.mask = KeepRandom, m.c()
		case bits != nil:
			keep, s.bits = KeepBits, bitsOf(&pin, bits, x.Len())
		}
		if k.device != nil {
			k.device.blockSums(s, keep, Trim{}, Trim{}, sums, kept)
			return
		}
		var keptTo *C.double
		if keep != KeepAll {
			keptTo = (*C.double)(&kept[0])
		}
		C.call_sum_magnitudes(C.int(k.level), s, (*C.double)(&sums[0]), keptTo)
	})
}

// trimmedSums is blockSums over what is kept by magnitude, on a device.
func (k Kernel) trimmedSums(base, x View, m TaskVector, first int, sums []float64) {
	k.scan(base, x, func(s *C.msmerge_scan) {
		s.first = firstElement(first)
		k.device.blockSums(s, m.Keep, m.Trim, m.Drop, make([]float64, blocksOf(s.n)), sums)
	})
}

func (k Kernel) scan(base, x View, call func(*C.msmerge_scan)) {
	mustMatch(base, x)
	if x.Len() == 0 {
		return
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	call(&C.msmerge_scan{base: view(&pin, base), x: view(&pin, x), n: C.int64_t(x.Len())})
}

func (t Trim) c() C.msmerge_trim {
	return C.msmerge_trim{threshold: C.int32_t(t.Threshold), cut: C.int64_t(t.Cut)}
}

// bitsOf pins the bits of n elements.
func bitsOf(pin *runtime.Pinner, bits []byte, n int) *C.uint8_t {
	if len(bits) != bitBytes(n) {
		panic(fmt.Sprintf("kernel: %d bytes of bits for %d elements", len(bits), n))
	}
	p := unsafe.SliceData(bits)
	if len(bits) > 0 {
		pin.Pin(p)
	}
	return (*C.uint8_t)(p)
}

func (m Mask) c() C.msmerge_mask {
	return C.msmerge_mask{
		key:        [2]C.uint32_t{C.uint32_t(m.Key), C.uint32_t(m.Key >> 32)},
		stream:     [2]C.uint32_t{C.uint32_t(m.Stream), C.uint32_t(m.Stream >> 32)},
		keep_below: C.uint32_t(m.KeepBelow),
	}
}

// philox returns the four words of one counter.
func (k Kernel) philox(counter [4]uint32, key [2]uint32) (out [4]uint32) {
	C.call_philox(C.int(k.level), (*C.uint32_t)(&counter[0]), (*C.uint32_t)(&key[0]), (*C.uint32_t)(&out[0]))
	return out
}
