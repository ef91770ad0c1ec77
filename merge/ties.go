package merge

import "mergesearch"

// ties trims each task vector to its share density of largest magnitudes, elects
// for each element the sign of the weighted sum, and averages what agrees with
// it:
//
//	d_i = trim(theta_i - theta_0, density_i), e_i = w_i d_i,
//	s = +1 where sum_i e_i >= 0, else -1, A = {i: sign(e_i) = s},
//	out = theta_0 + lambda sum_A e_i / sum_A w_i,
//
// without the division when normalize is false. Yadav et al. 2023, "TIES-Merging"
// (arXiv 2306.01708, section 3); electing on weighted sums and dividing by the
// weights is mergekit's reading. Of n elements floor(density n) are kept, one at
// least; of equal magnitudes those with the lowest element numbers. With rescale, as
// mergekit offers it, d_i is multiplied by the ratio of the sums of magnitudes before
// and after.
var ties = method{
	Method: mergesearch.Method{
		Name:      "ties",
		NeedsBase: true,
		Parameters: []mergesearch.Parameter{
			weightParameter, densityParameter, lambdaParameter,
			flag("normalize", 1), flag("rescale", 0), flag("int8_mask", 0),
		},
		Usual: []mergesearch.Usual{
			{Name: "ties density 0.2", Values: map[string]float64{"weight": 1, "density": 0.2}},
			{Name: "ties density 0.5", Values: map[string]float64{"weight": 1, "density": 0.5}},
			{Name: "ties density 0.8", Values: map[string]float64{"weight": 1, "density": 0.8}},
		},
	},
	bind:      func(b *binding) apply { return b.combine(b.keepLargest, true) },
	reference: func(o operands) []float32 { return combineReference(o, o.keepLargestReference, true) },
}
