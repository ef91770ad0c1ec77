package lm

import (
	"sync"
	"unsafe"
)

// arenas keeps the memory of released models and caches for the next ones, so
// that hundreds of swaps take no more memory than the models served at once.
// It lies outside the Go heap: the collector neither scans nor paces itself by
// it, and pages that were never written take none.
var arenas = arenaPool{limit: 256 << 20}

// arenaPool hands out byte ranges by exact size. Its zero value keeps nothing.
type arenaPool struct {
	mu    sync.Mutex
	limit int      // bytes kept at most
	kept  int      // bytes in free
	free  [][]byte // oldest first
}

// floats returns n floats whose contents are undefined. They are aligned to a
// page; give them back with release, once.
func (p *arenaPool) floats(n int) []float32 {
	if n == 0 {
		return nil
	}
	b := p.take(n * 4)
	return unsafe.Slice((*float32)(unsafe.Pointer(unsafe.SliceData(b))), n)
}

func (p *arenaPool) take(size int) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := len(p.free) - 1; i >= 0; i-- { // the latest is the likeliest to be in a processor cache
		if b := p.free[i]; len(b) == size {
			p.free = append(p.free[:i], p.free[i+1:]...)
			p.kept -= size
			return b
		}
	}
	return mapMemory(size)
}

// release takes back what floats handed out, whole.
func (p *arenaPool) release(f []float32) {
	if len(f) == 0 {
		return
	}
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(f))), len(f)*4)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.free = append(p.free, b)
	p.kept += len(b)
	for p.kept > p.limit {
		oldest := p.free[0]
		p.free = p.free[1:]
		p.kept -= len(oldest)
		unmapMemory(oldest)
	}
}
