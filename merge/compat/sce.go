package compat

import (
	"cmp"
	"math"
	"slices"

	"mergesearch"
)

// sce keeps the elements whose task vectors vary most between the models, weighs
// each model by its mean square, and erases what disagrees with the sign of the sum.
func sce(in Input) []float32 {
	o := arith{in.DType}
	deltas := make([][]float32, len(in.Models))
	for i, x := range in.Models {
		deltas[i] = o.sub(x, in.Base)
	}
	if p := in.Global["select_topk"]; p < 1 {
		for e, kept := range mostVaried(o.d, deltas, p) {
			for i := range deltas {
				if !kept {
					deltas[i][e] *= 0
				}
			}
		}
	}
	w := energies(o, deltas)
	majority := sum(o.d, deltas)
	terms, weights := make([][]float32, len(w)), make([][]float32, len(w))
	for i, t := range deltas {
		weights[i] = each(o.d, len(t), func(e int) float32 {
			if agrees(t[e], majority[e]) {
				return w[i]
			}
			return w[i] * 0
		})
		terms[i] = o.mul(t, weights[i])
	}
	merged := o.div(sum(o.d, terms), o.atLeast(sum(o.d, weights), 1e-6))
	return o.add(in.Base, merged)
}

// agrees says whether x has the sign of the sum over models; a sum of zero counts
// as positive, x of zero agrees with nothing.
func agrees(x, sum float32) bool { return sum >= 0 && x > 0 || !(sum >= 0) && x < 0 }

// energies are the models' mean squares divided by their sum; equal where that is
// below 1e-6, which small differences often are.
func energies(o arith, deltas [][]float32) []float32 {
	w := make([]float32, len(deltas))
	for i, t := range deltas {
		w[i] = number32(o.d, total(mergesearch.F32, o.mul(t, t))/float32(len(t)))
	}
	all := total(o.d, w)
	if math.Abs(float64(all)) >= 1e-6 {
		return o.div(w, one(all))
	}
	for i := range w {
		w[i] = 1
	}
	return o.div(w, one(float32(len(w))))
}

// mostVaried chooses the share p, computed in float32, of the elements that vary at
// all. Of equal variances those with the lowest numbers are taken; torch's choice
// is not defined.
func mostVaried(d mergesearch.DType, deltas [][]float32, p float64) []bool {
	n := len(deltas[0])
	v := each(d, n, func(e int) float32 { return variance(deltas, e) })
	k := topK(v, p)
	elements := make([]int, n)
	for e := range elements {
		elements[e] = e
	}
	slices.SortStableFunc(elements, func(a, b int) int { return cmp.Compare(v[b], v[a]) })
	return chosen(n, elements[:k])
}

// topK is how many elements are chosen.
func topK(v []float32, p float64) int {
	nonzero := 0
	for _, x := range v {
		if x != 0 {
			nonzero++
		}
	}
	return int(float32(float32(nonzero) * float32(p)))
}

// variance is Welford's, in float64.
func variance(deltas [][]float32, e int) float32 {
	var mean, squares float64
	for i, t := range deltas {
		delta := float64(t[e]) - mean
		mean += delta / float64(i+1)
		squares += float64(delta * (float64(t[e]) - mean))
	}
	return float32(squares / float64(len(deltas)))
}
