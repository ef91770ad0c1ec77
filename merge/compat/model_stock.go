package compat

import "mergesearch"

// modelStock goes from the base towards the mean of the models by a ratio made
// from the mean cosine between task vectors (Jang et al. 2024), for the whole
// tensor or each row.
func modelStock(in Input) []float32 {
	n := len(in.Base)
	length := n
	if in.Global["filter_wise"] != 0 {
		length = in.rowLength()
	}
	o := arith{in.DType}
	deltas := make([][]float32, len(in.Models))
	for i, x := range in.Models {
		deltas[i] = o.sub(x, in.Base)
	}
	k := float64(len(deltas))
	f := arith{mergesearch.F32}
	c := rounded(o.d, f.div(sum(f.d, o.cosines(deltas, length)), one(float32(k*(k-1)/2))))
	t := o.div(o.scale(k, c), o.add(one(1), o.scale(k-1, c)))
	mean := make([]float32, n)
	for _, x := range in.Models {
		mean = o.add(mean, x)
	}
	mean = o.div(mean, one(float32(k)))
	rest := o.sub(one(1), t)
	return rows(n, length, func(i, j int) []float32 {
		r := i / length
		return o.add(o.mul(t[r:r+1], mean[i:j]), o.mul(rest[r:r+1], in.Base[i:j]))
	})
}

// cosines returns, for each pair, the cosine of each row. Norms whose product is
// below 1e-6 count as 1e-6, so small differences look unrelated.
func (o arith) cosines(deltas [][]float32, length int) [][]float32 {
	var out [][]float32
	for a := range deltas {
		for b := a + 1; b < len(deltas); b++ {
			out = append(out, rows(len(deltas[a]), length, func(i, j int) []float32 {
				x, y := deltas[a][i:j], deltas[b][i:j]
				c := o.div(o.dot(x, y), o.atLeast(o.mul(o.norm(x), o.norm(y)), 1e-6))
				return o.clamp(c, -1, 1)
			}))
		}
	}
	return out
}
