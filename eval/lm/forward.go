package lm

import (
	"mergesearch/eval/lm/kernel"
)

// row is one token to be computed: a node of the cache with the slots of its
// ancestors, itself last.
type row struct {
	slot, token int32
	path        []int32 // position is len(path)-1
}

// scratch is the memory of one forward pass. There is one per thread of the
// engine; it grows to the largest model and batch that it has seen.
type scratch struct {
	x, normed, qkv, q, attended, gateUp, act []float32
	hidden, logits, scores                   []float32
	positions, slots, offsets, lengths       []int32
	contexts                                 []int32
	stats                                    []kernel.LogitStats
}

func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

// forward computes the rows: keys and values of every layer and the final hidden
// state go to the cache. A row's ancestors are computed already or stand before
// it. Rows do not influence each other except by being an ancestor.
func (m *Model) forward(rows []row, c *cache, s *scratch) {
	n := len(rows)
	d := m.config.hidden
	cosSin := s.prepare(m, rows)
	m.embedRows(s.x, rows)
	shape := m.attentionShape()
	contexts := kernel.Contexts{Slots: s.contexts, Offset: s.offsets, Length: s.lengths}
	for l := range m.layers {
		y := &m.layers[l]
		kernel.RMSNorm(s.normed, s.x, y.inputNorm, m.config.normEps, n)
		kernel.MatMul(s.qkv, s.normed, &y.qkv, y.qkvBias, false, n)
		kernel.Rotary(s.q, c.keys[l], c.values[l], s.qkv, s.positions, s.slots, cosSin, y.qNorm, y.kNorm, shape)
		kernel.Attention(s.attended, s.q, c.keys[l], c.values[l], contexts, s.scores, shape, y.window)
		kernel.MatMul(s.x, s.attended, &y.out, y.outBias, true, n)
		kernel.RMSNorm(s.normed, s.x, y.postNorm, m.config.normEps, n)
		kernel.MatMul(s.gateUp, s.normed, &y.gateUp, y.gateUpBias, false, n)
		kernel.SiLUMul(s.act, s.gateUp, n, m.config.intermediate)
		kernel.MatMul(s.x, s.act, &y.down, y.downBias, true, n)
	}
	kernel.RMSNorm(s.normed, s.x, m.norm, m.config.normEps, n)
	for i, r := range rows {
		copy(c.hiddenOf(r.slot), s.normed[i*d:][:d])
		c.nodes[r.slot].computed = true
	}
}

// prepare sizes the buffers, lists positions, slots and contexts, and returns the
// rotary table.
func (s *scratch) prepare(m *Model, rows []row) []float32 {
	c, n := m.config, len(rows)
	shape := m.attentionShape()
	s.x, s.normed = grown(s.x, n*c.hidden), grown(s.normed, n*c.hidden)
	s.qkv = grown(s.qkv, n*(c.heads+2*c.kvHeads)*c.head)
	s.q = grown(s.q, n*c.heads*shape.HeadPad())
	s.attended = grown(s.attended, n*c.heads*c.head)
	s.gateUp, s.act = grown(s.gateUp, n*2*c.intermediate), grown(s.act, n*c.intermediate)
	s.positions, s.slots = grown(s.positions, n), grown(s.slots, n)
	s.offsets, s.lengths = grown(s.offsets, n), grown(s.lengths, n)

	s.contexts = s.contexts[:0]
	longest, from := 0, 0
	for i, r := range rows {
		// The rows of a prompt stand one after the other, and each sees one slot more.
		if i > 0 && continues(rows[i-1], r) {
			s.contexts = append(s.contexts, r.slot)
		} else {
			from = len(s.contexts)
			s.contexts = append(s.contexts, r.path...)
		}
		s.slots[i], s.positions[i] = r.slot, int32(len(r.path)-1)
		s.offsets[i], s.lengths[i] = int32(from), int32(len(r.path))
		longest = max(longest, len(r.path))
	}
	s.scores = grown(s.scores, shape.ScoresLen(longest))
	return c.rope.table(longest, c.maxPositions)
}

func continues(before, r row) bool {
	return len(r.path) == len(before.path)+1 && r.path[len(r.path)-2] == before.slot
}

func (m *Model) embedRows(x []float32, rows []row) {
	d := m.config.hidden
	width := d * m.embed.DType.Size()
	for i, r := range rows {
		kernel.Widen(x[i*d:][:d], m.embed.Data[int(r.token)*width:], m.embed.DType)
	}
}

// logitRows is how many rows of logits are computed at once: as many as fit 4 MB.
func (m *Model) logitRows() int { return min(max(4<<20/(4*m.config.vocab), 1), 256) }

// logits sets s.logits[len(slots)][vocab] and s.stats from the hidden states of nodes.
func (m *Model) logitsOf(slots []int32, c *cache, s *scratch) {
	d, n := m.config.hidden, len(slots)
	s.hidden, s.logits = grown(s.hidden, n*d), grown(s.logits, n*m.config.vocab)
	s.stats = grown(s.stats, n)
	for i, slot := range slots {
		copy(s.hidden[i*d:][:d], c.hiddenOf(slot))
	}
	kernel.MatMul(s.logits, s.hidden, &m.head, nil, false, n)
	kernel.FoldLogits(s.stats, s.logits, m.config.vocab)
}
