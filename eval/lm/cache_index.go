package lm

import (
	"math/bits"
	"sync"
)

// slotIndex finds the node of a token after its parent: a hash table with open
// addressing that holds slots only, since what they stand for is in the nodes.
// Looking tokens up is most of what admitting a sequence costs.
type slotIndex struct {
	table []int32 // slot+1, 0 where there is none; a power of two, at most half full
	shift int     // of a hash, so that it fits the table
}

// newSlotIndex returns an index for at most n slots.
func newSlotIndex(n int) slotIndex {
	log := bits.Len(uint(2*n - 1))
	return slotIndex{table: make([]int32, 1<<log), shift: 64 - log}
}

// home is where a pair stands unless others stand there.
func (x *slotIndex) home(parent, token int32) int {
	key := uint64(uint32(parent))<<32 | uint64(uint32(token))
	return int(key * 0x9e3779b97f4a7c15 >> x.shift) // Fibonacci hashing: Knuth, volume 3, section 6.4
}

// find returns the slot of a pair, or noNode.
func (x *slotIndex) find(nodes []node, parent, token int32) int32 {
	for i := x.home(parent, token); ; i = (i + 1) & (len(x.table) - 1) {
		slot := x.table[i] - 1
		if slot == noNode || nodes[slot].parent == parent && nodes[slot].token == token {
			return slot
		}
	}
}

// add lists a slot whose pair is not listed.
func (x *slotIndex) add(nodes []node, slot int32) {
	i := x.home(nodes[slot].parent, nodes[slot].token)
	for x.table[i] != 0 {
		i = (i + 1) & (len(x.table) - 1)
	}
	x.table[i] = slot + 1
}

// remove takes a listed slot out and closes the gap, so that no search ends at it.
func (x *slotIndex) remove(nodes []node, slot int32) {
	last := len(x.table) - 1
	gap := x.home(nodes[slot].parent, nodes[slot].token)
	for x.table[gap] != slot+1 {
		gap = (gap + 1) & last
	}
	for i := (gap + 1) & last; x.table[i] != 0; i = (i + 1) & last {
		n := &nodes[x.table[i]-1]
		if fromHome := (i - x.home(n.parent, n.token)) & last; fromHome >= (i-gap)&last {
			x.table[gap] = x.table[i]
			gap = i
		}
	}
	x.table[gap] = 0
}

// cacheTables are the tables of a cache that was closed. Every candidate needs
// them anew, and they would be most of what the collector has to collect.
type cacheTables struct {
	nodes []node // of any content
	index slotIndex
}

var tables sync.Pool

// takeTables returns nodes of any content and an empty index for n slots.
func takeTables(n int) ([]node, slotIndex) {
	if t, ok := tables.Get().(*cacheTables); ok && len(t.nodes) == n {
		clear(t.index.table)
		return t.nodes, t.index
	}
	return make([]node, n), newSlotIndex(n)
}
