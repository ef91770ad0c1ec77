package surrogate

import "math"

// normal holds the normal equations of a weighted regression: of n rows f, y, w the
// sums of w f f', w f y, w y² and log w.
type normal struct {
	p       int
	a, r    []float64 // p x p, lower triangle; p
	yy, log float64
}

func newNormal(p int) *normal { return &normal{p: p, a: make([]float64, p*p), r: make([]float64, p)} }

func (n *normal) add(f []float64, y, w float64) {
	for i, v := range f {
		wv, row := w*v, n.a[i*n.p:i*n.p+i+1]
		for j := range row {
			row[j] += wv * f[j]
		}
		n.r[i] += wv * y
	}
	n.yy += w * y * y
	n.log += math.Log(w)
}

// posterior is that of the coefficients: a Gaussian.
type posterior struct {
	mean  []float64
	chol  []float64 // of the precision, in units of the prior's standard deviations
	scale []float64
	half  []float64 // chol⁻¹ r, in these units
}

// factor decomposes the precision for a prior of these variances.
func (n *normal) factor(prior []float64) *posterior {
	p := n.p
	q := &posterior{chol: make([]float64, p*p), scale: make([]float64, p), half: make([]float64, p)}
	for i := range p {
		q.scale[i] = math.Sqrt(prior[i])
	}
	for i := range p {
		for j := range i + 1 {
			q.chol[i*p+j] = n.a[i*p+j] * q.scale[i] * q.scale[j]
		}
		q.chol[i*p+i]++
	}
	cholesky(q.chol, p)
	for i := range p {
		q.half[i] = n.r[i] * q.scale[i]
	}
	forward(q.chol, q.half)
	return q
}

// evidence is the logarithm of the chance of what was observed, up to a constant,
// for a prior of these variances (MacKay 1992, equation 2.4).
func (n *normal) evidence(prior []float64) float64 {
	q := n.factor(prior)
	e, rest := n.log/2, n.yy
	for i, h := range q.half {
		e -= math.Log(q.chol[i*n.p+i])
		rest -= h * h
	}
	return e - rest/2
}

// solve returns the posterior.
func (n *normal) solve(prior []float64) *posterior {
	q, p := n.factor(prior), n.p
	q.mean = append([]float64(nil), q.half...)
	for i := p - 1; i >= 0; i-- {
		q.mean[i] /= q.chol[i*p+i]
		for j, c := range q.chol[i*p : i*p+i] {
			q.mean[j] -= c * q.mean[i]
		}
	}
	for i := range q.mean {
		q.mean[i] *= q.scale[i]
	}
	return q
}

// at returns the expectation at these features.
func (q *posterior) at(f []float64) float64 {
	sum := 0.0
	for i, v := range f {
		sum += v * q.mean[i]
	}
	return sum
}

// variance returns that of the regression at these features, without the residual.
func (q *posterior) variance(f []float64) float64 {
	u, sum := make([]float64, len(f)), 0.0
	for i, v := range f {
		u[i] = v * q.scale[i]
	}
	forward(q.chol, u)
	for _, v := range u {
		sum += v * v
	}
	return sum
}

// cholesky decomposes the lower triangle of a positive definite n x n matrix in
// place.
func cholesky(a []float64, n int) {
	for j := range n {
		rj := a[j*n : j*n+j+1]
		s := rj[j]
		for _, v := range rj[:j] {
			s -= v * v
		}
		rj[j] = math.Sqrt(max(s, 1e-300))
		for i := j + 1; i < n; i++ {
			ri := a[i*n : i*n+j+1]
			s := ri[j]
			for k, v := range rj[:j] {
				s -= ri[k] * v
			}
			ri[j] = s / rj[j]
		}
	}
}

// forward solves l u = u in place for a lower triangle l.
func forward(l, u []float64) {
	n := len(u)
	for i := range u {
		s := u[i]
		for j, c := range l[i*n : i*n+i] {
			s -= c * u[j]
		}
		u[i] = s / l[i*n+i]
	}
}

// Slopes regresses values on points, with an intercept for each group of rows, and
// returns one slope for each coordinate. All slopes have one prior variance and all
// values one noise, those of a grid that have the highest evidence; so where the
// values hold nothing but noise the slopes are close to 0. Rows may be few.
func Slopes(points [][]float64, values []float64, groups []int) []float64 {
	if len(points) == 0 {
		return nil
	}
	d, mean := len(points[0]), map[int][]float64{}
	for i, g := range groups { // the last place holds the count, the one before the values
		if mean[g] == nil {
			mean[g] = make([]float64, d+2)
		}
		for j, v := range points[i] {
			mean[g][j] += v
		}
		mean[g][d] += values[i]
		mean[g][d+1]++
	}
	n, spread := newNormal(d), 0.0
	row := make([]float64, d)
	for i, x := range points {
		m := mean[groups[i]]
		for j, v := range x {
			row[j] = v - m[j]/m[d+1]
		}
		y := values[i] - m[d]/m[d+1]
		n.add(row, y, 1)
		spread += y * y
	}
	spread = max(spread/float64(len(points)), 1e-12)
	prior := make([]float64, d)
	var best *posterior
	top := math.Inf(-1)
	for k := range 25 { // of prior variance over noise
		noise := spread * math.Pow(0.7, float64(k%5))
		ratio := math.Pow(10, float64(k/5)-2)
		scaled := &normal{p: d, a: make([]float64, d*d), r: make([]float64, d), yy: n.yy / noise, log: -float64(len(points)) * math.Log(noise)}
		for i, v := range n.a {
			scaled.a[i] = v / noise
		}
		for i, v := range n.r {
			scaled.r[i] = v / noise
		}
		for j := range prior {
			prior[j] = ratio * noise
		}
		if e := scaled.evidence(prior); e > top {
			best, top = scaled.solve(prior), e
		}
	}
	return best.mean
}
