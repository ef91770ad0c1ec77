package merge

import "mergesearch"

// breadcrumbsTIES drops the largest and the smallest magnitudes, as breadcrumbs
// does, and joins task vectors by an elected sign, as ties does. Davari and
// Belilovsky 2023 (arXiv 2312.06795) with Yadav et al. 2023 (arXiv 2306.01708). As
// in mergekit, normalize is off unless asked for.
var breadcrumbsTIES = method{
	Method: mergesearch.Method{
		Name:      "breadcrumbs_ties",
		NeedsBase: true,
		Parameters: []mergesearch.Parameter{
			weightParameter, densityParameter, gammaParameter, lambdaParameter,
			flag("normalize", 0), flag("rescale", 0), flag("int8_mask", 0),
		},
		Usual: []mergesearch.Usual{
			{Name: "breadcrumbs_ties density 0.9 gamma 0.01", Values: map[string]float64{"weight": 1, "density": 0.9, "gamma": 0.01, "normalize": 1}},
		},
	},
	check:     checkBreadcrumbs,
	bind:      func(b *binding) apply { return b.combine(b.keepMiddle, true) },
	reference: func(o operands) []float32 { return combineReference(o, o.keepMiddleReference, true) },
}
