package merge

import "mergesearch"

// dareLinear drops elements of each task vector at random, rescales the rest and
// adds them up as task arithmetic does:
//
//	d_i = m_i (theta_i - theta_0) r_i, m_i drawn with P(keep) = density_i,
//	out = theta_0 + lambda sum_i w_i d_i.
//
// Yu et al. 2024, "Language models are super Mario" (arXiv 2311.03099). The paper
// rescales by 1/density; with mergekit, r_i is the ratio of the sums of
// magnitudes before and after, of the whole tensor (1 without rescale). Masks
// depend on seed, model, tensor and element alone (kernel.NewMask).
var dareLinear = method{
	Method: mergesearch.Method{
		Name:      "dare_linear",
		NeedsBase: true,
		Random:    true,
		Parameters: []mergesearch.Parameter{
			weightParameter, densityParameter, lambdaParameter,
			flag("normalize", 0), flag("rescale", 1),
		},
		Usual: []mergesearch.Usual{
			{Name: "dare_linear density 0.5 weight 1/M", Values: map[string]float64{"weight": 1, "density": 0.5}, ShareWeight: true},
			{Name: "dare_linear density 0.5 weight 1", Values: map[string]float64{"weight": 1, "density": 0.5}},
		},
	},
	ignored:   []string{"int8_mask"},
	bind:      func(b *binding) apply { return b.combine(b.keepDrawn, false) },
	reference: func(o operands) []float32 { return combineReference(o, o.keepDrawnReference, false) },
}
