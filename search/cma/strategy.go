package cma

import "math"

// DefaultLambda returns the usual number of points of a generation for n
// coordinates, at least 1 (tutorial, eq. 48).
func DefaultLambda(n int) int { return 4 + int(3*math.Log(float64(n))) }

// strategy holds the constants of a distribution of n coordinates that is moved by
// lambda ranked points.
type strategy struct {
	n, lambda, mu int

	weights []float64 // of the ranks, best first; the first mu are positive and sum to 1
	mueff   float64   // variance effective selection mass

	c1, cmu float64 // learning rates of the covariance: rank one, rank mu
	cc      float64 // of the path for the rank-one update
	cs, ds  float64 // of the path for the step size, and its damping
	chi     float64 // expected length of a standard normal vector
}

// newStrategy returns the defaults of the tutorial, appendix A. A passive one has
// no negative weights; a separable one learns faster, because it learns n numbers
// and not n^2.
func newStrategy(n, lambda int, passive, separable bool) strategy {
	if lambda < 2 {
		panic("cma: a generation needs at least 2 points")
	}
	s := strategy{n: n, lambda: lambda, mu: lambda / 2, weights: make([]float64, lambda)}
	var plus, plus2, minus, minus2 float64
	for i := range s.weights { // eq. 49
		w := math.Log(float64(lambda+1)/2) - math.Log(float64(i+1))
		s.weights[i] = w
		if i < s.mu {
			plus, plus2 = plus+w, plus2+w*w
		} else {
			minus, minus2 = minus+w, minus2+w*w
		}
	}
	s.mueff = plus * plus / plus2
	d := float64(n)
	s.c1 = 2 / ((d+1.3)*(d+1.3) + s.mueff)                                  // eq. 57
	s.cmu = min(1-s.c1-1e-8, 2*(s.mueff-2+1/s.mueff)/((d+2)*(d+2)+s.mueff)) // eq. 58
	if separable {
		s.c1 = min(0.5, s.c1*(d+2)/3)
		s.cmu = min(1-s.c1-1e-8, s.cmu*(d+2)/3)
	}
	// Eq. 55 has 5 where this has 3, which the strategy of 2009 and pycma take, and
	// which misses the optimum of Rosenbrock's function half as often.
	s.cs = (s.mueff + 2) / (d + s.mueff + 3)
	s.ds = 1 + 2*max(0, math.Sqrt((s.mueff-1)/(d+1))-1) + s.cs
	if n > 0 {
		s.cc = (4 + s.mueff/d) / (d + 4 + 2*s.mueff/d) // eq. 56
		s.chi = math.Sqrt(d) * (1 - 1/(4*d) + 1/(21*d*d))
	}
	// Negative weights sum to what leaves the trace alone, as far as their own mass
	// allows and the covariance stays positive definite (eq. 50 to 53).
	alpha := 0.0
	if !passive && n > 0 && s.cmu > 0 && minus < 0 {
		mueffMinus := minus * minus / minus2
		alpha = min(1+s.c1/s.cmu, 1+2*mueffMinus/(s.mueff+2), (1-s.c1-s.cmu)/(d*s.cmu))
	}
	for i := range s.weights {
		if i < s.mu {
			s.weights[i] /= plus
		} else if minus < 0 {
			s.weights[i] *= alpha / -minus
		}
	}
	return s
}

// weightsFor returns the weights when only the first so many points were scored:
// the others take no part in the mean. Nil when none was.
func (s *strategy) weightsFor(scored int) []float64 {
	if scored >= s.mu {
		return s.weights
	}
	if scored == 0 {
		return nil
	}
	w := make([]float64, s.lambda)
	copy(w[s.mu:], s.weights[s.mu:])
	sum := 0.0
	for _, v := range s.weights[:scored] {
		sum += v
	}
	for i := range scored {
		w[i] = s.weights[i] / sum
	}
	return w
}
