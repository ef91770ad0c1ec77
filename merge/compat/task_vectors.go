package compat

import (
	"cmp"
	"math"
	"slices"

	"mergesearch"
)

func taskArithmetic(in Input) []float32  { return in.combine(nil, false) }
func ties(in Input) []float32            { return in.combine(largest, true) }
func breadcrumbs(in Input) []float32     { return in.combine(middle, false) }
func breadcrumbsTIES(in Input) []float32 { return in.combine(middle, true) }
func randomLinear(in Input) []float32    { return in.combine(nil, false) }
func randomTIES(in Input) []float32      { return in.combine(nil, true) }

// combine is what the methods on task vectors share: sparse task vectors,
// weighted, joined by their sum or by those that agree with its sign.
func (in Input) combine(keep func(d []float32, p map[string]float64) []bool, elect bool) []float32 {
	d, n, w := in.DType, len(in.Base), in.weights()
	terms := make([][]float32, len(w))
	for i, x := range in.Models {
		delta := each(d, n, func(e int) float32 { return x[e] - in.Base[e] })
		switch {
		case in.Method == "task_arithmetic" || in.PerModel[i]["density"] >= 1:
		case keep == nil:
			delta = in.sparse(delta, in.drawn(i, delta))
		default:
			delta = in.sparse(delta, keep(delta, in.PerModel[i]))
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

// sparse drops elements and, with rescale, gives the rest the sum of magnitudes
// that all had. Random masks are applied in float32 to float16 numbers.
func (in Input) sparse(delta []float32, kept []bool) []float32 {
	o := arith{in.DType}
	if in.Draw != nil && o.d == mergesearch.F16 {
		o.d = mergesearch.F32
	}
	masked := slices.Clone(delta)
	for e, k := range kept {
		if !k {
			masked[e] *= 0 // not finite stays not finite
		}
	}
	if in.Global["rescale"] == 0 {
		return masked
	}
	before, after := magnitudes(o.d, delta), magnitudes(o.d, masked)
	if floor := number(o.d, 1e-7); before < floor || after < floor {
		return masked
	}
	return rounded(in.DType, o.mul(masked, o.div(one(before), one(after))))
}

func magnitudes(d mergesearch.DType, x []float32) float32 {
	return total(d, each(d, len(x), func(e int) float32 { return max(x[e], -x[e]) }))
}

// join returns the sum of the terms and what normalize divides it by, one number
// or one for each element.
func join(d mergesearch.DType, terms [][]float32, w []float32, elect bool) (mixed, divisor []float32) {
	signs := sum(d, terms)
	if !elect {
		divisor = sum(d, column(w))
		if float32(math.Abs(float64(divisor[0]))) < number(d, 1e-8) {
			divisor[0] = 1
		}
		return signs, divisor
	}
	agreeing, weights := make([][]float32, len(w)), make([][]float32, len(w))
	for i, t := range terms {
		agreeing[i], weights[i] = make([]float32, len(t)), make([]float32, len(t))
		for e, x := range t {
			agreeing[i][e] = x * 0
			if agrees(x, signs[e]) {
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

// middle drops the share gamma of the largest, then the smallest. Of equal magnitudes
// the lowest numbers count as larger. If there is no largest to drop it keeps nothing,
// mergekit's defect.
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
	return chosen(n, order(x, true)[top:n-bottom])
}
