package cuda

/*
#include <stdlib.h>
#include "driver.h"

static cu_result call_get(const cu_driver *d, cu_device *out, int n) { return d->device_get(out, n); }
static cu_result call_name(const cu_driver *d, char *name, int size, cu_device n) { return d->device_name(name, size, n); }
static cu_result call_memory(const cu_driver *d, size_t *bytes, cu_device n) { return d->device_memory(bytes, n); }
static cu_result call_attribute(const cu_driver *d, int *v, int which, cu_device n) { return d->device_attribute(v, which, n); }
static cu_result call_retain(const cu_driver *d, cu_context *c, cu_device n) { return d->context_retain(c, n); }
static cu_result call_release(const cu_driver *d, cu_device n) { return d->context_release(n); }

static cu_result call_info(const cu_driver *d, cu_context c, size_t *unused, size_t *total) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->memory_info(unused, total);
}
static cu_result call_alloc(const cu_driver *d, cu_context c, cu_address *a, size_t n) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->memory_alloc(a, n);
}
static cu_result call_free(const cu_driver *d, cu_context c, cu_address a) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->memory_free(a);
}
static cu_result call_pin(const cu_driver *d, cu_context c, void **p, size_t n) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->host_alloc(p, n, 1); // usable from every context
}
static cu_result call_unpin(const cu_driver *d, cu_context c, void *p) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->host_free(p);
}
static cu_result call_ipc(const cu_driver *d, cu_context c, cu_ipc_handle *h, cu_address a) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->ipc_handle(h, a);
}
static cu_result call_load(const cu_driver *d, cu_context c, cu_module *m, const void *image, char *log, size_t size) {
	int options[] = {5, 6}; // the log of errors and its size
	void *values[] = {log, (void *)size};
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->module_load(m, image, 2, options, values);
}
static cu_result call_unload(const cu_driver *d, cu_context c, cu_module m) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->module_unload(m);
}
static cu_result call_function(const cu_driver *d, cu_context c, cu_function *f, cu_module m, const char *name) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->module_function(f, m, name);
}
*/
import "C"

import (
	"fmt"
	"strings"
	"unsafe"
)

// leastMajor is the compute capability that the kernels are compiled for; a driver compiles
// them for newer devices too.
const leastMajor = 8

// Device is one GPU with its context, which other users of the driver in this process
// share.
type Device struct {
	lib     *Library
	number  int
	handle  C.cu_device
	context C.cu_context
	name    string
	memory  int64
}

// Device opens a device by its number, from 0. Close it when its memory, modules and
// streams are closed.
func (l *Library) Device(number int) (*Device, error) {
	n, err := l.Devices()
	if err != nil {
		return nil, err
	}
	if number < 0 || number >= n {
		return nil, &Error{Doing: fmt.Sprintf("open device %d", number), Text: fmt.Sprintf("the driver sees %d devices, numbered from 0", n)}
	}
	d := &Device{lib: l, number: number}
	if err := l.check(C.call_get(l.c, &d.handle, C.int(number)), "open device %d", number); err != nil {
		return nil, err
	}
	if err := d.describe(); err != nil {
		return nil, err
	}
	if err := l.check(C.call_retain(l.c, &d.context, d.handle), "open a context on %s", d); err != nil {
		return nil, err
	}
	return d, nil
}

// describe asks for name, memory and compute capability, and refuses old devices.
func (d *Device) describe() error {
	var name [256]C.char
	if err := d.lib.check(C.call_name(d.lib.c, &name[0], C.int(len(name)), d.handle), "ask device %d for its name", d.number); err != nil {
		return err
	}
	d.name = C.GoString(&name[0])
	var bytes C.size_t
	if err := d.lib.check(C.call_memory(d.lib.c, &bytes, d.handle), "ask %s for its memory", d); err != nil {
		return err
	}
	d.memory = int64(bytes)
	var major, minor C.int
	for attribute, to := range map[C.int]*C.int{75: &major, 76: &minor} {
		if err := d.lib.check(C.call_attribute(d.lib.c, to, attribute, d.handle), "ask %s for its compute capability", d); err != nil {
			return err
		}
	}
	if major < leastMajor {
		return &Error{Doing: "open " + d.String(), Text: fmt.Sprintf("its compute capability is %d.%d, and %d.0 or newer is needed", major, minor, leastMajor)}
	}
	return nil
}

// String returns number and name, like "device 0 (NVIDIA H100)".
func (d *Device) String() string { return fmt.Sprintf("device %d (%s)", d.number, d.name) }

// Library returns the driver.
func (d *Device) Library() *Library { return d.lib }

// Name returns the driver's name of the device, Number its number.
func (d *Device) Name() string { return d.name }

// Number returns the number by which the device was opened.
func (d *Device) Number() int { return d.number }

// Close releases the context.
func (d *Device) Close() error {
	return d.lib.check(C.call_release(d.lib.c, d.handle), "release %s", d)
}

// Room returns how many bytes are free, and how many there are.
func (d *Device) Room() (unused, total int64, err error) {
	var u, t C.size_t
	err = d.lib.check(C.call_info(d.lib.c, d.context, &u, &t), "ask %s for free memory", d)
	return int64(u), int64(t), err
}

// Address is a place in a device's memory.
type Address uint64

// Alloc reserves n bytes, at an address that is a multiple of 256. Their contents are
// not defined.
func (d *Device) Alloc(n int) (Address, error) {
	var a C.cu_address
	err := d.lib.check(C.call_alloc(d.lib.c, d.context, &a, C.size_t(n)), "reserve %d bytes on %s", n, d)
	return Address(a), err
}

// Free gives memory back. What still runs may not use it.
func (d *Device) Free(a Address) error {
	return d.lib.check(C.call_free(d.lib.c, d.context, C.cu_address(a)), "free memory of %s", d)
}

// Pin returns n bytes of host memory that the device can read and write directly.
func (d *Device) Pin(n int) ([]byte, error) {
	var p unsafe.Pointer
	err := d.lib.check(C.call_pin(d.lib.c, d.context, &p, C.size_t(n)), "reserve %d bytes of pinned memory for %s", n, d)
	if err != nil {
		return nil, err
	}
	return unsafe.Slice((*byte)(p), n), nil
}

// Unpin gives memory of Pin back.
func (d *Device) Unpin(b []byte) error {
	return d.lib.check(C.call_unpin(d.lib.c, d.context, unsafe.Pointer(unsafe.SliceData(b))), "free pinned memory of %s", d)
}

// Handle returns what another process needs to open memory that Alloc returned, see
// cuIpcOpenMemHandle.
func (d *Device) Handle(a Address) ([64]byte, error) {
	var h C.cu_ipc_handle
	err := d.lib.check(C.call_ipc(d.lib.c, d.context, &h, C.cu_address(a)), "share memory of %s", d)
	return *(*[64]byte)(unsafe.Pointer(&h)), err
}

// Module is a loaded program of PTX.
type Module struct {
	device *Device
	c      C.cu_module
}

// Load compiles PTX for the device. It takes a second the first time; the driver keeps
// the result.
func (d *Device) Load(ptx []byte) (*Module, error) {
	image := C.CString(string(ptx))
	defer C.free(unsafe.Pointer(image))
	m := &Module{device: d}
	log := (*C.char)(C.calloc(1, 4096))
	defer C.free(unsafe.Pointer(log))
	err := d.lib.check(C.call_load(d.lib.c, d.context, &m.c, unsafe.Pointer(image), log, 4096), "load the kernels on %s", d)
	if e, ok := err.(*Error); ok {
		if text, _, _ := strings.Cut(C.GoString(log), "\n"); text != "" {
			e.Text += ": " + text
		}
		return nil, e
	}
	return m, nil
}

// Close unloads the module.
func (m *Module) Close() error {
	return m.device.lib.check(C.call_unload(m.device.lib.c, m.device.context, m.c), "unload the kernels from %s", m.device)
}

// Function is an entry of a module.
type Function struct {
	name string
	c    C.cu_function
}

// Function returns an entry by its name.
func (m *Module) Function(name string) (Function, error) {
	text := C.CString(name)
	defer C.free(unsafe.Pointer(text))
	f := Function{name: name}
	err := m.device.lib.check(C.call_function(m.device.lib.c, m.device.context, &f.c, m.c, text), "find kernel %s on %s", name, m.device)
	return f, err
}
