package search_test

import (
	"context"
	"math"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// found runs an algorithm on a family and returns the true fitness of its winner.
func found(tb testing.TB, f *searchtest.Family, a search.Algorithm, seed uint64, race search.Race, answers int) float64 {
	tb.Helper()
	r, err := search.Run(context.Background(), search.Options{
		Space: f.Space, Benchmark: f.Benchmark(), Algorithm: a,
		Builder: f, Scorer: f, Judge: searchtest.Judge{Benchmark: f.Benchmark()}, Recorder: searchtest.NewRecorder(),
		Seed: seed, Race: race, Budget: search.Budget{ItemAnswers: answers}, Workers: 2,
	})
	if err != nil {
		tb.Fatal(err)
	}
	return f.Fitness(r.Best.Recipe)
}

// interval returns the mean and its 95 percent interval (Student's t for five
// values; wider than it need be for more).
func interval(x []float64) (mean, low, high float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	squares := 0.0
	for _, v := range x {
		squares += (v - mean) * (v - mean)
	}
	half := 2.78 * math.Sqrt(squares/float64(len(x)*(len(x)-1)))
	return mean, mean - half, mean + half
}

func TestGABeatsRandomAtEqualAnswers(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	race := search.Race{Rungs: []int{15, 60}, Keep: 1.0 / 3, Tie: 0.1}
	var gains []float64
	for seed := range uint64(10) {
		f := searchtest.NewFamily(100+seed, searchtest.Items{Search: 60, Validation: 50, HeldOut: 100})
		random := found(t, f, must(search.NewRandom(f.Space, seed, 24)), seed, race, 25000)
		ga := found(t, f, newGA(f.Space, seed), seed, race, 25000)
		gains = append(gains, ga-random)
	}
	mean, low, high := interval(gains)
	t.Logf("gain in true fitness %.3f, 95 %% interval [%.3f, %.3f]", mean, low, high)
	if low <= 0 {
		t.Errorf("the GA does not beat random search: gains %v", gains)
	}
}

// On analytic landscapes the GA closes most of the gap that random search leaves.
func TestGAClimbsLandscapes(t *testing.T) {
	if testing.Short() {
		t.Skip("a long numeric test")
	}
	for name, make := range map[string]func(*mergesearch.Space, mergesearch.Genome) searchtest.Landscape{
		"sphere": searchtest.Sphere, "ridge": searchtest.Ridge,
	} {
		var ratios []float64
		for seed := range uint64(5) {
			space := searchtest.QuickSpace("a", "b", "c")
			target := search.Structured(space, 0.1, search.Stream(seed, "target"))
			land := make(space, target)
			random := 1 - land.Best(space, must(search.NewRandom(space, seed, 24)), 600)
			ga := 1 - land.Best(space, newGA(space, seed), 600)
			ratios = append(ratios, ga/random)
		}
		mean, _, high := interval(ratios)
		t.Logf("%s: the GA leaves %.2f of the gap that random search leaves", name, mean)
		if high > 0.6 {
			t.Errorf("%s: the GA leaves %.2f of random's gap (upper end %.2f)", name, mean, high)
		}
	}
}

// BenchmarkSearch runs whole searches over simulated families at the quickstart's
// scale and reports, beside the time, how far below the reference optimum the
// winners are.
func BenchmarkSearch(b *testing.B) {
	for name, create := range map[string]func(f *searchtest.Family, seed uint64) search.Algorithm{
		"random": func(f *searchtest.Family, seed uint64) search.Algorithm {
			return must(search.NewRandom(f.Space, seed, 24))
		},
		"ga": func(f *searchtest.Family, seed uint64) search.Algorithm { return newGA(f.Space, seed) },
		"ga/islands=1": func(f *searchtest.Family, seed uint64) search.Algorithm {
			return newGA(f.Space, seed, func(g *search.GASettings) { g.Islands = 1 })
		},
	} {
		b.Run(name, func(b *testing.B) {
			gap, n := 0.0, uint64(0)
			for ; b.Loop(); n++ {
				f := searchtest.NewFamily(1000+n, searchtest.Items{Search: 120, Validation: 100, HeldOut: 300})
				fitness := found(b, f, create(f, n), n, search.DefaultRace(), 60000)
				b.StopTimer()
				gap += f.Reference(2500) - fitness
				b.StartTimer()
			}
			b.ReportMetric(gap/float64(n), "gap")
		})
	}
}
