package kernel

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"unsafe"

	"mergesearch/merge/kernel/cuda"
)

// roomBehind is how much operations may read behind the last element: the rest of a
// block of the widest type.
const roomBehind = 8 * 256

// resident is one piece of host memory that is kept on the device.
type resident struct {
	host  []byte
	start uintptr

	load sync.Mutex   // held while it is copied
	at   cuda.Address // 0 while it is not on the device
	uses int          // operations that read it; guarded by residents.mu, like the rest
	last int64
	gone bool // forgotten; dropped when nothing uses it any longer
	held bool // what operations write into it is on the device alone
}

func addressOf(b []byte) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(b))) }

// Keep says that a piece of host memory will be read again and does not change until
// Forget. It is copied to the device when it is first read, and stays there as long
// as there is room: what was not used for longest goes first.
func (d *Device) Keep(host []byte) {
	if len(host) == 0 {
		return
	}
	m := &d.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, known := m.place(addressOf(host)); known {
		return
	}
	m.insert(&resident{host: host, start: addressOf(host)})
}

// Load copies kept pieces to the device if there is room, so that the next operation on
// them need not wait.
func (d *Device) Load(kept ...[]byte) (err error) {
	defer Caught(&err)
	d.use(func(q *queue) {
		for _, host := range kept {
			if r := d.memory.borrow(host); r != nil {
				q.borrowed = append(q.borrowed, r)
				q.loaded(r)
			}
		}
	})
	return nil
}

// Hold reserves room on the device for a piece of host memory whose contents come from
// operations: they write it there alone, until Fetch copies it home. The host memory is
// an address and need not be touched. Forget ends it.
func (d *Device) Hold(host []byte) error {
	m := &d.memory
	r := &resident{host: host, start: addressOf(host), held: true, uses: 1}
	if ok, err := m.reserve(r); err != nil || !ok {
		return cmp.Or(err, error(&cuda.Error{Doing: fmt.Sprintf("reserve %d bytes on %s", len(host), d), Text: "not enough memory is free", Code: cuda.OutOfMemory}))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	r.uses, r.last = 0, m.clock
	m.insert(r)
	return nil
}

// Fetch copies a part of a held piece into the host memory that stands for it.
func (d *Device) Fetch(host []byte) error {
	return d.withHeld(host, func(q *queue, at cuda.Address) { q.receive(host, at) })
}

// Store copies host memory that stands for a part of a held piece to the device, where
// no operation writes it.
func (d *Device) Store(host []byte) error {
	return d.withHeld(host, func(q *queue, at cuda.Address) { must(q.upload(at, host)) })
}

func (d *Device) withHeld(host []byte, f func(q *queue, at cuda.Address)) (err error) {
	if len(host) == 0 {
		return nil
	}
	defer Caught(&err)
	r := d.memory.borrow(host)
	if r == nil || !r.held {
		panic("kernel: this memory is not held on the device")
	}
	d.use(func(q *queue) {
		q.borrowed = append(q.borrowed, r)
		f(q, r.at+cuda.Address(addressOf(host)-r.start))
	})
	return nil
}

// Handle returns what another process needs to open the memory of a held piece, which
// begins there and reaches as far as the host memory: the bytes of a CUipcMemHandle.
func (d *Device) Handle(host []byte) ([64]byte, error) {
	r := d.memory.borrow(host)
	if r == nil || !r.held {
		panic("kernel: this memory is not held on the device")
	}
	defer d.memory.giveBack(r)
	return d.gpu.Handle(r.at)
}

// Forget gives the memory of all pieces within host back, of those in use when they
// are no longer.
func (d *Device) Forget(host []byte) {
	m := &d.memory
	m.mu.Lock()
	defer m.mu.Unlock()
	from, to := addressOf(host), addressOf(host)+uintptr(len(host))
	m.pieces = slices.DeleteFunc(m.pieces, func(r *resident) bool {
		inside := r.start >= from && r.start < to
		switch {
		case inside && r.uses > 0:
			r.gone = true
		case inside:
			m.drop(r)
		}
		return inside
	})
}

func (m *residents) forgetAll() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range m.pieces {
		m.drop(r)
	}
	m.pieces = nil
}

// place returns where the piece that begins at an address is, or belongs.
func (m *residents) place(a uintptr) (int, bool) {
	return slices.BinarySearchFunc(m.pieces, a, func(r *resident, a uintptr) int { return cmp.Compare(r.start, a) })
}

func (m *residents) insert(r *resident) {
	at, _ := m.place(r.start)
	m.pieces = slices.Insert(m.pieces, at, r)
}

// find returns the piece that begins last at or before an address, and whether it
// reaches beyond it.
func (m *residents) find(a uintptr) (int, bool) {
	i, exact := m.place(a)
	if !exact {
		i--
	}
	return i, i >= 0 && a < m.pieces[i].start+uintptr(len(m.pieces[i].host))
}

// drop frees the memory of a piece. The caller holds mu.
func (m *residents) drop(r *resident) {
	if r.at != 0 {
		_ = m.gpu.Free(r.at)
		m.used -= int64(len(r.host)) + roomBehind
		r.at = 0
	}
}

// borrow returns the piece that holds some host memory, in use until it is given
// back, or nil.
func (m *residents) borrow(host []byte) *resident {
	m.mu.Lock()
	defer m.mu.Unlock()
	i, found := m.find(addressOf(host))
	if !found || addressOf(host)+uintptr(len(host)) > m.pieces[i].start+uintptr(len(m.pieces[i].host)) {
		return nil
	}
	r := m.pieces[i]
	r.uses++
	m.clock++
	r.last = m.clock
	return r
}

func (m *residents) giveBack(r *resident) {
	m.mu.Lock()
	defer m.mu.Unlock()
	r.uses--
	if r.gone && r.uses == 0 {
		m.drop(r)
	}
}

// reserve returns memory for a piece, or false if there is none, even when all that
// is not in use went.
func (m *residents) reserve(r *resident) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	size := int64(len(r.host)) + roomBehind
	for m.used+size > m.limit {
		if !m.evict() {
			return false, nil
		}
	}
	at, err := m.alloc(int(size))
	if e := (*cuda.Error)(nil); errors.As(err, &e) && e.Code == cuda.OutOfMemory {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	r.at = at
	m.used += size
	return true, nil
}

// alloc reserves memory, and drops tensors while there is none. The caller holds mu.
func (m *residents) alloc(n int) (cuda.Address, error) {
	for {
		at, err := m.gpu.Alloc(n)
		e := (*cuda.Error)(nil)
		if err == nil || !errors.As(err, &e) || e.Code != cuda.OutOfMemory || !m.evict() {
			return at, err
		}
	}
}

// evict drops the tensor that was not used for longest.
func (m *residents) evict() bool {
	var oldest *resident
	for _, r := range m.pieces {
		if r.at != 0 && r.uses == 0 && !r.held && (oldest == nil || r.last < oldest.last) {
			oldest = r
		}
	}
	if oldest == nil {
		return false
	}
	m.drop(oldest)
	return true
}
