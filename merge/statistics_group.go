package merge

import (
	"encoding/binary"
	"math"

	"mergesearch/merge/kernel"
)

// setKey names a statistic of several models: those of the binding in their
// order, on top of its base if it has one.
func (b *binding) setKey(kind statKind) statKey {
	k := statKey{kind: kind, base: -1}
	if b.hasBase() {
		k.base = b.base.identity
	}
	var set []byte
	for _, m := range b.models {
		set = binary.AppendUvarint(set, uint64(m.identity))
	}
	k.set = string(set)
	return k
}

// products returns the scalar products of the models' tensors, or of their task
// vectors.
func (b *binding) products() kernel.Gram {
	if b.hasBase() {
		return b.productsOf(b.group(), b.base.identity+1)
	}
	return b.productsOf(b.group(), 0)
}

// productsOf keeps each product on its own, so that a set of models whose pairs
// were all seen before needs no pass. of is the identity of
// the base of task vectors, counted from 1.
func (b *binding) productsOf(group kernel.Group, of int32) kernel.Gram {
	key := func(i, j int) statKey {
		k := b.key(productStat, b.models[i], b.models[j])
		k.of = of
		return k
	}
	stats, complete := &b.engine.stats, true
	g := kernel.NewGram(len(b.models), func(i, j int) float64 {
		v, ok := stats.get(key(i, j))
		if !ok {
			complete = false
			return 0
		}
		return v.(float64)
	})
	if complete {
		return g
	}
	all := b.engine.kernel.Products(group, kernel.Whole(b.elements()), b.engine.tile, b.run)
	return kernel.NewGram(len(b.models), func(i, j int) float64 {
		v := all.Line(0).At(i, j)
		stats.put(key(i, j), v)
		return v
	})
}

// lineProducts returns the same for each line.
func (b *binding) lineProducts(l kernel.Lines) kernel.Grams {
	k := b.setKey(lineProductStat)
	if l.Columns {
		k.kept = 1
	}
	return kept(&b.engine.stats, k, func() kernel.Grams {
		return b.engine.kernel.Products(b.group(), l, b.engine.tile, b.run)
	})
}

// importance is what arcee_fusion knows of a pair: the divergence of each row and
// the threshold.
type importance struct {
	divergence []float32
	threshold  float32
}

func (i importance) Bytes() int64 { return int64(4 * len(i.divergence)) }

// importance measures the second model of a pair against the first.
func (b *binding) importance(l kernel.Lines) importance {
	return kept(&b.engine.stats, b.key(importanceStat, b.models[0], b.models[1]), func() importance {
		k, tile, n := b.engine.kernel, b.engine.tile, b.elements()
		if n == 0 {
			return importance{}
		}
		s := kernel.Scores{Group: b.pair(), Lines: l}
		s.Divergence = k.Divergence(s.Group, l, tile, b.run)
		var q [3]float64
		for i, o := range k.Select(s, k.Count(s, tile, b.run), quartiles(n), tile, b.run) {
			q[i] = float64(math.Float32frombits(o.Bits))
		}
		return importance{divergence: s.Divergence, threshold: fusionThreshold(q)}
	})
}

// selected is what sce knows of its models at one share that is kept.
type selected struct {
	keep    kernel.Selection
	squares []float64
}

func (b *binding) selected(topk float64) selected {
	k := b.setKey(selectedStat)
	k.kept = math.Float64bits(min(topk, 1))
	return kept(&b.engine.stats, k, func() selected {
		k, tile, g := b.engine.kernel, b.engine.tile, b.group()
		var s selected
		if topk < 1 {
			scores := kernel.Scores{Group: g}
			counted := k.Count(scores, tile, b.run)
			keep := keptVariances(counted.AboveZero, topk)
			s.keep = kernel.Selection{Trimmed: true, Trim: k.Largest(scores, counted, keep, tile, b.run)}
		}
		s.squares = k.Squares(g, s.keep, tile, b.run)
		return s
	})
}

// active counts the models' active elements at an epsilon.
func (b *binding) active(epsilon float64) []kernel.Active {
	k := b.setKey(activeStat)
	k.kept = math.Float64bits(epsilon)
	return kept(&b.engine.stats, k, func() []kernel.Active {
		return b.engine.kernel.CountActive(b.group(), float32(epsilon), b.engine.tile, b.run)
	})
}
