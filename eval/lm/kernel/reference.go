package kernel

import (
	"encoding/binary"
	"math"

	"mergesearch"
)

// The slow and obvious twins of the operations. Every float32 operation is
// rounded on its own: the explicit conversions keep the compiler from fusing.

// ReferenceFMA returns a*b + c rounded once to float32. The product of two
// float32 is exact in float64; the sum is made odd where it is inexact, so that
// rounding it again to float32 gives what a single rounding would (Boldo and
// Melquiond 2008).
func ReferenceFMA(a, b, c float32) float32 {
	p, z := float64(a)*float64(b), float64(c)
	s := p + z
	if math.IsInf(s, 0) || math.IsNaN(s) {
		return float32(s)
	}
	t := s - p
	err := (p - (s - t)) + (z - t) // of the sum, exactly (Knuth's TwoSum)
	if bits := math.Float64bits(s); err != 0 && bits&1 == 0 {
		if (err > 0) == (s > 0) {
			bits++
		} else {
			bits--
		}
		s = math.Float64frombits(bits)
	}
	return float32(s)
}

// ReferenceMatMul is MatMul for an unpacked w[n][k].
func ReferenceMatMul(out, x, w, bias []float32, add bool, m, n, k int) {
	for r := range m {
		for c := range n {
			var s float32
			for i := range k {
				s = ReferenceFMA(x[r*k+i], w[c*k+i], s)
			}
			if bias != nil {
				s += bias[c]
			}
			if add {
				s = out[r*n+c] + s
			}
			out[r*n+c] = s
		}
	}
}

// ReferenceSum adds terms in 16 lanes and joins them by the tree.
func ReferenceSum(terms []float32) float32 {
	var lanes [16]float32
	for i, t := range terms {
		lanes[i%16] += t
	}
	for h := 8; h > 0; h /= 2 {
		for l := range h {
			lanes[l] += lanes[l+h]
		}
	}
	return lanes[0]
}

// ReferenceRMSNorm is RMSNorm of one row.
func ReferenceRMSNorm(out, x, w []float32, eps float32) {
	squares := make([]float32, len(x))
	for i, v := range x {
		squares[i] = v * v
	}
	mean := ReferenceSum(squares) / float32(len(x))
	scale := 1 / float32(math.Sqrt(float64(mean+eps)))
	for i, v := range x {
		out[i] = w[i] * float32(v*scale)
	}
}

// ReferenceExp is Exp of one number.
func ReferenceExp(x float32) float32 {
	if x < -87 {
		x = -87
	}
	if x > 88 {
		x = 88
	}
	if x != x {
		return x
	}
	const magic = 12582912
	shifted := float32(x*1.44269504088896341) + magic
	n := shifted - magic
	r := x - float32(n*0.693359375)
	r -= float32(n * -2.12194440e-4)
	y := float32(1.9875691500e-4)
	for _, c := range [...]float32{1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1} {
		y = float32(y*r) + c
	}
	y = float32(y*float32(r*r)) + r
	y += 1
	return y * float32(math.Ldexp(1, int(n)))
}

// ReferenceSiLUMul is SiLUMul of one pair.
func ReferenceSiLUMul(gate, up float32) float32 {
	return gate / (1 + ReferenceExp(-gate)) * up
}

// ReferenceLogitStats is FoldLogits of one row.
func ReferenceLogitStats(logits []float32) LogitStats {
	s := LogitStats{Max: logits[0]}
	for i, l := range logits {
		if l > s.Max {
			s.Max, s.Best = l, int32(i)
		}
	}
	var lanes [16]float64
	for i, l := range logits {
		lanes[i%16] += float64(ReferenceExp(l - s.Max))
	}
	for h := 8; h > 0; h /= 2 {
		for l := range h {
			lanes[l] += lanes[l+h]
		}
	}
	s.Sum = lanes[0]
	if math.IsNaN(s.Sum) {
		s.Max = float32(math.NaN())
	}
	return s
}

// ReferenceRotary turns one head by an angle for each pair: cosines and sines
// have half the elements of x.
func ReferenceRotary(out, x, cosines, sines []float32) {
	half := len(x) / 2
	for i := range half {
		a, b := x[i], x[i+half]
		out[i] = float32(a*cosines[i]) - float32(b*sines[i])
		out[i+half] = float32(b*cosines[i]) + float32(a*sines[i])
	}
}

// ReferenceAttention is one query head against keys and values of its context.
func ReferenceAttention(out, q []float32, keys, values [][]float32, scale float32) {
	scores := make([]float32, len(keys))
	products := make([]float32, len(q))
	for j, k := range keys {
		for i := range q {
			products[i] = q[i] * k[i]
		}
		scores[j] = ReferenceSum(products) * scale
	}
	top := scores[0]
	for _, s := range scores {
		top = max(top, s)
	}
	for j := range scores {
		scores[j] = ReferenceExp(scores[j] - top)
	}
	sum := ReferenceSum(scores)
	for i := range out {
		var acc float32
		for j, v := range values {
			acc += float32(scores[j] * v[i])
		}
		out[i] = acc / sum
	}
}

// ReferenceWiden converts one element of a checkpoint.
func ReferenceWiden(src []byte, dtype mergesearch.DType) float32 {
	switch dtype {
	case mergesearch.BF16:
		return math.Float32frombits(uint32(binary.LittleEndian.Uint16(src)) << 16)
	case mergesearch.F32:
		return math.Float32frombits(binary.LittleEndian.Uint32(src))
	case mergesearch.F16:
		h := binary.LittleEndian.Uint16(src)
		sign, exponent, fraction := 1-2*float64(h>>15), int(h>>10&31), float64(h&1023)
		switch exponent {
		case 0:
			return float32(math.Copysign(math.Ldexp(fraction, -24), sign))
		case 31:
			if fraction == 0 {
				return float32(math.Inf(int(sign)))
			}
			return float32(math.NaN())
		}
		return float32(sign * math.Ldexp(1024+fraction, exponent-25))
	}
	panic("kernel: elements of type " + string(dtype))
}
