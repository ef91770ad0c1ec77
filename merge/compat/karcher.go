package compat

import "mergesearch"

// karcher is the Karcher mean of the directions, all models alike, at the mean
// length. A base model is one more input, the last.
func karcher(in Input) []float32 {
	o, f := arith{in.DType}, arith{mergesearch.F32}
	x := in.Models
	if in.Base != nil {
		x = append(x[:len(x):len(x)], in.Base)
	}
	if len(x) == 1 {
		return x[0]
	}
	tol := in.Global["tol"]
	var units [][]float32
	var length float64
	for _, v := range x {
		n := norm(f.d, v)
		length += float64(1 / float64(len(x)) * float64(n))
		if float64(n) > tol && n != 0 {
			units = append(units, o.div(v, one(n)))
		}
	}
	if len(units) == 0 {
		return make([]float32, len(x[0]))
	}
	alpha := equalShares(len(units), 1/float64(len(x)))
	u := start(o, units, alpha, tol)
	for range int(in.Global["max_iter"]) {
		t := one(0)
		for i, v := range units {
			t = o.add(t, o.pull(u, v, alpha[i], tol))
		}
		t = o.add(make([]float32, len(u)), t)
		n := norm(f.d, t)
		if float64(n) < tol {
			break
		}
		// A number without dimensions on the left is rounded to the type, on the
		// right it is not.
		cosine, sine := rounded(o.d, f.cos(one(n))), rounded(o.d, f.sin(one(n)))
		u = o.add(o.mul(cosine, u), o.mul(sine, o.div(t, one(n))))
		if n := norm(f.d, u); float64(n) > tol {
			u = o.div(u, one(n))
		}
	}
	return o.scale(length, u)
}

// equalShares returns n numbers share divided by their sum.
func equalShares(n int, share float64) []float64 {
	out := make([]float64, n)
	var sum float64
	for range n {
		sum += share
	}
	for i := range out {
		out[i] = share / sum
	}
	return out
}

// start is the direction of the arithmetic mean, or the first direction where that
// vanishes.
func start(o arith, units [][]float32, alpha []float64, tol float64) []float32 {
	u := make([]float32, len(units[0]))
	for i, v := range units {
		u = o.add(u, o.scale(alpha[i], v))
	}
	n := norm(mergesearch.F32, u)
	if float64(n) < tol {
		return units[0]
	}
	return o.div(u, one(n))
}

// pull is the step from u towards v; nothing where they meet.
func (o arith) pull(u, v []float32, alpha, tol float64) []float32 {
	c := o.clamp(one(torchDot(o.d, u, v)), -1, 1)
	theta := o.acos(c)
	if float64(theta[0]) < tol {
		return one(0)
	}
	k := o.scale(alpha, o.div(theta, o.sin(theta)))
	return o.mul(k, o.sub(v, o.mul(c, u)))
}
