package merge

import (
	"mergesearch"
	"mergesearch/merge/kernel"
)

// linear is the weighted mean of the models,
//
//	out = sum_i w_i theta_i / sum_i w_i,
//
// or the weighted sum alone when normalize is false. Wortsman et al. 2022, "Model
// soups" (arXiv 2203.05482).
//
// The mean is computed as theta_1 + sum_{i>1} w_i/W (theta_i - theta_1), where W is
// the sum of the weights: the same number, with smaller rounding errors between
// models that lie near each other, and exact between equal ones. Weights that add
// up to zero give no number and so fail the candidate.
var linear = method{
	Method: mergesearch.Method{
		Name:       "linear",
		Parameters: []mergesearch.Parameter{weightParameter, flag("normalize", 1)},
		Usual:      []mergesearch.Usual{{Name: "naive soup", Values: map[string]float64{"weight": 1}}},
	},
	bind: func(b *binding) apply {
		if !b.flag("normalize") {
			return b.weightedSum(b.weights())
		}
		return b.mean()
	},
	reference: func(o operands) []float32 {
		if !o.flag("normalize") {
			return kernel.WeightedSumReference(o.x, o.weights())
		}
		return o.meanReference()
	},
}

// mean takes the first model for the base of a sum of task vectors.
func (b *binding) mean() apply {
	models := make([]kernel.TaskVector, len(b.models))
	for i, w := range b.shares() {
		models[i].Weight = w
	}
	first := firstTerm(models)
	c := kernel.Consensus{Divisor: 1, Lambda: 1}
	return func(out kernel.View, lo, hi int) kernel.Counts {
		part := make([]kernel.TaskVector, len(models))
		for i, m := range models {
			part[i] = m
			part[i].Model = b.models[i].view.Slice(lo, hi)
		}
		return b.engine.kernel.Combine(out, part[0].Model, part[first:], c, lo)
	}
}

// firstTerm passes over the first model, whose own task vector is zero, unless it
// is the only one.
func firstTerm[T any](models []T) int { return min(1, len(models)-1) }

func (o operands) meanReference() []float32 {
	w, first := o.shares(), firstTerm(o.x)
	out := make([]float32, len(o.x[0]))
	for e, origin := range o.x[0] {
		sum := w[first] * (o.x[first][e] - origin)
		for i := first + 1; i < len(w); i++ {
			sum += float32(w[i] * (o.x[i][e] - origin))
		}
		out[e] = origin + sum
	}
	return out
}

// shares returns the weights divided by their sum, not finite if that is zero.
func (s settings) shares() []float32 {
	w, sum := make([]float32, len(s.models)), s.weightSum()
	for i, v := range s.models {
		w[i] = float32(v["weight"] / sum)
	}
	return w
}
