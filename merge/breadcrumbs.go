package merge

import (
	"fmt"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// breadcrumbs drops of each task vector the largest magnitudes and the smallest,
// and adds up the rest as task arithmetic does:
//
//	d_i = theta_i - theta_0 where its magnitude is among the density_i N behind
//	the gamma_i N largest, else 0,
//	out = theta_0 + lambda sum_i w_i d_i r_i.
//
// Davari and Belilovsky 2023, "Model Breadcrumbs" (arXiv 2312.06795, equation 1).
// Numbers are mergekit's: of N elements floor(density N) are kept and floor(gamma N)
// of the largest dropped, fewer if the two exceed N; density 1 keeps all. Of equal
// magnitudes those with the lowest element numbers count as larger. r_i is 1, or with
// rescale the ratio of the sums of magnitudes before and after.
var breadcrumbs = method{
	Method: mergesearch.Method{
		Name:      "breadcrumbs",
		NeedsBase: true,
		Parameters: []mergesearch.Parameter{
			weightParameter, densityParameter, gammaParameter, lambdaParameter, flag("normalize", 0), flag("rescale", 0),
		},
		Usual: []mergesearch.Usual{
			{Name: "breadcrumbs density 0.9 gamma 0.01", Values: map[string]float64{"weight": 1, "density": 0.9, "gamma": 0.01}, ShareWeight: true},
		},
	},
	ignored:   []string{"int8_mask"},
	check:     checkBreadcrumbs,
	bind:      func(b *binding) apply { return b.combine(b.keepMiddle, false) },
	reference: func(o operands) []float32 { return combineReference(o, o.keepMiddleReference, false) },
}

var gammaParameter = mergesearch.Parameter{Name: "gamma", PerModel: true, Default: 0.01, Min: 0, Max: 0.1, Step: 0.005}

// checkBreadcrumbs refuses a share of outliers that is none.
func checkBreadcrumbs(v values) *mergesearch.InputError {
	if gamma := v["gamma"]; gamma < 0 || gamma > 1 {
		return &mergesearch.InputError{
			Field: "gamma", Problem: fmt.Sprintf("%v is not in [0, 1]", gamma),
			Hint: "gamma is the share of the largest elements that is dropped",
		}
	}
	return nil
}

// middle returns how many of the largest magnitudes of n are dropped, and how many
// after them are kept.
func middle(v values, n int) (drop, keep int) {
	keep = int(v["density"] * float64(n))
	drop = min(int(v["gamma"]*float64(n)), n-keep)
	return drop, keep
}

// keepMiddle keeps the magnitudes between the outliers and the small ones.
func (b *binding) keepMiddle(i int) sparseVector {
	v := b.settings.models[i]
	if v["density"] >= 1 {
		return sparseVector{}
	}
	drop, keep := middle(v, b.elements())
	t := kernel.TaskVector{Keep: kernel.KeepMagnitude, Trim: b.trim(i, drop+keep)}
	if drop > 0 {
		t.Keep, t.Drop = kernel.KeepBand, b.trim(i, drop)
	}
	return b.trimmed(i, t, drop, keep)
}

func (o operands) keepMiddleReference(d []float32, i int) ([]float32, float32) {
	v := o.settings.models[i]
	if v["density"] >= 1 {
		return d, 1
	}
	drop, keep := middle(v, len(d))
	outliers := kernel.SelectMagnitudeReference(d, drop)
	kept := kernel.SelectMagnitudeReference(d, drop+keep)
	for e := range kept {
		kept[e] = kept[e] && !outliers[e]
	}
	return o.rescaleReference(d, kept)
}
