package merge

import (
	"math"

	"mergesearch/merge/kernel"
)

// What the methods on task vectors share:
//
//	out = theta_0 + lambda * consensus_i(w_i sparse_i(theta_i - theta_0)).
//
// Each method chooses how task vectors are made sparse and whether a sign is
// elected; see its file.

// sparseVector says how one model's task vector is made sparse.
type sparseVector struct {
	kernel.TaskVector
	bitsOf func(lo, hi int) []byte // of kernel.KeepBits: those of elements lo to hi
}

// combine returns the function that joins the task vectors of a binding. What they
// need is computed for several at once, since parts of it take one thread.
func (b *binding) combine(sparse func(i int) sparseVector, elect bool) apply {
	models, weights := make([]sparseVector, len(b.models)), b.weights()
	each(b.engine.threads, len(models), func(i int) {
		models[i] = sparse(i)
		models[i].Weight = weights[i]
	})
	c := consensus(b.settings, elect)
	return func(out kernel.View, lo, hi int) kernel.Counts {
		part := make([]kernel.TaskVector, len(models))
		for i, m := range models {
			part[i] = m.TaskVector
			part[i].Model = b.models[i].view.Slice(lo, hi)
			if m.bitsOf != nil {
				part[i].Bits = m.bitsOf(lo, hi)
			}
		}
		return b.engine.kernel.Combine(out, b.base.view.Slice(lo, hi), part, c, lo)
	}
}

// consensus returns the recipe's flags. Weights that cancel are not divided by.
func consensus(s settings, elect bool) kernel.Consensus {
	c := kernel.Consensus{Elect: elect, Normalize: s.flag("normalize"), Divisor: 1, Lambda: float32(s.global["lambda"])}
	if sum := s.weightSum(); math.Abs(sum) >= 1e-8 {
		c.Divisor = float32(sum)
	}
	return c
}

// keepAll is how task arithmetic makes task vectors sparse.
func keepAll(int) sparseVector { return sparseVector{} }

// keepLargest keeps the share density of the largest magnitudes.
func (b *binding) keepLargest(i int) sparseVector {
	n := b.elements()
	keep := keptElements(b.settings.models[i]["density"], n)
	if keep == n {
		return sparseVector{}
	}
	return b.trimmed(i, kernel.TaskVector{Keep: kernel.KeepMagnitude, Trim: b.trim(i, keep)}, 0, keep)
}

// trimmed adds to a task vector that keeps this many magnitudes behind as many
// outliers the factor of what is kept.
func (b *binding) trimmed(i int, t kernel.TaskVector, drop, keep int) sparseVector {
	if b.flag("rescale") {
		t.Scale = rescale(kernel.Sums{All: b.sumMagnitudes(i), Kept: b.sumTrimmed(i, t, drop, keep)})
	}
	return sparseVector{TaskVector: t}
}

// keptElements is how many of n elements a density keeps: the product rounded
// down, but one at least unless the density is zero.
func keptElements(density float64, n int) int {
	if density >= 1 || n == 0 {
		return n
	}
	if density <= 0 {
		return 0
	}
	return max(1, int(density*float64(n)))
}

// keepDrawn keeps elements at random and, with rescale, multiplies them so that
// the sum of magnitudes stays what it was.
func (b *binding) keepDrawn(i int) sparseVector {
	density := b.settings.models[i]["density"]
	if density >= 1 {
		return sparseVector{}
	}
	mask := b.models[i].maskKey().mask(b.seed, density)
	scale := float32(1)
	if b.flag("rescale") {
		scale = rescale(b.sumKept(i, mask))
	}
	return sparseVector{TaskVector: kernel.TaskVector{Keep: kernel.KeepRandom, Mask: mask, Scale: scale}}
}

func (k maskKey) mask(seed uint64, density float64) kernel.Mask {
	return kernel.NewMask(seed, k.model, k.tensor, max(density, 0))
}

// rescale returns the factor that brings a kept sum of magnitudes back to the
// whole; sums below 1e-7 are left alone, as mergekit does.
func rescale(s kernel.Sums) float32 {
	if s.All < 1e-7 || s.Kept < 1e-7 {
		return 1
	}
	return float32(s.All / s.Kept)
}

// sparseReference makes model i's task vector sparse and returns the factor of what
// is kept.
type sparseReference func(d []float32, i int) ([]float32, float32)

// combineReference is the common formula.
func combineReference(o operands, sparse sparseReference, elect bool) []float32 {
	terms := make([][]float32, len(o.x))
	w, c := o.weights(), consensus(o.settings, elect)
	for i, x := range o.x {
		d, scale := sparse(kernel.TaskVectorReference(o.base, x), i)
		factor := w[i] * scale
		for e := range d {
			d[e] *= factor
		}
		terms[i] = d
	}
	out := make([]float32, len(o.base))
	for e := range out {
		out[e] = o.base[e] + float32(c.Lambda*joinElement(terms, w, e, c))
	}
	return out
}

// joinElement adds element e of the terms, or of those with the elected sign.
func joinElement(terms [][]float32, w []float32, e int, c kernel.Consensus) float32 {
	sum := terms[0][e]
	for _, t := range terms[1:] {
		sum += t[e]
	}
	if !c.Elect || sum != sum {
		if c.Normalize {
			sum /= c.Divisor
		}
		return sum
	}
	var mixed, weights float32
	for i, t := range terms {
		if t[e] > 0 && sum >= 0 || t[e] < 0 && sum < 0 {
			mixed += t[e]
			weights += w[i]
		}
	}
	if c.Normalize && weights != 0 {
		mixed /= weights
	}
	return mixed
}

func keepAllReference(d []float32, _ int) ([]float32, float32) { return d, 1 }

// keepLargestReference trims by sorting.
func (o operands) keepLargestReference(d []float32, i int) ([]float32, float32) {
	keep := keptElements(o.settings.models[i]["density"], len(d))
	if keep == len(d) {
		return d, 1
	}
	return o.rescaleReference(d, kernel.SelectMagnitudeReference(d, keep))
}

// only puts zeros where nothing is kept.
func only(d []float32, kept []bool) []float32 {
	for e := range d {
		if !kept[e] {
			d[e] = 0
		}
	}
	return d
}

// drawn returns the elements that the mask of input i keeps.
func (o operands) drawn(i int) []bool {
	kept, density := make([]bool, len(o.x[i])), o.settings.models[i]["density"]
	for e := range kept {
		kept[e] = density >= 1 || o.masks[i].mask(o.seed, density).Keeps(e)
	}
	return kept
}

// keepDrawnReference drops by definition.
func (o operands) keepDrawnReference(d []float32, i int) ([]float32, float32) {
	density := o.settings.models[i]["density"]
	if density >= 1 {
		return d, 1
	}
	return o.rescaleReference(d, o.drawn(i))
}

// rescaleReference drops what is not kept and, with rescale, returns the factor
// that makes up for it.
func (o operands) rescaleReference(d []float32, kept []bool) ([]float32, float32) {
	magnitude := func(e int) float64 { return math.Abs(float64(d[e])) }
	all := kernel.SumReference(len(d), magnitude)
	d = only(d, kept)
	if !o.flag("rescale") {
		return d, 1
	}
	return d, rescale(kernel.Sums{All: all, Kept: kernel.SumReference(len(d), magnitude)})
}
