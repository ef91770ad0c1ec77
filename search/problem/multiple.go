package problem

import (
	"math"

	"mergesearch"
)

// Multiple is a function with several objectives and a known front. Its variables
// lie in the unit cube; problems with another box are stretched to it.
type Multiple struct {
	Name       string
	Variables  int
	Objectives int

	// Costs returns the published values at a point of the cube, lower is better.
	Costs func(x []float64) []float64

	// Front returns a point of the Pareto set for each t in [0, 1]^(Objectives-1).
	// Where the published front is a part of its curve, so is what is not dominated
	// of these.
	Front func(t []float64) []float64

	// Hypervolume is that of the whole front above Reference.
	Hypervolume float64
}

// Values returns the values at a point as search has them: higher is better.
func (m Multiple) Values(x []float64) []float64 {
	out := m.Costs(x)
	for i := range out {
		out[i] = -out[i]
	}
	return out
}

// Reference returns the point above which hypervolumes are taken: a cost of 1.1
// in each objective, as values.
func (m Multiple) Reference() []float64 {
	out := make([]float64, m.Objectives)
	for i := range out {
		out[i] = -1.1
	}
	return out
}

// Benchmark returns one task for each objective: what Pursue scores points by.
func (m Multiple) Benchmark() mergesearch.Benchmark {
	b := mergesearch.Benchmark{Aim: mergesearch.Pareto}
	for k := range m.Objectives {
		b.Tasks = append(b.Tasks, mergesearch.TaskWeight{Task: task(k), Weight: 1})
	}
	return b
}

// Multiples returns the problems that algorithms of several objectives are
// measured on, with the dimensions of their papers.
func Multiples() []Multiple {
	return []Multiple{ZDT1(30), ZDT2(30), ZDT3(30), ZDT4(10), ZDT6(10), DTLZ1(2, 6), DTLZ1(3, 7), DTLZ2(2, 11), DTLZ2(3, 12)}
}

// rest returns a point whose first variables are given and whose others, n in
// all, are equal.
func rest(first []float64, n int, others float64) []float64 {
	x := append([]float64(nil), first...)
	for len(x) < n {
		x = append(x, others)
	}
	return x
}

func sum(x []float64, f func(float64) float64) float64 {
	s := 0.0
	for _, v := range x {
		s += f(v)
	}
	return s
}

func identity(x float64) float64 { return x }

func square(x float64) float64 { return x * x }

// rastrigin is a term of the multimodal g of DTLZ1 about 1/2, less its constant.
func rastrigin(x float64) float64 {
	return (x-0.5)*(x-0.5) - math.Cos(20*math.Pi*(x-0.5))
}
