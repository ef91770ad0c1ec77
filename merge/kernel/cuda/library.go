package cuda

/*
#cgo CFLAGS: -std=c11 -O2 -Wall
#cgo linux LDFLAGS: -ldl
#include <stdlib.h>
#include "driver.h"

static cu_result call_init(const cu_driver *d) { return d->init(0); }
static cu_result call_version(const cu_driver *d, int *v) { return d->driver_version(v); }
static cu_result call_count(const cu_driver *d, int *n) { return d->device_count(n); }
static const char *call_error_name(const cu_driver *d, cu_result r) {
	const char *s = NULL;
	return d->error_name(r, &s) == 0 && s != NULL ? s : "unknown error";
}
static const char *call_error_text(const cu_driver *d, cu_result r) {
	const char *s = NULL;
	return d->error_text(r, &s) == 0 && s != NULL ? s : "";
}
*/
import "C"

import (
	"fmt"
	"unsafe"
)

// DefaultLibrary is the driver's file name, which the system's loader finds.
const DefaultLibrary = "libcuda.so.1"

// leastVersion is the driver's interface that the kernels' PTX needs: CUDA 11.0.
const leastVersion = 11000

// Library is an opened driver.
type Library struct {
	c       *C.cu_driver // in C's memory: it is never freed, like the library
	version int
}

// Error is what went wrong in the driver.
type Error struct {
	Doing string // "copy 4096 bytes to the device"
	Name  string // the driver's name: CUDA_ERROR_OUT_OF_MEMORY; empty if there is no driver
	Text  string
	Code  int

	NoDriver bool // there is no library to open, as on machines without a GPU
}

func (e *Error) Error() string {
	if e.Name == "" {
		return fmt.Sprintf("%s: %s", e.Doing, e.Text)
	}
	return fmt.Sprintf("%s: %s (%s)", e.Doing, e.Name, e.Text)
}

// OutOfMemory is the code of a device that had no room, which fewer or smaller tensors
// may mend.
const OutOfMemory = 2

// Open opens the driver at path, or the system's if path is empty, and initialises it.
func Open(path string) (*Library, error) {
	if path == "" {
		path = DefaultLibrary
	}
	l := &Library{c: (*C.cu_driver)(C.calloc(1, C.sizeof_cu_driver))}
	name := C.CString(path)
	defer C.free(unsafe.Pointer(name))
	var text [512]C.char
	if C.cu_open(l.c, name, &text[0], C.size_t(len(text))) == 0 {
		defer C.free(unsafe.Pointer(l.c))
		return nil, &Error{Doing: "open the driver " + path, Text: C.GoString(&text[0]), NoDriver: l.c.library == nil}
	}
	if err := l.check(C.call_init(l.c), "initialise the driver"); err != nil {
		return nil, err
	}
	var version C.int
	if err := l.check(C.call_version(l.c, &version), "ask for the driver's version"); err != nil {
		return nil, err
	}
	l.version = int(version)
	if l.version < leastVersion {
		return nil, &Error{Doing: "open the driver " + path, Text: fmt.Sprintf("it speaks CUDA %s, and 11.0 or newer is needed", l.Version())}
	}
	return l, nil
}

// Version returns the version of CUDA that the driver speaks, like "12.4".
func (l *Library) Version() string { return fmt.Sprintf("%d.%d", l.version/1000, l.version%1000/10) }

// Devices returns how many devices the driver sees.
func (l *Library) Devices() (int, error) {
	var n C.int
	err := l.check(C.call_count(l.c, &n), "count the devices")
	return int(n), err
}

// check makes an error of a result.
func (l *Library) check(r C.cu_result, doing string, args ...any) error {
	if r == 0 {
		return nil
	}
	return &Error{
		Doing: fmt.Sprintf(doing, args...), Code: int(r),
		Name: C.GoString(C.call_error_name(l.c, r)), Text: C.GoString(C.call_error_text(l.c, r)),
	}
}
