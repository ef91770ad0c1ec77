package search_test

import (
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

// rows draws an archive: residents by items, graded or right and wrong.
func rows(t *rapid.T) ([][]float64, []float64) {
	n, items := rapid.IntRange(2, 8).Draw(t, "residents"), rapid.IntRange(1, 12).Draw(t, "items")
	value := rapid.Float64Range(0, 1)
	if rapid.Bool().Draw(t, "binary") {
		value = rapid.Map(rapid.IntRange(0, 1), func(i int) float64 { return float64(i) })
	}
	var out [][]float64
	for range n {
		out = append(out, rapid.SliceOfN(value, items, items).Draw(t, "row"))
	}
	share := make([]float64, items)
	for j := range share {
		share[j] = 1 / float64(items)
	}
	return out, share
}

// With alpha 1 the residents share exactly what there is: each item that somebody
// solves is given away once. With alpha 0 credit is the mean value.
func TestSharedCredit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		archive, share := rows(t)
		full, plain := search.SharedCredit(archive, share, 1), search.SharedCredit(archive, share, 0)
		var credit, worth float64
		for j := range share {
			most, sum := 0.0, 0.0
			for _, r := range archive {
				most, sum = max(most, r[j]), sum+r[j]
			}
			if sum > 1e-3 {
				worth += share[j] * most
			} else if sum > 0 {
				return // too small to be told from no credit
			}
		}
		for i, r := range archive {
			credit += full[i]
			mean := 0.0
			for j, v := range r {
				most := 0.0
				for _, o := range archive {
					most = max(most, o[j])
				}
				mean += share[j] * most * v
			}
			if math.Abs(plain[i]-mean) > 1e-6 {
				t.Fatalf("resident %d: credit %v unshared, want %v", i, plain[i], mean)
			}
		}
		if math.Abs(credit-worth) > 1e-4 {
			t.Fatalf("credit %v in all, want %v", credit, worth)
		}
	})
}

// A resident that alone solves an item earns more with sharing than better ones
// that solve what everybody solves.
func TestCreditKeepsNiches(t *testing.T) {
	archive := [][]float64{{1, 1, 1, 0}, {1, 1, 1, 0}, {1, 1, 1, 0}, {0, 0, 0, 1}, {1, 1, 1, 0}}
	share := []float64{0.25, 0.25, 0.25, 0.25}
	if c := search.SharedCredit(archive, share, 1); slices.Max(c) != c[3] {
		t.Errorf("credit %v: the only solver of an item should come first", c)
	}
	if c := search.SharedCredit(archive, share, 0); slices.Min(c) != c[3] {
		t.Errorf("unshared credit %v", c)
	}
	// What attracts resident 0 is what it lacks, which resident 3 alone has.
	if g := search.Attraction(archive, share, 0); g[0] != 0 || g[1] != 0 || !(g[3] > 0) {
		t.Errorf("attraction %v", g)
	}
}

func TestDominatedNovelty(t *testing.T) {
	// The best, a worse one that solves something else, and a worse one that does not.
	archive := [][]float64{{1, 1, 1, 0, 0}, {0, 0, 0, 1, 1}, {1, 1, 0, 0, 0}}
	share := []float64{0.2, 0.2, 0.2, 0.2, 0.2}
	n := search.DominatedNovelty(archive, share, 3)
	if !math.IsInf(n[0], 1) || !(n[1] > 0) || n[2] != 0 {
		t.Errorf("novelty %v, want infinite, positive, zero", n)
	}
	rapid.Check(t, func(t *rapid.T) {
		archive, share := rows(t)
		n := search.DominatedNovelty(archive, share, 3)
		if !slices.ContainsFunc(n, func(x float64) bool { return math.IsInf(x, 1) }) {
			t.Fatalf("novelty %v: the fittest should stay", n)
		}
		for _, x := range n {
			if !(x >= 0) || x > 1 && !math.IsInf(x, 1) {
				t.Fatalf("novelty %v", n)
			}
		}
	})
}

// A mix is one of its parents at the ends, lies between them gene by gene, and
// changes sides at the split.
func TestMix(t *testing.T) {
	space := searchtest.MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, Methods: searchtest.Methods()[:1],
		Groups: []mergesearch.Group{{Name: "one", Filters: []string{"layers.0."}}, {Name: "two", Filters: []string{"layers.1."}}, {Name: "rest"}},
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true, PerGroup: true}},
	})
	rapid.Check(t, func(t *rapid.T) {
		rng := search.Stream(rapid.Uint64().Draw(t, "seed"), "mix")
		x, y := search.Uniform(space, rng), search.Uniform(space, rng)
		split := rapid.IntRange(0, 3).Draw(t, "split")
		ratio := rapid.Float64Range(0, 1).Draw(t, "ratio")
		child := search.Mix(space, x, y, ratio, split)
		for i, gene := range space.Genes {
			before := slices.IndexFunc(space.Groups, func(g mergesearch.Group) bool { return g.Name == gene.Group }) < split
			share := ratio
			if !before {
				share = 1 - ratio
			}
			if want := gene.Snap((1-share)*x[i] + share*y[i]); math.Abs(child[i]-want) > 1e-9 {
				t.Fatalf("%s: %v, want %v", gene.Name, child[i], want)
			}
		}
		if !search.Mix(space, x, y, 0, 3).Equal(x) || !search.Mix(space, x, y, 1, 3).Equal(y) {
			t.Fatal("the ends are not the parents")
		}
		if !search.Mix(space, x, x, ratio, split).Equal(x) {
			t.Fatal("a mix of equal parents is not that parent")
		}
	})
}

// Experts come first, and where they are told they are not asked again.
func TestM2N2StartsWithTheExperts(t *testing.T) {
	space := searchtest.SmallSpace()
	a := must(search.NewM2N2(space, searchtest.Brief(space, 1).Benchmark, 1, search.DefaultM2N2()))
	a.Tell(nil)
	for _, expert := range space.Experts {
		i := a.Ask()[0]
		r := space.Decode(i.Genome)
		for _, m := range r.Models {
			if w, ok := r.Value("weight", m.Model, "model.layers.0.x", 0); ok && m.Model != space.Base && (w == 1) != (m.Model == expert) {
				t.Errorf("%s: %s has weight %v", expert, m.Model, w)
			}
		}
		if i.Operator != "seed" {
			t.Errorf("operator %s", i.Operator)
		}
	}
}

func TestSoupsOfEverySet(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c", "d")
	a := must(search.NewSoup(space))
	a.Tell(nil)
	seen := map[string]bool{}
	for _, want := range []int{1, 4, 6, 0, 0} {
		cohort := a.Ask()
		if len(cohort) != want {
			t.Fatalf("%d soups, want %d", len(cohort), want)
		}
		for _, i := range cohort {
			seen[weights(space, i.Genome)] = true
		}
		a.Tell(nil)
	}
	if len(seen) != 11 {
		t.Errorf("soups %v", seen)
	}
}

func TestCycleQDNeedsTwoTasks(t *testing.T) {
	b := searchtest.Brief(searchtest.SmallSpace(), 1)
	b.Benchmark.Tasks = b.Benchmark.Tasks[:1]
	if _, err := search.New("cycleqd", b); err == nil {
		t.Error("one task was accepted")
	}
}

// TestNichesStudy prints how the diversity algorithms do on simulated families,
// beside others at equal answers; NICHES says on how many seeds and NICHES_FROM on
// which. The numbers of docs/log/niches.md are from NICHES=20 NICHES_FROM=1000.
func TestNichesStudy(t *testing.T) {
	seeds, _ := strconv.Atoi(os.Getenv("NICHES"))
	if seeds == 0 {
		t.Skip("a study: set NICHES to a number of seeds")
	}
	first, _ := strconv.Atoi(os.Getenv("NICHES_FROM"))
	race := search.Race{Rungs: []int{15, 60}, Keep: 1.0 / 3, Tie: 0.1}
	m2n2 := func(change func(*search.M2N2Settings)) func(*searchtest.Family, uint64) search.Algorithm {
		return func(f *searchtest.Family, seed uint64) search.Algorithm {
			s := search.DefaultM2N2()
			change(&s)
			return must(search.NewM2N2(f.Space, f.Benchmark(), seed, s))
		}
	}
	variants := []struct {
		name   string
		create func(*searchtest.Family, uint64) search.Algorithm
	}{
		{"m2n2", m2n2(func(*search.M2N2Settings) {})},
		{"m2n2, attraction", m2n2(func(s *search.M2N2Settings) { s.Attraction = true })},
		{"m2n2, no sharing", m2n2(func(s *search.M2N2Settings) { s.Alpha = 0 })},
		{"m2n2, no mutation", m2n2(func(s *search.M2N2Settings) { s.Mutation = 0 })},
		{"m2n2, mutation 1", m2n2(func(s *search.M2N2Settings) { s.Mutation = 1 })},
		{"m2n2, archive 10", m2n2(func(s *search.M2N2Settings) { s.Population = 10 })},
		{"m2n2, start 40", m2n2(func(s *search.M2N2Settings) { s.Start = 40 })},
		{"m2n2, look-ahead 1", m2n2(func(s *search.M2N2Settings) { s.Lookahead = 1 })},
	}
	for _, name := range []string{"dns", "cycleqd", "ga", "random"} {
		variants = append(variants, struct {
			name   string
			create func(*searchtest.Family, uint64) search.Algorithm
		}{name, func(f *searchtest.Family, seed uint64) search.Algorithm {
			b := search.Brief{Space: f.Space, Benchmark: f.Benchmark(), Items: f.Items(mergesearch.SearchSplit), Seed: seed}
			return must(search.New(name, b)).Algorithm
		}})
	}
	for _, answers := range []int{15000, 40000} {
		var base []float64
		for _, v := range variants {
			var found1, paired []float64
			for seed := range uint64(seeds) {
				seed += uint64(first)
				f := searchtest.NewFamily(seed, searchtest.Items{Search: 60, Validation: 50, HeldOut: 100})
				found1 = append(found1, 100*found(t, f, v.create(f, seed), seed, race, answers))
			}
			if base == nil {
				base = found1
			}
			for i := range base {
				paired = append(paired, found1[i]-base[i])
			}
			mean, spread := meanError(found1)
			gain, err := meanError(paired)
			t.Logf("%d answers, %-20s %.2f (%.2f), against m2n2 %+.2f (%.2f)", answers, v.name, mean, spread, gain, err)
		}
	}
}

// meanError returns the mean and its standard error.
func meanError(x []float64) (mean, stderr float64) {
	for _, v := range x {
		mean += v / float64(len(x))
	}
	for _, v := range x {
		stderr += (v - mean) * (v - mean)
	}
	return mean, math.Sqrt(stderr / float64(len(x)*(len(x)-1)))
}

// An archive holds a recipe once, and one that is unknown as often as it comes.
func TestArchivesHoldNoCopies(t *testing.T) {
	space := searchtest.QuickSpace("a", "b", "c")
	for _, name := range []string{"dns", "m2n2"} {
		a := must(search.New(name, searchtest.Brief(space, 1))).Algorithm
		told := searchtest.Sphere(space, space.Default()).Tell([]mergesearch.Individual{{Genome: space.Default(), Generation: 1, Operator: "draw"}}, 0, nil)
		for k, id := range []mergesearch.RecipeID{"one", "two", "one", "", ""} {
			x := told[0]
			x.Index, x.RecipeID = k, id
			a.Tell([]mergesearch.Trial{x})
		}
		if got := search.Residents(a); !slices.Equal(got, []mergesearch.RecipeID{"one", "two", "", ""}) {
			t.Errorf("%s: residents %q", name, got)
		}
	}
}
