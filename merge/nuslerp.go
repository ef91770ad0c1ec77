package merge

import (
	"math"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// nuslerp goes from one vector to another along the great circle between their
// directions (Shoemake 1985), with weights instead of a place between:
//
//	t = w_2 / (w_1 + w_2), c = v_1.v_2 / (|v_1| |v_2|), theta = arccos c,
//	out = (sin((1-t) theta) v_1 + sin(t theta) v_2) / sin theta.
//
// The vectors are the two tensors, or with a base model their task vectors, on top
// of the base. A tensor is one vector, or with nuslerp_flatten false one for each
// row, or with nuslerp_row_wise too one along the first dimension (the words are
// mergekit's). Weights that add up to less than 1e-6 count as equal, norms below
// 1e-7 as 1e-7. Parallel vectors are interpolated linearly; so are those with
// c < -0.9995, as in slerp, where mergekit divides by almost nothing.
var nuslerp = method{
	Method: mergesearch.Method{
		Name:         "nuslerp",
		OptionalBase: true,
		Least:        2, Most: 2,
		Parameters: []mergesearch.Parameter{weightParameter, flag("nuslerp_flatten", 1), flag("nuslerp_row_wise", 0)},
		Usual:      []mergesearch.Usual{{Name: "nuslerp", Values: map[string]float64{"weight": 1}}},
	},
	bind: func(b *binding) apply {
		return b.angular(nuslerpLines(b.settings, b.shape, b.elements()), b.nuslerpWeights)
	},
	reference: func(o operands) []float32 {
		return o.angularReference(nuslerpLines(o.settings, o.shape, len(o.x[0])), o.nuslerpWeights)
	},
}

func nuslerpLines(s settings, shape []int, n int) kernel.Lines {
	switch {
	case s.flag("nuslerp_flatten"):
		return kernel.Whole(n)
	case s.flag("nuslerp_row_wise"):
		return columnsOf(shape, n)
	}
	return rowsOf(shape, n)
}

// nuslerpWeights returns the factors of the two vectors.
func (s settings) nuslerpWeights(g kernel.Gram) []float64 {
	t, sum := 0.5, s.weightSum()
	if math.Abs(sum) >= 1e-6 {
		t = s.models[1]["weight"] / sum
	}
	norm := func(i int) float64 { return max(math.Sqrt(g.At(i, i)), 1e-7) }
	c := g.At(0, 1) / (norm(0) * norm(1))
	c = min(1, max(-1, c))
	theta := math.Acos(c)
	if sin := math.Sin(theta); sin >= 1e-8 && c >= -0.9995 {
		return []float64{math.Sin((1-t)*theta) / sin, math.Sin(t*theta) / sin}
	}
	return []float64{1 - t, t}
}
