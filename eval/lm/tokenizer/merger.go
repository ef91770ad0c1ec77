package tokenizer

// merger is the scratch of merging one word: its symbols as a linked list in an
// array, and a heap of the pairs that could be joined.
type merger struct {
	symbols []symbol
	heap    []joint
}

// symbol is a token so far; id -1 once it was joined to the one before.
type symbol struct {
	id         int32
	prev, next int32 // indices, -1 at the ends
}

// joint is a pair that can be joined: the symbol at position left with its next.
type joint struct {
	rank, left, id int32
}

func (j joint) before(k joint) bool { return j.rank < k.rank || j.rank == k.rank && j.left < k.left }

func (s *merger) push(id int32) {
	i := int32(len(s.symbols))
	if i > 0 {
		s.symbols[i-1].next = i
	}
	s.symbols = append(s.symbols, symbol{id, i - 1, -1})
}

func (s *merger) mergeAll(merges map[uint64]merge) {
	s.heap = s.heap[:0]
	for i := range int32(len(s.symbols) - 1) {
		s.offer(merges, i)
	}
	for len(s.heap) > 0 {
		j := s.pop()
		left := &s.symbols[j.left]
		if left.id < 0 || left.next < 0 {
			continue
		}
		right := &s.symbols[left.next]
		if m, ok := merges[pair(left.id, right.id)]; !ok || m.id != j.id {
			continue // one of the two was joined in the meantime
		}
		left.id, left.next, right.id = j.id, right.next, -1
		if left.next >= 0 {
			s.symbols[left.next].prev = j.left
			s.offer(merges, j.left)
		}
		if left.prev >= 0 {
			s.offer(merges, left.prev)
		}
	}
}

func (s *merger) offer(merges map[uint64]merge, left int32) {
	if m, ok := merges[pair(s.symbols[left].id, s.symbols[s.symbols[left].next].id)]; ok {
		s.heap = append(s.heap, joint{m.rank, left, m.id})
		for i := len(s.heap) - 1; i > 0; {
			up := (i - 1) / 2
			if !s.heap[i].before(s.heap[up]) {
				break
			}
			s.heap[i], s.heap[up] = s.heap[up], s.heap[i]
			i = up
		}
	}
}

func (s *merger) pop() joint {
	h := s.heap
	top := h[0]
	last := len(h) - 1
	h[0] = h[last]
	h = h[:last]
	s.heap = h
	for i := 0; ; {
		least := i
		for _, c := range [2]int{2*i + 1, 2*i + 2} {
			if c < last && h[c].before(h[least]) {
				least = c
			}
		}
		if least == i {
			return top
		}
		h[i], h[least] = h[least], h[i]
		i = least
	}
}
