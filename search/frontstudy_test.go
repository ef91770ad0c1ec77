package search_test

import (
	"context"
	"os"
	"slices"
	"strconv"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/pareto"
	"mergesearch/search/searchtest"
)

// TestFamilyFrontStudy compares fronts at equal answers on so many simulated
// families from the first on: the hypervolume above zero of the true values of what
// a run holds to be its front.
func TestFamilyFrontStudy(t *testing.T) {
	families, _ := strconv.Atoi(os.Getenv("FRONT_FAMILIES"))
	if families == 0 {
		t.Skip("set FRONT_FAMILIES, and FRONT_FIRST")
	}
	first, _ := strconv.ParseUint(os.Getenv("FRONT_FIRST"), 10, 64)
	nsga2 := func(change ...func(*search.NSGA2Settings)) func(*searchtest.Family, mergesearch.Benchmark, uint64) search.Algorithm {
		return func(f *searchtest.Family, b mergesearch.Benchmark, seed uint64) search.Algorithm {
			s := search.DefaultNSGA2()
			for _, c := range change {
				c(&s)
			}
			return must(search.NewNSGA2(f.Space, b, seed, s))
		}
	}
	for _, c := range []struct {
		name   string
		aim    mergesearch.Aim
		create func(*searchtest.Family, mergesearch.Benchmark, uint64) search.Algorithm
	}{
		{"ga, weighted mean", mergesearch.MeanTask, func(f *searchtest.Family, _ mergesearch.Benchmark, seed uint64) search.Algorithm {
			return newGA(f.Space, seed)
		}},
		{"nsga2", mergesearch.Pareto, nsga2()},
		{"nsga2, uniform start", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.Uniform, s.Start = true, s.Population })},
		{"random", mergesearch.Pareto, func(f *searchtest.Family, _ mergesearch.Benchmark, seed uint64) search.Algorithm {
			return must(search.NewRandom(f.Space, seed, 24))
		}},
	} {
		var volumes, best []float64
		for k := range uint64(families) {
			f := searchtest.NewFamily(first+k, searchtest.Items{Search: 120, Validation: 20, HeldOut: 300})
			b := f.Benchmark()
			b.Aim = c.aim
			recorder := searchtest.NewRecorder()
			r, err := search.Run(context.Background(), search.Options{
				Space: f.Space, Benchmark: b, Algorithm: c.create(f, b, k),
				Builder: f, Scorer: f, Judge: searchtest.Judge{Benchmark: b}, Recorder: recorder,
				JudgeOf: func(b mergesearch.Benchmark) search.Judge { return searchtest.Judge{Benchmark: b} },
				Seed:    k, Race: search.DefaultRace(), Budget: search.Budget{ItemAnswers: 60000}, Workers: 1,
			})
			if err != nil {
				t.Fatal(err)
			}
			trials := recorder.Trials()
			b.Aim = mergesearch.Pareto
			var points [][]float64
			for _, i := range search.Front(b, trials) {
				points = append(points, f.Values(trials[i].Recipe))
			}
			volumes = append(volumes, pareto.Hypervolume(points, []float64{0, 0, 0}))
			best = append(best, f.Fitness(r.Best.Recipe))
		}
		mean, low, high := interval(volumes)
		fitness, _, _ := interval(best)
		slices.Sort(volumes)
		t.Logf("%-22s volume %.3f +- %.3f (%.3f-%.3f), fitness of the winner %.3f", c.name, mean, (high-low)/2/2.78, volumes[0], volumes[len(volumes)-1], fitness)
	}
}
