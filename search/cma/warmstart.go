package cma

import (
	"fmt"
	"math"

	"gonum.org/v1/gonum/mat"
)

// WarmStart returns where to begin a search that resembles an earlier one, whose
// points are given, best first, at least one: the normal distribution nearest to
// the best share of them, rounded up to one point, with prior as the least
// deviation in every direction. The paper takes a share of 0.1 and a prior of 0.1
// in a cube of width 1.
func WarmStart(ranked [][]float64, share, prior float64) Start {
	if len(ranked) == 0 || !(share > 0 && share <= 1) || !(prior > 0) {
		panic(fmt.Sprintf("cma: warm start from %d points, share %v, prior %v", len(ranked), share, prior))
	}
	best := ranked[:max(1, int(share*float64(len(ranked))))]
	n, k := len(ranked[0]), float64(len(best))
	mean := make([]float64, n)
	for _, x := range best {
		for j, v := range x {
			mean[j] += v / k
		}
	}
	cov := make([]float64, n*n)
	for i := range n {
		cov[i*n+i] = prior * prior
	}
	away := make([]float64, n)
	for _, x := range best {
		for j, v := range x {
			away[j] = v - mean[j]
		}
		outer(cov, away, 1/k)
	}
	var chol mat.Cholesky
	if !chol.Factorize(mat.NewSymDense(n, cov)) {
		panic("cma: a sum of squares that is not positive definite")
	}
	sigma := math.Exp(chol.LogDet() / float64(2*n))
	for i := range cov {
		cov[i] /= sigma * sigma
	}
	return Start{Mean: mean, Sigma: sigma, Cov: cov}
}
