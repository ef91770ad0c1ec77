package compat

// linear is the sum of weighted models, divided by the sum of the rounded weights.
func linear(in Input) []float32 {
	w := in.weights()
	terms := make([][]float32, len(w))
	for i, x := range in.Models {
		terms[i] = each(in.DType, len(x), func(e int) float32 { return w[i] * x[e] })
	}
	out := sum(in.DType, terms)
	if in.Global["normalize"] == 0 {
		return out
	}
	total := sum(in.DType, column(w))[0]
	return each(in.DType, len(out), func(e int) float32 { return out[e] / total })
}

// passthrough multiplies by scale, where one is given.
func passthrough(in Input) []float32 {
	scale, ok := in.PerModel[0]["scale"]
	if !ok {
		scale = 1
	}
	x := in.Models[0]
	return each(in.DType, len(x), func(e int) float32 { return float32(scale) * x[e] })
}

// nearswap goes from the base to the model by clamp(t / |a - b|, 0, 1). A number
// over a tensor is t times the rounded reciprocal.
func nearswap(in Input) []float32 {
	d, a, b := in.DType, in.Base, in.Models[0]
	op := func(f func(e int) float32) []float32 { return each(d, len(a), f) }
	floor, t := number(d, 1e-6), float32(in.Global["t"])
	apart := op(func(e int) float32 { return max(a[e]-b[e], b[e]-a[e]) })
	inverse := op(func(e int) float32 { return 1 / max(apart[e], floor) })
	w := op(func(e int) float32 { return t * inverse[e] })
	w = op(func(e int) float32 { return min(max(w[e], 0), 1) })
	v := op(func(e int) float32 { return 1 - w[e] })
	right := op(func(e int) float32 { return w[e] * b[e] })
	left := op(func(e int) float32 { return v[e] * a[e] })
	return op(func(e int) float32 { return right[e] + left[e] })
}
