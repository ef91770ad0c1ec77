package surrogate

import (
	"math"
	"testing"

	"pgregory.net/rapid"
)

func close(t interface{ Fatalf(string, ...any) }, what string, got, want, tolerance float64) {
	if math.Abs(got-want) > tolerance*(1+math.Abs(want)) || math.IsNaN(got) {
		t.Fatalf("%s: %v, want %v", what, got, want)
	}
}

// solveSlowly solves a x = b by elimination and returns the determinant of a too.
func solveSlowly(a [][]float64, b []float64) ([]float64, float64) {
	n, det := len(b), 1.0
	x := append([]float64(nil), b...)
	for i := range n {
		pivot := i
		for r := i; r < n; r++ {
			if math.Abs(a[r][i]) > math.Abs(a[pivot][i]) {
				pivot = r
			}
		}
		if pivot != i {
			a[i], a[pivot], x[i], x[pivot], det = a[pivot], a[i], x[pivot], x[i], -det
		}
		det *= a[i][i]
		for r := i + 1; r < n; r++ {
			f := a[r][i] / a[i][i]
			for c := i; c < n; c++ {
				a[r][c] -= f * a[i][c]
			}
			x[r] -= f * x[i]
		}
	}
	for i := n - 1; i >= 0; i-- {
		for c := i + 1; c < n; c++ {
			x[i] -= a[i][c] * x[c]
		}
		x[i] /= a[i][i]
	}
	return x, det
}

// The posterior and the evidence are those of the joint Gaussian of all rows, whose
// covariance is noise plus features times prior times features.
func TestRegressionIsTheJointGaussian(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, n := rapid.IntRange(1, 4).Draw(t, "features"), rapid.IntRange(1, 6).Draw(t, "rows")
		draw := rapid.Float64Range(-2, 2)
		prior, probe := make([]float64, p), make([]float64, p)
		for j := range p {
			prior[j], probe[j] = rapid.Float64Range(0.1, 3).Draw(t, "prior"), draw.Draw(t, "probe")
		}
		eq := newNormal(p)
		rows, y := make([][]float64, n), make([]float64, n)
		covariance := make([][]float64, n)
		weights := make([]float64, n)
		for i := range n {
			rows[i] = make([]float64, p)
			for j := range p {
				rows[i][j] = draw.Draw(t, "feature")
			}
			y[i], weights[i] = draw.Draw(t, "value"), rapid.Float64Range(0.2, 5).Draw(t, "weight")
			eq.add(rows[i], y[i], weights[i])
		}
		product := func(a, b []float64) (s float64) {
			for j := range p {
				s += a[j] * prior[j] * b[j]
			}
			return s
		}
		for i := range n {
			covariance[i] = make([]float64, n)
			for k := range n {
				covariance[i][k] = product(rows[i], rows[k])
			}
			covariance[i][i] += 1 / weights[i]
		}
		solved, det := solveSlowly(covariance, y)
		at, square := 0.0, 0.0
		for i := range n {
			at += product(probe, rows[i]) * solved[i]
			square += y[i] * solved[i]
		}
		close(t, "expectation", eq.solve(prior).at(probe), at, 1e-8)
		close(t, "evidence", eq.evidence(prior), -math.Log(det)/2-square/2, 1e-8)
		if v := eq.solve(prior).variance(probe); v < 0 || v > product(probe, probe)+1e-9 {
			t.Fatalf("variance %v, prior %v", v, product(probe, probe))
		}
	})
}

func TestWavesAreOrthonormal(t *testing.T) {
	b := NewBasis(make([]float64, 7), [][]int{{0, 2, 4, 6}, {5, 3}, {1}})
	for i, x := range b.waves {
		for j, y := range b.waves {
			sum, want := 0.0, 0.0
			for k := range x {
				sum += x[k] * y[k]
			}
			if i == j {
				want = 1
			}
			close(t, "product", sum, want, 1e-12)
		}
	}
}

func TestGradientIsThatOfTheFeatures(t *testing.T) {
	b := NewBasis([]float64{0.5, 0.4, 0.3, 0.6, 0.2}, [][]int{{0, 1, 2}, {4, 3}})
	x, w := []float64{0.1, 0.9, 0.45, 0.3, 0.7}, make([]float64, b.size())
	for i := range w {
		w[i] = math.Sin(float64(3*i + 1))
	}
	value := func(x []float64) (s float64) {
		for i, f := range b.features(x) {
			s += w[i] * f
		}
		return s
	}
	got := make([]float64, len(x))
	b.gradient(x, w, 2, got)
	for j := range x {
		const h = 1e-5
		up, down := append([]float64(nil), x...), append([]float64(nil), x...)
		up[j], down[j] = up[j]+h, down[j]-h
		close(t, "gradient", got[j], 2*(value(up)-value(down))/(2*h), 1e-6)
	}
}

// An item is fitted to a finite place whatever was answered, and to where the answers
// turn when there are many.
func TestItemsAreFitted(t *testing.T) {
	for _, value := range []float64{0, 1} {
		it := Item{LogSlope: logSlopeMean}
		var answers []answer
		for range 1000 {
			answers = append(answers, answer{value: value, weight: 1, variance: 0.1})
		}
		it.fit(answers)
		if math.IsNaN(it.Difficulty) || math.Abs(it.Difficulty) > 6 || (it.Difficulty > 0) == (value == 1) {
			t.Errorf("all %v: difficulty %v", value, it.Difficulty)
		}
	}
	for _, turn := range []float64{-0.7, 0.2, 1.1} {
		it, flat := Item{LogSlope: logSlopeMean}, Item{LogSlope: logSlopeMean}
		var answers, even []answer
		for k := range 200 {
			a := answer{ability: -2 + 4*float64(k)/200, weight: 1, variance: 0.01}
			even = append(even, answer{ability: a.ability, value: float64(k % 2), weight: 1, variance: 0.01})
			if a.ability > turn {
				a.value = 1
			}
			answers = append(answers, a)
		}
		for range 3 {
			it.fit(answers)
			flat.fit(even)
		}
		close(t, "difficulty", it.Difficulty, turn, 0.1)
		if it.Slope() < 4*flat.Slope() {
			t.Errorf("an item that turns at once has slope %v, one that flips %v", it.Slope(), flat.Slope())
		}
	}
}

// With one coordinate that matters the slopes show it, and with noise alone they are
// next to nothing.
func TestSlopes(t *testing.T) {
	var points [][]float64
	var signal, noise []float64
	var groups []int
	for i := range 60 {
		x := []float64{math.Sin(float64(i)), math.Cos(float64(2 * i)), math.Sin(float64(3*i + 1))}
		points = append(points, x)
		e := math.Sin(float64(i*i*7 + i))
		signal, noise = append(signal, 3*x[1]+0.1*e+float64(i%2)), append(noise, e)
		groups = append(groups, i%2)
	}
	s := Slopes(points, signal, groups)
	close(t, "slope", s[1], 3, 0.05)
	if math.Abs(s[0])+math.Abs(s[2]) > 0.2 {
		t.Errorf("slopes %v", s)
	}
	for _, v := range Slopes(points, noise, groups) {
		if math.Abs(v) > 0.35 {
			t.Errorf("slopes of noise %v", v)
		}
	}
	if Slopes(nil, nil, nil) != nil {
		t.Error("slopes of nothing")
	}
}
