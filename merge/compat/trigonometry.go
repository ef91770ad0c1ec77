package compat

import (
	"math"

	"mergesearch"
)

// The arc cosine, sine and cosine of float32 numbers as torch computes them on x86:
// neither rounded to the nearest nor those of SLEEF, but of MKL's vector mathematics
// (aten/src/ATen/cpu/vml.h), whose source is closed. What stands here was found by
// comparing formulas with its results (2024.2, a processor of AMD): the coefficients
// of the arc sine are those that Intel publishes in its graphics compiler (MIT,
// intel-graphics-compiler, IMF/FP32/acos_s_la.cl), those of the sine are fitted to
// results; rounded to float32 they are the published ones (sin_s_noLUT.cl).
//
// docs/peers/mergekit/trigonometry.py compares: the sine and the cosine differ in 3
// of a million numbers. The arc cosine is equal in all up to 1/2; above, MKL starts
// from the processor's approximate reciprocal root, and 2 of ten thousand differ.
// All differences are of one unit.

var (
	arcSineCoefficients = [5]float32{
		math.Float32frombits(0x3e2aaaff), math.Float32frombits(0x3d997c12), math.Float32frombits(0x3d3a9ab4),
		math.Float32frombits(0x3cc32a6b), math.Float32frombits(0x3d2edc07),
	}
	sineCoefficients = [4]float64{-0.16666659550564267, 0.008333066249193905, -0.00019809603118188608, 2.6057810962130975e-06}
)

// acos returns the arc cosines of numbers from -1 to 1.
func (o arith) acos(x []float32) []float32 { return o.trigonometry(acos32, math.Acos, x) }

func (o arith) sin(x []float32) []float32 { return o.trigonometry(sin32, math.Sin, x) }

func (o arith) cos(x []float32) []float32 { return o.trigonometry(cos32, math.Cos, x) }

// trigonometry takes torch's function in float32 and the exact one in shorter types,
// whose rounding hides the difference.
func (o arith) trigonometry(torch func(float32) float32, exact func(float64) float64, x []float32) []float32 {
	if o.d != mergesearch.F32 {
		return o.of(exact, x)
	}
	return each(o.d, len(x), func(e int) float32 { return torch(x[e]) })
}

// acos32 is pi/2 minus the arc sine of x, or where x is above 1/2, twice the arc sine
// of sqrt((1 - x)/2), and below -1/2 pi minus that of -x. Constants come in two parts.
// The root is cut to 11 bits, so that its rest is added to the polynomial.
func acos32(x float32) float32 {
	const half, halfRest = math.Pi / 2, math.Pi/2 - float64(float32(math.Pi/2))
	size := max(x, -x)
	if size <= .5 {
		return float32(half) - (x + (float32(arcSineTerms(x*x)*x) - float32(halfRest)))
	}
	z := (1 - size) * .5
	root := math.Sqrt(float64(z))
	high := math.Float32frombits(math.Float32bits(float32(root)) &^ (1<<13 - 1))
	rest := 2 * float32(root-float64(high))
	terms := 2 * float32(arcSineTerms(z)*float32(root))
	if x > 0 {
		return 2*high + (rest + terms)
	}
	return float32(math.Pi) - (2*high + (terms + (rest - float32(2*halfRest))))
}

// arcSineTerms returns asin(x)/x - 1 for z = x*x.
func arcSineTerms(z float32) float32 {
	c := &arcSineCoefficients
	p := float32(float32(float32(c[4]*z)+c[3])*float32(z*z)) + (float32(c[2]*z) + c[1])
	return float32(z * (float32(p*z) + c[0]))
}

// maxReduced is the largest angle that MKL reduces so; what it does beyond is not known.
const maxReduced = 10000

func sin32(x float32) float32 {
	if !(max(x, -x) <= maxReduced) || x == 0 {
		return float32(math.Sin(float64(x)))
	}
	return sineOf(float64(x), math.RoundToEven(float64(x)/math.Pi), 0)
}

func cos32(x float32) float32 {
	if !(max(x, -x) <= maxReduced) {
		return float32(math.Cos(float64(x)))
	}
	return sineOf(float64(x), math.RoundToEven(float64(x)/math.Pi-.5)+1, -.5)
}

// sineOf returns the sine of x minus half turns, which are at most pi/2 apart with
// the shift, in float64: the sign is that of the number of half turns.
func sineOf(x, halfTurns, shift float64) float32 {
	// pi in two parts, of which the first has 30 bits.
	const high = 3.1415926534682512
	const low = math.Pi - high
	n := halfTurns + shift
	r := float64(float64(x-n*high) - float64(n*low))
	z := r * r
	c := &sineCoefficients
	p := c[0] + float64(z*(c[1]+float64(z*(c[2]+float64(z*c[3])))))
	s := r + float64(float64(r*z)*p)
	if int(halfTurns)%2 != 0 {
		s = -s
	}
	return float32(s)
}
