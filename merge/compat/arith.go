package compat

import (
	"math"

	"mergesearch"
)

// arith is torch's arithmetic on vectors of one type: each operation computes in
// float32 and rounds its result. A vector of one number goes with any other, as a
// tensor without dimensions does.
type arith struct{ d mergesearch.DType }

func (o arith) op(x, y []float32, f func(a, b float32) float32) []float32 {
	return each(o.d, max(len(x), len(y)), func(e int) float32 { return f(x[e%len(x)], y[e%len(y)]) })
}

func (o arith) add(x, y []float32) []float32 {
	return o.op(x, y, func(a, b float32) float32 { return a + b })
}

func (o arith) sub(x, y []float32) []float32 {
	return o.op(x, y, func(a, b float32) float32 { return a - b })
}

func (o arith) mul(x, y []float32) []float32 {
	return o.op(x, y, func(a, b float32) float32 { return a * b })
}

func (o arith) div(x, y []float32) []float32 {
	return o.op(x, y, func(a, b float32) float32 { return a / b })
}

// scale multiplies by a number of Python, which is not rounded to the type.
func (o arith) scale(k float64, x []float32) []float32 { return o.mul(one(float32(k)), x) }

// of applies a function computed in float64 and rounded to float32, then to the type.
func (o arith) of(f func(float64) float64, x []float32) []float32 {
	return each(o.d, len(x), func(e int) float32 { return float32(f(float64(x[e]))) })
}

// clamp puts bounds, rounded to the type, on each number; not a number stays.
func (o arith) clamp(x []float32, low, high float64) []float32 {
	l, h := number(o.d, low), number(o.d, high)
	return each(o.d, len(x), func(e int) float32 { return min(max(x[e], l), h) })
}

// atLeast is clamp without an upper bound.
func (o arith) atLeast(x []float32, low float64) []float32 { return o.clamp(x, low, math.Inf(1)) }

// dot is the sum of the rounded products.
func (o arith) dot(x, y []float32) []float32 { return one(total(o.d, o.mul(x, y))) }

func (o arith) norm(x []float32) []float32 { return one(norm(o.d, x)) }

func one(x float32) []float32 { return []float32{x} }

// rowLength is the length of the last dimension; a tensor without a shape is one row.
func (in Input) rowLength() int {
	if len(in.Shape) == 0 {
		return len(in.Models[0])
	}
	return in.Shape[len(in.Shape)-1]
}

// rows calls f for the part of every vector that is row number r, and joins what it
// returns.
func rows(n, length int, f func(from, to int) []float32) []float32 {
	out := make([]float32, 0, n)
	for from := 0; from < n; from += length {
		out = append(out, f(from, from+length)...)
	}
	return out
}
