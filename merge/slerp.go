package merge

import (
	"math"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// slerp goes from the base model's tensor v0 to the other model's v1 along the
// great circle between their directions (Shoemake 1985, "Animating rotation with
// quaternion curves"), each tensor seen as one flat vector:
//
//	d = v0.v1 / (|v0| |v1|), theta = arccos d,
//	out = sin((1-t) theta)/sin(theta) v0 + sin(t theta)/sin(theta) v1.
//
// As mergekit does, norms up to 1e-8 count as 1, and vectors with |d| > 0.9995,
// antiparallel ones included, are interpolated linearly: (1-t) v0 + t v1. A t
// outside [0, 1] extrapolates.
var slerp = method{
	Method: mergesearch.Method{
		Name: "slerp",
		Pair: true,
		Parameters: []mergesearch.Parameter{
			{Name: "t", Required: true, Default: 0.5, Min: 0, Max: 1, Step: 0.001},
		},
		Usual: []mergesearch.Usual{{Name: "slerp t 0.5", Values: map[string]float64{"t": 0.5}}},
	},
	bind: func(b *binding) apply {
		products := b.productsOf(wholeModels(b.models), 0) // the base is one of the two
		return b.weightedSum(slerpWeights(products, b.global["t"]))
	},
	reference: func(o operands) []float32 {
		products := kernel.ProductsReference(nil, o.x, kernel.Whole(len(o.x[0])))
		return kernel.WeightedSumReference(o.x, slerpWeights(products[0], o.global["t"]))
	},
}

// slerpWeights returns the factors of the two vectors.
func slerpWeights(g kernel.Gram, t float64) []float32 {
	norm := func(square float64) float64 {
		if n := math.Sqrt(square); n > 1e-8 {
			return n
		}
		return 1
	}
	d := g.At(0, 1) / (norm(g.At(0, 0)) * norm(g.At(1, 1)))
	if math.Abs(d) > 0.9995 {
		w := float32(t)
		return []float32{1 - w, w}
	}
	theta := math.Acos(d)
	return []float32{
		float32(math.Sin((1-t)*theta) / math.Sin(theta)),
		float32(math.Sin(t*theta) / math.Sin(theta)),
	}
}
