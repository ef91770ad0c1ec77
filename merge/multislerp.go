package merge

import (
	"math"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// multislerp takes the weighted mean direction of any number of vectors and the
// weighted mean of their norms:
//
//	u_i = x_i / (|x_i| + eps), m = sum_i w_i u_i, out = (sum_i w_i |x_i|) cos(eps) m / |m|,
//
// where the weights are divided by their sum unless normalize_weights is false.
// The vectors are the tensors, or with a base model their task vectors, on top of
// the base. It is mergekit's approximation of a mean on the sphere (Goddard 2024,
// "MergeKit", arXiv 2403.13257): one step of the exponential map from m along the
// weighted mean of the tangents at m. That mean is zero, since sum_i w_i u_i has no
// part across m, so the step only leaves its eps.
//
// Directions that cancel, |m| below eps or 1e-7 of the weights, give the weighted
// sum of the vectors; mergekit does so for two models and refuses more. One model
// alone is returned as it is.
var multislerp = method{
	Method: mergesearch.Method{
		Name:         "multislerp",
		OptionalBase: true,
		Parameters: []mergesearch.Parameter{
			weightParameter, flag("normalize_weights", 1),
			{Name: "eps", Default: 1e-8, Min: 1e-9, Max: 1e-6},
		},
		Usual: []mergesearch.Usual{{Name: "multislerp", Values: map[string]float64{"weight": 1}}},
	},
	bind: func(b *binding) apply {
		if len(b.models) == 1 {
			return b.weightedSum([]float32{1})
		}
		return b.vectorSum(b.multislerpWeights(b.products()))
	},
	reference: func(o operands) []float32 {
		if len(o.x) == 1 {
			return kernel.WeightedSumReference(o.x, []float32{1})
		}
		return o.angularReference(kernel.Whole(len(o.x[0])), o.multislerpWeights)
	},
}

// multislerpWeights returns the factors of the vectors.
func (s settings) multislerpWeights(g kernel.Gram) []float64 {
	eps, w := s.global["eps"], make([]float64, len(s.models))
	var size, length float64 // of the weights and of the mean vector
	for i, m := range s.models {
		w[i] = m["weight"]
		if s.flag("normalize_weights") {
			w[i] /= s.weightSum()
		}
		size += math.Abs(w[i])
		length += w[i] * math.Sqrt(g.At(i, i))
	}
	m := make([]float64, len(w)) // of the mean direction, in terms of the vectors
	for i := range m {
		if n := math.Sqrt(g.At(i, i)) + eps; n > 0 {
			m[i] = w[i] / n
		}
	}
	norm := norm(g, m)
	if norm < max(eps, 1e-7*size) {
		return w
	}
	for i := range m {
		m[i] *= length * math.Cos(eps) / norm
	}
	return m
}

// norm returns the norm of a sum of vectors with these factors.
func norm(g kernel.Gram, factors []float64) float64 {
	var square float64
	for i, a := range factors {
		square += a * product(g, factors, i)
	}
	return math.Sqrt(max(square, 0))
}

// product returns the scalar product of a sum of vectors with vector i.
func product(g kernel.Gram, factors []float64, i int) float64 {
	var sum float64
	for j, b := range factors {
		sum += b * g.At(i, j)
	}
	return sum
}
