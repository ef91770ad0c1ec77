package kernel

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"mergesearch"
)

// The reference: what each operation means, one element after the other, in
// plain Go. It is what every vector level, and a GPU, must equal bit for bit.
// Products are written float32(a*b), which forbids Go to fuse them with a sum.

// Load returns the elements of v as float32.
func Load(v View) []float32 {
	out := make([]float32, v.Len())
	for i := range out {
		switch v.DType {
		case mergesearch.BF16:
			out[i] = math.Float32frombits(uint32(binary.LittleEndian.Uint16(v.Data[2*i:])) << 16)
		case mergesearch.F16:
			out[i] = loadF16(binary.LittleEndian.Uint16(v.Data[2*i:]))
		case mergesearch.F32:
			out[i] = math.Float32frombits(binary.LittleEndian.Uint32(v.Data[4*i:]))
		case mergesearch.F64:
			out[i] = float32(math.Float64frombits(binary.LittleEndian.Uint64(v.Data[8*i:])))
		case mergesearch.F8E4M3:
			out[i] = loadF8E4M3(v.Data[i])
		case mergesearch.F8E5M2:
			out[i] = loadF16(uint16(v.Data[i]) << 8)
		default:
			panic(fmt.Sprintf("kernel: %s is not a floating type", v.DType))
		}
	}
	return out
}

func loadF16(h uint16) float32 {
	sign, exponent, fraction := float64(1), int(h>>10)&31, float64(h&1023)
	if h&0x8000 != 0 {
		sign = -1
	}
	switch exponent {
	case 31:
		if fraction != 0 {
			return math.Float32frombits(0x7fc00000)
		}
		return float32(math.Inf(int(sign)))
	case 0:
		return float32(math.Copysign(math.Ldexp(fraction, -24), sign))
	}
	return float32(sign * math.Ldexp(1024+fraction, exponent-25))
}

// loadF8E4M3 has no infinities: the largest exponent is one like the others, and
// NaN is the code of all ones.
func loadF8E4M3(h byte) float32 {
	sign, exponent, fraction := float64(1), int(h>>3)&15, float64(h&7)
	if h&0x80 != 0 {
		sign = -1
	}
	switch {
	case h&0x7f == 0x7f:
		return math.Float32frombits(0x7fc00000)
	case exponent == 0:
		return float32(math.Copysign(math.Ldexp(fraction, -9), sign))
	}
	return float32(sign * math.Ldexp(8+fraction, exponent-10))
}

// Store writes x to out, rounded to nearest even, and counts what is not finite
// after rounding.
func Store(out View, x []float32) Counts {
	var c Counts
	for i, f := range x {
		var inf, nan bool
		switch out.DType {
		case mergesearch.BF16:
			h := storeBF16(f)
			inf, nan = h&0x7fff == 0x7f80, h&0x7fff > 0x7f80
			binary.LittleEndian.PutUint16(out.Data[2*i:], h)
		case mergesearch.F16:
			h := storeF16(f)
			inf, nan = h&0x7fff == 0x7c00, h&0x7fff > 0x7c00
			binary.LittleEndian.PutUint16(out.Data[2*i:], h)
		case mergesearch.F32:
			inf, nan = math.IsInf(float64(f), 0), f != f
			binary.LittleEndian.PutUint32(out.Data[4*i:], canonical(f))
		case mergesearch.F64:
			inf, nan = math.IsInf(float64(f), 0), f != f
			d := math.Float64bits(float64(f))
			if nan {
				d = 0x7ff8000000000000
			}
			binary.LittleEndian.PutUint64(out.Data[8*i:], d)
		default:
			panic(fmt.Sprintf("kernel: %s is not a floating type", out.DType))
		}
		if inf {
			c.Inf++
		}
		if nan {
			c.NaN++
		}
	}
	return c
}

func canonical(f float32) uint32 {
	if f != f {
		return 0x7fc00000
	}
	return math.Float32bits(f)
}

func storeBF16(f float32) uint16 {
	if f != f {
		return 0x7fc0
	}
	u := math.Float32bits(f)
	h, rest := uint16(u>>16), u&0xffff
	if rest > 0x8000 || rest == 0x8000 && h&1 == 1 {
		h++ // the carry runs into the exponent, and from the largest number into infinity
	}
	return h
}

// storeF16 rounds the number in units of the spacing of float16 at its exponent.
func storeF16(f float32) uint16 {
	if f != f {
		return 0x7e00
	}
	sign := uint16(math.Float32bits(f) >> 16 & 0x8000)
	a := math.Abs(float64(f))
	if a >= 65520 {
		return sign | 0x7c00
	}
	if a == 0 {
		return sign
	}
	_, exponent := math.Frexp(a) // a = m * 2^exponent, m in [1/2, 1)
	unit := max(exponent-11, -24)
	n := uint16(math.RoundToEven(math.Ldexp(a, -unit)))
	if unit == -24 {
		return sign | n // also right when n reaches 1024, the smallest normal number
	}
	return sign | (uint16(unit+24)<<10 + n) // n in [1024, 2048] brings one unit of exponent of its own
}

// WeightedSumReference is Kernel.WeightedSum on float32.
func WeightedSumReference(in [][]float32, w []float32) []float32 {
	out := make([]float32, len(in[0]))
	for e := range out {
		sum := float32(w[0] * in[0][e])
		for i := 1; i < len(in); i++ {
			sum += float32(w[i] * in[i][e])
		}
		out[e] = sum
	}
	return out
}

// CombineReference is Kernel.Combine on float32 for a whole tensor; Model.Data of
// the task vectors is not used, x[i] holds the values of model i.
func CombineReference(base []float32, x [][]float32, models []TaskVector, c Consensus) []float32 {
	terms := make([][]float32, len(x))
	for i, m := range models {
		terms[i] = TaskVectorReference(base, x[i])
		for e := range terms[i] {
			if !m.keeps(e, terms[i][e]) {
				terms[i][e] = 0
			}
			terms[i][e] = m.factor() * terms[i][e]
		}
	}
	out := make([]float32, len(base))
	for e := range out {
		sum := terms[0][e]
		for i := 1; i < len(terms); i++ {
			sum += terms[i][e]
		}
		mixed := sum
		if c.Elect && sum == sum {
			var divisor float32
			mixed = 0
			for i, m := range models {
				if t := terms[i][e]; sum >= 0 && t > 0 || sum < 0 && t < 0 {
					mixed += t
					divisor += m.Weight
				}
			}
			if c.Normalize && divisor != 0 {
				mixed /= divisor
			}
		} else if c.Normalize {
			mixed /= c.Divisor
		}
		out[e] = base[e] + float32(c.Lambda*mixed)
	}
	return out
}

func (m TaskVector) keeps(e int, x float32) bool {
	switch m.Keep {
	case KeepMagnitude:
		return m.Trim.Keeps(e, x)
	case KeepBand:
		return m.Trim.Keeps(e, x) && !m.Drop.Keeps(e, x)
	case KeepRandom:
		return m.Mask.Keeps(e)
	case KeepBits:
		return bitSet(m.Bits, e)
	}
	return true
}

// Keeps reports whether element e, which is x, is among those described.
func (t Trim) Keeps(e int, x float32) bool {
	a := math.Float32bits(x) & 0x7fffffff
	return a > t.Threshold || a == t.Threshold && e < t.Cut
}

// TaskVectorReference returns x - base.
func TaskVectorReference(base, x []float32) []float32 {
	d := make([]float32, len(x))
	for e := range d {
		d[e] = x[e] - base[e]
	}
	return d
}

// SelectMagnitudeReference returns, by sorting, which k elements of d have the
// largest magnitudes, of equal ones those with the lowest numbers.
func SelectMagnitudeReference(d []float32, k int) []bool {
	order := make([]int, len(d))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(math.Float32bits(d[b])&0x7fffffff, math.Float32bits(d[a])&0x7fffffff)
	})
	kept := make([]bool, len(d))
	for _, e := range order[:min(max(k, 0), len(d))] {
		kept[e] = true
	}
	return kept
}

// Keeps reports whether the mask keeps element e.
func (m Mask) Keeps(e int) bool { return m.Draw(e) < m.KeepBelow }

// Draw returns the 32 bits drawn for element e. A block of 256 elements shares 16
// counters; native/keep.h says why a byte lies where it does.
func (m Mask) Draw(e int) uint32 {
	words := func(counter uint64) [4]uint32 {
		return PhiloxReference(
			[4]uint32{uint32(counter), uint32(counter >> 32), uint32(m.Stream), uint32(m.Stream >> 32)},
			[2]uint32{uint32(m.Key), uint32(m.Key >> 32)})
	}
	pair, half := e%256/2, e%2
	r, q := pair/16, pair%16
	upper := words(uint64(e/256*16 + q))[r/2] >> (8 * (2*(r%2) + half)) & 0xff
	return upper<<24 | words(uint64(e) | 1<<63)[0]>>8
}

// PhiloxReference is Philox4x32-7 (Salmon et al., SC 2011).
func PhiloxReference(c [4]uint32, key [2]uint32) [4]uint32 {
	for range 7 {
		p0, p1 := 0xD2511F53*uint64(c[0]), 0xCD9E8D57*uint64(c[2])
		c = [4]uint32{uint32(p1>>32) ^ c[1] ^ key[0], uint32(p1), uint32(p0>>32) ^ c[3] ^ key[1], uint32(p0)}
		key[0] += 0x9E3779B9
		key[1] += 0xBB67AE85
	}
	return c
}

// SumReference adds f(e) for e below n in the order of the fixed blocks, lanes
// and tree.
func SumReference(n int, f func(e int) float64) float64 {
	var sums []float64
	for from := 0; from < n; from += TileMultiple {
		var lane [16]float64
		for e := from; e < min(n, from+TileMultiple); e++ {
			lane[e%16] += f(e)
		}
		for half := 8; half > 0; half /= 2 {
			for j := range half {
				lane[j] += lane[j+half]
			}
		}
		sums = append(sums, lane[0])
	}
	return JoinSums(sums)
}
