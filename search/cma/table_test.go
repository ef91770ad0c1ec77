package cma_test

import (
	"fmt"
	"math/rand"
	"os"
	"strconv"
	"strings"
	"testing"

	"mergesearch/search/cma"
	"mergesearch/search/problem"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// target is the precision that run lengths are taken at.
const target = 1e-8

// measure runs an ES from uniform starts with sigma 2, restarted with twice the
// population if restarts is set.
func measure(trials, budget int, function func(trial int) problem.Function, s cma.Settings, restarts bool) problem.RunLength {
	return problem.Measure(trials, target, budget, function, func(trial int, m *problem.Meter) {
		rng := rand.New(rand.NewSource(1000 + int64(trial)))
		start := func(_ int, rng *rand.Rand) cma.Start { return cma.Start{Mean: m.Start(rng), Sigma: 2} }
		if restarts {
			cma.Minimise(cma.NewIPOP(start, rng, s), rng, m.Evaluate, m.Done)
			return
		}
		es := cma.New(start(0, rng), s)
		cma.Minimise(es, rng, m.Evaluate, func() bool { return m.Done() || es.Stop() != "" })
	})
}

// bbob returns the trials of the test bed: instances 1 to 5 in turn.
func bbob(number, dim int) func(int) problem.Function {
	return func(trial int) problem.Function { return must(problem.BBOB(number, dim, 1+trial%5)) }
}

func classic(name string, dim int) func(int) problem.Function {
	return func(int) problem.Function { return must(problem.Classic(name, dim)) }
}

// published are expected running times of BIPOP-CMA-ES (Hansen 2009) to 1e-8 over
// the best, in 5, 10 and 20 dimensions, from the archive of the test bed.
var published = []struct {
	number int
	ert    [3]float64
}{
	{1, [3]float64{726, 1472, 2754}},
	{2, [3]float64{2157, 6096, 19755}},
	{5, [3]float64{66, 123, 256}},
	{6, [3]float64{1862, 4417, 10731}},
	{7, [3]float64{1738, 7856, 36479}},
	{8, [3]float64{2341, 6365, 21027}},
	{9, [3]float64{2382, 6712, 23119}},
	{10, [3]float64{2152, 5962, 19637}},
	{11, [3]float64{2308, 5743, 15666}},
	{12, [3]float64{5140, 13734, 29378}},
	{13, [3]float64{4365, 15786, 104249}},
	{14, [3]float64{2513, 7189, 23026}},
	{101, [3]float64{816, 1531, 2824}},
	{103, [3]float64{906, 1728, 3174}},
	{107, [3]float64{2164, 15838, 69389}},
}

// long skips a test that prints a table of docs/log unless it is asked for by
// MERGESEARCH_STUDY, whose value is a list of functions, or empty for all.
func long(t *testing.T) (only map[string]bool) {
	names, ok := os.LookupEnv("MERGESEARCH_STUDY")
	if !ok {
		t.Skip("a study; set MERGESEARCH_STUDY to run it")
	}
	if names == "" {
		return nil
	}
	only = map[string]bool{}
	for name := range strings.SplitSeq(names, ",") {
		only[name] = true
	}
	return only
}

func TestStudyBBOB(t *testing.T) {
	only := long(t)
	for _, p := range published {
		if name := "f" + strconv.Itoa(p.number); only != nil && !only[name] {
			continue
		}
		row := fmt.Sprintf("| f%d ", p.number)
		for k, dim := range []int{5, 10, 20} {
			r := measure(15, 100_000*dim, bbob(p.number, dim), cma.Settings{Passive: true}, true)
			row += fmt.Sprintf("| %.0f (%+.1f %%, %d) ", r.ERT(), 100*(r.ERT()/p.ert[k]-1), r.Successes())
		}
		fmt.Println(row + "|")
	}
}

func TestStudyClassic(t *testing.T) {
	only := long(t)
	for _, name := range problem.Classics() {
		if only != nil && !only[name] {
			continue
		}
		for _, dim := range []int{10, 20, 40} {
			r := measure(15, 1_000_000, classic(name, dim), cma.Settings{}, false)
			fmt.Printf("| %s | %d | %.0f (%.0f-%.0f), %d of 15 |\n", name, dim, r.Quantile(0.5), r.Quantile(0.25), r.Quantile(0.75), r.Successes())
		}
	}
}

// mixedRunLength runs a CatCMA from the starts of docs/peers/search/catcma_run_lengths.py.
func mixedRunLength(f problem.Mixed, seed int64, budget int) (evaluations int, solved bool) {
	rng := rand.New(rand.NewSource(seed))
	domain := cma.Domain{Options: f.Options}
	var start cma.CatStart
	for range f.Reals {
		domain.Lower, domain.Upper = append(domain.Lower, -f.Bound), append(domain.Upper, f.Bound)
		start.Mean, start.Deviations = append(start.Mean, 1+3*rng.Float64()), append(start.Deviations, f.Bound/6)
	}
	for range f.Ints {
		var levels []float64
		for v := -f.Levels; v <= f.Levels; v++ {
			levels = append(levels, float64(v))
		}
		domain.Levels = append(domain.Levels, levels)
		start.Mean, start.Deviations = append(start.Mean, 2+6*rng.Float64()), append(start.Deviations, float64(f.Levels)/5)
	}
	c := cma.NewCatCMA(domain, start, 0)
	for evaluations < budget {
		points := c.Ask(rng)
		costs := make([]float64, len(points))
		for i, p := range points {
			costs[i] = f.Cost(p.X, p.Z, p.C)
			if evaluations++; costs[i] <= target {
				return evaluations, true
			}
		}
		var ranked []cma.CatPoint
		for _, i := range cma.Order(costs) {
			ranked = append(ranked, points[i])
		}
		c.Tell(ranked, len(ranked))
	}
	return evaluations, false
}

func TestStudyMixed(t *testing.T) {
	only := long(t)
	for _, name := range problem.MixedNames() {
		if only != nil && !only[name] {
			continue
		}
		for _, n := range []int{5, 10} {
			f := must(problem.NewMixed(name, n))
			var r problem.RunLength
			for seed := range 31 {
				evaluations, solved := mixedRunLength(f, int64(seed), 300_000)
				r.Evaluations, r.Solved = append(r.Evaluations, evaluations), append(r.Solved, solved)
			}
			fmt.Printf("| %s | %d | %.0f (%.0f-%.0f), %d of 31 |\n", name, n, r.Quantile(0.5), r.Quantile(0.25), r.Quantile(0.75), r.Successes())
		}
	}
}
