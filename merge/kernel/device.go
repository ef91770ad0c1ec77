package kernel

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mergesearch/merge/kernel/cuda"
)

//go:generate sh device_ptx.sh

// kernelsPTX is native/device/kernels.cu compiled for GPUs, compressed.
//
//go:embed device.ptx.gz
var kernelsPTX []byte

// PTX returns the program that devices run: native/device/kernels.cu, compiled for
// compute capability 8.0.
func PTX() ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(kernelsPTX))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}

// entries are the kernels by name, of which some come in variants for the type of
// their inputs.
var entries = []string{
	"histogram", "count_equal", "find_equal", "join", "magnitudes", "keep_ranked", "count_active", "squares", "column_products",
	"score_high", "score_low", "score_equal", "score_find", "row_top", "row_sums", "row_all", "row_terms", "row_divergence",
}

var typedEntries = []string{"weighted_sum", "combine", "survey", "sums", "nearswap", "fuse", "combine_lines", "sce", "ram", "products"}

// entryNames returns all of them, as variant says which.
func entryNames() []string {
	names := slices.Clone(entries)
	for _, name := range typedEntries {
		names = append(names, name+"_any", name+"_bf16", name+"_f32")
	}
	return names
}

// Device is a GPU that runs the operations, with the tensors that are kept in its
// memory. Its operations give the bits of every other level. It is safe for concurrent
// use.
//
// An operation that the device cannot do panics with a DeviceFailure, which Caught
// turns into an error where a merge begins. When a wait for the device failed, all later
// operations fail alike, until the device is opened anew.
type Device struct {
	gpu       *cuda.Device
	module    *cuda.Module
	functions map[string]cuda.Function
	queues    chan *queue
	memory    residents
	lost      atomic.Pointer[DeviceFailure] // once a wait failed, nobody knows what was done
}

// DeviceOptions configures OpenDevice.
type DeviceOptions struct {
	Library string // path of the driver; empty: the system's
	Number  int    // of the device, from 0
	Queues  int    // operations under way at once; 0 means 4
	Memory  int64  // limit on tensors kept on the device; 0 means most of what is free
}

// OpenDevice opens a GPU, loads the kernels and checks on small tensors that each gives
// the CPU's bits. Errors are those of package cuda.
func OpenDevice(o DeviceOptions) (*Device, error) {
	lib, err := cuda.Open(o.Library)
	if err != nil {
		return nil, err
	}
	gpu, err := lib.Device(o.Number)
	if err != nil {
		return nil, err
	}
	d := &Device{gpu: gpu, functions: map[string]cuda.Function{}}
	if err := d.open(o); err != nil {
		d.Close()
		return nil, err
	}
	return d, nil
}

func (d *Device) open(o DeviceOptions) error {
	ptx, err := PTX()
	if err != nil {
		return err
	}
	if d.module, err = d.gpu.Load(ptx); err != nil {
		return err
	}
	for _, name := range entryNames() {
		if d.functions[name], err = d.module.Function("msmerge_" + name); err != nil {
			return err
		}
	}
	unused, _, err := d.gpu.Room()
	if err != nil {
		return err
	}
	d.memory = residents{gpu: d.gpu, limit: o.Memory}
	if o.Memory <= 0 {
		d.memory.limit = unused - unused/8
	}
	queues := o.Queues
	if queues <= 0 {
		queues = 4
	}
	d.queues = make(chan *queue, queues)
	for range queues {
		q, err := d.newQueue()
		if err != nil {
			return err
		}
		d.queues <- q
	}
	return d.check()
}

// Close gives everything back. No operation may be under way. What the driver says
// then does not matter any more.
func (d *Device) Close() {
	for len(d.queues) > 0 {
		(<-d.queues).close()
	}
	d.memory.forgetAll()
	if d.module != nil {
		_ = d.module.Close()
	}
	_ = d.gpu.Close()
}

// Kernel returns the operations on the device.
func (d *Device) Kernel() Kernel { return Kernel{level: CUDA, device: d} }

// String returns what people call the device, like "cuda:0 (NVIDIA H100)".
func (d *Device) String() string { return fmt.Sprintf("cuda:%d (%s)", d.gpu.Number(), d.gpu.Name()) }

// Count returns how many devices the driver sees.
func (d *Device) Count() (int, error) { return d.gpu.Library().Devices() }

// Queues returns how many operations are under way at once. Each has memory of its own on
// the device: LeastScratch bytes, or what its results and inputs take that are not kept.
func (d *Device) Queues() int { return cap(d.queues) }

// LeastScratch is the least memory of the device that a queue takes once it works.
const LeastScratch = 1 << 20

// Limit returns how many bytes of tensors may be kept on the device.
func (d *Device) Limit() int64 { return d.memory.limit }

// Resident returns how many bytes of tensors are on the device.
func (d *Device) Resident() int64 {
	d.memory.mu.Lock()
	defer d.memory.mu.Unlock()
	return d.memory.used
}

// Copier returns a function that copies n bytes from one place of the device's memory to
// another and waits for it, which is what a merge there is measured against. free gives
// the memory back.
func (d *Device) Copier(n int) (run func() error, free func(), err error) {
	from, err := d.gpu.Alloc(n)
	if err != nil {
		return nil, nil, err
	}
	to, err := d.gpu.Alloc(n)
	if err != nil {
		return nil, nil, errors.Join(err, d.gpu.Free(from))
	}
	run = func() (err error) {
		defer Caught(&err)
		d.use(func(q *queue) {
			must(q.stream.Copy(to, from, n))
			must(q.stream.Wait())
		})
		return nil
	}
	return run, func() { _ = errors.Join(d.gpu.Free(from), d.gpu.Free(to)) }, nil
}

// PinnedRate measures how many bytes a second come from the device into pinned memory, the
// best of some copies of n bytes. It is what writing a merged model is measured against.
func (d *Device) PinnedRate(n, copies int) (rate float64, err error) {
	from, err := d.gpu.Alloc(n)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.gpu.Free(from)) }()
	to, err := d.gpu.Pin(n)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, d.gpu.Unpin(to)) }()
	defer Caught(&err)
	for range copies {
		d.use(func(q *queue) {
			began := time.Now()
			must(q.stream.Download(to, from))
			must(q.stream.Wait())
			rate = max(rate, float64(n)/time.Since(began).Seconds())
		})
	}
	return rate, nil
}

// DeviceFailure is what operations panic with when a device does not do them.
type DeviceFailure struct{ Err error }

// Caught sets err if the caller panics with a DeviceFailure. It is to be deferred.
func Caught(err *error) {
	switch r := recover().(type) {
	case nil:
	case DeviceFailure:
		*err = r.Err
	default:
		panic(r)
	}
}

func must(err error) {
	if err != nil {
		panic(DeviceFailure{err})
	}
}

// use lends a queue to one operation.
func (d *Device) use(f func(q *queue)) {
	q := <-d.queues
	defer func() {
		if err := q.finish(); err != nil {
			d.lost.CompareAndSwap(nil, &DeviceFailure{err})
		}
		d.queues <- q
	}()
	if lost := d.lost.Load(); lost != nil {
		panic(*lost)
	}
	f(q)
	must(q.stream.Wait())
}

// residents are the tensors that are kept on a device: pieces of host memory that do
// not change, copied when they are first read.
type residents struct {
	gpu   *cuda.Device
	limit int64

	mu     sync.Mutex
	pieces []*resident // by host address
	used   int64       // bytes on the device
	clock  int64
}
