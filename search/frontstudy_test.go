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

// TestFamilyFrontStudy compares fronts at equal answers on simulated families: the
// hypervolume above zero of the true values of what a run thinks its front is.
func TestFamilyFrontStudy(t *testing.T) {
	families, _ := strconv.Atoi(os.Getenv("FRONT_FAMILIES"))
	if families == 0 {
		t.Skip("set FRONT_FAMILIES")
	}
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
		{"random", mergesearch.MeanTask, func(f *searchtest.Family, _ mergesearch.Benchmark, seed uint64) search.Algorithm {
			return must(search.NewRandom(f.Space, seed, 24))
		}},
		{"random, race by place", mergesearch.Pareto, func(f *searchtest.Family, _ mergesearch.Benchmark, seed uint64) search.Algorithm {
			return must(search.NewRandom(f.Space, seed, 24))
		}},
		{"ga", mergesearch.MeanTask, func(f *searchtest.Family, _ mergesearch.Benchmark, seed uint64) search.Algorithm {
			return newGA(f.Space, seed)
		}},
		{"nsga2, race by mean", mergesearch.MeanTask, func(f *searchtest.Family, b mergesearch.Benchmark, seed uint64) search.Algorithm {
			b.Aim = mergesearch.Pareto
			return must(search.NewNSGA2(f.Space, b, seed, search.DefaultNSGA2()))
		}},
		{"nsga2, uniform start, no moves together", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.Uniform, s.TogetherRate, s.Start = true, 0, 24 })},
		{"nsga2", mergesearch.Pareto, nsga2()},
		{"nsga2, start 24", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.Start = 24 })},
		{"nsga2, start 72", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.Start = 72 })},
		{"nsga2, population 40", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.Population, s.Start = 40, 80 })},
		{"nsga2, no moves together", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.TogetherRate = 0 })},
		{"nsga2, moves together .3", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.TogetherRate = 0.3 })},
		{"nsga2, moves together .7", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.TogetherRate = 0.7 })},
		{"nsga2, mutation eta 5", mergesearch.Pareto, nsga2(func(s *search.NSGA2Settings) { s.MutationEta = 5 })},
	} {
		var volumes, best []float64
		for k := range uint64(families) {
			f := searchtest.NewFamily(1000+k, searchtest.Items{Search: 120, Validation: 20, HeldOut: 300})
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
		t.Logf("%-42s volume %.3f +- %.3f (%.3f-%.3f), fitness of the winner %.3f", c.name, mean, (high-low)/2/2.78, volumes[0], volumes[len(volumes)-1], fitness)
	}
}
