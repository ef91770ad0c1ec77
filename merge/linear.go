package merge

import (
	"mergesearch"
	"mergesearch/merge/kernel"
)

// linear is the weighted mean of the models,
//
//	out = sum_i w_i theta_i / sum_i w_i,
//
// without the division when normalize is false. Wortsman et al. 2022, "Model
// soups" (arXiv 2203.05482). Weights that add up to zero give no number and so
// fail the candidate.
var linear = method{
	Method: mergesearch.Method{
		Name:       "linear",
		Parameters: []mergesearch.Parameter{weightParameter, flag("normalize", 1)},
		Usual:      []mergesearch.Usual{{Name: "naive soup", Values: map[string]float64{"weight": 1}}},
	},
	bind: func(b *binding) apply { return b.weightedSum(b.weights(), linearDivisor(b.settings)) },
	reference: func(o operands) []float32 {
		return kernel.WeightedSumReference(o.x, o.weights(), linearDivisor(o.settings))
	},
}

func linearDivisor(s settings) float32 {
	if !s.flag("normalize") {
		return 1
	}
	return float32(s.weightSum())
}
