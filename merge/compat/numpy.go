package compat

// What slerp needs of numpy (2.4), which adds in other orders than torch.

// pairwise adds in float32: halves apart until 128 numbers are left, those in eight
// sums.
func pairwise(x []float32) float32 {
	n := len(x)
	switch {
	case n < 8:
		var s float32
		for _, v := range x {
			s += v
		}
		return s
	case n > 128:
		half := n / 2
		half -= half % 8
		return pairwise(x[:half]) + pairwise(x[half:])
	}
	var r [8]float32
	for i, v := range x[:n/8*8] {
		r[i%8] += v
	}
	s := ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]))
	for _, v := range x[n/8*8:] {
		s += v
	}
	return s
}

// blasDot is OpenBLAS's product of two vectors on AVX2 and one thread: 32 fused sums,
// joined in pairs of vectors of four, then what fills no 32 numbers in float64.
func blasDot(x, y []float32) float32 {
	const step, width = 32, 4
	n := len(x) / step * step
	var acc [step]float32
	for i := range n {
		acc[i%step] = fused(x[i], y[i], acc[i%step])
	}
	var lane [width]float32
	for k := range lane {
		var pair [4]float32
		for a := range pair {
			pair[a] = acc[2*a*width+k] + acc[(2*a+1)*width+k]
		}
		lane[k] = (pair[0] + pair[1]) + (pair[2] + pair[3])
	}
	dot := float64((lane[0] + lane[1]) + (lane[2] + lane[3]))
	for i := n; i < len(x); i++ {
		dot += float64(float32(y[i] * x[i]))
	}
	return float32(dot)
}
