package compat

import (
	"math"

	"mergesearch"
)

// slerp goes along the arc from the base to the model, as numpy computes in
// float32, or along the line where they point the same way or the opposite way.
func slerp(in Input) []float32 {
	o := arith{mergesearch.F32}
	a, b, t := in.Base, in.Models[0], in.Global["t"]
	c := pairwise(o.mul(unit(a), unit(b)))
	left, right := one(float32(1-t)), one(float32(t))
	if !(math.Abs(float64(c)) > .9995) {
		theta := o.of(math.Acos, one(c))
		whole := o.of(math.Sin, theta)
		part := o.scale(t, theta)
		left = o.div(o.of(math.Sin, o.sub(theta, part)), whole)
		right = o.div(o.of(math.Sin, part), whole)
	}
	return rounded(in.DType, o.add(o.mul(left, a), o.mul(right, b)))
}

func unit(x []float32) []float32 {
	n := float32(math.Sqrt(float64(blasDot(x, x))))
	if !(float64(n) > 1e-8) {
		return x
	}
	return arith{mergesearch.F32}.div(x, one(n))
}

// nuslerp is slerp on whole tensors, on rows, or on vectors along the first
// dimension, of task vectors where there is a base.
func nuslerp(in Input) []float32 {
	o := arith{in.DType}
	a, b := in.Models[0], in.Models[1]
	if in.Base != nil {
		a, b = o.sub(a, in.Base), o.sub(b, in.Base)
	}
	wa, wb := in.PerModel[0]["weight"], in.PerModel[1]["weight"]
	t := .5
	if math.Abs(wa+wb) >= 1e-6 {
		t = wb / (wa + wb)
	}
	out := in.arcs(t, a, b)
	if in.Base != nil {
		out = o.add(in.Base, out)
	}
	return out
}

func (in Input) arcs(t float64, a, b []float32) []float32 {
	o, n := arith{in.DType}, len(a)
	switch {
	case in.Global["nuslerp_flatten"] != 0:
		return o.arc(t, a, b, o.norm, o.dot)
	case in.Global["nuslerp_row_wise"] != 0 && len(in.Shape) > 1:
		return in.columns(t, a, b)
	}
	return rows(n, in.rowLength(), func(i, j int) []float32 { return o.arc(t, a[i:j], b[i:j], o.norm, o.dot) })
}

// arc is one vector's share. A sine below 1e-8 counts as the same direction.
func (o arith) arc(t float64, a, b []float32, norm func(x []float32) []float32, dot func(x, y []float32) []float32) []float32 {
	c := dot(o.div(a, o.atLeast(norm(a), 1e-7)), o.div(b, o.atLeast(norm(b), 1e-7)))
	theta := o.acos(o.clamp(c, -1, 1))
	sine := o.sin(theta)
	if float32(math.Abs(float64(sine[0]))) < number(o.d, 1e-8) {
		return o.add(o.scale(1-t, a), o.scale(t, b))
	}
	left := o.mul(o.sin(o.scale(1-t, theta)), a)
	right := o.mul(o.sin(o.scale(t, theta)), b)
	return o.div(o.add(left, right), sine)
}

// columns takes vectors along the first dimension. torch's sums over them run in
// another order than those over rows.
func (in Input) columns(t float64, a, b []float32) []float32 {
	o, n := arith{in.DType}, len(a)
	length := in.Shape[0]
	stride := n / length
	column := func(x []float32, c int) []float32 {
		out := make([]float32, length)
		for r := range out {
			out[r] = x[r*stride+c]
		}
		return out
	}
	inOrder := func(x []float32) []float32 {
		var s float32
		for _, v := range x {
			s += float32(v * v)
		}
		return one(number32(in.DType, float32(math.Sqrt(float64(s)))))
	}
	out := make([]float32, n)
	for c := range stride {
		dot := func(x, y []float32) []float32 {
			p := o.mul(x, y)
			return one(number32(in.DType, in.downColumn(c, stride, length, func(i int) float32 { return p[i] })))
		}
		for r, v := range o.arc(t, column(a, c), column(b, c), inOrder, dot) {
			out[r*stride+c] = v
		}
	}
	return out
}

// downColumn adds the terms of one column. Of tensors of three dimensions and more
// torch computes the sums of four neighbours in all but the last side by side.
func (in Input) downColumn(c, columns, terms int, term func(i int) float32) float32 {
	last := in.Shape[len(in.Shape)-1]
	if inner := columns / last; len(in.Shape) > 2 && last > 1 && inner > 1 {
		if c/last < inner/rowGroups*rowGroups {
			return cascade(terms, term)
		}
		return rowSum(terms, term)
	}
	return acrossRows(in.DType, c, columns, terms, term)
}
