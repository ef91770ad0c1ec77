package cuda

/*
#include "driver.h"

static cu_result call_stream(const cu_driver *d, cu_context c, cu_stream *s) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->stream_create(s, 1); // does not wait for the default stream
}
static cu_result call_destroy(const cu_driver *d, cu_context c, cu_stream s) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->stream_destroy(s);
}
static cu_result call_wait(const cu_driver *d, cu_context c, cu_stream s) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->stream_wait(s);
}
static cu_result call_upload(const cu_driver *d, cu_context c, cu_address to, const void *from, size_t n, cu_stream s) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->upload(to, from, n, s);
}
static cu_result call_download(const cu_driver *d, cu_context c, void *to, cu_address from, size_t n, cu_stream s) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->download(to, from, n, s);
}
static cu_result call_copy(const cu_driver *d, cu_context c, cu_address to, cu_address from, size_t n, cu_stream s) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->copy(to, from, n, s);
}
static cu_result call_fill(const cu_driver *d, cu_context c, cu_address to, unsigned char v, size_t n, cu_stream s) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->fill(to, v, n, s);
}
static cu_result call_launch(const cu_driver *d, cu_context c, cu_function f, unsigned blocks, unsigned threads, cu_address arguments, long long n, cu_stream s) {
	void *parameters[] = {&arguments, &n};
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->launch(f, blocks, 1, 1, threads, 1, 1, 0, s, parameters, NULL);
}
static cu_result call_event(const cu_driver *d, cu_context c, cu_event *e) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->event_create(e, 0);
}
static cu_result call_event_destroy(const cu_driver *d, cu_context c, cu_event e) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->event_destroy(e);
}
static cu_result call_record(const cu_driver *d, cu_context c, cu_event e, cu_stream s) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->event_record(e, s);
}
static cu_result call_event_wait(const cu_driver *d, cu_context c, cu_event e) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->event_wait(e);
}
static cu_result call_elapsed(const cu_driver *d, cu_context c, float *ms, cu_event from, cu_event to) {
	cu_result r = d->context_set(c);
	return r != 0 ? r : d->event_elapsed(ms, from, to);
}
*/
import "C"

import (
	"time"
	"unsafe"
)

// Stream is an order in which a device works. It belongs to one goroutine at a time.
type Stream struct {
	device *Device
	c      C.cu_stream
}

// NewStream returns a stream, to be closed when it is done.
func (d *Device) NewStream() (*Stream, error) {
	s := &Stream{device: d}
	err := d.lib.check(C.call_stream(d.lib.c, d.context, &s.c), "open a stream on %s", d)
	return s, err
}

// Close destroys the stream.
func (s *Stream) Close() error {
	d := s.device
	return d.lib.check(C.call_destroy(d.lib.c, d.context, s.c), "close a stream on %s", d)
}

// Wait returns when all that the stream was given is done. Errors of kernels and copies
// show here at the latest.
func (s *Stream) Wait() error {
	d := s.device
	return d.lib.check(C.call_wait(d.lib.c, d.context, s.c), "wait for %s", d)
}

// Upload copies pinned host memory to the device.
func (s *Stream) Upload(to Address, from []byte) error {
	d := s.device
	return d.lib.check(C.call_upload(d.lib.c, d.context, C.cu_address(to), unsafe.Pointer(unsafe.SliceData(from)), C.size_t(len(from)), s.c), "copy %d bytes to %s", len(from), d)
}

// Download copies from the device to pinned host memory.
func (s *Stream) Download(to []byte, from Address) error {
	d := s.device
	return d.lib.check(C.call_download(d.lib.c, d.context, unsafe.Pointer(unsafe.SliceData(to)), C.cu_address(from), C.size_t(len(to)), s.c), "copy %d bytes from %s", len(to), d)
}

// Copy copies n bytes on the device.
func (s *Stream) Copy(to, from Address, n int) error {
	d := s.device
	return d.lib.check(C.call_copy(d.lib.c, d.context, C.cu_address(to), C.cu_address(from), C.size_t(n), s.c), "copy %d bytes on %s", n, d)
}

// Fill sets n bytes to a value.
func (s *Stream) Fill(to Address, value byte, n int) error {
	d := s.device
	return d.lib.check(C.call_fill(d.lib.c, d.context, C.cu_address(to), C.uchar(value), C.size_t(n), s.c), "fill %d bytes on %s", n, d)
}

// threadsOfBlock is how many threads of a launch form a block.
const threadsOfBlock = 128

// Launch runs n threads of a kernel, which takes the address of its arguments and n.
func (s *Stream) Launch(f Function, arguments Address, n int) error {
	if n == 0 {
		return nil
	}
	d := s.device
	blocks := (n + threadsOfBlock - 1) / threadsOfBlock
	return d.lib.check(C.call_launch(d.lib.c, d.context, f.c, C.uint(blocks), threadsOfBlock, C.cu_address(arguments), C.longlong(n), s.c), "run kernel %s on %s", f.name, d)
}

// Event is a place in a stream's work.
type Event struct {
	device *Device
	c      C.cu_event
}

// NewEvent returns an event, to be closed.
func (d *Device) NewEvent() (*Event, error) {
	e := &Event{device: d}
	err := d.lib.check(C.call_event(d.lib.c, d.context, &e.c), "make an event on %s", d)
	return e, err
}

// Close destroys the event.
func (e *Event) Close() error {
	d := e.device
	return d.lib.check(C.call_event_destroy(d.lib.c, d.context, e.c), "close an event on %s", d)
}

// Record moves the event behind what the stream was given so far.
func (e *Event) Record(s *Stream) error {
	d := e.device
	return d.lib.check(C.call_record(d.lib.c, d.context, e.c, s.c), "record an event on %s", d)
}

// Wait returns when the device has passed the event.
func (e *Event) Wait() error {
	d := e.device
	return d.lib.check(C.call_event_wait(d.lib.c, d.context, e.c), "wait for an event on %s", d)
}

// Since returns the time between two events that have passed.
func (e *Event) Since(from *Event) (time.Duration, error) {
	d := e.device
	var ms C.float
	err := d.lib.check(C.call_elapsed(d.lib.c, d.context, &ms, from.c, e.c), "read the time of %s", d)
	return time.Duration(float64(ms) * float64(time.Millisecond)), err
}
