package merge

import (
	"math"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// sce selects the elements at which the models differ most, calculates a weight of
// each model from what is left of its task vector, and erases what disagrees with
// the majority:
//
//	select   the floor(nnz(V) select_topk) elements with the largest variance V over models,
//	calculate c_i = sum d_i^2 / sum over models,
//	erase    A = {i: sign(d_i) = sign(sum_i d_i)}, plus where that is zero,
//	out = theta_0 + sum_A c_i d_i / sum_A c_i
//
// for d_i = theta_i - theta_0. Wan et al. 2024, "FuseChat" (arXiv 2408.07990). Of
// equal variances those with the lowest element numbers are selected. As in mergekit, where the mean squares add up to less than 1e-6 the weights are
// equal, and weights below 1e-6 are divided by as 1e-6. A share that selects nothing
// gives the base model; mergekit writes a tensor of another shape.
var sce = method{
	Method: mergesearch.Method{
		Name:      "sce",
		NeedsBase: true,
		Parameters: []mergesearch.Parameter{
			{Name: "select_topk", Default: 1, Min: 0.05, Max: 1, Step: 0.01},
		},
		Usual: []mergesearch.Usual{
			{Name: "sce topk 0.1", Values: map[string]float64{"select_topk": 0.1}},
			{Name: "sce topk 1", Values: map[string]float64{"select_topk": 1}},
		},
	},
	ignored: []string{"int8_mask"},
	bind: func(b *binding) apply {
		s, g := b.selected(b.global["select_topk"]), b.group()
		c := sceWeights(s.squares, b.elements())
		return func(out kernel.View, lo, hi int) kernel.Counts {
			return b.engine.kernel.SCE(out, g, s.keep, c, lo, hi)
		}
	},
	reference: func(o operands) []float32 {
		n := len(o.base)
		variances, keep := kernel.VarianceReference(o.base, o.x), n
		if topk := o.global["select_topk"]; topk < 1 {
			nonzero := 0
			for _, v := range variances {
				if v != 0 {
					nonzero++
				}
			}
			keep = keptVariances(nonzero, topk)
		}
		kept := kernel.SelectMagnitudeReference(variances, keep)
		c := sceWeights(kernel.SquaresReference(o.base, o.x, kept), n)
		return kernel.SCEReference(o.base, o.x, kept, c)
	},
}

// keptVariances is how many elements are selected, by a product in float32 as in
// mergekit.
func keptVariances(nonzero int, topk float64) int {
	return int(float32(nonzero) * float32(max(topk, 0)))
}

// sceWeights returns the weight of each model.
func sceWeights(squares []float64, n int) []float32 {
	var sum float64
	for _, s := range squares {
		sum += s / float64(n)
	}
	c := make([]float32, len(squares))
	for i, s := range squares {
		if math.Abs(sum) < 1e-6 {
			c[i] = float32(1 / float64(len(squares)))
		} else {
			c[i] = float32(s / float64(n) / sum)
		}
	}
	return c
}
