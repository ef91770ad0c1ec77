package kernel

import (
	"cmp"
	"math"
	"slices"
)

// The reference of operations on groups, as plain as those in reference.go.
// Products are written float32(a*b) or float64(a*b), which forbids Go to fuse them
// with a sum.

// deltas returns the task vectors, or the models themselves where there is no base.
func deltas(base []float32, x [][]float32) [][]float32 {
	if base == nil {
		return x
	}
	var out [][]float32
	for _, m := range x {
		out = append(out, TaskVectorReference(base, m))
	}
	return out
}

// element returns the number of element e of line l.
func (l Lines) element(line, e int) int {
	if l.Columns {
		return e*l.Count + line
	}
	return line*l.Length + e
}

// line returns the line of element e of the tensor.
func (l Lines) line(e int) int {
	if l.Columns {
		return e % l.Count
	}
	return e / l.Length
}

// ProductsReference is Kernel.Products.
func ProductsReference(base []float32, x [][]float32, l Lines) []Gram {
	d := deltas(base, x)
	out := make([]Gram, l.Count)
	for line := range out {
		out[line] = NewGram(len(d), func(i, j int) float64 {
			product := func(e int) float64 {
				at := l.element(line, e)
				return float64(float64(d[i][at]) * float64(d[j][at]))
			}
			if l.Columns {
				return sumDown(l.Length, product)
			}
			return SumReference(l.Length, product)
		})
	}
	return out
}

// sumDown adds f(e) in order within blocks, and joins the blocks by the tree.
func sumDown(n int, f func(e int) float64) float64 {
	var sums []float64
	for from := 0; from < n; from += TileMultiple {
		var sum float64
		for e := from; e < min(n, from+TileMultiple); e++ {
			sum += f(e)
		}
		sums = append(sums, sum)
	}
	return JoinSums(sums)
}

// CombineLinesReference is Kernel.CombineLines on float32.
func CombineLinesReference(base []float32, x [][]float32, l Lines, weights []float32) []float32 {
	d := deltas(base, x)
	out := make([]float32, len(d[0]))
	for e := range out {
		sum := float32(weights[l.line(e)] * d[0][e])
		for i := 1; i < len(d); i++ {
			sum += float32(weights[i*l.Count+l.line(e)] * d[i][e])
		}
		if base != nil {
			sum = base[e] + sum
		}
		out[e] = sum
	}
	return out
}

// NearswapReference is Kernel.Nearswap on float32.
func NearswapReference(base, x []float32, t float32) []float32 {
	step, slope, limit := nearswapSteps(t)
	out := make([]float32, len(x))
	for e, a := range base {
		b := x[e]
		d := b - a
		size := float32(math.Abs(float64(d)))
		switch {
		case size <= limit:
			out[e] = b
		case size < 1e-6:
			out[e] = a + float32(slope*d)
		default: // d - d is zero, or no number
			out[e] = a + (float32(math.Copysign(float64(step), float64(d))) + (d - d))
		}
	}
	return out
}

// DivergenceReference is Kernel.Divergence on float32.
func DivergenceReference(base, x []float32, l Lines) []float32 {
	out := make([]float32, l.Count)
	for row := range out {
		a, b := x[row*l.Length:(row+1)*l.Length], base[row*l.Length:(row+1)*l.Length]
		p, q := softmax(a), softmax(b)
		sum := SumReference(len(a), func(e int) float64 {
			return float64(p(e) * logarithm(p(e)/q(e)))
		})
		if sum < 0 {
			sum = 0
		}
		out[row] = float32(sum)
	}
	return out
}

// softmax returns softmax(x) + 1e-8 as a function of the element.
func softmax(x []float32) func(e int) float64 {
	if len(x) == 0 {
		return nil
	}
	top := x[0]
	for _, v := range x {
		if v > top {
			top = v
		}
	}
	power := func(e int) float64 { return exponential(float64(x[e]) - float64(top)) }
	share := 1 / SumReference(len(x), power)
	return func(e int) float64 { return float64(power(e)*share) + 1e-8 }
}

// exponential is native/exponential.h in Go.
func exponential(x float64) float64 {
	if x < -700 {
		x = -700
	}
	shifted := float64(x*0x1.71547652b82fep+0) + 0x1.8p52
	k := shifted - 0x1.8p52
	r := (x - float64(k*0x1.62e42fefa0000p-1)) - float64(k*0x1.cf79abc9e3b3ap-40)
	r2 := float64(r * r)
	r4 := float64(r2 * r2)
	pair := func(a, b float64) float64 { return a + float64(r*b) }
	a, b, c, d := pair(1, 1), pair(1.0/2, 1.0/6), pair(1.0/24, 1.0/120), pair(1.0/720, 1.0/5040)
	e, f, g := pair(1.0/40320, 1.0/362880), pair(1.0/3628800, 1.0/39916800), pair(1.0/479001600, 1.0/6227020800.0)
	high := (e + float64(r2*f)) + float64(r4*g)
	series := (a + float64(r2*b)) + float64(r4*((c+float64(r2*d))+float64(r4*high)))
	return series * math.Float64frombits((math.Float64bits(shifted)+1023)<<52)
}

// logarithm is native/exponential.h in Go.
func logarithm(x float64) float64 {
	shifted := math.Float64bits(x) + (0x3ff0000000000000 - 0x3fe6a09e00000000)
	k := math.Float64frombits(shifted>>52|0x4330000000000000) - (0x1p52 + 1023)
	m := math.Float64frombits(shifted&0x000fffffffffffff + 0x3fe6a09e00000000)
	s := (m - 1) / (m + 1)
	z := float64(s * s)
	z2 := float64(z * z)
	z4 := float64(z2 * z2)
	pair := func(a, b float64) float64 { return a + float64(z*b) }
	a, b, c := pair(1.0/3, 1.0/5), pair(1.0/7, 1.0/9), pair(1.0/11, 1.0/13)
	d, e := pair(1.0/15, 1.0/17), pair(1.0/19, 1.0/21)
	series := (a + float64(z2*b)) + float64(z4*((c+float64(z2*d))+float64(z4*e)))
	return float64(k*0x1.62e42fefa39efp-1) + (float64(2*s) + float64(float64(2*s)*float64(z*series))) + float64(0*x)
}

// ImportanceReference is the score of a model for fusing.
func ImportanceReference(base, x []float32, l Lines, divergence []float32) []float32 {
	out := TaskVectorReference(base, x)
	for e, d := range out {
		out[e] = float32(math.Abs(float64(d))) * divergence[l.line(e)]
	}
	return out
}

// VarianceReference is the variance of task vectors at each element, times the
// number of models.
func VarianceReference(base []float32, x [][]float32) []float32 {
	d := deltas(base, x)
	share := 1 / float32(len(d))
	out := make([]float32, len(base))
	for e := range out {
		var sum, squares float32
		for _, m := range d {
			sum += m[e] - d[0][e]
		}
		mean := float32(sum * share)
		for _, m := range d {
			apart := (m[e] - d[0][e]) - mean
			squares += float32(apart * apart)
		}
		out[e] = squares
	}
	return out
}

// SortedReference returns the bits of scores in ascending order, by sorting, NaN
// last.
func SortedReference(scores []float32) []uint32 {
	out := make([]uint32, len(scores))
	for e, s := range scores {
		out[e] = canonical(s) & 0x7fffffff
	}
	slices.SortFunc(out, func(a, b uint32) int { return cmp.Compare(a, b) })
	return out
}

// FuseReference is Kernel.Fuse on float32.
func FuseReference(base, x []float32, l Lines, divergence []float32, threshold float32) []float32 {
	score := ImportanceReference(base, x, l, divergence)
	out := make([]float32, len(x))
	for e := range out {
		if score[e] < threshold {
			out[e] = base[e] + 0
		} else {
			out[e] = base[e] + (x[e] - base[e])
		}
	}
	return out
}

// SquaresReference is Kernel.Squares; keep says which elements count.
func SquaresReference(base []float32, x [][]float32, keep []bool) []float64 {
	var out []float64
	for _, d := range deltas(base, x) {
		out = append(out, SumReference(len(d), func(e int) float64 {
			if !keep[e] {
				return 0
			}
			return float64(float64(d[e]) * float64(d[e]))
		}))
	}
	return out
}

// SCEReference is Kernel.SCE on float32.
func SCEReference(base []float32, x [][]float32, keep []bool, c []float32) []float32 {
	d := deltas(base, x)
	out := make([]float32, len(base))
	for e := range out {
		var term []float32
		for i := range d {
			if keep[e] {
				term = append(term, d[i][e])
			} else {
				term = append(term, 0)
			}
		}
		sum := term[0]
		for _, t := range term[1:] {
			sum += t
		}
		var mixed, weights float32
		for i, t := range term {
			if sum >= 0 && t > 0 || sum < 0 && t < 0 {
				mixed += float32(c[i] * t)
				weights += c[i]
			}
		}
		mixed /= max(weights, 1e-6)
		if sum != sum {
			mixed = sum
		}
		out[e] = base[e] + mixed
	}
	return out
}

// active reports whether an element of a task vector counts; NaN does.
func active(d, epsilon float32) bool { return !(float32(math.Abs(float64(d))) <= epsilon) }

// countAt returns how many task vectors are active at element e.
func countAt(d [][]float32, e int, epsilon float32) int {
	n := 0
	for i := range d {
		if active(d[i][e], epsilon) {
			n++
		}
	}
	return n
}

// CountActiveReference is Kernel.CountActive.
func CountActiveReference(base []float32, x [][]float32, epsilon float32) []Active {
	d := deltas(base, x)
	out := make([]Active, len(d))
	for e := range base {
		n := countAt(d, e, epsilon)
		for i := range d {
			switch {
			case !active(d[i][e], epsilon):
			case n == 1:
				out[i].Alone++
			default:
				out[i].Shared++
			}
		}
	}
	return out
}

// RAMReference is Kernel.RAM on float32.
func RAMReference(base []float32, x [][]float32, epsilon float32, alone []float32) []float32 {
	d := deltas(base, x)
	out := make([]float32, len(base))
	for e := range out {
		factor := 1 / float32(max(1, countAt(d, e, epsilon)))
		var sum float32
		for i := range d {
			if active(d[i][e], epsilon) {
				sum += d[i][e]
				if factor == 1 && alone != nil {
					factor = alone[i]
				}
			}
		}
		out[e] = base[e] + float32(sum*factor)
	}
	return out
}
