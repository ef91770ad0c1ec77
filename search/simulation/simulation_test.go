package simulation_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"mergesearch"
	"mergesearch/search/simulation"
)

// Gap closed has its ends where it should, and the gap is of the size that merges of
// fine-tuned models leave.
func TestLandscapes(t *testing.T) {
	for _, kind := range []simulation.Kind{simulation.Layers, simulation.Pairs} {
		var gap, uniform float64
		const seeds = 5
		for seed := uint64(1001); seed < 1001+seeds; seed++ {
			l := simulation.NewLandscape(kind, 32, seed)
			best, top := l.Optimum()
			if f := l.Fitness(best); f != top {
				t.Fatalf("optimum %v has fitness %v", top, f)
			}
			middle := l.Fitness(l.Middle())
			gap += (top - middle) / seeds
			rng := rand.New(rand.NewPCG(seed, 1))
			for range 50 {
				x := make([]float64, 32)
				for j := range x {
					x[j] = rng.Float64()
				}
				f := l.Fitness(x)
				uniform += f / 50 / seeds
				if f > top {
					t.Fatalf("a random point has %v, the optimum %v", f, top)
				}
			}
			uniform -= middle / seeds
		}
		if gap < 0.04 || gap > 0.12 || uniform > -gap {
			t.Errorf("%s: gap %.3f, random points %+.3f", kind, gap, uniform)
		}
	}
}

// Answers are shares of what the fitness says, the same however often they are asked.
func TestAnswersFollowTheFitness(t *testing.T) {
	l := simulation.NewLandscape(simulation.Pairs, 8, 1001)
	f, err := simulation.NewFamily(l)
	if err != nil {
		t.Fatal(err)
	}
	ctx, solved := context.Background(), 0.0
	b := f.Space.Baselines()[0]
	if x := f.Place(b.Recipe); x[0] != 0.5 || x[7] != 0.5 {
		t.Fatalf("the usual recipe stands at %v", x)
	}
	c, err := f.Build(ctx, "c0001", b.Recipe)
	if err != nil {
		t.Fatal(err)
	}
	ids := f.Items("search")
	for _, item := range ids {
		once, _ := f.Score(ctx, c, idsOf(item))
		again, _ := f.Score(ctx, c, idsOf(item))
		if once[0] != again[0] {
			t.Fatal("an answer changed")
		}
		solved += once[0].Value / float64(len(ids))
	}
	if want := l.Fitness(l.Middle()); math.Abs(solved-want) > 0.05 {
		t.Errorf("solved %.3f of the items, fitness %.3f", solved, want)
	}
}

func idsOf(i mergesearch.Item) []mergesearch.ItemID { return []mergesearch.ItemID{i.ID} }

// A small search by the model closes some of the gap.
func TestSearch(t *testing.T) {
	closed := 0.0
	for seed := uint64(1001); seed <= 1002; seed++ {
		r, err := simulation.Search(context.Background(), simulation.Study{
			Kind: simulation.Pairs, Dimension: 8, Seed: seed, Algorithm: "auto", Answers: 6000,
		})
		if err != nil {
			t.Fatal(err)
		}
		if r.Answers > 6000 || r.Fixed == 0 || r.Candidates < 50 || r.Why == "" {
			t.Errorf("%+v", r)
		}
		closed += r.GapClosed / 2
	}
	if closed < 0.5 {
		t.Errorf("closed %.2f of the gap", closed)
	}
}

// Items chosen and levels estimated by the race rank siblings better than a mean over
// random items.
func TestRank(t *testing.T) {
	random, race := 0.0, 0.0
	for seed := uint64(1001); seed <= 1003; seed++ {
		l := simulation.NewLandscape(simulation.Layers, 16, seed)
		random += simulation.Rank(l, simulation.RandomMean, 99).Tau / 3
		race += simulation.Rank(l, simulation.RaceLevel, 99).Tau / 3
	}
	if race < random {
		t.Errorf("tau %.2f, of random items %.2f", race, random)
	}
}

func TestBench(t *testing.T) {
	rows, err := simulation.Bench(context.Background(), simulation.BenchOptions{
		Problems: []string{"layers-32"}, Algorithms: []string{"random", "ga-uniform"}, Seeds: 2, Answers: 3000, Workers: 2,
	})
	if err != nil || len(rows) != 2 {
		t.Fatal(rows, err)
	}
	for _, r := range rows {
		if r.Problem != "layers-32" || r.Seeds != 2 || r.Answers > 3000 || r.Evaluations == 0 || r.StdErr < 0 {
			t.Errorf("%+v", r)
		}
	}
	for _, o := range []simulation.BenchOptions{
		{Problems: []string{"layers-32", "x"}, Seeds: 1}, {Problems: []string{"layers-32"}, Algorithms: []string{"random", "x"}, Seeds: 1},
	} {
		o.Row = func(r simulation.BenchRow) { t.Errorf("%+v before all names are known", r) }
		if _, err := simulation.Bench(context.Background(), o); err == nil {
			t.Errorf("%+v is taken", o)
		}
	}
}
