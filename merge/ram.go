package merge

import (
	"mergesearch"
	"mergesearch/merge/kernel"
)

// ram averages, for each element, the task vectors that changed it:
//
//	A = {i: |d_i| > epsilon}, out = theta_0 + sum_A d_i / |A|
//
// for d_i = theta_i - theta_0, so that what one model alone has learnt is not
// thinned by the others. Yuan et al. 2026, "Behavior knowledge merge in reinforced
// agentic models" (arXiv 2601.13572), in mergekit's reading.
var ram = method{
	Method: mergesearch.Method{
		Name:       "ram",
		NeedsBase:  true,
		Parameters: []mergesearch.Parameter{activityParameter},
		Usual:      []mergesearch.Usual{{Name: "ram"}},
	},
	bind: func(b *binding) apply { return b.shareActive(nil) },
	reference: func(o operands) []float32 {
		return kernel.RAMReference(o.base, o.x, float32(o.global["epsilon"]), nil)
	},
}

// activityParameter is the magnitude up to which a task vector changes nothing.
var activityParameter = mergesearch.Parameter{Name: "epsilon", Default: 1e-5, Min: 0, Max: 0.01}

// shareActive averages active task vectors and multiplies one that is alone by the
// factor of its model, if there are factors.
func (b *binding) shareActive(alone []float32) apply {
	g, epsilon := b.group(), float32(b.global["epsilon"])
	return func(out kernel.View, lo, hi int) kernel.Counts {
		return b.engine.kernel.RAM(out, g, epsilon, alone, lo, hi)
	}
}
