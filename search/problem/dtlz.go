package problem

import (
	"fmt"
	"math"
)

// The problems of Deb, Thiele, Laumanns and Zitzler 2002, "Scalable
// multi-objective optimization test problems" (CEC 2002), for m objectives of n
// variables, of which the last n-m+1 decide the distance to the front.

// DTLZ1 has a linear front, costs that add up to 1/2, behind many local ones. The
// hypervolume is that of two or three objectives.
func DTLZ1(m, n int) Multiple {
	k := n - m + 1
	return Multiple{
		Name: fmt.Sprintf("DTLZ1-%d", m), Variables: n, Objectives: m,
		Hypervolume: math.Pow(1.1, float64(m)) - math.Pow(0.5, float64(m))/factorial(m),
		Costs: func(x []float64) []float64 {
			g := 100 * (float64(k) + sum(x[m-1:], rastrigin))
			out := make([]float64, m)
			for i := range out {
				out[i] = 0.5 * (1 + g)
				for _, u := range x[:m-1-i] {
					out[i] *= u
				}
				if i > 0 {
					out[i] *= 1 - x[m-1-i]
				}
			}
			return out
		},
		Front: func(t []float64) []float64 { return rest(t, n, 0.5) },
	}
}

// DTLZ2 has a spherical front. The hypervolume is that of two or three objectives.
func DTLZ2(m, n int) Multiple {
	ball := math.Pi / 4
	if m == 3 {
		ball = math.Pi / 6
	}
	return Multiple{
		Name: fmt.Sprintf("DTLZ2-%d", m), Variables: n, Objectives: m,
		Hypervolume: math.Pow(1.1, float64(m)) - ball,
		Costs: func(x []float64) []float64 {
			g := sum(x[m-1:], func(u float64) float64 { return square(u - 0.5) })
			out := make([]float64, m)
			for i := range out {
				out[i] = 1 + g
				for _, u := range x[:m-1-i] {
					out[i] *= math.Cos(u * math.Pi / 2)
				}
				if i > 0 {
					out[i] *= math.Sin(x[m-1-i] * math.Pi / 2)
				}
			}
			return out
		},
		Front: func(t []float64) []float64 { return rest(t, n, 0.5) },
	}
}

func factorial(n int) float64 {
	f := 1.0
	for i := 2; i <= n; i++ {
		f *= float64(i)
	}
	return f
}
