package search_test

import (
	"math"
	"math/rand"
	"testing"

	"github.com/MaxHalford/eaopt"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// point is a genome as eaopt's own helpers make them: crossover changes both.
type point struct{ x []float64 }

func (p *point) Evaluate() (float64, error) { return p.value(), nil }

func (p *point) value() float64 {
	sum := 0.0
	for _, v := range p.x {
		sum += v * v
	}
	return sum
}

func (p *point) Mutate(*rand.Rand) {}

func (p *point) Crossover(mate eaopt.Genome, rng *rand.Rand) {
	eaopt.CrossUniformFloat64(p.x, mate.(*point).x, rng)
}

func (p *point) Clone() eaopt.Genome { return &point{append([]float64(nil), p.x...)} }

// Why the loop is ours: in eaopt's, Individual.Crossover gets the mate by value,
// so the mark "not evaluated" of the second child is lost and it keeps the
// fitness of the individual that it was cloned from.
func TestEaoptHandsOnStaleFitness(t *testing.T) {
	config := eaopt.NewDefaultGAConfig()
	config.NPops, config.PopSize, config.NGenerations = 1, 30, 10
	config.RNG = rand.New(rand.NewSource(1))
	config.Model = eaopt.ModGenerational{Selector: eaopt.SelTournament{NContestants: 3}, CrossRate: 1}
	stale, all := 0, 0
	config.Callback = func(ga *eaopt.GA) {
		if ga.Generations == 0 {
			return
		}
		for _, p := range ga.Populations {
			for _, i := range p.Individuals {
				all++
				if math.Abs(i.Fitness-i.Genome.(*point).value()) > 1e-12 {
					stale++
				}
			}
		}
	}
	ga, err := config.NewGA()
	if err != nil {
		t.Fatal(err)
	}
	err = ga.Minimize(func(rng *rand.Rand) eaopt.Genome { return &point{eaopt.InitUnifFloat64(8, -5, 5, rng)} })
	if err != nil {
		t.Fatal(err)
	}
	if share := float64(stale) / float64(all); share < 0.3 {
		t.Errorf("%.0f %% of the individuals carried a fitness that was not theirs; with every pair recombined about half did, so the reason for our own loop may be gone", 100*share)
	}
}

// In ours no individual is asked with a fitness, and whoever breeds has the
// fitness of its own genome.
func TestOurPopulationsCarryNoStaleFitness(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	land := searchtest.Ridge(space, search.Uniform(space, search.Stream(1, "target")))
	for _, rate := range []float64{0, 0.5, 1} {
		a := newGA(space, 1, func(g *search.GASettings) { g.CrossoverRate, g.MutationRate, g.MigrateEvery = 1, rate, 1 })
		told := land.Baselines(space)
		trials := map[int]mergesearch.Trial{}
		for index := 0; index < 300; index += len(told) {
			for _, t := range told {
				trials[t.Index] = t
			}
			a.Tell(told)
			checkParents(t, a, trials)
			asked := a.Ask()
			if unscored, all := search.Unscored(a); unscored != all || all != len(asked) {
				t.Fatalf("%d of %d individuals were asked with a fitness", all-unscored, all)
			}
			told = land.Tell(asked, len(trials), func(i int) bool { return i%7 == 0 })
		}
	}
}

func checkParents(t *testing.T, a *search.GA, trials map[int]mergesearch.Trial) {
	t.Helper()
	for _, island := range search.Parents(a) {
		seen := map[int]bool{}
		for _, p := range island {
			if p.Trial == nil || !p.Evaluated {
				t.Fatal("a parent without a trial")
			}
			told := trials[p.Trial.Index]
			if seen[told.Index] {
				t.Fatalf("trial %d is twice among an island's parents", told.Index)
			}
			seen[told.Index] = true
			if !p.Genome.Equal(told.Individual.Genome) {
				t.Fatalf("parent %d: its genome is not the one that was told", told.Index)
			}
			if told.State == mergesearch.Failed {
				t.Fatalf("parent %d has failed", told.Index)
			}
			if told.State == mergesearch.Scored && p.Fitness != -told.Score.Fitness {
				t.Fatalf("parent %d: cost %v, told fitness %v", told.Index, p.Fitness, told.Score.Fitness)
			}
		}
	}
}
