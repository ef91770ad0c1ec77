package search_test

import (
	"errors"
	"math"
	"testing"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// recommended runs an algorithm on a landscape for so many individuals and returns
// the fitness of what it recommends.
func recommended(t *testing.T, land searchtest.Landscape, s *mergesearch.Space, a search.Recommender, individuals int) float64 {
	t.Helper()
	land.Best(s, a, individuals)
	r, ok := a.Recommend()
	if !ok {
		t.Fatal("no recommendation")
	}
	if err := s.Check(r.Genome); err != nil {
		t.Fatal(err)
	}
	return land(r.Genome)
}

// genomeOf returns the default genome with a method and all its numbers at a share
// of their ranges.
func genomeOf(s *mergesearch.Space, method int, share float64) mergesearch.Genome {
	g := s.Default()
	g[s.Gene(mergesearch.MethodGene)] = float64(method)
	for i, gene := range s.Genes {
		if gene.Kind == mergesearch.Real {
			g[i] = gene.Min + share*(gene.Max-gene.Min)
		}
	}
	return s.Normalize(g)
}

// The optimum is a merge by ties, where a usual recipe is. On a sphere the mean gets
// closer to it than the usual recipe and than the best of as many random genomes; on a
// ridge, whose shape takes more generations to learn, than the usual recipe.
func TestMeanClimbsLandscapes(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	target := genomeOf(space, 3, 0.4)
	for name, land := range map[string]searchtest.Landscape{
		"sphere": searchtest.Sphere(space, target), "ridge": searchtest.Ridge(space, target),
	} {
		usual := 0.0
		for _, trial := range land.Baselines(space) {
			usual = max(usual, trial.Score.Fitness)
		}
		random := land.Best(space, must(search.NewRandom(space, 1, 24)), 600)
		for algorithm, a := range map[string]search.Recommender{
			"cmaes":  must(search.NewCMAES(space, 1, search.DefaultCMAES())),
			"catcma": must(search.NewCatCMA(space, 1, search.DefaultCMAES())),
		} {
			got := recommended(t, land, space, a, 600)
			if got <= usual || name == "sphere" && 1-got > 0.6*(1-max(usual, random)) {
				t.Errorf("%s on %s: fitness %.4f, the best usual recipe %.4f, random %.4f", algorithm, name, got, usual, random)
			}
		}
	}
}

// CatCMA leaves the method of the best usual recipe where another one is better.
func TestCatCMAFindsTheMethod(t *testing.T) {
	space := searchtest.SmallSpace()
	target := genomeOf(space, 1, 0.8) // slerp
	land := searchtest.Sphere(space, target)
	told := land.Baselines(space)
	for i := range told {
		if g := told[i].Individual.Genome; g != nil && g[0] == 1 {
			told[i].Score.Fitness = 0.01 // the usual slerp disappoints
		}
	}
	a := must(search.NewCatCMA(space, 1, search.DefaultCMAES()))
	a.Tell(told)
	index := len(told)
	for range 25 {
		cohort := a.Ask()
		a.Tell(land.Tell(cohort, index, nil))
		index += len(cohort)
	}
	r, _ := a.Recommend()
	if r.Genome[0] != 1 || land(r.Genome) < 0.98 {
		t.Errorf("recommends %s, fitness %v; the optimum is %s", space.Canonical(r.Genome), land(r.Genome), space.Canonical(target))
	}
}

// The settings of mergekit-evolve: from uniform weights, a sixth of the range, the
// usual population, the best candidate seen as the answer.
func TestSettingsOfMergekitEvolve(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	brief := searchtest.Brief(space, 1)
	brief.Settings = search.Settings{Sigma: 1.0 / 6, Population: 14, Start: "dare_linear density 0.5", Answer: "best"}
	a := must(search.New("cmaes", brief)).Algorithm
	told := searchtest.Sphere(space, genomeOf(space, 0, 0.5)).Baselines(space)
	a.Tell(told)
	cohort := a.Ask()
	if len(cohort) != 14 {
		t.Errorf("%d individuals, want 14", len(cohort))
	}
	for _, i := range cohort {
		if got := space.Method(i.Genome).Name; got != "dare_linear" {
			t.Fatalf("method %s, want that of the start", got)
		}
	}
	if _, ok := a.(search.Recommender).Recommend(); ok {
		t.Error("recommends something besides the best candidate")
	}
}

func TestCMAESRefuses(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	for _, s := range []search.Settings{{Sigma: -0.1}, {Sigma: 2}, {Population: 3}, {Answer: "median"}, {Start: "naive sop"}} {
		for _, name := range []string{"cmaes", "catcma"} {
			brief := searchtest.Brief(space, 1)
			brief.Settings = s
			_, err := search.New(name, brief)
			var input *mergesearch.InputError
			if !errors.As(err, &input) {
				t.Errorf("%s, %+v: error %v, want an input error", name, s, err)
			}
		}
	}
}

// Where the grid is coarse, a distribution shrinks to one genome; the algorithm
// goes on from there and does not ask the same cohort again and again.
func TestGoesOnWhereTheGridIsCoarse(t *testing.T) {
	space := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b", "c"}, Methods: searchtest.Methods()[:1],
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, Step: 0.02, PerExpert: true}},
	})
	land := searchtest.Sphere(space, space.Normalize(mergesearch.Genome{0.3, 0.5, 0.7}))
	for name, a := range map[string]search.Algorithm{
		"cmaes":  must(search.NewCMAES(space, 1, search.DefaultCMAES())),
		"catcma": must(search.NewCatCMA(space, 1, search.DefaultCMAES())),
	} {
		told := land.Baselines(space)
		a.Tell(told)
		known, index, stale := map[string]bool{}, len(told), 0
		for round := range 40 {
			fresh := false
			cohort := a.Ask()
			for _, i := range cohort {
				c := space.Canonical(i.Genome)
				fresh = fresh || !known[c]
				known[c] = true
			}
			if stale++; fresh {
				stale = 0
			}
			if stale == 3 {
				t.Fatalf("%s: nothing new in three cohorts, after %d", name, round)
			}
			a.Tell(land.Tell(cohort, index, nil))
			index += len(cohort)
		}
	}
}

// With members of an earlier search, the first cohort lies around their best.
func TestEarlierMembersMoveTheStart(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	settings := search.DefaultCMAES()
	land := searchtest.Sphere(space, genomeOf(space, 0, 0.9))
	told := land.Baselines(space)
	settings.Start = "naive soup"
	distance := func(s search.CMAESSettings) float64 {
		a := must(search.NewCMAES(space, 1, s))
		a.Tell(told)
		sum := 0.0
		cohort := a.Ask()
		for _, i := range cohort {
			sum += 1 - land(i.Genome)
		}
		return sum / float64(len(cohort))
	}
	cold := distance(settings)
	for k := range 40 {
		individual := mergesearch.Individual{Genome: genomeOf(space, 0, 0.9-0.01*float64(k))}
		m, err := individual.Scored(mergesearch.CandidateOf(k), mergesearch.Score{Fitness: 1 - 0.01*float64(k), Items: 1})
		if err != nil {
			t.Fatal(err)
		}
		settings.Earlier = append(settings.Earlier, m)
	}
	if warm := distance(settings); warm > 0.5*cold {
		t.Errorf("mean loss %.4f after a warm start, %.4f without", warm, cold)
	}
}

// Failed trials rank last and are no parents; a cohort of failures moves nothing.
func TestFailuresDoNotMoveTheMean(t *testing.T) {
	space := searchtest.SmallSpace()
	land := searchtest.Sphere(space, genomeOf(space, 2, 0.5))
	for name, a := range map[string]search.Recommender{
		"cmaes":  must(search.NewCMAES(space, 1, search.DefaultCMAES())),
		"catcma": must(search.NewCatCMA(space, 1, search.DefaultCMAES())),
	} {
		told := land.Baselines(space)
		a.Tell(told)
		a.Ask()
		before, _ := a.Recommend()
		b := must(search.New(name, searchtest.Brief(space, 1))).Algorithm.(search.Recommender)
		b.Tell(told)
		b.Tell(land.Tell(b.Ask(), len(told), func(int) bool { return true }))
		after, _ := b.Recommend()
		if !before.Genome.Equal(after.Genome) {
			t.Errorf("%s: failures moved the mean from %v to %v", name, before.Genome, after.Genome)
		}
		if math.IsNaN(land(after.Genome)) {
			t.Error("not a genome")
		}
	}
}
