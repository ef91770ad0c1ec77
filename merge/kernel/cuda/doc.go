// Package cuda speaks to NVIDIA's driver: it opens libcuda.so.1 when asked to, never
// before, and gives its devices, memory, streams and launches Go's types and errors.
// Neither building nor running the program needs a CUDA toolkit, and without a driver
// Open says so and nothing else happens.
//
// Types to know: Library (the driver), Device (one GPU with its context), Memory (bytes
// of it), Stream (an order in which it works), Function (an entry of a Module of PTX).
//
// Invariants.
//
//   - Every error is an *Error that holds the driver's own name for it and what was
//     being done.
//   - Calls may come from any goroutine: each sets the context of its device first. A
//     Stream belongs to one goroutine at a time.
//   - What a stream was given is done in order; the host waits in Stream.Wait alone.
//     Host memory of a copy that is under way must not move, so it comes from Device.Pin.
//
// Not here: which operations there are and what they compute (merge/kernel), which
// tensors are kept on a device (kernel.Device).
//
// Source: CUDA Driver API reference, whose functions are named in driver.h.
package cuda
