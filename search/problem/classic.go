package problem

import (
	"fmt"
	"maps"
	"math"
	"slices"

	"mergesearch"
)

// classics are functions without rotation or disguise, with the optimum at the
// origin (rosenbrock: at one) and cost 0 there.
var classics = map[string]func(x []float64) float64{
	"sphere":           sphere,
	"ellipsoid":        func(x []float64) float64 { return quadratic(x, 1e6) },
	"rosenbrock":       rosenbrock,
	"bent cigar":       bentCigar,
	"different powers": func(x []float64) float64 { return powers(x, 10) },
}

// Classics lists the names that Classic knows.
func Classics() []string { return slices.Sorted(maps.Keys(classics)) }

// Classic returns a plain function: sphere; ellipsoid, with axis ratio 1000;
// rosenbrock; bent cigar, with condition 1e6; different powers, with exponents 2
// to 12. Optimisers start in [1, 5], at least 2 dimensions. The error is an
// *InputError.
func Classic(name string, dim int) (Function, error) {
	cost, ok := classics[name]
	if !ok {
		in := mergesearch.UnknownWord("function", name, Classics())
		in.Field = "problem"
		return Function{}, in
	}
	if dim < 2 {
		return Function{}, &mergesearch.InputError{Field: "problem", Problem: fmt.Sprintf("%s in dimension %d", name, dim), Hint: "at least 2 dimensions"}
	}
	f := Function{Name: name, Dim: dim, Lower: 1, Upper: 5, Optimum: make([]float64, dim), cost: cost}
	if name == "rosenbrock" {
		f.Optimum = affine(f.Optimum, 1, 1)
	}
	return f, nil
}

func sphere(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v * v
	}
	return sum
}

// quadratic weighs the squares from 1 to condition.
func quadratic(x []float64, condition float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += math.Pow(condition, part(i, len(x))) * v * v
	}
	return sum
}

func rosenbrock(x []float64) float64 {
	sum := 0.0
	for i, v := range x[:len(x)-1] {
		a, b := v*v-x[i+1], v-1
		sum += 100*a*a + b*b
	}
	return sum
}

func bentCigar(x []float64) float64 { return x[0]*x[0] + 1e6*sphere(x[1:]) }

// powers sums exponents from 2 to 2 + more.
func powers(x []float64, more float64) float64 {
	sum := 0.0
	for i, v := range x {
		sum += math.Pow(math.Abs(v), 2+more*part(i, len(x)))
	}
	return sum
}

// part returns i/(n-1), where coordinate i of n stands between 0 and 1.
func part(i, n int) float64 {
	if n == 1 {
		return 0
	}
	return float64(i) / float64(n-1)
}

// scale multiplies x by a, in place.
func scale(x []float64, a float64) {
	for i := range x {
		x[i] *= a
	}
}

// affine returns a*x + b.
func affine(x []float64, a, b float64) []float64 {
	y := make([]float64, len(x))
	for i, v := range x {
		y[i] = a*v + b
	}
	return y
}
