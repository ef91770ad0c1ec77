package compat

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"mergesearch"
)

func taskArithmetic(in Input) []float32  { return in.combine(nil, false) }
func ties(in Input) []float32            { return in.combine(largest, true) }
func breadcrumbs(in Input) []float32     { return in.combine(middle, false) }
func breadcrumbsTIES(in Input) []float32 { return in.combine(middle, true) }

// combine is what the methods on task vectors share: sparse task vectors,
// weighted, joined by their sum or by those that agree with its sign.
func (in Input) combine(keep func(d []float32, p map[string]float64) []bool, elect bool) []float32 {
	d, n, w := in.DType, len(in.Base), in.weights()
	terms := make([][]float32, len(w))
	for i, x := range in.Models {
		delta := each(d, n, func(e int) float32 { return x[e] - in.Base[e] })
		if keep != nil && in.PerModel[i]["density"] < 1 {
			for e, kept := range keep(delta, in.PerModel[i]) {
				if !kept {
					delta[e] *= 0 // not finite stays not finite
				}
			}
		}
		terms[i] = each(d, n, func(e int) float32 { return delta[e] * w[i] })
	}
	mixed, divisor := join(d, terms, w, elect)
	if in.Global["normalize"] != 0 {
		mixed = each(d, n, func(e int) float32 { return mixed[e] / divisor[e%len(divisor)] })
	}
	if lambda := in.Global["lambda"]; lambda != 1 {
		mixed = each(d, n, func(e int) float32 { return mixed[e] * float32(lambda) })
	}
	return each(d, n, func(e int) float32 { return in.Base[e] + mixed[e] })
}

// join returns the sum of the terms and what normalize divides it by, one number
// or one for each element.
func join(d mergesearch.DType, terms [][]float32, w []float32, elect bool) (mixed, divisor []float32) {
	total := sum(d, terms)
	if !elect {
		divisor = sum(d, column(w))
		if float32(math.Abs(float64(divisor[0]))) < number(d, 1e-8) {
			divisor[0] = 1
		}
		return total, divisor
	}
	agreeing, weights := make([][]float32, len(w)), make([][]float32, len(w))
	for i, t := range terms {
		agreeing[i], weights[i] = make([]float32, len(t)), make([]float32, len(t))
		for e, x := range t {
			agreeing[i][e] = x * 0
			if total[e] >= 0 && x > 0 || !(total[e] >= 0) && x < 0 {
				agreeing[i][e], weights[i][e] = x, w[i]
			}
		}
	}
	mixed, divisor = sum(d, agreeing), sum(d, weights)
	for e, x := range divisor {
		if x == 0 {
			divisor[e] = 1
		}
	}
	return mixed, divisor
}

// order returns the element numbers by magnitude; equal ones by number.
func order(x []float32, largestFirst bool) []int {
	out := make([]int, len(x))
	for e := range out {
		out[e] = e
	}
	magnitude := func(e int) uint32 { return math.Float32bits(x[e]) & 0x7fffffff }
	slices.SortStableFunc(out, func(a, b int) int {
		if largestFirst {
			a, b = b, a
		}
		return cmp.Compare(magnitude(a), magnitude(b))
	})
	return out
}

func chosen(n int, elements []int) []bool {
	kept := make([]bool, n)
	for _, e := range elements {
		kept[e] = true
	}
	return kept
}

func share(p float64, n int) int { return int(p * float64(n)) }

func largest(x []float32, p map[string]float64) []bool {
	return chosen(len(x), order(x, true)[:share(p["density"], len(x))])
}

// middle drops the share gamma of the largest, then the smallest. If there is no
// largest to drop it keeps nothing, mergekit's defect.
func middle(x []float32, p map[string]float64) []bool {
	n := len(x)
	top := share(p["gamma"], n)
	bottom := n - share(p["density"], n) - top
	if bottom < 0 {
		top, bottom = top+bottom, 0
	}
	if top == 0 {
		return make([]bool, n)
	}
	return chosen(n, order(x, false)[bottom:n-top])
}

// checkTrim refuses what mergekit refuses: ties that would keep nothing.
func checkTrim(in Input) error {
	if in.Method != "ties" {
		return nil
	}
	for i, p := range in.PerModel {
		if share(p["density"], len(in.Base)) <= 0 {
			return &mergesearch.InputError{
				Field: fmt.Sprintf("models[%d].parameters.density", i), Problem: fmt.Sprintf("keeps none of %d elements", len(in.Base)),
				Hint: "mergekit refuses this too; the default mode keeps one element at least",
			}
		}
	}
	return nil
}
