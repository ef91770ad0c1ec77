package merge

import (
	"mergesearch/merge/kernel"
)

// What the methods share that look at several models as vectors: a tensor as a
// whole, or each of its rows or columns. With a base model the vectors are task
// vectors.

// hasBase reports whether the vectors are task vectors.
func (b *binding) hasBase() bool { return b.base.model != nil }

// group returns the models' tensors for the kernel, as task vectors if there is a
// base.
func (b *binding) group() kernel.Group {
	g := wholeModels(b.models)
	if b.hasBase() {
		g.Base = b.base.view
	}
	return g
}

// wholeModels returns tensors as they are.
func wholeModels(models []operand) kernel.Group {
	var g kernel.Group
	for _, m := range models {
		g.Models = append(g.Models, m.view)
	}
	return g
}

// pair returns a base and the one other model.
func (b *binding) pair() kernel.Group {
	return kernel.Group{Base: b.models[0].view, Models: []kernel.Source{b.models[1].view}}
}

// rowsOf cuts a tensor into vectors along its last dimension; one of a single
// dimension is one vector.
func rowsOf(shape []int, n int) kernel.Lines {
	if len(shape) < 2 || n == 0 {
		return kernel.Whole(n)
	}
	length := shape[len(shape)-1]
	return kernel.Lines{Count: n / length, Length: length}
}

// columnsOf cuts a tensor into vectors along its first dimension.
func columnsOf(shape []int, n int) kernel.Lines {
	if len(shape) < 2 || n == 0 {
		return kernel.Whole(n)
	}
	return kernel.Lines{Count: n / shape[0], Length: shape[0], Columns: true}
}

// vectorSum returns the function of a sum of vectors with one weight each, on top
// of the base if there is one.
func (b *binding) vectorSum(w []float64) apply {
	if !b.hasBase() {
		return b.weightedSum(narrow(w))
	}
	models := make([]kernel.TaskVector, len(w))
	for i, weight := range narrow(w) {
		models[i].Weight = weight
	}
	return func(out kernel.View, lo, hi int) kernel.Counts {
		part := make([]kernel.TaskVector, len(models))
		for i, m := range models {
			part[i] = m
			part[i].Model = b.models[i].view.Slice(lo, hi)
		}
		return b.engine.kernel.Combine(out, b.base.view.Slice(lo, hi), part, kernel.Consensus{Divisor: 1, Lambda: 1}, lo)
	}
}

// lineSum is vectorSum with weights for each line, which f computes from the
// scalar products of the models there.
func (b *binding) lineSum(l kernel.Lines, f func(g kernel.Gram) []float64) apply {
	grams := b.lineProducts(l)
	w := lineWeights(l, len(b.models), func(line int) []float64 { return f(grams.Line(line)) })
	g := b.group()
	return func(out kernel.View, lo, hi int) kernel.Counts {
		return b.engine.kernel.CombineLines(out, g, l, w, lo, hi)
	}
}

// lineWeights lays out weights as the kernel reads them: by model, then line.
func lineWeights(l kernel.Lines, models int, f func(line int) []float64) []float32 {
	out := make([]float32, models*l.Count)
	for line := range l.Count {
		for i, w := range f(line) {
			out[i*l.Count+line] = float32(w)
		}
	}
	return out
}

// angular returns the function of a method whose weights follow from the scalar
// products of the models, line by line.
func (b *binding) angular(l kernel.Lines, f func(g kernel.Gram) []float64) apply {
	if l.Count == 1 {
		return b.vectorSum(f(b.products()))
	}
	return b.lineSum(l, f)
}

// angularReference is the same the slow way.
func (o operands) angularReference(l kernel.Lines, f func(g kernel.Gram) []float64) []float32 {
	grams := kernel.ProductsReference(o.base, o.x, l)
	w := lineWeights(l, len(o.x), func(line int) []float64 { return f(grams[line]) })
	return kernel.CombineLinesReference(o.base, o.x, l, w)
}

func narrow(x []float64) []float32 {
	out := make([]float32, len(x))
	for i, v := range x {
		out[i] = float32(v)
	}
	return out
}
