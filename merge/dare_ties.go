package merge

import "mergesearch"

// dareTIES makes task vectors sparse at random, as dare_linear does, and joins
// them by an elected sign, as ties does. Yu et al. 2024 (arXiv 2311.03099) with
// Yadav et al. 2023 (arXiv 2306.01708). As in mergekit, normalize is off unless
// asked for.
var dareTIES = method{
	Method: mergesearch.Method{
		Name:      "dare_ties",
		NeedsBase: true,
		Random:    true,
		Parameters: []mergesearch.Parameter{
			weightParameter, densityParameter, lambdaParameter,
			flag("normalize", 0), flag("rescale", 1), flag("int8_mask", 0),
		},
		Usual: []mergesearch.Usual{
			{Name: "dare_ties density 0.5", Values: map[string]float64{"weight": 1, "density": 0.5, "normalize": 1}},
		},
	},
	bind:      func(b *binding) apply { return b.combine(b.keepDrawn, true) },
	reference: func(o operands) []float32 { return combineReference(o, o.keepDrawnReference, true) },
}
