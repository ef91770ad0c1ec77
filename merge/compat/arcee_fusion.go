package compat

import (
	"math"
	"slices"

	"mergesearch"
)

// arceeFusion takes the model's elements whose importance, the difference times the
// divergence of the rows' softmaxes, reaches the median plus 1.5 times the distance
// of the quartiles. mergekit's result is float32. Over a million elements it ranks
// a random sample; here all are ranked.
func arceeFusion(in Input) []float32 {
	o, f := arith{in.DType}, arith{mergesearch.F32}
	a, b := in.Base, in.Models[0]
	delta := o.sub(b, a)
	importance := rows(len(a), in.rowLength(), func(i, j int) []float32 {
		p, q := o.softmax(b[i:j]), o.softmax(a[i:j])
		kl := o.mul(p, o.of(math.Log, o.div(p, q)))
		return o.mul(o.op(delta[i:j], one(0), func(x, _ float32) float32 { return max(x, -x) }), one(total(o.d, kl)))
	})
	sorted := slices.Clone(importance)
	slices.Sort(sorted)
	at := func(q float32) []float32 { return one(sorted[int(q*float32(len(sorted)-1))]) }
	threshold := o.add(at(.5), o.scale(1.5, o.sub(at(.75), at(.25))))[0]
	mask := each(f.d, len(a), func(e int) float32 {
		if importance[e] >= threshold {
			return 1
		}
		return 0
	})
	return f.add(a, f.mul(delta, mask))
}

// softmax of a row, plus 1e-8.
func (o arith) softmax(x []float32) []float32 {
	top := slices.Max(x)
	f := arith{mergesearch.F32}
	y := f.of(math.Exp, f.sub(x, one(top)))
	s := total(f.d, y)
	return o.add(rounded(o.d, f.div(y, one(s))), one(number(o.d, 1e-8)))
}
