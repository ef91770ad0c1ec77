package merge

import (
	"mergesearch"
	"mergesearch/merge/kernel"
)

// passthrough is one model as it is, times scale:
//
//	out = scale theta.
//
// It is how a parent becomes a candidate.
var passthrough = method{
	Method: mergesearch.Method{
		Name: "passthrough",
		Parameters: []mergesearch.Parameter{
			{Name: "scale", PerModel: true, Default: 1, Min: 0, Max: 2, Step: 0.001},
		},
	},
	oneModel: true,
	bind: func(b *binding) apply {
		return b.weightedSum([]float32{float32(b.settings.models[0]["scale"])})
	},
	reference: func(o operands) []float32 {
		return kernel.WeightedSumReference(o.x, []float32{float32(o.settings.models[0]["scale"])})
	},
}
