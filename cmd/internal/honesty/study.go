package honesty

import (
	"context"
	"fmt"
	"math"
	"sync"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/search"
)

// Study is a number of simulated searches of one kind.
type Study struct {
	Searches int
	Seed     uint64
	Gain     float64 // of the best recipes over the best parent; 0: none is better
	Tilt     float64 // of the experts towards their own tasks
	Items    Items

	Algorithm  string // as run files name it
	Candidates int    // budget of each search
	Resamples  int    // of the judge; 0 for its own default
	Workers    int    // searches at a time, at least 1
}

// Counts is what came of a study. Gains are in units of fitness.
type Counts struct {
	Searches int

	Claimed      int // "beats the best parent"
	ClaimedFalse int // ... though the winner is not better than the truly best parent
	Full         int // the winner is one of the best recipes: it truly gains all of Study.Gain
	ClaimedFull  int // ... and the claim was made
	OverDefault  int // "beats the best default recipe"
	OtherParent  int // a parent that is not the truly best one was taken for it

	// Printed minus true gain of the winner over the parent that was taken for the
	// best: its mean and the standard error of the mean.
	Bias, BiasStdErr float64
	Covered          int     // the interval holds that true gain
	Width            float64 // of the interval, in the mean

	// Search minus held-out fitness of the winner, in the mean: what the search says
	// too much.
	Optimism float64
	True     float64 // gain of the winner over the truly best parent, in the mean
}

// sample is what came of one search.
type sample struct {
	report    search.Report
	true      float64 // gain of the winner over the truly best parent
	trueNamed float64 // gain over the one that the verdict names
}

// Run searches. The error is that of a search, which does not happen.
func (s Study) Run(ctx context.Context) (Counts, error) {
	samples := make([]sample, s.Searches)
	errs := make([]error, s.Searches)
	var wg sync.WaitGroup
	next := make(chan int)
	for range max(1, s.Workers) {
		wg.Go(func() {
			for i := range next {
				samples[i], errs[i] = s.search(ctx, seedOf(s.Seed, i))
			}
		})
	}
	for i := range samples {
		next <- i
	}
	close(next)
	wg.Wait()
	for i, err := range errs {
		if err != nil {
			return Counts{}, fmt.Errorf("search %d: %w", i, err)
		}
	}
	return s.count(samples), nil
}

// search runs one search over a world of its own.
func (s Study) search(ctx context.Context, seed uint64) (sample, error) {
	w := NewWorld(seed, s.Gain, s.Tilt, s.Items)
	budget := search.Budget{Candidates: s.Candidates}
	plan, err := search.New(s.Algorithm, search.Brief{
		Space: w.Space, Benchmark: w.Benchmark(), Items: w.Items(mergesearch.SearchSplit), Seed: seed, Budget: budget,
	})
	if err != nil {
		return sample{}, err
	}
	race := search.DefaultRace()
	if plan.Race != nil {
		race = *plan.Race
	}
	r, err := search.Run(ctx, search.Options{
		Space: w.Space, Benchmark: w.Benchmark(), Algorithm: plan.Algorithm,
		Builder: w, Scorer: w, Judge: eval.Judge{Benchmark: w.Benchmark(), Resamples: s.Resamples}, Recorder: forgetful{},
		Seed: seed, Race: race, Budget: budget, Workers: 1,
	})
	return sample{r, w.Gain(r.Best.Recipe, bestParent), w.Gain(r.Best.Recipe, r.BestParent)}, err
}

func (s Study) count(samples []sample) Counts {
	c := Counts{Searches: len(samples)}
	n := float64(len(samples))
	var squares float64
	for _, x := range samples {
		v := x.report.Verdict
		if v.BeatsBestParent {
			c.Claimed++
			if x.true <= 1e-9 {
				c.ClaimedFalse++
			}
		}
		if x.true > s.Gain-1e-9 {
			c.Full++
			if v.BeatsBestParent {
				c.ClaimedFull++
			}
		}
		if over, ok := x.report.AgainstBestBaseline(); ok && over.Ahead() {
			c.OverDefault++
		}
		if x.report.BestParent != bestParent {
			c.OtherParent++
		}
		if v.CILow-1e-9 <= x.trueNamed && x.trueNamed <= v.CIHigh+1e-9 {
			c.Covered++
		}
		d := v.Gain - x.trueNamed
		c.Bias += d / n
		squares += d * d
		c.Width += (v.CIHigh - v.CILow) / n
		c.Optimism += (x.report.Best.Search.Fitness - x.report.Best.HeldOut.Fitness) / n
		c.True += x.true / n
	}
	if n > 1 {
		c.BiasStdErr = math.Sqrt(max(0, squares-n*c.Bias*c.Bias) / (n * (n - 1)))
	}
	return c
}

// forgetful is a recorder of runs that are never resumed.
type forgetful struct{}

func (forgetful) Begin(context.Context, mergesearch.Trial, string) error { return nil }

func (forgetful) Known(context.Context, mergesearch.RecipeID) (mergesearch.Known, error) {
	return mergesearch.Known{}, nil
}

func (forgetful) Answered(context.Context, mergesearch.Trial, mergesearch.Split, []mergesearch.Outcome) error {
	return nil
}

func (forgetful) Finish(context.Context, mergesearch.Trial) error { return nil }

func (forgetful) Stop(context.Context, int) error { return nil }

func (forgetful) Stopped(context.Context) (int, bool, error) { return 0, false, nil }

func (forgetful) Event(context.Context, string, map[string]any) error { return nil }
