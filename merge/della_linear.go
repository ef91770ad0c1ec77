package merge

import (
	"fmt"
	"slices"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// dellaLinear drops elements of each task vector at random, large magnitudes less
// often, rescales the rest and adds them up as task arithmetic does:
//
//	p = (density_i - epsilon_i) + 2 epsilon_i (rank - 1) / (n - 1),
//	d_i = m_i (theta_i - theta_0) r_i, m_i drawn with P(keep) = p,
//	out = theta_0 + lambda sum_i w_i d_i,
//
// where rank is that of the magnitude among the n of its row, 1 for the smallest; a
// row is a run along the last dimension. Deep et al. 2024, "DELLA-Merging" (arXiv
// 2406.11617, section 3). The paper rescales each element by 1/p; with mergekit,
// r_i is the ratio of the sums of magnitudes before and after, of the whole tensor
// (1 without rescale). Of equal magnitudes the lowest element number has the lowest
// rank. The ends density +- epsilon must lie in (0, 1); density 1 keeps all and
// density 0 nothing.
var dellaLinear = method{
	Method: mergesearch.Method{
		Name:      "della_linear",
		NeedsBase: true,
		Random:    true,
		Parameters: []mergesearch.Parameter{
			weightParameter, dellaDensityParameter, epsilonParameter, lambdaParameter,
			flag("normalize", 0), flag("rescale", 1),
		},
		Usual: []mergesearch.Usual{
			{Name: "della_linear density 0.5 epsilon 0.15", Values: map[string]float64{"weight": 1, "density": 0.5, "epsilon": 0.15}, ShareWeight: true},
		},
	},
	ignored:   []string{"int8_mask"},
	check:     checkDella,
	bind:      func(b *binding) apply { return b.combine(b.keepRanked, false) },
	reference: func(o operands) []float32 { return combineReference(o, o.keepRankedReference, false) },
}

// The ranges of both fit any choice of the other.
var (
	dellaDensityParameter = mergesearch.Parameter{
		Name: "density", PerModel: true, Default: 1, Min: 0.2, Max: 0.8, Step: 0.01,
	}
	epsilonParameter = mergesearch.Parameter{Name: "epsilon", PerModel: true, Default: 0.15, Min: 0, Max: 0.19, Step: 0.01}
)

// checkDella refuses ends of the probability outside (0, 1).
func checkDella(v values) *mergesearch.InputError {
	density, epsilon := v["density"], v["epsilon"]
	if density <= 0 || density >= 1 || density-epsilon > 0 && density+epsilon < 1 && epsilon >= 0 {
		return nil
	}
	return &mergesearch.InputError{
		Field:   "epsilon",
		Problem: fmt.Sprintf("%v with density %v gives probabilities from %.4g to %.4g, which must lie in (0, 1)", epsilon, density, density-epsilon, density+epsilon),
		Hint:    "epsilon must be at least 0, and smaller than density and than 1 - density",
	}
}

// lastOf returns the length of the rows.
func lastOf(shape []int) int {
	if len(shape) == 0 {
		return 1
	}
	return max(1, shape[len(shape)-1])
}

// keepRanked keeps elements at random by the ranks of their magnitudes.
func (b *binding) keepRanked(i int) sparseVector {
	v := b.settings.models[i]
	if v["density"] >= 1 {
		return sparseVector{}
	}
	if v["density"] <= 0 {
		return sparseVector{TaskVector: kernel.TaskVector{Keep: kernel.KeepRandom, Scale: 1}}
	}
	r := kernel.NewRanks(b.seed, b.models[i].model.key, b.models[i].tensor, v["density"], v["epsilon"], lastOf(b.shape))
	t := sparseVector{TaskVector: kernel.TaskVector{Keep: kernel.KeepBits, Scale: 1}, bitsOf: b.ranked(i, r)}
	if b.flag("rescale") {
		t.Scale = rescale(b.sumRanked(i, r))
	}
	return t
}

// drawnByRank returns the elements that the mask by ranks of input i keeps.
func (o operands) drawnByRank(i int) []bool {
	v, n := o.settings.models[i], len(o.x[i])
	if v["density"] >= 1 || v["density"] <= 0 {
		return slices.Repeat([]bool{v["density"] >= 1}, n)
	}
	r := kernel.NewRanks(o.seed, o.masks[i].model, o.masks[i].tensor, v["density"], v["epsilon"], lastOf(o.shape))
	return kernel.RanksReference(kernel.TaskVectorReference(o.base, o.x[i]), r)
}

func (o operands) keepRankedReference(d []float32, i int) ([]float32, float32) {
	v := o.settings.models[i]
	if v["density"] >= 1 {
		return d, 1
	}
	if v["density"] <= 0 {
		return only(d, make([]bool, len(d))), 1
	}
	return o.rescaleReference(d, o.drawnByRank(i))
}
