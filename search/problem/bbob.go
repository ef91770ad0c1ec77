package problem

import (
	"fmt"
	"math"
	"math/rand"
	"slices"
	"strconv"

	"mergesearch"
)

// BBOBNumbers lists the functions that BBOB makes: noiseless ones below 100,
// noisy ones above.
func BBOBNumbers() []int {
	return []int{1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 101, 103, 107}
}

// BBOB returns a function of the BBOB-2009 test bed in the given dimension, at
// least 2. The instance, from 1 on, moves the optimum, its cost and the rotations;
// the test bed's trials used instances 1 to 5, three times each. Optimisers start
// in [-4, 4]. The error is an *InputError.
func BBOB(number, dim, instance int) (Function, error) {
	if !slices.Contains(BBOBNumbers(), number) {
		return Function{}, &mergesearch.InputError{Field: "problem", Problem: fmt.Sprintf("no BBOB function %d", number), Hint: fmt.Sprint("one of ", BBOBNumbers())}
	}
	if dim < 2 || instance < 1 {
		return Function{}, &mergesearch.InputError{Field: "problem", Problem: fmt.Sprintf("BBOB function %d in dimension %d, instance %d", number, dim, instance), Hint: "at least 2 dimensions, instances from 1 on"}
	}
	seed := bbobSeed(number) + 10000*float64(instance)
	f := Function{
		Name: "f" + strconv.Itoa(number), Dim: dim, Lower: -4, Upper: 4,
		Best: bbobBest(seed), Optimum: bbobOptimum(seed, dim),
	}
	switch bbobSeed(number) {
	case 1:
		f.cost = shifted(f.Optimum, sphere)
	case 2:
		f.cost = shifted(f.Optimum, func(x []float64) float64 { return quadratic(oscillate(x), 1e6) })
	case 5:
		f.Optimum, f.cost = linearSlope(f.Optimum)
	case 6:
		f.cost = attractiveSector(seed, f.Optimum)
	case 7:
		f.cost = stepEllipsoid(seed, f.Optimum)
		f.fence = func(x []float64) float64 { return beyond(x) }
	case 8:
		scale(f.Optimum, 0.75)
		stretch := max(1, math.Sqrt(float64(dim))/8)
		f.cost = shifted(f.Optimum, func(x []float64) float64 { return rosenbrock(affine(x, stretch, 1)) })
	case 9:
		f.Optimum, f.cost = rotatedRosenbrock(seed, dim)
	case 10:
		r := rotation(seed+1e6, dim)
		f.cost = shifted(f.Optimum, func(x []float64) float64 { return quadratic(oscillate(r.times(x)), 1e6) })
	case 11:
		r := rotation(seed+1e6, dim)
		f.cost = shifted(f.Optimum, func(x []float64) float64 {
			y := oscillate(r.times(x))
			return sphere(y) + (1e6-1)*y[0]*y[0]
		})
	case 12:
		f.Optimum = bbobOptimum(seed+1e6, dim)
		r := rotation(seed+1e6, dim)
		f.cost = shifted(f.Optimum, func(x []float64) float64 {
			return bentCigar(r.times(skew(r.times(x), 0.5)))
		})
	case 13:
		m := scaledRotation(seed, dim, 10)
		f.cost = shifted(f.Optimum, func(x []float64) float64 {
			y := m.times(x)
			return y[0]*y[0] + 100*math.Sqrt(sphere(y[1:]))
		})
	case 14:
		r := rotation(seed+1e6, dim)
		f.cost = shifted(f.Optimum, func(x []float64) float64 { return math.Sqrt(powers(r.times(x), 4)) })
	}
	switch number {
	case 101:
		f.noise = gaussNoise(0.01)
	case 103:
		f.noise = cauchyNoise(0.01, 0.05)
	case 107:
		f.noise = gaussNoise(1)
	}
	if f.noise != nil {
		f.fence = func(x []float64) float64 { return 100 * beyond(x) }
	}
	return f, nil
}

// bbobSeed returns the seed of a function's instances: its number, or for a noisy
// one that of its noiseless twin.
func bbobSeed(number int) float64 {
	if number > 100 {
		return 1
	}
	return float64(number)
}

// bbobBest draws the optimal cost: a ratio of normals, in hundredths.
func bbobBest(seed float64) float64 {
	ratio := gaussians(1, seed)[0] / gaussians(1, seed+1)[0]
	return min(1000, max(-1000, math.RoundToEven(100*100*ratio)/100))
}

// bbobOptimum draws the optimum: uniform in [-4, 4], four digits, nowhere zero.
func bbobOptimum(seed float64, dim int) []float64 {
	x := uniforms(dim, seed)
	for i := range x {
		x[i] = 8*math.Floor(1e4*x[i])/1e4 - 4
		if x[i] == 0 {
			x[i] = -1e-5
		}
	}
	return x
}

func linearSlope(sign []float64) (optimum []float64, cost func([]float64) float64) {
	n := len(sign)
	optimum = make([]float64, n)
	slope := make([]float64, n)
	total := 0.0
	for i := range optimum {
		optimum[i] = math.Copysign(5, sign[i])
		slope[i] = math.Copysign(math.Pow(10, part(i, n)), -sign[i])
		total += 5 * math.Abs(slope[i])
	}
	return optimum, func(x []float64) float64 {
		sum := 0.0
		for i, v := range x {
			if v*optimum[i] > 25 { // beyond the optimum it stays flat
				v = optimum[i]
			}
			sum += v * slope[i]
		}
		return sum + total
	}
}

func attractiveSector(seed float64, optimum []float64) func([]float64) float64 {
	m := scaledRotation(seed, len(optimum), 10)
	return shifted(optimum, func(x []float64) float64 {
		y := m.times(x)
		for i := range y {
			if y[i]*optimum[i] > 0 {
				y[i] *= 100
			}
		}
		return math.Pow(oscillated(sphere(y)), 0.9)
	})
}

func stepEllipsoid(seed float64, optimum []float64) func([]float64) float64 {
	n := len(optimum)
	r := rotation(seed+1e6, n)
	m := rotation(seed, n)
	for i := range n {
		for j := range n {
			m.at[i*n+j] *= math.Pow(10, part(j, n)/2)
		}
	}
	return shifted(optimum, func(x []float64) float64 {
		y := m.times(x)
		first := y[0]
		for i, v := range y {
			if math.Abs(v) > 0.5 {
				y[i] = math.RoundToEven(v)
			} else {
				y[i] = math.RoundToEven(10*v) / 10
			}
		}
		return 0.1 * max(1e-4*math.Abs(first), quadratic(r.times(y), 100))
	})
}

func rotatedRosenbrock(seed float64, dim int) (optimum []float64, cost func([]float64) float64) {
	stretch := max(1, math.Sqrt(float64(dim))/8)
	r := rotation(seed, dim)
	scale(r.at, stretch)
	optimum = make([]float64, dim)
	for i := range optimum {
		for j := range dim {
			optimum[i] += 0.5 * r.at[i*dim+j] / (stretch * stretch)
		}
	}
	return optimum, func(x []float64) float64 { return rosenbrock(affine(r.times(x), 1, 0.5)) }
}

// gaussNoise multiplies a cost by a log-normal factor. Costs below the target
// precision are seen as they are, by all three models of noise.
func gaussNoise(beta float64) func(float64, *rand.Rand) float64 {
	return func(cost float64, rng *rand.Rand) float64 {
		factor := math.Exp(beta * rng.NormFloat64())
		if cost < 1e-8 {
			return cost
		}
		return cost*factor + 1.01e-8
	}
}

// cauchyNoise adds an outlier with probability p.
func cauchyNoise(alpha, p float64) func(float64, *rand.Rand) float64 {
	return func(cost float64, rng *rand.Rand) float64 {
		u, a, b := rng.Float64(), rng.NormFloat64(), rng.NormFloat64()
		if cost < 1e-8 {
			return cost
		}
		outlier := 0.0
		if u < p {
			outlier = a / (math.Abs(b) + 1e-199)
		}
		return cost + alpha*max(0, 1e3+outlier) + 1.01e-8
	}
}

// matrix is square, in row order.
type matrix struct {
	n  int
	at []float64
}

// times returns the row vector x times the matrix.
func (m matrix) times(x []float64) []float64 {
	out := make([]float64, m.n)
	for i, v := range x {
		for j, r := range m.at[i*m.n : (i+1)*m.n] {
			out[j] += v * r
		}
	}
	return out
}

// rotation draws normal rows and makes them orthonormal, one after the other.
func rotation(seed float64, dim int) matrix {
	m := matrix{dim, gaussians(dim*dim, seed)}
	for i := range dim {
		row := m.at[i*dim : (i+1)*dim]
		for j := range i {
			other := m.at[j*dim : (j+1)*dim]
			dot := 0.0
			for k := range row {
				dot += row[k] * other[k]
			}
			for k := range row {
				row[k] -= dot * other[k]
			}
		}
		scale(row, 1/math.Sqrt(sphere(row)))
	}
	return m
}

// scaledRotation returns rotation, axes scaled up to the root of the condition
// number, and another rotation, as one matrix.
func scaledRotation(seed float64, dim int, condition float64) matrix {
	first, second := rotation(seed, dim), rotation(seed+1e6, dim)
	out := matrix{dim, make([]float64, 0, dim*dim)}
	for i := range dim {
		row := first.at[i*dim : (i+1)*dim]
		for j := range row {
			row[j] *= math.Pow(condition, part(j, dim)/2)
		}
		out.at = append(out.at, second.times(row)...)
	}
	return out
}

// oscillated is T_osz of one number: a monotone map with small irregular waves.
func oscillated(v float64) float64 {
	if v == 0 {
		return 0
	}
	c1, c2 := 1.0, 0.79
	if v < 0 {
		c1, c2 = 0.55, 0.31
	}
	w := math.Log(math.Abs(v)) / 0.1
	return math.Copysign(math.Exp(0.1*(w+0.49*(math.Sin(c1*w)+math.Sin(c2*w)))), v)
}

// oscillate applies T_osz to every coordinate of x, in place.
func oscillate(x []float64) []float64 {
	for i, v := range x {
		x[i] = oscillated(v)
	}
	return x
}

// skew is T_asy, in place: positive coordinates are raised to growing powers.
func skew(x []float64, beta float64) []float64 {
	for i, v := range x {
		if v > 0 {
			x[i] = math.Pow(v, 1+beta*part(i, len(x))*math.Sqrt(v))
		}
	}
	return x
}

// beyond is the squared distance to the box [-5, 5].
func beyond(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		if out := math.Abs(v) - 5; out > 0 {
			sum += out * out
		}
	}
	return sum
}

// shifted returns f with its origin moved; f may write to its argument.
func shifted(origin []float64, f func([]float64) float64) func([]float64) float64 {
	return func(x []float64) float64 {
		y := make([]float64, len(x))
		for i := range y {
			y[i] = x[i] - origin[i]
		}
		return f(y)
	}
}

// gaussians returns n normal numbers by Box and Muller, nowhere zero.
func gaussians(n int, seed float64) []float64 {
	u := uniforms(2*n, seed)
	g := make([]float64, n)
	for i := range g {
		g[i] = math.Sqrt(-2*math.Log(u[i])) * math.Cos(2*math.Pi*u[n+i])
		if g[i] == 0 {
			g[i] = 1e-99
		}
	}
	return g
}

// uniforms returns n numbers of the test bed's own generator: that of Park and
// Miller with the shuffle of Bays and Durham over 32 numbers.
func uniforms(n int, seed float64) []float64 {
	state := max(1, int64(math.Abs(seed)))
	next := func() int64 {
		state = 16807*(state%127773) - 2836*(state/127773)
		if state < 0 {
			state += math.MaxInt32
		}
		return state
	}
	var table [32]int64
	for i := 39; i >= 0; i-- {
		if v := next(); i < len(table) {
			table[i] = v
		}
	}
	last := table[0]
	out := make([]float64, n)
	for i := range out {
		v := next()
		slot := last / 67108865
		last, table[slot] = table[slot], v
		out[i] = float64(last) / math.MaxInt32
		if out[i] == 0 {
			out[i] = 1e-99
		}
	}
	return out
}
