package cma_test

import (
	"math"
	"math/rand"
	"slices"
	"testing"

	"gonum.org/v1/gonum/mat"
	"pgregory.net/rapid"

	"mergesearch/search/cma"
	"mergesearch/search/problem"
)

// evolve runs so many generations of an ES on a cost and returns it.
func evolve(es *cma.ES, seed int64, generations int, cost func([]float64) float64) *cma.ES {
	for g := range generations {
		points := es.Ask(rand.New(rand.NewSource(seed + int64(g))))
		costs := make([]float64, len(points))
		for i, x := range points {
			costs[i] = cost(x)
		}
		var ranked [][]float64
		for _, i := range cma.Order(costs) {
			ranked = append(ranked, points[i])
		}
		slices.Sort(costs)
		es.Tell(ranked, costs)
	}
	return es
}

// bowl is an ellipsoid with correlations.
func bowl(x []float64) float64 {
	sum := 0.0
	for i, v := range x {
		if i > 0 {
			v -= 0.5 * x[i-1]
		}
		sum += float64(1+i*i) * v * v
	}
	return sum
}

func ones(n int) []float64 {
	x := make([]float64, n)
	for i := range x {
		x[i] = 1
	}
	return x
}

func TestEqualGeneratorsGiveEqualPoints(t *testing.T) {
	for _, s := range []cma.Settings{{}, {Passive: true}, {Separable: true}, {Adapt: true}, {Lower: make([]float64, 4), Upper: ones(4)}} {
		a := evolve(cma.New(cma.Start{Mean: ones(4), Sigma: 0.5}, s), 1, 30, bowl)
		b := evolve(cma.New(cma.Start{Mean: ones(4), Sigma: 0.5}, s), 1, 30, bowl)
		if !slices.Equal(a.Mean(), b.Mean()) || !slices.Equal(a.Covariance(), b.Covariance()) || a.Sigma() != b.Sigma() {
			t.Errorf("%+v: two equal searches differ", s)
		}
	}
}

// A growing function of the cost changes no order, hence nothing.
func TestOnlyRanksCount(t *testing.T) {
	a := evolve(cma.New(cma.Start{Mean: ones(5), Sigma: 0.5}, cma.Settings{}), 1, 40, bowl)
	b := evolve(cma.New(cma.Start{Mean: ones(5), Sigma: 0.5}, cma.Settings{}), 1, 40, func(x []float64) float64 { return 7 + math.Sqrt(bowl(x)) })
	if !slices.Equal(a.Mean(), b.Mean()) || a.Sigma() != b.Sigma() {
		t.Error("a transformed cost moves the distribution otherwise")
	}
}

// A search that is shifted and scaled along with its cost takes the same way.
func TestShiftAndScaleChangeNothing(t *testing.T) {
	const scale, shift = 8, 3
	a := evolve(cma.New(cma.Start{Mean: ones(5), Sigma: 0.5}, cma.Settings{}), 1, 40, bowl)
	moved := make([]float64, 5)
	for i := range moved {
		moved[i] = scale + shift
	}
	b := evolve(cma.New(cma.Start{Mean: moved, Sigma: 0.5 * scale}, cma.Settings{}), 1, 40, func(x []float64) float64 {
		y := make([]float64, len(x))
		for i, v := range x {
			y[i] = (v - shift) / scale
		}
		return bowl(y)
	})
	for i, v := range b.Mean() {
		if want := a.Mean()[i]; math.Abs((v-shift)/scale-want) > 1e-6 {
			t.Errorf("coordinate %d: %v, want %v", i, (v-shift)/scale, want)
		}
	}
}

// A rotated search of a rotated cost, given the rotated points, moves to the rotated
// distribution.
func TestRotationChangesNothing(t *testing.T) {
	const n = 4
	rng := rand.New(rand.NewSource(1))
	turn := rotation(n, rng)
	a := cma.New(cma.Start{Mean: ones(n), Sigma: 0.5}, cma.Settings{})
	b := cma.New(cma.Start{Mean: apply(turn, ones(n)), Sigma: 0.5}, cma.Settings{})
	for range 40 {
		points := a.Ask(rng)
		slices.SortFunc(points, func(x, y []float64) int {
			if bowl(x) < bowl(y) {
				return -1
			}
			return 1
		})
		var turned [][]float64
		for _, x := range points {
			turned = append(turned, apply(turn, x))
		}
		costs := make([]float64, len(points))
		a.Tell(points, costs)
		b.Tell(turned, costs)
	}
	for i, v := range apply(turn, a.Mean()) {
		if math.Abs(b.Mean()[i]-v) > 1e-9 {
			t.Errorf("coordinate %d: %v, want %v", i, b.Mean()[i], v)
		}
	}
	if math.Abs(a.Sigma()/b.Sigma()-1) > 1e-9 {
		t.Errorf("sigma %v, then %v", a.Sigma(), b.Sigma())
	}
}

func rotation(n int, rng *rand.Rand) *mat.Dense {
	m := mat.NewDense(n, n, nil)
	for i := range n {
		for j := range n {
			m.Set(i, j, rng.NormFloat64())
		}
	}
	var qr mat.QR
	qr.Factorize(m)
	var q mat.Dense
	qr.QTo(&q)
	return &q
}

func apply(m *mat.Dense, x []float64) []float64 {
	var y mat.VecDense
	y.MulVec(m, mat.NewVecDense(len(x), x))
	return y.RawVector().Data
}

// The orders are arbitrary, some points were not scored, and after it all the
// covariance still has a Cholesky factor and the mean is a number.
func TestCovarianceStaysPositiveDefinite(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 8).Draw(t, "n")
		s := cma.Settings{
			Lambda:  rapid.IntRange(2, 30).Draw(t, "lambda"),
			Passive: rapid.Bool().Draw(t, "passive"), Separable: rapid.Bool().Draw(t, "separable"), Adapt: rapid.Bool().Draw(t, "adapt"),
		}
		if rapid.Bool().Draw(t, "bounded") {
			s.Lower, s.Upper = make([]float64, n), ones(n)
		}
		es := cma.New(cma.Start{Mean: ones(n), Sigma: 0.3}, s)
		rng := rand.New(rand.NewSource(rapid.Int64().Draw(t, "seed")))
		for range 25 {
			points := es.Ask(rng)
			along := rapid.IntRange(0, n-1).Draw(t, "along")
			switch rapid.IntRange(0, 2).Draw(t, "order") {
			case 0:
				rng.Shuffle(len(points), func(i, j int) { points[i], points[j] = points[j], points[i] })
			case 1:
				slices.SortFunc(points, func(x, y []float64) int { return sign(x[along] - y[along]) })
			case 2:
				slices.SortFunc(points, func(x, y []float64) int { return sign(math.Abs(y[along]) - math.Abs(x[along])) })
			}
			es.Tell(points, make([]float64, rapid.IntRange(0, len(points)).Draw(t, "scored")))
		}
		checkDefinite(t, n, es.Covariance())
		for j, m := range es.Mean() {
			if math.IsNaN(m) || s.Lower != nil && (m < 0 || m > 1) {
				t.Fatalf("mean %v in coordinate %d", m, j)
			}
		}
	})
}

func sign(v float64) int {
	switch {
	case v < 0:
		return -1
	case v > 0:
		return 1
	}
	return 0
}

func checkDefinite(t *rapid.T, n int, cov []float64) {
	scale := 0.0
	for i := range n {
		scale = max(scale, cov[i*n+i])
	}
	for i := range cov {
		if cov[i] != cov[i/n+i%n*n] {
			t.Fatal("the covariance is not symmetric")
		}
	}
	for i := range cov {
		cov[i] /= scale
	}
	for i := range n { // rounding, in condition numbers up to 1e16
		cov[i*n+i] += 1e-15
	}
	var chol mat.Cholesky
	if !chol.Factorize(mat.NewSymDense(n, cov)) {
		t.Fatalf("not positive definite: %v", cov)
	}
}

// Points that were not scored have no share in the mean, however many they are.
func TestUnscoredPointsDoNotBreed(t *testing.T) {
	es := cma.New(cma.Start{Mean: ones(3), Sigma: 1}, cma.Settings{Lambda: 8})
	points := es.Ask(rand.New(rand.NewSource(1)))
	es.Tell(points, []float64{1}) // one of eight
	for j, v := range es.Mean() {
		if math.Abs(v-points[0][j]) > 1e-12 {
			t.Errorf("mean %v, want the only scored point %v", es.Mean(), points[0])
		}
	}
	before := es.Mean()
	es.Tell(es.Ask(rand.New(rand.NewSource(2))), nil)
	if !slices.Equal(before, es.Mean()) {
		t.Error("a generation without scores moved the mean")
	}
}

func TestStops(t *testing.T) {
	flat := evolve(cma.New(cma.Start{Mean: ones(3), Sigma: 1}, cma.Settings{}), 1, 40, func([]float64) float64 { return 1 })
	if got := flat.Stop(); got != cma.TolFun {
		t.Errorf("on a plain: stop %q", got)
	}
	slope := evolve(cma.New(cma.Start{Mean: ones(3), Sigma: 1}, cma.Settings{}), 1, 60, func(x []float64) float64 { return x[0] })
	if got := slope.Stop(); got != cma.TolXUp {
		t.Errorf("on a slope: stop %q, sigma %v", got, slope.Sigma())
	}
	if got := cma.New(cma.Start{Mean: ones(3), Sigma: 1}, cma.Settings{}).Stop(); got != "" {
		t.Errorf("at the start: stop %q", got)
	}
}

func TestRestartDoublesThePopulation(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	var began []int
	p := cma.NewIPOP(func(restart int, _ *rand.Rand) cma.Start {
		began = append(began, restart)
		return cma.Start{Mean: ones(2), Sigma: 1}
	}, rng, cma.Settings{})
	first := p.Lambda()
	for range 60 {
		points := p.Ask(rng)
		p.Tell(points, make([]float64, len(points)))
	}
	if p.Restarts() < 2 || p.Lambda() != first<<p.Restarts() || len(began) != p.Restarts()+1 {
		t.Errorf("%d restarts, population %d then %d, began %v", p.Restarts(), first, p.Lambda(), began)
	}
}

// The warm start lies where the best points lie, and is no narrower than the prior.
func TestWarmStart(t *testing.T) {
	rng := rand.New(rand.NewSource(1))
	var ranked [][]float64
	for i := range 2000 {
		x := []float64{0.7 + 0.3*rng.NormFloat64(), 0.2 + 0.01*rng.NormFloat64()}
		if i >= 200 {
			x = []float64{rng.Float64(), rng.Float64()}
		}
		ranked = append(ranked, x)
	}
	s := cma.WarmStart(ranked, 0.1, 0.1)
	for j, want := range []float64{0.7, 0.2} {
		if math.Abs(s.Mean[j]-want) > 0.05 {
			t.Errorf("mean %v", s.Mean)
		}
	}
	for j, want := range []float64{math.Hypot(0.3, 0.1), math.Hypot(0.01, 0.1)} {
		if got := s.Sigma * math.Sqrt(s.Cov[3*j]); math.Abs(got/want-1) > 0.15 {
			t.Errorf("deviation %v in coordinate %d, want %v", got, j, want)
		}
	}
	if det := s.Cov[0]*s.Cov[3] - s.Cov[1]*s.Cov[2]; math.Abs(det-1) > 1e-9 {
		t.Errorf("determinant %v, want 1", det)
	}
	cma.New(s, cma.Settings{})
}

// Medians of eleven runs stay inside bands around the figures of docs/log/cma.md.
func TestRunLengths(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	for _, c := range []struct {
		name      string
		settings  cma.Settings
		low, high float64
	}{
		{"sphere", cma.Settings{}, 1370, 1680},
		{"sphere", cma.Settings{Passive: true}, 1370, 1680},
		{"ellipsoid", cma.Settings{}, 3800, 4700},
		{"ellipsoid", cma.Settings{Passive: true}, 5300, 6500},
		{"ellipsoid", cma.Settings{Separable: true}, 2000, 3500},
		{"rosenbrock", cma.Settings{}, 4400, 6200},
	} {
		r := measure(11, 20_000, classic(c.name, 10), c.settings, false)
		if got := r.Quantile(0.5); !(got >= c.low && got <= c.high) || r.Successes() < 9 {
			t.Errorf("%s, %+v: median %.0f, want %.0f to %.0f; %d of 11 solved", c.name, c.settings, got, c.low, c.high, r.Successes())
		}
	}
}

// Where noise drowns the ranks, adapted learning rates come nearer to the optimum.
func TestAdaptationHelpsWithNoise(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	distance := func(adapt bool) float64 {
		sum := 0.0
		for seed := range int64(5) {
			noise := rand.New(rand.NewSource(seed))
			f := must(problem.Classic("sphere", 5))
			es := evolve(cma.New(cma.Start{Mean: ones(5), Sigma: 1}, cma.Settings{Adapt: adapt}), 1000*seed, 400, func(x []float64) float64 {
				return f.Cost(x) + noise.NormFloat64()
			})
			sum += math.Log(f.Cost(es.Mean()))
		}
		return sum / 5
	}
	if plain, adapted := distance(false), distance(true); adapted > plain-0.5 {
		t.Errorf("log cost of the mean: %.2f without, %.2f with adaptation", plain, adapted)
	}
}
