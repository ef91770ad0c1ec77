package merge

import (
	"container/list"
	"sync"

	"mergesearch/merge/kernel"
)

// statistics keeps numbers that do not depend on coefficients, least recently used
// out first once the limit is reached. It is safe for concurrent use; two merges
// that miss the same entry both compute it, with equal results.
type statistics struct {
	limit  int64          // bytes
	device *kernel.Device // that keeps masks at hand; nil for none

	mu      sync.Mutex
	bytes   int64 // of all entries
	entries map[statKey]*list.Element
	recent  list.List // of *statEntry, the latest in front
}

type statKind uint8

const (
	trimStat statKind = iota
	magnitudeStat
	keptStat
	trimmedStat
	rankedStat
	bitsStat
	productStat
	lineProductStat
	importanceStat
	selectedStat
	activeStat
)

// statKey names one number, or the bits of one tile, of two tensors, which stand
// for themselves by the identity of an operand.
type statKey struct {
	kind         statKind
	base, model  int32
	kept         uint64  // elements or, of a mask, its bound
	mask, stream uint64  // of a mask
	low, width   float64 // of a mask by ranks
	first        int     // element, of the bits of a tile; outliers dropped, of a trimmed sum
	of           int32   // of products of task vectors: the identity of their base, counted from 1
	set          string  // of statistics of several models
}

type statEntry struct {
	key   statKey
	value any
	bytes int64
}

// statBytes is about what an entry takes, bits apart: key, value, list element and its share
// of the map.
const statBytes = 352

func (s *statistics) get(k statKey) (any, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	el, ok := s.entries[k]
	if !ok {
		return nil, false
	}
	s.recent.MoveToFront(el)
	return el.Value.(*statEntry).value, true
}

func (s *statistics) put(k statKey, value any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.entries[k]; ok {
		return
	}
	if s.entries == nil {
		s.entries = map[statKey]*list.Element{}
	}
	entry := &statEntry{key: k, value: value, bytes: statBytes}
	switch v := value.(type) {
	case []byte: // bits of a mask
		entry.bytes += int64(cap(v))
		if s.device != nil {
			s.device.Keep(v)
		}
	case interface{ Bytes() int64 }: // numbers for each line
		entry.bytes += v.Bytes()
	}
	s.entries[k] = s.recent.PushFront(entry)
	s.bytes += entry.bytes
	for s.bytes > s.limit && s.recent.Len() > 1 {
		last := s.recent.Remove(s.recent.Back()).(*statEntry)
		delete(s.entries, last.key)
		s.bytes -= last.bytes
		s.leave(last)
	}
}

// leave takes what a device has of an entry from it.
func (s *statistics) leave(e *statEntry) {
	if bits, ok := e.value.([]byte); ok && s.device != nil {
		s.device.Forget(bits)
	}
}

// forget drops everything.
func (s *statistics) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for el := s.recent.Front(); el != nil; el = el.Next() {
		s.leave(el.Value.(*statEntry))
	}
	s.entries, s.bytes = nil, 0
	s.recent.Init()
}

func (s *statistics) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.entries)
}

// kept returns the value of a statistic, computing it if it is not at hand.
func kept[T any](s *statistics, k statKey, compute func() T) T {
	if v, ok := s.get(k); ok {
		return v.(T)
	}
	v := compute()
	s.put(k, v)
	return v
}

func (b *binding) key(kind statKind, base, x operand) statKey {
	return statKey{kind: kind, base: base.identity, model: x.identity}
}

// trim returns the threshold that keeps this many of model i's task vector.
func (b *binding) trim(i, keep int) kernel.Trim {
	k := b.key(trimStat, b.base, b.models[i])
	k.kept = uint64(keep)
	return kept(&b.engine.stats, k, func() kernel.Trim {
		return b.engine.kernel.SelectMagnitude(b.base.view, b.models[i].view, keep, b.engine.tile, b.run)
	})
}

// sumMagnitudes returns the sum of magnitudes of model i's task vector.
func (b *binding) sumMagnitudes(i int) float64 {
	return kept(&b.engine.stats, b.key(magnitudeStat, b.base, b.models[i]), func() float64 {
		return b.engine.kernel.SumMagnitudes(b.base.view, b.models[i].view, b.engine.tile, b.run)
	})
}

// sumKept returns the sums of magnitudes of all and of the elements that the mask keeps.
func (b *binding) sumKept(i int, m kernel.Mask) kernel.Sums {
	k := b.key(keptStat, b.base, b.models[i])
	k.kept, k.mask, k.stream = uint64(m.KeepBelow), m.Key, m.Stream
	return kept(&b.engine.stats, k, func() kernel.Sums {
		return b.engine.kernel.SumKept(b.base.view, b.models[i].view, m, b.engine.tile, b.run)
	})
}

// sumTrimmed returns the sum over the elements that t keeps by magnitude, which are this
// many behind as many outliers.
func (b *binding) sumTrimmed(i int, t kernel.TaskVector, drop, keep int) float64 {
	k := b.key(trimmedStat, b.base, b.models[i])
	k.kept, k.first = uint64(keep), drop
	return kept(&b.engine.stats, k, func() float64 {
		return b.engine.kernel.SumTrimmed(b.base.view, b.models[i].view, t, b.engine.tile, b.run)
	})
}

// ranked returns the function that gives the bits of the elements from lo up to
// hi of model i's task vector that a mask by ranks keeps. Bits are kept apart from
// numbers, so that those of a large model do not push these out.
func (b *binding) ranked(i int, r kernel.Ranks) func(lo, hi int) []byte {
	k := b.rankedKey(bitsStat, i, r)
	return func(lo, hi int) []byte {
		k := k
		k.first, k.kept = lo, uint64(hi)
		return kept(&b.engine.bits, k, func() []byte {
			return b.engine.kernel.KeepRanked(b.base.view, b.models[i].view, r, lo, hi)
		})
	}
}

// sumRanked returns the sums of magnitudes of all and of what a mask by ranks keeps.
func (b *binding) sumRanked(i int, r kernel.Ranks) kernel.Sums {
	return kept(&b.engine.stats, b.rankedKey(rankedStat, i, r), func() kernel.Sums {
		return b.engine.kernel.SumBits(b.base.view, b.models[i].view, b.ranked(i, r), b.engine.tile, b.run)
	})
}

func (b *binding) rankedKey(kind statKind, i int, r kernel.Ranks) statKey {
	k := b.key(kind, b.base, b.models[i])
	k.mask, k.stream, k.low, k.width = r.Mask.Key, r.Mask.Stream, r.Low, r.Width
	return k
}
