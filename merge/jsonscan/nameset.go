package jsonscan

import (
	"hash/maphash"
	"math/bits"
)

// nameSet is a set of strings that only grows: a table with open addressing, whose
// entries are the upper half of a hash and the number of a name, counted from 1. It takes
// a third of a map's time where names are many. The hash is seeded, so that nobody can
// write names that all collide.
type nameSet struct {
	seed  maphash.Seed
	table []uint64 // a power of two, at least twice the number of names
	names []string
}

const upperHalf = 0xffff_ffff_0000_0000

// newNameSet returns an empty set with room for n names.
func newNameSet(n int) *nameSet {
	return &nameSet{seed: maphash.MakeSeed(), table: make([]uint64, 1<<bits.Len(uint(2*n))), names: make([]string, 0, n)}
}

// add reports whether the name is new.
func (s *nameSet) add(name string) bool {
	hash := maphash.String(s.seed, name)
	at := s.find(hash, name)
	if s.table[at] != 0 {
		return false
	}
	s.names = append(s.names, name)
	s.table[at] = hash&upperHalf | uint64(len(s.names))
	if 2*len(s.names) > len(s.table) {
		s.grow()
	}
	return true
}

// find returns where a name stands, or the free place for it.
func (s *nameSet) find(hash uint64, name string) uint64 {
	mask := uint64(len(s.table) - 1)
	for at := hash & mask; ; at = (at + 1) & mask {
		e := s.table[at]
		if e == 0 || (e^hash)&upperHalf == 0 && s.names[uint32(e)-1] == name {
			return at
		}
	}
}

func (s *nameSet) grow() {
	s.table = make([]uint64, 2*len(s.table))
	mask := uint64(len(s.table) - 1)
	for i, name := range s.names {
		hash := maphash.String(s.seed, name)
		at := hash & mask
		for s.table[at] != 0 {
			at = (at + 1) & mask
		}
		s.table[at] = hash&upperHalf | uint64(i+1)
	}
}
