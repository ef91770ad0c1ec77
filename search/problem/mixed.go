package problem

import (
	"maps"
	"slices"

	"mergesearch"
)

// Mixed is an objective over continuous coordinates, integer coordinates and
// choices, to be minimised. Its lowest cost is 0: continuous and integer
// coordinates at 0, all choices at option 0. Continuous coordinates lie in
// [-Bound, Bound], integers between -Levels and Levels.
type Mixed struct {
	Name    string
	Reals   int // continuous coordinates
	Ints    int // integer coordinates
	Levels  int
	Options []int // of each choice
	Bound   float64

	// Cost takes Reals continuous values, Ints whole ones and one option for each
	// choice.
	Cost func(x, z []float64, c []int) float64
}

// mixed are functions like those that CatCMA with margin was published with:
// Hamano et al. 2025 (arXiv 2504.07884).
var mixed = map[string]func(n int) Mixed{
	"sphere+onemax": func(n int) Mixed {
		return Mixed{Reals: n, Options: fives(n), Cost: func(x, _ []float64, c []int) float64 { return sphere(x) + zeroless(c) }}
	},
	"ellipsoid+leadingones": func(n int) Mixed {
		return Mixed{Reals: n, Options: fives(n), Cost: func(x, _ []float64, c []int) float64 { return quadratic(x, 1e6) + trailing(c) }}
	},
	"sphere+integers": func(n int) Mixed {
		return Mixed{Reals: n, Ints: n, Cost: func(x, z []float64, _ []int) float64 { return sphere(x) + sphere(z) }}
	},
	"sphere+integers+onemax": func(n int) Mixed {
		return Mixed{Reals: n, Ints: n, Options: fives(n), Cost: func(x, z []float64, c []int) float64 { return sphere(x) + sphere(z) + zeroless(c) }}
	},
	"ellipsoid+integers": func(n int) Mixed {
		return Mixed{Reals: n, Ints: n, Cost: func(x, z []float64, _ []int) float64 { return quadratic(slices.Concat(x, z), 1e4) }}
	},
}

// MixedNames lists the names that NewMixed knows.
func MixedNames() []string { return slices.Sorted(maps.Keys(mixed)) }

// NewMixed returns a mixed function with n coordinates of each of its kinds:
// choices of five options, integers from -10 to 10, continuous ones in [-5, 5].
// The error is an *InputError.
func NewMixed(name string, n int) (Mixed, error) {
	create, ok := mixed[name]
	if !ok || n < 1 {
		in := mergesearch.UnknownWord("function", name, MixedNames())
		in.Field = "problem"
		return Mixed{}, in
	}
	m := create(n)
	m.Name, m.Levels, m.Bound = name, 10, 5
	return m, nil
}

func fives(n int) []int {
	out := make([]int, n)
	for i := range out {
		out[i] = 5
	}
	return out
}

// zeroless counts the choices that are not at option 0.
func zeroless(c []int) float64 {
	n := 0
	for _, k := range c {
		if k != 0 {
			n++
		}
	}
	return float64(n)
}

// trailing counts the choices from the first one that is not at option 0.
func trailing(c []int) float64 {
	i := slices.IndexFunc(c, func(k int) bool { return k != 0 })
	if i < 0 {
		return 0
	}
	return float64(len(c) - i)
}
