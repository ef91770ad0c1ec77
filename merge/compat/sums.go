package compat

import (
	"math"
	"math/bits"

	"mergesearch"
)

// The order in which torch (2.15, vectors of eight float32 numbers, fewer than
// 32768 terms, where it starts a second thread) adds decides the last bit. It was
// found by comparing orders with what torch gives.
const (
	lanes     = 8         // float32 numbers in a vector
	block     = 4 * lanes // elements whose sums run side by side
	rowGroups = 4         // sums that one row is split into
)

// cascade adds in order but keeps sums of 16 terms apart from sums of 256 and so
// on, so that the error grows slowly. Longer rows have larger steps.
func cascade(n int, term func(i int) float32) float32 {
	const levels = 4
	power := max(4, ceilLog2(n)/levels)
	step := 1 << power
	var level [levels]float32
	i := 0
	for i+step <= n {
		for range step {
			level[0] += term(i)
			i++
		}
		for j := 1; j < levels; j++ {
			level[j] += level[j-1]
			level[j-1] = 0
			if i&((step-1)<<(j*power)) != 0 {
				break
			}
		}
	}
	for ; i < n; i++ {
		level[0] += term(i)
	}
	for j := 1; j < levels; j++ {
		level[0] += level[j]
	}
	return level[0]
}

func ceilLog2(n int) int {
	if n <= 2 {
		return 1
	}
	return bits.Len(uint(n - 1))
}

// rowSum splits a row into four sums, element i going to sum i mod 4.
func rowSum(n int, term func(i int) float32) float32 {
	var parts [rowGroups]float32
	whole := n / rowGroups
	for k := range parts {
		parts[k] = cascade(whole, func(i int) float32 { return term(i*rowGroups + k) })
	}
	for i := whole * rowGroups; i < n; i++ {
		parts[0] += term(i)
	}
	for _, p := range parts[1:] {
		parts[0] += p
	}
	return parts[0]
}

// sum adds the terms of each element in float32 and rounds the result once: whole
// blocks of elements in the order of the terms, the elements after them by rowSum.
func sum(d mergesearch.DType, terms [][]float32) []float32 {
	n := len(terms[0])
	if n == 1 {
		x := make([]float32, len(terms))
		for i, t := range terms {
			x[i] = t[0]
		}
		return []float32{total(d, x)}
	}
	return each(d, n, func(e int) float32 {
		return acrossRows(d, e, n, len(terms), func(i int) float32 { return terms[i][e] })
	})
}

// acrossRows adds the terms of element e of n whose sums torch computes side by side.
func acrossRows(d mergesearch.DType, e, n, terms int, term func(i int) float32) float32 {
	inBlocks := n / block * block
	if n < vector(d) {
		inBlocks = n / rowGroups * rowGroups
	}
	if e < inBlocks {
		return cascade(terms, term)
	}
	return rowSum(terms, term)
}

// vector is how many numbers of a type torch loads at once.
func vector(d mergesearch.DType) int { return lanes * 4 / d.Size() }

// total adds all numbers of a vector in float32 and rounds once: each lane by
// itself, then what fills no vector, then the lanes.
func total(d mergesearch.DType, x []float32) float32 {
	width := vector(d)
	if len(x) < width {
		return number32(d, rowSum(len(x), func(i int) float32 { return x[i] }))
	}
	vectors := len(x) / width
	var s float32
	for _, v := range x[vectors*width:] {
		s += v
	}
	for lane := range lanes {
		s += rowSum(vectors, func(i int) float32 {
			v := x[i*width+lane]
			if width > lanes { // a 16-bit vector is two of float32
				v += x[i*width+lanes+lane]
			}
			return v
		})
	}
	return number32(d, s)
}

// norm is the Euclidean norm of a vector, summed in float32 lane by lane. Of what
// fills no vector, the last numbers are added with one rounding instead of two when
// they do not fill half a vector either. In float16 torch adds one after the other.
func norm(d mergesearch.DType, x []float32) float32 {
	if d == mergesearch.F16 {
		var s float32
		for _, v := range x {
			s += float32(v * v)
		}
		return number32(d, float32(math.Sqrt(float64(s))))
	}
	var acc [lanes]float32
	width := vector(d)
	whole := len(x) / width * width
	for i, v := range x[:whole] {
		acc[i%lanes] += float32(v * v)
	}
	for _, a := range acc[1:] {
		acc[0] += a
	}
	tail := x[whole:]
	half := len(tail) / 4 * 4
	for _, v := range tail[:half] {
		acc[0] += float32(v * v)
	}
	for _, v := range tail[half:] {
		acc[0] = fused(v, v, acc[0])
	}
	return number32(d, float32(math.Sqrt(float64(acc[0]))))
}

// fused is a*b + c with one rounding, except where float64 falls on the middle of
// two float32 numbers.
func fused(a, b, c float32) float32 {
	return float32(math.FMA(float64(a), float64(b), float64(c)))
}

// torchDot is torch's product of two vectors. In float32 it is that of the library
// under it on processors of AMD: sums of four lanes for each of four places in a
// block of 16, of two places for what is left, of one, and of single numbers.
// Shorter types are added in float64.
func torchDot(d mergesearch.DType, x, y []float32) float32 {
	if d != mergesearch.F32 {
		var s float64
		for e := range x {
			s += float64(x[e]) * float64(y[e])
		}
		return number32(d, float32(s))
	}
	const places, width = 4, 4
	var acc [places][width]float32
	e := 0
	for size := places; size > 0; size /= 2 {
		for e+size*width <= len(x) {
			for i := range size * width {
				acc[i/width][i%width] += float32(x[e] * y[e])
				e++
			}
		}
	}
	for ; e < len(x); e++ {
		acc[0][0] += float32(x[e] * y[e])
	}
	var s [width]float32
	for k := range s {
		s[k] = acc[0][k] + acc[1][k] + acc[2][k] + acc[3][k]
	}
	return (s[0] + s[2]) + (s[1] + s[3])
}

// number32 rounds one number to the type.
func number32(d mergesearch.DType, x float32) float32 { return rounded(d, []float32{x})[0] }
