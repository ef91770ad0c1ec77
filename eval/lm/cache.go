package lm

import "mergesearch/eval/lm/kernel"

// cache holds what was computed of tokens in their context, so that nothing is
// computed twice. It is a tree: a node is one token after its ancestors, and it
// has a slot, which is where its keys and values, its final hidden state and,
// once asked for, the statistics of its logits are kept. Requests with a common
// beginning share nodes.
//
// A node that some sequence runs through is in use. The others stay until their
// slot is needed, the longest unused first, children before parents. Without
// reuse a node is never found again and goes when its sequence does.
//
// One thread owns a cache.
type cache struct {
	reuse bool
	nodes []node
	index slotIndex
	free  []int32
	fresh int32 // slots from here on were never used, so their pages take no memory
	inUse int   // nodes with users

	oldest, newest int32 // of the nodes that nobody uses; -1 when there are none

	shape        cacheShape
	memory       []float32
	keys, values [][]float32 // per layer, [slot][slotLen]
	hidden       []float32   // [slot][hidden], after the final norm
}

// cacheShape is what a cache's memory depends on.
type cacheShape struct{ layers, slotLen, hidden, slots int }

func (s cacheShape) floats() int { return s.slots * s.perSlot() }

func (s cacheShape) perSlot() int { return 2*s.layers*s.slotLen + s.hidden }

type node struct {
	token, parent int32
	children      int32
	users         int32 // sequences that run through it
	older, newer  int32 // neighbours among the unused
	computed      bool
	scored        bool  // stats are set
	known         bool  // logProb is set
	row           int32 // of the logits being computed, from 1; 0 for none
	stats         kernel.LogitStats
	logProb       float64 // of the token, given its ancestors
}

const noNode = int32(-1)

func newCache(s cacheShape, reuse bool) *cache {
	c := &cache{
		reuse: reuse, shape: s, oldest: noNode, newest: noNode, memory: arenas.floats(s.floats()),
		keys: make([][]float32, s.layers), values: make([][]float32, s.layers),
	}
	c.nodes, c.index = takeTables(s.slots)
	rest, each := c.memory, s.slots*s.slotLen
	for l := range s.layers {
		c.keys[l], c.values[l], rest = rest[:each], rest[each:2*each], rest[2*each:]
	}
	c.hidden = rest
	return c
}

func (c *cache) close() {
	arenas.release(c.memory)
	tables.Put(&cacheTables{c.nodes, c.index})
	c.nodes = nil
}

// room is how many nodes can be made beyond those in use.
func (c *cache) room() int { return len(c.nodes) - c.inUse }

// child returns the slot of a token after parent (noNode at the beginning), and
// whether it was there already. It is in use from now on; the parent must be.
func (c *cache) child(parent, token int32) (slot int32, found bool) {
	if c.reuse {
		if slot = c.index.find(c.nodes, parent, token); slot != noNode {
			c.use(slot)
			return slot, true
		}
	}
	slot = c.take()
	c.nodes[slot] = node{token: token, parent: parent, older: noNode, newer: noNode}
	if parent != noNode {
		c.nodes[parent].children++
	}
	if c.reuse {
		c.index.add(c.nodes, slot)
	}
	c.nodes[slot].users = 1
	c.inUse++
	return slot, false
}

// take returns a slot that nobody uses. The caller has seen to it that there is room.
func (c *cache) take() int32 {
	if n := len(c.free); n > 0 {
		slot := c.free[n-1]
		c.free = c.free[:n-1]
		return slot
	}
	if int(c.fresh) < len(c.nodes) {
		c.fresh++
		return c.fresh - 1
	}
	slot := c.oldest
	if slot == noNode {
		panic("lm: cache without room")
	}
	c.unlink(slot)
	c.forget(slot)
	return slot
}

// forget takes a node without children out of the tree.
func (c *cache) forget(slot int32) {
	n := &c.nodes[slot]
	if n.children != 0 {
		panic("lm: cache node with children forgotten")
	}
	if c.reuse {
		c.index.remove(c.nodes, slot)
	}
	if n.parent != noNode {
		c.nodes[n.parent].children--
	}
}

func (c *cache) use(slot int32) {
	n := &c.nodes[slot]
	if n.users == 0 {
		c.inUse++
		c.unlink(slot)
	}
	n.users++
}

// release ends a sequence's use of its nodes, the last first, so that among the
// unused a parent is always newer than its children.
func (c *cache) release(path []int32) {
	for i := len(path) - 1; i >= 0; i-- {
		slot := path[i]
		n := &c.nodes[slot]
		if n.users--; n.users > 0 {
			continue
		}
		c.inUse--
		if c.reuse && n.computed {
			c.link(slot)
			continue
		}
		c.forget(slot)
		c.free = append(c.free, slot)
	}
}

func (c *cache) link(slot int32) {
	n := &c.nodes[slot]
	n.older, n.newer = c.newest, noNode
	if c.newest != noNode {
		c.nodes[c.newest].newer = slot
	} else {
		c.oldest = slot
	}
	c.newest = slot
}

func (c *cache) unlink(slot int32) {
	n := &c.nodes[slot]
	if n.older != noNode {
		c.nodes[n.older].newer = n.newer
	} else {
		c.oldest = n.newer
	}
	if n.newer != noNode {
		c.nodes[n.newer].older = n.older
	} else {
		c.newest = n.older
	}
	n.older, n.newer = noNode, noNode
}

func (c *cache) hiddenOf(slot int32) []float32 {
	return c.hidden[int(slot)*c.shape.hidden:][:c.shape.hidden]
}
