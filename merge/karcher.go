package merge

import (
	"math"

	"mergesearch"
	"mergesearch/merge/kernel"
)

// karcher takes the Karcher mean of the directions of the models, the point of the
// sphere with the least sum of squared angles to them (Karcher 1977, "Riemannian
// center of mass and mollifier smoothing"), and the mean of their norms:
//
//	T = sum_i alpha_i theta_i / sin theta_i (u_i - d_i u), d_i = u.u_i, theta_i = arccos d_i,
//	u <- cos|T| u + sin|T| T/|T|, until |T| < tol or max_iter times,
//	out = (sum_i |x_i| / K) u,
//
// from the mean of the directions u_i = x_i/|x_i|. All models count alike, a base
// model that the recipe names among them. Vectors with norms up to tol have no
// direction but count for the norm. A direction opposite to u says nothing about
// where to go and is passed over; where the directions cancel the first is taken.
//
// Every vector on the way is a sum of the models, so all of it is computed with
// factors, on scalar products.
var karcher = method{
	Method: mergesearch.Method{
		Name: "karcher",
		Parameters: []mergesearch.Parameter{
			{Name: "max_iter", Default: 10, Min: 1, Max: 100},
			{Name: "tol", Default: 1e-5, Min: 1e-9, Max: 1e-4},
		},
		Usual: []mergesearch.Usual{{Name: "karcher mean"}},
	},
	mergesBase: true,
	bind: func(b *binding) apply {
		if len(b.models) == 1 {
			return b.weightedSum([]float32{1})
		}
		return b.vectorSum(b.karcherWeights(b.products()))
	},
	reference: func(o operands) []float32 {
		if len(o.x) == 1 {
			return kernel.WeightedSumReference(o.x, []float32{1})
		}
		return o.angularReference(kernel.Whole(len(o.x[0])), o.karcherWeights)
	},
}

// karcherWeights returns the factors of the vectors.
func (s settings) karcherWeights(g kernel.Gram) []float64 {
	tol, n := s.global["tol"], g.Len()
	norms := make([]float64, n)
	var mean float64
	var kept []int
	for i := range n {
		norms[i] = math.Sqrt(g.At(i, i))
		mean += norms[i] / float64(n)
		if norms[i] > tol {
			kept = append(kept, i)
		}
	}
	out := make([]float64, n)
	if len(kept) == 0 {
		return out
	}
	units := kernel.NewGram(len(kept), func(i, j int) float64 {
		return g.At(kept[i], kept[j]) / (norms[kept[i]] * norms[kept[j]])
	})
	for i, factor := range karcherMean(units, int(s.global["max_iter"]), tol) {
		out[kept[i]] = mean * factor / norms[kept[i]]
	}
	return out
}

// karcherMean returns the mean of unit vectors in terms of them.
func karcherMean(g kernel.Gram, iterations int, tol float64) []float64 {
	n := g.Len()
	u := make([]float64, n)
	for i := range u {
		u[i] = 1 / float64(n)
	}
	if r := norm(g, u); r < tol || r == 0 {
		clear(u)
		u[0] = 1
	} else {
		scale(u, 1/r)
	}
	for range iterations {
		t := karcherStep(g, u, tol)
		size := norm(g, t)
		if size < tol || size == 0 {
			break
		}
		for i := range u {
			u[i] = math.Cos(size)*u[i] + math.Sin(size)*t[i]/size
		}
		if r := norm(g, u); r > tol {
			scale(u, 1/r)
		}
	}
	return u
}

// opposite is how near to -1 the cosine of directions is that say nothing about
// where to go.
const opposite = 1e-9

// karcherStep returns the mean of the tangents at u.
func karcherStep(g kernel.Gram, u []float64, tol float64) []float64 {
	t := make([]float64, len(u))
	for i := range u {
		d := min(1, max(-1, product(g, u, i)))
		theta := math.Acos(d)
		if theta < tol || theta == 0 || d < -1+opposite {
			continue
		}
		share := theta / math.Sin(theta) / float64(len(u))
		t[i] += share
		for j := range t {
			t[j] -= share * d * u[j]
		}
	}
	return t
}

func scale(x []float64, factor float64) {
	for i := range x {
		x[i] *= factor
	}
}
