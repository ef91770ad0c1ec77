package merge

import "mergesearch"

// della makes task vectors sparse at random by the ranks of their magnitudes, as
// della_linear does, and joins them by an elected sign, as ties does. Deep et al.
// 2024, "DELLA-Merging" (arXiv 2406.11617), with Yadav et al. 2023 (arXiv
// 2306.01708).
var della = method{
	Method: mergesearch.Method{
		Name:      "della",
		NeedsBase: true,
		Random:    true,
		Parameters: []mergesearch.Parameter{
			weightParameter, dellaDensityParameter, epsilonParameter, lambdaParameter,
			flag("normalize", 1), flag("rescale", 1), flag("int8_mask", 0),
		},
		Usual: []mergesearch.Usual{
			{Name: "della density 0.5 epsilon 0.15", Values: map[string]float64{"weight": 1, "density": 0.5, "epsilon": 0.15}},
		},
	},
	check:     checkDella,
	bind:      func(b *binding) apply { return b.combine(b.keepRanked, true) },
	reference: func(o operands) []float32 { return combineReference(o, o.keepRankedReference, true) },
}
