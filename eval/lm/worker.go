package lm

import (
	"context"

	"mergesearch/eval/lm/kernel"
)

// worker is one thread of an instance: sequences in flight, in one batch that
// others join and leave between two passes.
type worker struct {
	instance *Instance
	model    *Model
	rows     int // of a pass at most
	cache    *cache

	waiting []*sequence // fetched, not yet in the cache
	active  []*sequence // in the cache
	pending []row       // to be computed, ancestors first
	reserve int         // nodes that the active may still make

	demands []demand
	slots   []int32 // of the logits being computed
}

// demand is a wish for the logits of a node: those of the token that follows.
type demand struct {
	sequence *sequence
	slot     int32
	position int // of the token that follows
}

func newWorker(i *Instance) *worker {
	o, m := i.engine.options, i.model
	shape := cacheShape{layers: m.config.layers, slotLen: m.attentionShape().SlotLen(), hidden: m.config.hidden}
	shape.slots = max(o.CacheBytes/o.Threads/4/shape.perSlot(), m.config.maxPositions+1)
	return &worker{
		instance: i, model: m, rows: o.Rows,
		cache: newCache(shape, !o.NoPrefixReuse),
	}
}

// run works until the instance is closed and everything is answered.
func (w *worker) run() {
	defer w.cache.close()
	for w.refill() {
		w.dropCancelled()
		w.admit()
		if len(w.active) == 0 {
			continue
		}
		s := <-w.instance.engine.passes
		w.pass(s)
		w.instance.engine.passes <- s
	}
}

// refill fetches jobs when there is room in the batch. It returns false at the end.
func (w *worker) refill() bool {
	busy := len(w.active)+len(w.waiting) > 0
	room := w.rows - len(w.pending)
	if busy && (room <= 0 || len(w.waiting) > 0) {
		return true
	}
	jobs := w.instance.fetch(room, !busy)
	for _, j := range jobs {
		for k := range j.sequences {
			w.waiting = append(w.waiting, &j.sequences[k])
		}
	}
	return busy || jobs != nil
}

// admit brings waiting sequences into the cache while they fit.
func (w *worker) admit() {
	n := 0
	for n < len(w.waiting) && len(w.pending) < w.rows {
		s := w.waiting[n]
		if w.cache.room() < w.reserve+s.reserved() {
			break
		}
		w.enter(s)
		n++
	}
	w.waiting = append(w.waiting[:0], w.waiting[n:]...)
}

func (w *worker) enter(s *sequence) {
	w.active = append(w.active, s)
	for range s.tokens {
		w.extend(s)
	}
	w.reserve += s.reserved()
}

// extend gives the next of a sequence's tokens its node.
func (w *worker) extend(s *sequence) {
	parent := noNode
	if n := len(s.path); n > 0 {
		parent = s.path[n-1]
	}
	token := s.tokens[len(s.path)]
	slot, found := w.cache.child(parent, token)
	s.path = append(s.path, slot)
	if !found {
		w.pending = append(w.pending, row{slot, token, s.path[:len(s.path):len(s.path)]})
	}
}

// dropCancelled gives up sequences that nobody waits for.
func (w *worker) dropCancelled() {
	for _, list := range []*[]*sequence{&w.waiting, &w.active} {
		kept := (*list)[:0]
		for _, s := range *list {
			if err := s.job.ctx.Err(); err != nil {
				w.fail(s, context.Cause(s.job.ctx))
			} else {
				kept = append(kept, s)
			}
		}
		clear((*list)[len(kept):])
		*list = kept
	}
}

// fail ends one sequence with an error, which is then that of its whole job.
func (w *worker) fail(s *sequence, err error) {
	if s.job.err == nil {
		s.job.err = err
	}
	w.leave(s)
}

// leave takes a sequence out of the cache. Rows that only it needed are not
// computed: the last of them first, because a parent outlives its children.
func (w *worker) leave(s *sequence) {
	if len(s.path) > 0 {
		w.reserve -= s.reserved()
		w.cache.release(s.path)
		w.prune()
	}
	if s.job.left--; s.job.left == 0 {
		close(s.job.done)
	}
}

// prune drops rows whose nodes are gone.
func (w *worker) prune() {
	kept := w.pending[:0]
	for _, r := range w.pending {
		if w.cache.nodes[r.slot].users > 0 {
			kept = append(kept, r)
		}
	}
	w.pending = kept
}

// pass computes one batch and answers what it can.
func (w *worker) pass(s *scratch) {
	if n := min(len(w.pending), w.rows); n > 0 {
		w.model.forward(w.pending[:n], w.cache, s)
		w.instance.engine.computed.Add(int64(n))
		w.pending = append(w.pending[:0], w.pending[n:]...)
	}
	w.collect()
	w.answer(s)
	w.retire()
}

// collect lists the logits that are wanted now.
func (w *worker) collect() {
	w.demands = w.demands[:0]
	for _, s := range w.active {
		last := len(s.path) - 1
		if !w.cache.nodes[s.path[last]].computed {
			continue
		}
		if !s.scored {
			for i := range last {
				w.demands = append(w.demands, demand{s, s.path[i], i + 1})
			}
		}
		if s.request.MaxTokens > 0 {
			w.demands = append(w.demands, demand{s, s.path[last], last + 1})
		}
	}
}

// answer meets the demands in order, some rows of logits at a time. Demands for
// the same node share a row, and a node whose statistics are known needs none
// for a single log-probability.
func (w *worker) answer(s *scratch) {
	most := w.model.logitRows()
	for rest := w.demands; len(rest) > 0; {
		n := 0
		w.slots = w.slots[:0]
		for ; n < len(rest) && len(w.slots) < most; n++ {
			w.ask(rest[n])
		}
		if len(w.slots) > 0 {
			w.model.logitsOf(w.slots, w.cache, s)
			for i, slot := range w.slots {
				node := &w.cache.nodes[slot]
				node.stats, node.scored = s.stats[i], true
			}
		}
		for _, d := range rest[:n] {
			var logits []float32
			if i := int(w.cache.nodes[d.slot].row); i > 0 {
				logits = s.logits[(i-1)*w.model.config.vocab:][:w.model.config.vocab]
			}
			w.meet(d, logits)
		}
		for _, slot := range w.slots {
			w.cache.nodes[slot].row = 0
		}
		rest = rest[n:]
	}
}

func (w *worker) ask(d demand) {
	n := &w.cache.nodes[d.slot]
	if n.row > 0 || n.scored && !d.wantsAll() {
		return
	}
	w.slots = append(w.slots, d.slot)
	n.row = int32(len(w.slots))
}

// wantsAll reports whether the demand needs a whole row of logits.
func (d demand) wantsAll() bool {
	r := d.sequence.request
	return r.Top > 1 || d.position == len(d.sequence.tokens) && r.Temperature > 0
}

// meet hands a demand its logits, nil where the statistics are enough.
func (w *worker) meet(d demand, logits []float32) {
	s, stats := d.sequence, w.cache.nodes[d.slot].stats
	if s.job.err != nil {
		return
	}
	if stats.Max != stats.Max || stats.Sum != stats.Sum {
		s.job.err = &NumericError{Position: d.position}
		return
	}
	if d.position < len(s.tokens) {
		n := &w.cache.nodes[s.path[d.position]]
		if !n.known {
			n.logProb, n.known = logProb(w.logit(d.slot, n.token, logits), stats), true
		}
		s.answer.Prompt[d.position] = s.record(n.token, n.logProb, logits, stats)
		return
	}
	token := choose(s.request, d.position-len(s.request.Prompt), logits, stats)
	var t TokenLogProb
	if s.request.LogProbs || s.request.OnToken != nil {
		t = s.record(token, logProb(w.logit(d.slot, token, logits), stats), logits, stats)
	} else {
		t.Token = token
	}
	if !s.accept(w.model, t) {
		s.tokens = append(s.tokens, token)
	}
}

// logit returns one element, from the row or by its own chain: the bits are the same.
func (w *worker) logit(slot, token int32, logits []float32) float32 {
	if logits != nil {
		return logits[token]
	}
	return kernel.DotColumn(w.cache.hiddenOf(slot), &w.model.head, int(token))
}

// retire ends the sequences that are answered, and gives the others their next node.
func (w *worker) retire() {
	kept := w.active[:0]
	for _, s := range w.active {
		switch last := len(s.path) - 1; {
		case s.job.err != nil:
			w.leave(s)
			continue
		case !w.cache.nodes[s.path[last]].computed:
		case len(s.tokens) > len(s.path):
			s.scored = true
			w.reserve--
			w.extend(s)
		default:
			if s.request.MaxTokens == 0 {
				s.answer.Finish = Length
			}
			w.leave(s)
			continue
		}
		kept = append(kept, s)
	}
	clear(w.active[len(kept):])
	w.active = kept
}
