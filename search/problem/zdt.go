package problem

import "math"

// The problems of Zitzler, Deb and Thiele 2000, "Comparison of multiobjective
// evolutionary algorithms: empirical results" (Evol. Comp. 8): two costs,
//
//	f1 = f1(x1)        f2 = g h(f1, g)        g = g(x2 ... xn)
//
// and a front at g = 1. ZDT5, whose variables are bits, is left out.

// zdt joins the parts; g sees the variables after the first.
func zdt(name string, n int, f1 func(float64) float64, g func([]float64) float64, h func(f1, g float64) float64, others, hypervolume float64) Multiple {
	return Multiple{
		Name: name, Variables: n, Objectives: 2, Hypervolume: hypervolume,
		Costs: func(x []float64) []float64 {
			first, g := f1(x[0]), g(x[1:])
			return []float64{first, g * h(first, g)}
		},
		Front: func(t []float64) []float64 { return rest(t, n, others) },
	}
}

func zdtMean(x []float64) float64 { return 1 + 9*sum(x, identity)/float64(len(x)) }

func zdtRoot(f1, g float64) float64 { return 1 - math.Sqrt(f1/g) }

func zdtSquare(f1, g float64) float64 { return 1 - f1/g*f1/g }

// ZDT1 has a convex front, f2 = 1 - sqrt(f1).
func ZDT1(n int) Multiple {
	return zdt("ZDT1", n, identity, zdtMean, zdtRoot, 0, 0.1+2.0/3+0.11)
}

// ZDT2 has a concave front, f2 = 1 - f1^2.
func ZDT2(n int) Multiple {
	return zdt("ZDT2", n, identity, zdtMean, zdtSquare, 0, 0.1+1.0/3+0.11)
}

// ZDT3 has a front of five pieces on f2 = 1 - sqrt(f1) - f1 sin(10 pi f1). Its
// hypervolume was integrated numerically.
func ZDT3(n int) Multiple {
	return zdt("ZDT3", n, identity, zdtMean, func(f1, g float64) float64 {
		return 1 - math.Sqrt(f1/g) - f1/g*math.Sin(10*math.Pi*f1)
	}, 0, 1.331763)
}

// ZDT4 has the front of ZDT1 behind 21^(n-1) local ones; its variables after the
// first lie in [-5, 5].
func ZDT4(n int) Multiple {
	return zdt("ZDT4", n, identity, func(x []float64) float64 {
		return 1 + 10*float64(len(x)) + sum(x, func(u float64) float64 {
			v := 10*u - 5
			return v*v - 10*math.Cos(4*math.Pi*v)
		})
	}, zdtRoot, 0.5, 0.1+2.0/3+0.11)
}

// ZDT6 has a concave front from f1 = 0.2807753191 on, that few values of x1 reach.
func ZDT6(n int) Multiple {
	f1 := func(x float64) float64 { return 1 - math.Exp(-4*x)*math.Pow(math.Sin(6*math.Pi*x), 6) }
	const least = 0.2807753191
	return zdt("ZDT6", n, f1, func(x []float64) float64 {
		return 1 + 9*math.Pow(sum(x, identity)/float64(len(x)), 0.25)
	}, zdtSquare, 0, 0.1*(1-least)+(1-least*least*least)/3+0.11)
}
