package compat

import "mergesearch"

// ram averages a task vector's elements over the models that changed them by more
// than epsilon.
func ram(in Input) []float32 {
	o := arith{in.DType}
	terms, _, _ := in.contributions()
	for i := range terms {
		terms[i] = rounded(o.d, terms[i])
	}
	return o.add(in.Base, sum(o.d, terms))
}

// ramPlus raises the elements that one model alone changed, by a factor that grows
// with how much of its change others share. mergekit's result is float32.
func ramPlus(in Input) []float32 {
	terms, active, count := in.contributions()
	f := arith{mergesearch.F32}
	r, alpha := in.Global["r"], in.Global["alpha"]
	for i, t := range terms {
		var shared, alone float32
		for e, a := range active[i] {
			if a && count[e] > 1 {
				shared++
			} else if a {
				alone++
			}
		}
		rho := f.div(one(shared), f.atLeast(one(alone), in.Global["epsilon"]))
		lambda := f.add(one(1), f.scale(r, f.clamp(rho, 0, alpha)))
		for e := range t {
			if count[e] == 1 {
				t[e] *= lambda[0]
			}
		}
	}
	return f.add(in.Base, sum(f.d, terms))
}

// contributions returns each model's elements divided by the number of models that
// changed them, which of them count, and those numbers.
func (in Input) contributions() (terms [][]float32, active [][]bool, count []int) {
	o := arith{in.DType}
	count = make([]int, len(in.Base))
	floor := number(o.d, in.Global["epsilon"])
	for _, x := range in.Models {
		t := o.sub(x, in.Base)
		a := make([]bool, len(t))
		for e, v := range t {
			if a[e] = max(v, -v) > floor; a[e] {
				count[e]++
			} else {
				t[e] *= 0
			}
		}
		terms, active = append(terms, t), append(active, a)
	}
	for i, t := range terms {
		terms[i] = each(o.d, len(t), func(e int) float32 { return t[e] / float32(max(count[e], 1)) })
	}
	return terms, active, count
}
