package merge

import (
	"mergesearch"
	"mergesearch/merge/kernel"
)

// ramplus_tl is ram with a factor for what one model alone has changed, the larger
// the more of the model's changes are shared and so thinned:
//
//	rho_i = shared_i / max(alone_i, epsilon), lambda_i = 1 + r min(rho_i, alpha),
//
// where shared_i and alone_i count the elements of the tensor that model i changes
// with others and alone. RAM+ of Yuan et al. 2026 (arXiv 2601.13572), for each
// tensor on its own ("tensor local").
var ramplusTL = method{
	Method: mergesearch.Method{
		Name:      "ramplus_tl",
		NeedsBase: true,
		Parameters: []mergesearch.Parameter{
			activityParameter,
			{Name: "r", Default: 0.1, Min: 0, Max: 1, Step: 0.01},
			{Name: "alpha", Default: 0.2, Min: 0, Max: 1, Step: 0.01},
		},
		Usual: []mergesearch.Usual{{Name: "ram+"}},
	},
	bind: func(b *binding) apply {
		return b.shareActive(b.ramFactors(b.active(b.global["epsilon"])))
	},
	reference: func(o operands) []float32 {
		epsilon := float32(o.global["epsilon"])
		alone := o.ramFactors(kernel.CountActiveReference(o.base, o.x, epsilon))
		return kernel.RAMReference(o.base, o.x, epsilon, alone)
	},
}

// ramFactors returns lambda of each model. One that changes nothing alone has no
// use for it.
func (s settings) ramFactors(counts []kernel.Active) []float32 {
	out := make([]float32, len(counts))
	for i, c := range counts {
		rho := s.global["alpha"]
		if most := max(float64(c.Alone), s.global["epsilon"]); most > 0 {
			rho = min(max(float64(c.Shared)/most, 0), rho)
		}
		out[i] = float32(1 + s.global["r"]*rho)
	}
	return out
}
