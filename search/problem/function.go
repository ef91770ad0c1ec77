package problem

import "math/rand"

// Function is one objective, to be minimised.
type Function struct {
	Name string
	Dim  int

	// Lower and Upper bound the box that optimisers start in, the same for every
	// coordinate. Points outside are legal.
	Lower, Upper float64

	Optimum []float64 // where the cost is Best
	Best    float64   // the lowest cost

	cost  func(x []float64) float64                  // less Best
	noise func(cost float64, rng *rand.Rand) float64 // nil where there is none
	fence func(x []float64) float64                  // added after the noise; nil for none
}

// Cost returns the cost at x, which has Dim coordinates, without noise.
func (f Function) Cost(x []float64) float64 {
	return f.cost(x) + f.outside(x) + f.Best
}

// Observe returns the cost at x as an optimiser sees it. A noisy function draws
// from rng; others ignore it.
func (f Function) Observe(x []float64, rng *rand.Rand) float64 {
	if f.noise == nil {
		return f.Cost(x)
	}
	return f.noise(f.cost(x), rng) + f.outside(x) + f.Best
}

// Noisy reports whether observations differ from costs.
func (f Function) Noisy() bool { return f.noise != nil }

// Start draws a point of the box, uniformly.
func (f Function) Start(rng *rand.Rand) []float64 {
	x := make([]float64, f.Dim)
	for i := range x {
		x[i] = f.Lower + rng.Float64()*(f.Upper-f.Lower)
	}
	return x
}

func (f Function) outside(x []float64) float64 {
	if f.fence == nil {
		return 0
	}
	return f.fence(x)
}
