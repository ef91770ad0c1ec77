package cma_test

import (
	"math"
	"math/rand"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mergesearch/search/cma"
	"mergesearch/search/problem"
)

func TestCatCMARunLengths(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	for _, c := range []struct {
		name      string
		low, high float64
	}{
		{"sphere+onemax", 900, 1200},
		{"sphere+integers", 1350, 1900},
		{"sphere+integers+onemax", 1550, 2200},
	} {
		f := must(problem.NewMixed(c.name, 5))
		var r problem.RunLength
		for seed := range int64(9) {
			evaluations, solved := mixedRunLength(f, seed, 10_000)
			r.Evaluations, r.Solved = append(r.Evaluations, evaluations), append(r.Solved, solved)
		}
		if got := r.Quantile(0.5); !(got >= c.low && got <= c.high) || r.Successes() < 9 {
			t.Errorf("%s: median %.0f, want %.0f to %.0f; %d of 9 solved", c.name, got, c.low, c.high, r.Successes())
		}
	}
}

var mixedDomain = cma.Domain{
	Lower: []float64{0, 0, 0}, Upper: []float64{1, 1, 1},
	Levels: [][]float64{{0, 0.5, 1}, {0, 0.1, 0.2, 0.7}}, Options: []int{3, 2, 5},
}

// Whatever order is told and whatever is masked, every option keeps its margin,
// every integer coordinate a chance to leave its level, and points lie in the domain.
func TestMarginsHold(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	alpha := 1 - math.Pow(0.73, 1.0/5)
	rapid.Check(t, func(t *rapid.T) {
		c := cma.NewCatCMA(mixedDomain, cma.CatStart{}, rapid.IntRange(4, 20).Draw(t, "lambda"))
		rng := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		along := rapid.IntRange(0, 2).Draw(t, "along")
		for range 30 {
			points := c.Ask(rng)
			for i := range points {
				p := &points[i]
				for j, v := range p.X {
					if v < 0 || v > 1 {
						t.Fatalf("coordinate %d: %v", j, v)
					}
				}
				for k, v := range p.Z {
					if !slices.Contains(mixedDomain.Levels[k], v) {
						t.Fatalf("integer %d: %v", k, v)
					}
				}
				p.Inactive, p.InactiveChoices = make([]bool, 5), make([]bool, 3)
				for j := range p.Inactive {
					p.Inactive[j] = p.C[0] == j%3
				}
				p.InactiveChoices[1] = p.C[0] == 1
			}
			slices.SortStableFunc(points, func(a, b cma.CatPoint) int { return sign(float64(a.C[along]-b.C[along]) + 0.1*(a.X[0]-b.X[0])) })
			c.Tell(points, rapid.IntRange(0, len(points)).Draw(t, "scored"))
		}
		for k, n := range mixedDomain.Options {
			sum := 0.0
			for _, q := range c.Odds(k) {
				if q < alpha/float64(n-1)-1e-12 {
					t.Fatalf("choice %d: odds %v, margin %v", k, c.Odds(k), alpha/float64(n-1))
				}
				sum += q
			}
			if math.Abs(sum-1) > 1e-9 {
				t.Fatalf("choice %d: odds sum to %v", k, sum)
			}
		}
		checkDefinite(t, 5, c.Covariance())
		moved := make([]int, 2)
		home := c.Mean().Z
		const draws = 2000
		for range draws / c.Lambda() {
			for _, p := range c.Ask(rng) {
				for k := range moved {
					if p.Z[k] != home[k] {
						moved[k]++
					}
				}
			}
		}
		for k, n := range moved {
			if float64(n) < 0.5*alpha*draws {
				t.Errorf("integer %d left its level in %d of %d draws, margin %v", k, n, draws, alpha)
			}
		}
	})
}

// generation runs a generation in which the given coordinate is inactive in the
// points that say so, with costs over the others.
func generation(c *cma.CatCMA, rng *rand.Rand, inactive func(cma.CatPoint) []bool, cost func(cma.CatPoint) float64) {
	points := c.Ask(rng)
	for i := range points {
		points[i].Inactive = inactive(points[i])
	}
	slices.SortStableFunc(points, func(a, b cma.CatPoint) int { return sign(cost(a) - cost(b)) })
	c.Tell(points, len(points))
}

// A coordinate that nobody uses keeps its mean and, relative to the step size, its
// deviation; sigma does not collapse for want of its steps.
func TestUnusedCoordinateStays(t *testing.T) {
	domain := cma.Domain{Lower: make([]float64, 4), Upper: ones(4)}
	c := cma.NewCatCMA(domain, cma.CatStart{Mean: []float64{.3, .4, .5, .6}, Deviations: []float64{1e-3, 1e-3, 1e-3, 1e-3}}, 12)
	rng := rand.New(rand.NewSource(1))
	sigma := 0.0
	for range 60 {
		// The others are judged by a coin: blind selection.
		generation(c, rng, func(cma.CatPoint) []bool { return []bool{false, true, false, true} },
			func(p cma.CatPoint) float64 { return math.Mod(1e6*p.X[0], 1) })
		sigma += math.Log(c.Sigma()) / 60
	}
	if m := c.Mean().X; math.Abs(m[1]-.4) > 1e-12 || math.Abs(m[3]-.6) > 1e-12 {
		t.Errorf("unused coordinates moved: %v", m)
	}
	for _, j := range []int{1, 3} {
		if got := c.Deviation(j) / c.Sigma(); math.Abs(got/1e-3-1) > 0.05 {
			t.Errorf("coordinate %d: deviation over sigma %v, want 1e-3", j, got)
		}
	}
	if math.Abs(sigma) > 1 {
		t.Errorf("log sigma %v on average under blind selection", sigma)
	}
}

// What an inactive coordinate holds has no influence: two domains whose fourth
// coordinate is drawn from another range take the same way in the others.
func TestInactiveDoesNotMoveOthers(t *testing.T) {
	way := func(deviation float64) []float64 {
		domain := cma.Domain{Lower: []float64{-9, -9, -9, -9}, Upper: []float64{9, 9, 9, 9}, Options: []int{2}}
		c := cma.NewCatCMA(domain, cma.CatStart{Mean: ones(4), Deviations: []float64{.5, .6, .7, deviation}}, 12)
		rng := rand.New(rand.NewSource(3))
		for range 15 {
			generation(c, rng, func(cma.CatPoint) []bool { return []bool{false, false, false, true} },
				func(p cma.CatPoint) float64 { return bowl(p.X[:3]) + 0.1*float64(p.C[0]) })
		}
		return append(c.Mean().X[:3], c.Odds(0)...)
	}
	a, b := way(0.02), way(0.01)
	for i := range a {
		if math.Abs(a[i]-b[i]) > 1e-9 {
			t.Fatalf("ways differ: %v, %v", a, b)
		}
	}
}

// Two methods with a coordinate each: the search finds the better method and its
// coordinate, though half of the points use another one.
func TestConditionalCoordinates(t *testing.T) {
	solved := 0
	for seed := range int64(5) {
		domain := cma.Domain{Lower: []float64{-5, -5}, Upper: []float64{5, 5}, Options: []int{2}}
		c := cma.NewCatCMA(domain, cma.CatStart{Mean: []float64{3, 3}, Deviations: []float64{1, 1}}, 0)
		rng := rand.New(rand.NewSource(seed))
		for range 80 {
			generation(c, rng, func(p cma.CatPoint) []bool { return []bool{p.C[0] != 0, p.C[0] != 1} }, func(p cma.CatPoint) float64 {
				if p.C[0] == 0 {
					return p.X[0] * p.X[0]
				}
				return 1 + p.X[1]*p.X[1]
			})
		}
		if m := c.Mean(); m.C[0] == 0 && math.Abs(m.X[0]) < 1e-3 {
			solved++
		}
	}
	if solved < 5 {
		t.Errorf("solved %d of 5", solved)
	}
}

// Without coordinates of the Gaussian, choices are searched alone.
func TestChoicesAlone(t *testing.T) {
	c := cma.NewCatCMA(cma.Domain{Options: []int{4, 4, 4, 4, 4, 4}}, cma.CatStart{}, 0)
	rng := rand.New(rand.NewSource(1))
	for range 60 {
		generation(c, rng, func(cma.CatPoint) []bool { return nil }, func(p cma.CatPoint) float64 {
			n := 0.0
			for _, o := range p.C {
				if o != 2 {
					n++
				}
			}
			return n
		})
	}
	if got := c.Mean().C; !slices.Equal(got, []int{2, 2, 2, 2, 2, 2}) {
		t.Errorf("likeliest options %v", got)
	}
}
