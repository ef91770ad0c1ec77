package compat

import "math"

// multislerp weighs unit vectors in the plane that touches the sphere at their
// weighted mean and scales the result to the weighted mean of the lengths. It is nil
// where the directions of more than two models cancel.
func multislerp(in Input) []float32 {
	o := arith{in.DType}
	if len(in.Models) == 1 {
		return in.Models[0]
	}
	x := make([][]float32, len(in.Models))
	for i, m := range in.Models {
		x[i] = m
		if in.Base != nil {
			x[i] = o.sub(m, in.Base)
		}
	}
	w := in.weights()
	if in.Global["normalize_weights"] != 0 {
		w = o.div(w, one(total(o.d, w)))
	}
	out := in.onSphere(x, w, in.Global["eps"])
	if in.Base != nil && out != nil {
		out = o.add(out, in.Base)
	}
	return out
}

func (in Input) onSphere(x [][]float32, w []float32, eps float64) []float32 {
	o := arith{in.DType}
	weighted := func(x [][]float32) []float32 {
		terms := make([][]float32, len(x))
		for i := range x {
			terms[i] = o.mul(x[i], one(w[i]))
		}
		return sum(o.d, terms)
	}
	more := func(v []float32) []float32 { return o.add(v, one(number(o.d, eps))) }
	units, lengths := make([][]float32, len(x)), make([]float32, len(x))
	for i, v := range x {
		lengths[i] = norm(o.d, v)
		units[i] = o.div(v, more(one(lengths[i])))
	}
	mean := weighted(units)
	length := o.norm(mean)
	switch {
	case !(length[0] < number(o.d, eps)):
	case len(x) > 2:
		return nil // mergekit refuses
	default:
		return o.add(o.mul(x[0], one(w[0])), o.mul(x[1], one(w[1])))
	}
	mean = o.div(mean, length)
	for i, u := range units {
		units[i] = o.sub(u, o.mul(o.dot(u, mean), mean))
	}
	tangent := weighted(units)
	angle := more(o.norm(tangent))
	ahead := o.mul(mean, o.of(math.Cos, angle))
	aside := o.mul(tangent, o.div(o.of(math.Sin, angle), angle))
	return o.mul(o.add(ahead, aside), one(total(o.d, o.mul(lengths, w))))
}
