package merge

import (
	"math"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// arcee_fusion takes from the other model only the elements whose change matters:
//
//	p = softmax(theta_1) + 1e-8, q = softmax(theta_0) + 1e-8 along the last dimension,
//	s = |theta_1 - theta_0| KL(p, q) of the row,
//	out = theta_0 + (theta_1 - theta_0) where s >= median + 1.5 (Q3 - Q1), else theta_0.
//
// The method is that of Arcee Fusion in mergekit. The quartiles are exact order
// statistics of the whole tensor, the elements at floor(q (n-1)) in ascending
// order; mergekit draws two samples where there are more than a million.
var arceeFusion = method{
	Method: mergesearch.Method{
		Name:  "arcee_fusion",
		Pair:  true,
		Usual: []mergesearch.Usual{{Name: "arcee fusion"}},
	},
	bind: func(b *binding) apply {
		l := rowsOf(b.shape, b.elements())
		i, g := b.importance(l), b.pair()
		return func(out kernel.View, lo, hi int) kernel.Counts {
			return b.engine.kernel.Fuse(out, g, l, i.divergence, i.threshold, lo, hi)
		}
	},
	reference: func(o operands) []float32 {
		base, x := o.x[0], o.x[1]
		if len(x) == 0 {
			return nil
		}
		l := rowsOf(o.shape, len(x))
		kl := kernel.DivergenceReference(base, x, l)
		sorted := kernel.SortedReference(kernel.ImportanceReference(base, x, l, kl))
		var q [3]float64
		for i, place := range quartiles(len(x)) {
			q[i] = float64(math.Float32frombits(sorted[place]))
		}
		return kernel.FuseReference(base, x, l, kl, fusionThreshold(q))
	},
}

// quartiles returns the places of the three quartiles among n elements.
func quartiles(n int) []int { return []int{(n - 1) / 4, (n - 1) / 2, 3 * (n - 1) / 4} }

// fusionThreshold returns the least importance that is taken.
func fusionThreshold(quartile [3]float64) float32 {
	return float32(quartile[1] + 1.5*(quartile[2]-quartile[0]))
}
