package search_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func newGA(s *mergesearch.Space, seed uint64, change ...func(*search.GASettings)) *search.GA {
	settings := search.DefaultGA()
	for _, c := range change {
		c(&settings)
	}
	return must(search.NewGA(s, seed, settings))
}

func TestConform(t *testing.T) {
	oneMethod := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1],
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true}},
	})
	onlyChoices := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b", "c"}, Methods: searchtest.Methods()[:3],
	})
	for name, space := range map[string]*mergesearch.Space{
		"quick": searchtest.QuickSpace("a", "b", "c"), "small": searchtest.SmallSpace(),
		"one method": oneMethod, "only choices": onlyChoices,
	} {
		t.Run("random/"+name, func(t *testing.T) {
			searchtest.Conform(t, space, func(seed uint64) search.Algorithm { return must(search.NewRandom(space, seed, 7)) })
		})
		t.Run("halton/"+name, func(t *testing.T) {
			searchtest.Conform(t, space, func(seed uint64) search.Algorithm { return must(search.NewHalton(space, seed, 7)) })
		})
		t.Run("near/"+name, func(t *testing.T) {
			searchtest.Conform(t, space, func(seed uint64) search.Algorithm { return must(search.NewNear(space, seed, 7, 0.1)) })
		})
		t.Run("ga/"+name, func(t *testing.T) {
			searchtest.Conform(t, space, func(seed uint64) search.Algorithm { return newGA(space, seed) })
		})
		t.Run("ga of three islands/"+name, func(t *testing.T) {
			searchtest.Conform(t, space, func(seed uint64) search.Algorithm {
				return newGA(space, seed, func(g *search.GASettings) {
					g.Islands, g.Population, g.Start, g.MigrateEvery, g.Elites = 3, 16, 31, 1, 1
				})
			})
		})
		if name != "only choices" {
			t.Run("ridge/"+name, func(t *testing.T) {
				searchtest.Conform(t, space, func(seed uint64) search.Algorithm {
					return must(search.NewRidge(search.Brief{Space: space, Seed: seed}, search.DefaultRidge(search.Budget{Candidates: 60}, 1, 4)))
				})
			})
			t.Run("surrogate/"+name, func(t *testing.T) {
				searchtest.Conform(t, space, func(seed uint64) search.Algorithm {
					return must(search.NewSurrogate(search.Brief{Space: space, Seed: seed}, search.DefaultSurrogate(search.Budget{Candidates: 60}, 1, 4)))
				})
			})
			t.Run("greedy soup/"+name, func(t *testing.T) {
				searchtest.Conform(t, space, func(uint64) search.Algorithm { return must(search.NewGreedySoup(space)) })
			})
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	for name, create := range map[string]func(uint64) search.Algorithm{
		"random": func(seed uint64) search.Algorithm { return must(search.NewRandom(space, seed, 5)) },
		"ga":     func(seed uint64) search.Algorithm { return newGA(space, seed) },
	} {
		a, b := create(1), create(2)
		a.Tell(nil)
		b.Tell(nil)
		for i, x := range a.Ask() {
			if i == 0 && x.Genome.Equal(b.Ask()[0].Genome) {
				t.Errorf("%s: two seeds draw the same genome", name)
			}
		}
	}
}

func TestGreedySoupNeedsLinearWeights(t *testing.T) {
	space := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[2:3],
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true}},
	})
	_, err := search.NewGreedySoup(space)
	var input *mergesearch.InputError
	if !errors.As(err, &input) || input.Hint == "" {
		t.Fatalf("error %v, want an input error with a hint", err)
	}
}

// Adding b to a helps, adding c to both does not: the soup is a and b, and what
// was tried is a+b, a+b+c.
func TestGreedySoupAddsWhatDoesNotFall(t *testing.T) {
	space := searchtest.SmallSpace()
	a := must(search.NewGreedySoup(space))
	parents := []mergesearch.Trial{}
	for i, p := range []struct {
		name    string
		fitness float64
	}{{"base", 0.9}, {"a", 0.3}, {"b", 0.5}, {"c", 0.4}} {
		parents = append(parents, mergesearch.Trial{
			Index: i, Name: p.name, State: mergesearch.Scored,
			Individual: mergesearch.Individual{Operator: "parent"}, Score: mergesearch.Score{Fitness: p.fitness, Items: 1},
		})
	}
	a.Tell(parents)
	var asked []string
	for _, fitness := range []float64{0.5, 0.49} { // b+c equals b, so it stays; a spoils it
		cohort := a.Ask()
		if len(cohort) != 1 {
			t.Fatalf("asked %d individuals, want 1", len(cohort))
		}
		asked = append(asked, weights(space, cohort[0].Genome))
		a.Tell([]mergesearch.Trial{{Index: 4, Individual: cohort[0], State: mergesearch.Scored, Score: mergesearch.Score{Fitness: fitness, Items: 1}}})
	}
	if asked[0] != "bc" || asked[1] != "abc" {
		t.Errorf("asked soups %v, want bc, then abc", asked)
	}
	if more := a.Ask(); len(more) != 0 {
		t.Errorf("asked %v after the last expert", more)
	}
}

// weights names the experts that a linear genome gives a weight.
func weights(s *mergesearch.Space, g mergesearch.Genome) string {
	out := ""
	for _, in := range s.Decode(g).Models {
		if v, _ := in.Parameters["weight"].At("", 0); v > 0 {
			out += in.Model
		}
	}
	return out
}

// listener is an algorithm that overhears what it is told.
type listener struct {
	search.Algorithm
	told func([]mergesearch.Trial)
}

func (l listener) Tell(trials []mergesearch.Trial) {
	l.told(trials)
	l.Algorithm.Tell(trials)
}

// What an algorithm is told of a trial is its score and the outcomes behind it, on
// the same items for all trials of a rung.
func TestToldOutcomesFoldToTheScore(t *testing.T) {
	f := searchtest.NewFamily(4, fewItems)
	f.Refuse, f.Degenerate = sometimes("not_finite", 9), onSecondRung
	items := map[int][]mergesearch.ItemID{}
	states := map[mergesearch.State]int{}
	run(t, options(f, searchtest.NewRecorder(), func(o *search.Options) {
		o.Algorithm = listener{o.Algorithm, func(trials []mergesearch.Trial) {
			for _, trial := range trials {
				states[trial.State]++
				if trial.State == mergesearch.Failed {
					if len(trial.Outcomes) > 0 {
						t.Fatalf("trial %d failed and has outcomes", trial.Index)
					}
					continue
				}
				if got := must(f.Benchmark().Score(trial.Outcomes, trial.Fingerprint)); !cmp.Equal(got, trial.Score) {
					t.Fatalf("trial %d: outcomes fold to %+v, its score is %+v", trial.Index, got, trial.Score)
				}
				var ids []mergesearch.ItemID
				for _, o := range trial.Outcomes {
					ids = append(ids, o.Item)
				}
				if known := items[trial.Rung]; known == nil {
					items[trial.Rung] = ids
				} else if !slices.Equal(known, ids) {
					t.Fatalf("trial %d answered other items than those before it on rung %d", trial.Index, trial.Rung)
				}
			}
		}}
	}))
	if states[mergesearch.Failed] == 0 || states[mergesearch.Eliminated] == 0 || states[mergesearch.Scored] == 0 {
		t.Errorf("told %v, so the test shows less than it should", states)
	}
}
