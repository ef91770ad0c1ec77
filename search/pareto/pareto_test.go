package pareto_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mergesearch/search/pareto"
)

// points draws sets with many ties, duplicates, and values below zero.
func points(most int) *rapid.Generator[[][]float64] {
	return rapid.Custom(func(t *rapid.T) [][]float64 {
		m := rapid.IntRange(1, 5).Draw(t, "objectives")
		value := rapid.Map(rapid.IntRange(-1, 5), func(n int) float64 { return float64(n) / 4 })
		if rapid.Bool().Draw(t, "fine") {
			value = rapid.Float64Range(-0.2, 1)
		}
		return rapid.SliceOfN(rapid.SliceOfN(value, m, m), 0, most).Draw(t, "points")
	})
}

// peeled is the slow reference of Fronts: take away what nothing left dominates.
func peeled(points [][]float64) [][]int {
	left := make([]int, len(points))
	for i := range left {
		left[i] = i
	}
	var out [][]int
	for len(left) > 0 {
		var front, rest []int
		for _, i := range left {
			if slices.ContainsFunc(left, func(j int) bool { return pareto.Dominates(points[j], points[i]) }) {
				rest = append(rest, i)
			} else {
				front = append(front, i)
			}
		}
		out, left = append(out, front), rest
	}
	return out
}

func TestFrontsArePeeledSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := points(25).Draw(t, "p")
		got, want := pareto.Fronts(p), peeled(p)
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("fronts %v of %v, want %v", got, p, want)
		}
	})
}

func TestConstrainedPutsFeasiblePointsFirst(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := points(20).Draw(t, "p")
		v := make([]float64, len(p))
		for i := range v {
			v[i] = max(0, float64(rapid.IntRange(-3, 3).Draw(t, "violation")))
		}
		fronts := pareto.Constrained(p, v)
		rank := make([]int, len(p))
		n := 0
		for k, front := range fronts {
			for _, i := range front {
				rank[i] = k
				n++
			}
		}
		if n != len(p) {
			t.Fatalf("%d of %d points in fronts", n, len(p))
		}
		for i := range p {
			for j := range p {
				better := v[i] < v[j] || v[i] == 0 && v[j] == 0 && pareto.Dominates(p[i], p[j])
				if better && rank[i] >= rank[j] {
					t.Fatalf("point %d (violation %v) in front %d, point %d (%v) in front %d", i, v[i], rank[i], j, v[j], rank[j])
				}
			}
		}
	})
}

// inclusionExclusion is the slow reference of Hypervolume: over all subsets, the
// box that they share, added or taken away.
func inclusionExclusion(points [][]float64, reference []float64) float64 {
	sum := 0.0
	for subset := 1; subset < 1<<len(points); subset++ {
		v, sign := 1.0, -1.0
		low := make([]float64, len(reference))
		for i := range low {
			low[i] = math.Inf(1)
		}
		for k, p := range points {
			if subset>>k&1 == 1 {
				sign = -sign
				for i, x := range p {
					low[i] = min(low[i], x)
				}
			}
		}
		for i := range low {
			v *= max(0, low[i]-reference[i])
		}
		sum += sign * v
	}
	return sum
}

func TestHypervolumeIsInclusionAndExclusion(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := points(9).Draw(t, "p")
		reference := make([]float64, 3)
		if len(p) > 0 {
			reference = make([]float64, len(p[0]))
		}
		got, want := pareto.Hypervolume(p, reference), inclusionExclusion(p, reference)
		if math.Abs(got-want) > 1e-12 {
			t.Fatalf("hypervolume %v of %v, want %v", got, p, want)
		}
	})
}

// The laws: no order, no dominated or repeated or outside point changes the
// volume, more points never lower it, and it scales with each objective.
func TestHypervolumeLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := points(30).Filter(func(p [][]float64) bool { return len(p) > 0 }).Draw(t, "p")
		m := len(p[0])
		reference := make([]float64, m)
		before := fmt.Sprint(p)
		v := pareto.Hypervolume(p, reference)
		if fmt.Sprint(p) != before {
			t.Fatal("it wrote to its points")
		}
		same := func(what string, got float64) {
			if math.Abs(got-v) > 1e-12*math.Max(1, v) {
				t.Fatalf("%s: %v, want %v", what, got, v)
			}
		}
		q := rapid.Permutation(p).Draw(t, "q")
		same("permuted", pareto.Hypervolume(q, reference))
		outside := slices.Clone(p[0])
		outside[m-1] = -0.1
		lower := slices.Clone(p[0])
		lower[0] -= 0.05
		same("with a duplicate, a dominated point and one outside", pareto.Hypervolume(append(slices.Clone(q), p[0], lower, outside, reference), reference))
		if less := pareto.Hypervolume(p[1:], reference); less > v+1e-12 {
			t.Fatalf("without a point %v, with it %v", less, v)
		}
		wide := make([][]float64, len(p))
		for i := range p {
			wide[i] = slices.Clone(p[i])
			wide[i][0] *= 4
		}
		same("scaled", pareto.Hypervolume(wide, reference)/4)
	})
}

func TestHypervolumeByHand(t *testing.T) {
	for _, c := range []struct {
		points    [][]float64
		reference []float64
		want      float64
	}{
		{nil, []float64{0, 0}, 0},
		{[][]float64{{3, 1}, {2, 2}, {1, 3}}, []float64{0, 0}, 6},
		{[][]float64{{3, 1}, {2, 2}, {1, 3}, {2, 1}, {2, 2}, {5, -1}, {0, 9}}, []float64{0, 0}, 6},
		{[][]float64{{-1, -1}}, []float64{-1.1, -1.1}, 0.01},
		{[][]float64{{2, 1, 1}, {1, 2, 1}, {1, 1, 2}}, []float64{0, 0, 0}, 4},
		{[][]float64{{2, 1, 1, 1}, {1, 2, 1, 1}, {1, 1, 2, 1}, {1, 1, 1, 2}}, []float64{0, 0, 0, 0}, 5},
		{[][]float64{{math.NaN(), 1}, {1, 1}}, []float64{0, 0}, 1},
	} {
		if got := pareto.Hypervolume(c.points, c.reference); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("hypervolume of %v above %v is %v, want %v", c.points, c.reference, got, c.want)
		}
	}
}

// Larger sets than inclusion and exclusion can take, against a count of random
// points; four standard errors.
func TestHypervolumeOfManyPointsIsTheShareOfDominatedOnes(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for m := 2; m <= 5; m++ {
		p := make([][]float64, 40)
		for i := range p {
			norm := 0.0
			for range m {
				x := rng.Float64()
				p[i] = append(p[i], x)
				norm += x * x
			}
			for k := range p[i] { // on the sphere, so that all count
				p[i][k] /= math.Sqrt(norm)
			}
		}
		const draws = 20000
		hits := 0
		for range draws {
			x := make([]float64, m)
			for k := range x {
				x[k] = rng.Float64()
			}
			if slices.ContainsFunc(p, func(q []float64) bool { return pareto.Dominates(q, x) }) {
				hits++
			}
		}
		share := float64(hits) / draws
		got := pareto.Hypervolume(p, make([]float64, m))
		if math.Abs(got-share) > 4*math.Sqrt(share*(1-share)/draws) {
			t.Errorf("%d objectives: hypervolume %.4f, share of dominated points %.4f", m, got, share)
		}
	}
}

func TestCrowdingByHand(t *testing.T) {
	p := [][]float64{{4, 0}, {1, 3}, {0, 4}, {3, 1}, {1, 3}}
	want := []float64{math.Inf(1), 3.0/4 + 3.0/4, math.Inf(1), 3.0/4 + 3.0/4, 0}
	if got := pareto.Crowding(p); !slices.Equal(got, want) {
		t.Errorf("crowding %v, want %v", got, want)
	}
	if got := pareto.Crowding([][]float64{{1, 1}, {1, 1}}); !math.IsInf(got[0], 1) || got[1] != 0 {
		t.Errorf("crowding of equal points %v, want infinity and 0", got)
	}
	if got := pareto.Crowding(nil); len(got) != 0 {
		t.Errorf("crowding of no points %v", got)
	}
}

// Whatever the order of the points, each value has its distances.
func TestCrowdingKnowsNoOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := points(15).Draw(t, "p")
		q := p
		if len(p) > 0 {
			q = rapid.Permutation(p).Draw(t, "q")
		}
		if a, b := labelled(p), labelled(q); !slices.Equal(a, b) {
			t.Fatalf("crowding %v, of the permuted points %v", a, b)
		}
	})
}

func labelled(points [][]float64) []string {
	var out []string
	for i, d := range pareto.Crowding(points) {
		out = append(out, fmt.Sprint(points[i], d))
	}
	slices.Sort(out)
	return out
}
