package itemresponse

import "math"

// Ability estimates a model's ability in every skill from some of its answers: the
// maximum of the posterior, with the curvature there for the standard error. A
// skill without an answer keeps the prior.
func (b Bank) Ability(answers []Response) []Estimate {
	out := make([]Estimate, b.Skills)
	for skill := range out {
		prior := b.prior(skill)
		out[skill] = b.ability(answers, skill, prior, prior.Mean, 50)
	}
	return out
}

// ability climbs from start by at most so many steps of Newton's method. The
// posterior is strictly concave in one number, so a step that is halved until it
// climbs cannot go astray.
func (b Bank) ability(answers []Response, skill int, prior Normal, start float64, steps int) Estimate {
	objective := func(t float64) float64 {
		d := (t - prior.Mean) / prior.SD
		sum := -d * d / 2
		for _, r := range answers {
			if i := b.Items[r.Item]; i.Skill == skill {
				sum += logLikelihood(r.Value, i.logit(t))
			}
		}
		return sum
	}
	t, precision := start, 1/(prior.SD*prior.SD)
	var curvature float64
	for range steps {
		slope := -(t - prior.Mean) * precision
		curvature = precision
		for _, r := range answers {
			i := b.Items[r.Item]
			if i.Skill != skill {
				continue
			}
			p := logistic(i.logit(t))
			slope += i.Slope * (r.Value - p)
			curvature += i.Slope * i.Slope * p * (1 - p)
		}
		step := slope / curvature
		t += climb(step, t, objective)
		if math.Abs(step) < tiny {
			break
		}
	}
	return Estimate{Value: t, StdErr: 1 / math.Sqrt(curvature)}
}

// climb halves a step from t until it does not lower the objective. Steps too
// small for the objective's rounding are taken as they are.
func climb(step, t float64, objective func(float64) float64) float64 {
	for at := objective(t); math.Abs(step) > tiny && !(objective(t+step) >= at); {
		step /= 2
	}
	return step
}

// tiny is a step at which Newton's method is quadratically close to its end.
const tiny = 1e-6

// climbFrom does the same in several dimensions: it moves the point and returns
// the length of its largest step.
func climbFrom(point, step []float64, objective func([]float64) float64) float64 {
	at, next := objective(point), make([]float64, len(point))
	for {
		moved := 0.0
		for j := range point {
			next[j] = point[j] + step[j]
			moved = max(moved, math.Abs(step[j]))
		}
		if moved < tiny || objective(next) >= at {
			copy(point, next)
			return moved
		}
		for j := range step {
			step[j] /= 2
		}
	}
}

// Combination is an ability written as a combination of those of other models.
type Combination struct {
	Shares  []float64 // of each of them; neither positive nor summing to one
	Ability []float64 // of each skill: sum over models of share times ability
}

// Combine estimates the ability of a merge from some of its answers, as the
// combination of its parents' abilities that explains them best: few unknowns, one
// for each parent, that all skills share (MERGE3's mp-IRT). Parents holds an
// ability for each skill of each parent. The prior of a share is 1/m, of spread
// sd, for m parents; the smaller the spread, the closer the estimate stays to
// their mean.
func (b Bank) Combine(answers []Response, parents [][]float64, sd float64) Combination {
	m := len(parents)
	shares := make([]float64, m)
	for j := range shares {
		shares[j] = 1 / float64(m)
	}
	mix := func(shares []float64) []float64 {
		ability := make([]float64, b.Skills)
		for j, share := range shares {
			for s := range ability {
				ability[s] += share * parents[j][s]
			}
		}
		return ability
	}
	objective := func(shares []float64) (sum float64) {
		for _, share := range shares {
			d := (share - 1/float64(m)) / sd
			sum -= d * d / 2
		}
		ability := mix(shares)
		for _, r := range answers {
			i := b.Items[r.Item]
			sum += logLikelihood(r.Value, i.logit(ability[i.Skill]))
		}
		return sum
	}
	for range 50 {
		slope, curvature := make([]float64, m), make([]float64, m*m)
		for j := range shares {
			slope[j] = -(shares[j] - 1/float64(m)) / (sd * sd)
			curvature[j*m+j] = 1 / (sd * sd)
		}
		ability := mix(shares)
		for _, r := range answers {
			i := b.Items[r.Item]
			p := logistic(i.logit(ability[i.Skill]))
			for j := range m {
				x := i.Slope * parents[j][i.Skill]
				slope[j] += x * (r.Value - p)
				for k := range m {
					curvature[j*m+k] += x * i.Slope * parents[k][i.Skill] * p * (1 - p)
				}
			}
		}
		step := solve(curvature, slope)
		moved := climbFrom(shares, step, objective)
		if moved < tiny {
			break
		}
	}
	return Combination{Shares: shares, Ability: mix(shares)}
}

// solve returns x with a x = b for a symmetric positive definite matrix, by
// Cholesky's decomposition.
func solve(a, b []float64) []float64 {
	n := len(b)
	l := make([]float64, n*n)
	x := append([]float64(nil), b...)
	for i := range n {
		for j := range i + 1 {
			sum := a[i*n+j]
			for k := range j {
				sum -= l[i*n+k] * l[j*n+k]
			}
			if i == j {
				l[i*n+i] = math.Sqrt(sum)
			} else {
				l[i*n+j] = sum / l[j*n+j]
			}
		}
		for k := range i {
			x[i] -= l[i*n+k] * x[k]
		}
		x[i] /= l[i*n+i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= l[k*n+i] * x[k]
		}
		x[i] /= l[i*n+i]
	}
	return x
}
