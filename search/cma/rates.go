package cma

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// rates are the learning rates of LRA-CMA-ES. They follow the signal-to-noise
// ratio of the updates, so that a population of usual size copes with noise and
// many optima by learning more slowly.
type rates struct {
	mean, cov float64 // eta of the mean and of the covariance, at most 1

	meanDrift, covDrift []float64 // E: running means of the updates
	meanPower, covPower float64   // V: running means of their squared lengths
}

// The constants of the paper.
const (
	lraSignal   = 1.4  // alpha: wanted ratio of signal to noise over the rate
	lraMeanBeta = 0.1  // weight of the newest update of the mean
	lraCovBeta  = 0.03 // and of the covariance
	lraGamma    = 0.1
)

func newRates(n int) rates {
	return rates{mean: 1, cov: 1, meanDrift: make([]float64, n), covDrift: make([]float64, n*n)}
}

// adapt learns from the update that led from one distribution to the next and
// shortens it to the new rates.
func (r *rates) adapt(from, to *gaussian) {
	n := from.n
	dm := make([]float64, n)
	for j := range dm {
		dm[j] = (to.mean[j] - from.mean[j]) / from.sigma
	}
	dc := make([]float64, n*n) // change of sigma^2 C
	for k := range dc {
		dc[k] = to.sigma*to.sigma*to.cov[k] - from.sigma*from.sigma*from.cov[k]
	}

	// Both in the coordinates of the old distribution.
	local := make([]float64, n*n) // C^(-1/2) dc C^(-1/2) / (sqrt(2) sigma^2)
	for i := range n {
		copy(local[i*n:], from.whiten(dc[i*n:(i+1)*n]))
	}
	column := make([]float64, n)
	for j := range n {
		for i := range n {
			column[i] = local[i*n+j]
		}
		for i, v := range from.whiten(column) {
			local[i*n+j] = v / (math.Sqrt2 * from.sigma * from.sigma)
		}
	}
	old := r.mean
	r.mean = follow(r.mean, lraMeanBeta, r.meanDrift, &r.meanPower, from.whiten(dm))
	r.cov = follow(r.cov, lraCovBeta, r.covDrift, &r.covPower, local)

	for j := range dm {
		to.mean[j] = from.mean[j] + r.mean*(to.mean[j]-from.mean[j])
	}
	for k := range dc {
		to.cov[k] = from.sigma*from.sigma*from.cov[k] + r.cov*dc[k]
	}
	var chol mat.Cholesky
	if !chol.Factorize(mat.NewSymDense(n, to.cov)) {
		to.sigma = from.sigma
	} else {
		to.sigma = min(1e32, max(1e-150, math.Exp(chol.LogDet()/float64(2*n))))
	}
	for k := range to.cov {
		to.cov[k] /= to.sigma * to.sigma
	}
	to.sigma *= old / r.mean // a slower mean wants a longer step
	to.decompose()
}

// follow returns the next rate, given the newest update in local coordinates.
func follow(eta, beta float64, drift []float64, power *float64, update []float64) float64 {
	for k, v := range update {
		drift[k] = (1-beta)*drift[k] + beta*v
	}
	*power = (1-beta)**power + beta*dot(update, update)
	signal := dot(drift, drift)
	noise := *power - signal
	if !(noise > 0) {
		return eta
	}
	snr := (signal - beta/(2-beta)**power) / noise
	lean := min(1, max(-1, snr/(lraSignal*eta)-1))
	return min(1, eta*math.Exp(min(lraGamma*eta, beta)*lean))
}
