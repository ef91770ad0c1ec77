package kernel

import (
	"unsafe"

	"mergesearch"
	"mergesearch/merge/kernel/cuda"
)

const (
	argumentBytes = 1 << 16 // of all arguments of one operation
	stagingBytes  = 8 << 20 // of one of two pieces through which unpinned memory is copied
)

// queue is what one operation needs at a time: a stream, room for arguments on both
// sides, and pinned memory through which tensors come and go.
type queue struct {
	device    *Device
	stream    *cuda.Stream
	arguments []byte // pinned, with a copy on the device, at at
	at        cuda.Address
	filled    int
	staging   [2]staging
	turn      int
	scratch   scratch
	borrowed  []*resident
}

type staging struct {
	bytes []byte // pinned
	done  *cuda.Event
	busy  bool // a copy was given to the stream, and done recorded behind it
}

// scratch is memory of the device for one operation: pieces of it are taken from the
// front. It grows to what an operation needed.
type scratch struct {
	pieces []scratchPiece
	taken  int // of the last piece
	needed int // by this operation
}

type scratchPiece struct {
	at   cuda.Address
	size int
}

func (d *Device) newQueue() (*queue, error) {
	q := &queue{device: d}
	err := q.open()
	if err != nil {
		q.close()
		return nil, err
	}
	return q, nil
}

func (q *queue) open() (err error) {
	gpu := q.device.gpu
	if q.stream, err = gpu.NewStream(); err != nil {
		return err
	}
	if q.arguments, err = gpu.Pin(argumentBytes); err != nil {
		return err
	}
	if q.at, err = gpu.Alloc(argumentBytes); err != nil {
		return err
	}
	for i := range q.staging {
		if q.staging[i].bytes, err = gpu.Pin(stagingBytes); err != nil {
			return err
		}
		if q.staging[i].done, err = gpu.NewEvent(); err != nil {
			return err
		}
	}
	return nil
}

// close gives back what open got, as far as it came.
func (q *queue) close() {
	gpu := q.device.gpu
	for _, p := range q.scratch.pieces {
		_ = gpu.Free(p.at)
	}
	for _, s := range q.staging {
		if s.done != nil {
			_ = s.done.Close()
		}
		if s.bytes != nil {
			_ = gpu.Unpin(s.bytes)
		}
	}
	if q.at != 0 {
		_ = gpu.Free(q.at)
	}
	if q.arguments != nil {
		_ = gpu.Unpin(q.arguments)
	}
	if q.stream != nil {
		_ = q.stream.Close()
	}
}

// finish ends an operation, whether it was done or not. Unless it returns an error,
// nothing of it runs any longer.
func (q *queue) finish() error {
	err := q.stream.Wait()
	for _, r := range q.borrowed {
		q.device.memory.giveBack(r)
	}
	q.borrowed, q.filled = q.borrowed[:0], 0
	for i := range q.staging {
		q.staging[i].busy = false
	}
	s := &q.scratch
	if len(s.pieces) > 1 { // next time one piece is enough
		for _, p := range s.pieces {
			_ = q.device.gpu.Free(p.at)
		}
		s.pieces = s.pieces[:0]
		_ = q.grow(s.needed) // else the next operation tries again
	}
	s.taken, s.needed = 0, 0
	return err
}

// grow adds a piece of scratch memory, if there is room.
func (q *queue) grow(n int) error {
	m := &q.device.memory
	m.mu.Lock()
	at, err := m.alloc(n)
	m.mu.Unlock()
	if err == nil {
		q.scratch.pieces = append(q.scratch.pieces, scratchPiece{at, n})
		q.scratch.taken = 0
	}
	return err
}

// take returns n bytes of the device's memory until the operation ends.
func (q *queue) take(n int) cuda.Address {
	n = (n + roomBehind + 255) / 256 * 256
	s := &q.scratch
	s.needed += n
	if len(s.pieces) == 0 || s.taken+n > s.pieces[len(s.pieces)-1].size {
		must(q.grow(max(n, LeastScratch)))
	}
	at := s.pieces[len(s.pieces)-1].at + cuda.Address(s.taken)
	s.taken += n
	return at
}

// zeros returns n bytes of the device's memory that are zero.
func (q *queue) zeros(n int) cuda.Address {
	at := q.take(n)
	must(q.stream.Fill(at, 0, n))
	return at
}

// input returns where host memory is on the device: where it is kept, else in a copy.
// The address is a multiple of 16, because some loads are that wide.
func (q *queue) input(host []byte) cuda.Address {
	if len(host) == 0 {
		return q.take(0)
	}
	r := q.device.memory.borrow(host)
	if r == nil {
		return q.copied(host)
	}
	q.borrowed = append(q.borrowed, r)
	if !q.loaded(r) {
		return q.copied(host)
	}
	at := r.at + cuda.Address(addressOf(host)-r.start)
	if at%16 == 0 {
		return at
	}
	aligned := q.take(len(host))
	must(q.stream.Copy(aligned, at, len(host)))
	return aligned
}

// loaded copies a piece to the device if it is not there, and reports whether it is.
func (q *queue) loaded(r *resident) bool {
	r.load.Lock()
	defer r.load.Unlock()
	if r.at != 0 {
		return true
	}
	ok, err := q.device.memory.reserve(r)
	must(err)
	if !ok {
		return false
	}
	if err := q.upload(r.at, r.host); err != nil {
		m := &q.device.memory
		m.mu.Lock()
		m.drop(r)
		m.mu.Unlock()
		panic(DeviceFailure{err})
	}
	return true
}

func (q *queue) copied(host []byte) cuda.Address {
	at := q.take(len(host))
	must(q.send(at, host))
	return at
}

// upload copies host memory to the device and waits for it.
func (q *queue) upload(to cuda.Address, host []byte) error {
	if err := q.send(to, host); err != nil {
		return err
	}
	return q.stream.Wait()
}

// send copies host memory to the device, piece by piece through pinned memory: one
// piece is filled while another is on its way.
func (q *queue) send(to cuda.Address, host []byte) error {
	for len(host) > 0 {
		s, err := q.nextStaging()
		if err != nil {
			return err
		}
		n := copy(s.bytes, host)
		if err := q.stream.Upload(to, s.bytes[:n]); err != nil {
			return err
		}
		if err := q.behind(s); err != nil {
			return err
		}
		host, to = host[n:], to+cuda.Address(n)
	}
	return nil
}

// nextStaging returns the piece whose turn it is, free to be filled.
func (q *queue) nextStaging() (*staging, error) {
	s := &q.staging[q.turn]
	q.turn = 1 - q.turn
	if s.busy {
		s.busy = false
		return s, s.done.Wait()
	}
	return s, nil
}

// behind notes that a copy of the piece was given to the stream.
func (q *queue) behind(s *staging) error {
	s.busy = true
	return s.done.Record(q.stream)
}

// receive copies from the device to host memory, and waits for it.
func (q *queue) receive(host []byte, from cuda.Address) {
	type pending struct {
		s  *staging
		to []byte
	}
	var before pending
	land := func(p pending) {
		if p.s != nil {
			p.s.busy = false
			must(p.s.done.Wait())
			copy(p.to, p.s.bytes)
		}
	}
	for len(host) > 0 {
		s, err := q.nextStaging()
		must(err)
		n := min(len(host), len(s.bytes))
		must(q.stream.Download(s.bytes[:n], from))
		must(q.behind(s))
		land(before)
		before = pending{s, host[:n]}
		host, from = host[n:], from+cuda.Address(n)
	}
	land(before)
}

// argumentsOf returns room for the arguments of one kernel, zero at first, and where
// they will be on the device.
func argumentsOf[T any](q *queue) (*T, cuda.Address) {
	size := (int(unsafe.Sizeof(*new(T))) + 255) / 256 * 256
	if q.filled+size > len(q.arguments) {
		panic("kernel: too many arguments for one operation")
	}
	room := q.arguments[q.filled : q.filled+size]
	clear(room)
	at := q.at + cuda.Address(q.filled)
	q.filled += size
	return (*T)(unsafe.Pointer(&room[0])), at
}

// launch gives arguments and a kernel to the stream.
func launch[T any](q *queue, entry string, arguments *T, at cuda.Address, threads int) {
	size := int(unsafe.Sizeof(*arguments))
	offset := int(at - q.at)
	must(q.stream.Upload(at, q.arguments[offset:offset+size]))
	f, ok := q.device.functions[entry]
	if !ok {
		panic("kernel: no entry " + entry)
	}
	must(q.stream.Launch(f, at, threads))
}

// fetch waits for the stream and updates arguments from the device, for the results
// in them.
func fetch[T any](q *queue, arguments *T, at cuda.Address) {
	offset := int(at - q.at)
	must(q.stream.Download(q.arguments[offset:offset+int(unsafe.Sizeof(*arguments))], at))
	must(q.stream.Wait())
}

// place stores an address of the device in a field of arguments. The field's type is a
// pointer of the device, which Go must not follow.
func place[T any](field **T, at cuda.Address) { *(*uintptr)(unsafe.Pointer(field)) = uintptr(at) }

// results reads numbers from the device.
func results[T any](q *queue, n int, from cuda.Address) []T {
	out := make([]T, n)
	q.receive(asBytes(out), from)
	return out
}

func asBytes[T any](s []T) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*int(unsafe.Sizeof(*new(T))))
}

// variant is the entry for the type of the views if they all have one that has its own.
func variant(types ...mergesearch.DType) string {
	for _, t := range types[1:] {
		if t != types[0] {
			return "_any"
		}
	}
	switch types[0] {
	case mergesearch.BF16:
		return "_bf16"
	case mergesearch.F32:
		return "_f32"
	}
	return "_any"
}
