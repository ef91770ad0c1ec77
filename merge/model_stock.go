package merge

import (
	"math"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// model_stock goes from the base model towards the mean of the others, the
// further the more their task vectors agree:
//
//	c = mean over pairs of d_i.d_j / (|d_i| |d_j|), t = K c / (1 + (K-1) c),
//	out = theta_0 + t/K sum_i d_i
//
// for K models with d_i = theta_i - theta_0. Jang et al. 2024, "Model Stock"
// (arXiv 2403.19522). A tensor is one vector, or with filter_wise one
// for each row. As in mergekit, products of norms below 1e-6 count as 1e-6, and a
// negative c leads away from the mean; c = -1/(K-1) gives no number and so fails the
// candidate.
var modelStock = method{
	Method: mergesearch.Method{
		Name:       "model_stock",
		NeedsBase:  true,
		Least:      2,
		Parameters: []mergesearch.Parameter{flag("filter_wise", 0)},
		Usual:      []mergesearch.Usual{{Name: "model stock"}},
	},
	bind: func(b *binding) apply {
		return b.angular(modelStockLines(b.settings, b.shape, b.elements()), modelStockWeights)
	},
	reference: func(o operands) []float32 {
		return o.angularReference(modelStockLines(o.settings, o.shape, len(o.base)), modelStockWeights)
	},
}

func modelStockLines(s settings, shape []int, n int) kernel.Lines {
	if s.flag("filter_wise") {
		return rowsOf(shape, n)
	}
	return kernel.Whole(n)
}

// modelStockWeights returns the factors of the task vectors.
func modelStockWeights(g kernel.Gram) []float64 {
	k := float64(g.Len())
	var c float64
	for i := range g.Len() {
		for j := range i {
			norms := math.Sqrt(g.At(i, i)) * math.Sqrt(g.At(j, j))
			c += min(1, max(-1, g.At(i, j)/max(norms, 1e-6)))
		}
	}
	c /= k * (k - 1) / 2
	w := make([]float64, g.Len())
	for i := range w {
		w[i] = c / (1 + (k-1)*c)
	}
	return w
}
