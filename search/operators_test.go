package search_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
	"mergesearch/search"
	"mergesearch/search/searchtest"
)

func spaces() []*mergesearch.Space {
	out := []*mergesearch.Space{searchtest.SmallSpace(), searchtest.QuickSpace("a", "b", "c")}
	kinds := searchtest.Kinds(searchtest.Methods(), "base", "a", "b", "c")
	for _, name := range slices.Sorted(maps.Keys(kinds)) {
		out = append(out, kinds[name])
	}
	return out
}

func drawStream(t *rapid.T) *rand.Rand {
	return search.Stream(rapid.Uint64().Draw(t, "seed"), "test")
}

func TestOperatorsStayInTheSpace(t *testing.T) {
	all := spaces()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.SampledFrom(all).Draw(t, "space")
		rng := drawStream(t)
		a, b := search.Uniform(s, rng), search.Structured(s, rapid.Float64Range(0, 1).Draw(t, "jitter"), rng)
		beforeA, beforeB := a.Clone(), b.Clone()
		settings := search.DefaultGA()
		settings.ResetRate = rapid.Float64Range(0, 1).Draw(t, "reset")
		settings.TogetherRate = rapid.Float64Range(0, 1).Draw(t, "together")
		settings.MutationEta = rapid.Float64Range(0, 50).Draw(t, "eta")
		c, d := search.Crossover(s, a, b, rapid.Float64Range(0, 50).Draw(t, "crossover eta"), rng)
		e, name := search.Mutate(s, settings, c, rng)
		if name == "" {
			t.Fatal("a mutation without a name")
		}
		for _, g := range []mergesearch.Genome{a, b, c, d, e} {
			if err := s.Check(g); err != nil { // bounds, grid and inactive genes at their defaults
				t.Fatal(err)
			}
		}
		if !a.Equal(beforeA) || !b.Equal(beforeB) {
			t.Fatal("an operator wrote to its parents")
		}
	})
}

// A child's method is a parent's, and a gene that only one parent uses reaches
// the child from that parent, never the other's default.
func TestCrossoverTakesGenesFromWhoUsesThem(t *testing.T) {
	s := searchtest.QuickSpace("a", "b", "c")
	rapid.Check(t, func(t *rapid.T) {
		rng := drawStream(t)
		a, b := search.Uniform(s, rng), search.Uniform(s, rng)
		c, d := search.Crossover(s, a, b, 15, rng)
		for _, child := range []mergesearch.Genome{c, d} {
			if m := s.Method(child).Name; m != s.Method(a).Name && m != s.Method(b).Name {
				t.Fatalf("method %s of neither parent", m)
			}
			for i := range s.Genes {
				inA, inB := s.Active(a, i), s.Active(b, i)
				if !s.Active(child, i) || inA == inB {
					continue
				}
				if want := a[i]; inA && child[i] != want {
					t.Fatalf("gene %s: %v, want %v", s.Genes[i].Name, child[i], want)
				}
				if want := b[i]; inB && child[i] != want {
					t.Fatalf("gene %s: %v, want %v", s.Genes[i].Name, child[i], want)
				}
			}
		}
	})
}

func TestSBXKeepsBoundsAndMean(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-2, 1).Draw(t, "low")
		high := low + rapid.Float64Range(0.01, 3).Draw(t, "width")
		a := rapid.Float64Range(low, high).Draw(t, "a")
		b := rapid.Float64Range(low, high).Draw(t, "b")
		c, d := search.SBX(a, b, low, high, rapid.Float64Range(0, 50).Draw(t, "eta"), drawStream(t))
		for _, x := range []float64{c, d} {
			if !(x >= low && x <= high) {
				t.Fatalf("child %v outside [%v, %v]", x, low, high)
			}
		}
		if a == b && (c != a || d != b) {
			t.Fatalf("equal parents %v have children %v and %v", a, c, d)
		}
	})
}

// Far from the bounds the density of SBX's spread factor is known (Deb and
// Agrawal 1995, equations 5 and 6): half of the children contract, and with
// beta = distance of the children / distance of the parents,
// P(beta <= x) = x^(eta+1) / 2 for x <= 1.
func TestSBXSpreadHasTheKnownDistribution(t *testing.T) {
	rng, n, eta := search.Stream(1, "sbx"), 20000, 3.0
	var below, contracted float64
	for range n {
		c, d := search.SBX(0.49, 0.51, -1000, 1000, eta, rng)
		beta := math.Abs(c-d) / 0.02
		if beta <= 1 {
			contracted++
		}
		if beta <= 0.8 {
			below++
		}
	}
	for _, p := range []struct{ got, want float64 }{{contracted / float64(n), 0.5}, {below / float64(n), math.Pow(0.8, eta+1) / 2}} {
		if math.Abs(p.got-p.want) > 4*math.Sqrt(p.want/float64(n)) {
			t.Errorf("share %v, want %v", p.got, p.want)
		}
	}
}

func TestPolynomialKeepsBoundsAndLeavesZero(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		low := rapid.Float64Range(-2, 1).Draw(t, "low")
		high := low + rapid.Float64Range(0, 3).Draw(t, "width")
		x := rapid.Float64Range(low, high).Draw(t, "x")
		y := search.Polynomial(x, low, high, rapid.Float64Range(0, 50).Draw(t, "eta"), drawStream(t))
		if !(y >= low && y <= high) {
			t.Fatalf("%v outside [%v, %v]", y, low, high)
		}
	})
	rng, moved := search.Stream(1, "zero"), 0
	for range 1000 {
		if search.Polynomial(0, -1, 1, 20, rng) != 0 && search.Polynomial(0, 0, 1, 20, rng) >= 0 {
			moved++
		}
	}
	if moved < 990 {
		t.Errorf("%d of 1000 mutations left zero", moved)
	}
}

// The mean of |step| under polynomial mutation far from the bounds is
// width / (eta + 2): E(1 - (2u)^(1/(eta+1))) over u in [0, 1/2].
func TestPolynomialStepShrinksWithEta(t *testing.T) {
	for _, eta := range []float64{1, 5, 20} {
		rng, sum, n := search.Stream(1, "steps"), 0.0, 20000
		for range n {
			sum += math.Abs(search.Polynomial(0.5, 0, 1, eta, rng) - 0.5)
		}
		got := sum / float64(n)
		// At the middle of the range the bounds cut off steps beyond one half.
		if free := 1 / (eta + 2); got > free || got < 0.55*free {
			t.Errorf("eta %v: mean step %v, unbounded %v", eta, got, free)
		}
	}
}

func TestRelatedMoves(t *testing.T) {
	s := searchtest.QuickSpace("a", "b", "c")
	got := map[string]int{}
	for _, m := range search.RelatedMoves(s) {
		got[m.Name()] = len(m.Sets())
		for _, set := range m.Sets() {
			if len(set) < 2 {
				t.Errorf("move %s: a set of %d genes", m.Name(), len(set))
			}
			for _, i := range set {
				if s.Genes[i].Parameter != s.Genes[set[0]].Parameter {
					t.Errorf("move %s mixes %s and %s", m.Name(), s.Genes[i].Name, s.Genes[set[0]].Name)
				}
			}
		}
	}
	// The weights of each expert, and t; the weights of each group, and the three
	// densities; attention and mlp of each expert and of t; all weights.
	want := map[string]int{"expert": 4, "group": 10, "kind": 8, "all": 1}
	for name, n := range want {
		if got[name] != n {
			t.Errorf("%d sets move by %s, want %d", got[name], name, n)
		}
	}
}

// The numbers of each gradient are a set that moves as a whole, and so are those of
// one place in the gradients of all experts.
func TestNumbersOfAGradientMoveTogether(t *testing.T) {
	for name, s := range searchtest.Kinds(searchtest.Methods(), "base", "a", "b", "c") {
		sets := map[string]bool{}
		for _, m := range search.RelatedMoves(s) {
			for _, set := range m.Sets() {
				sets[fmt.Sprint(set)] = true
			}
		}
		gradients, places := map[string][]int{}, map[string][]int{}
		for i, g := range s.Genes {
			if g.Knot > 0 {
				gradient, place := fmt.Sprint(g.Parameter, g.Expert, g.Group, g.Block), fmt.Sprint(g.Parameter, g.Group, g.Block, g.Knot)
				gradients[gradient], places[place] = append(gradients[gradient], i), append(places[place], i)
			}
		}
		for _, of := range []map[string][]int{gradients, places} {
			for what, set := range of {
				if len(set) > 1 && !sets[fmt.Sprint(set)] {
					t.Errorf("%s: %s does not move as a whole", name, what)
				}
			}
		}
	}
}

// A path is drawn near the layers of one model: most slots take the same.
func TestPathsAreDrawnNearAModel(t *testing.T) {
	s := searchtest.Kinds(searchtest.Methods(), "base", "a", "b", "c")["path"]
	rng, alike := search.Stream(1, "paths"), 0
	for range 200 {
		g, most := search.Structured(s, 0.1, rng), map[float64]int{}
		for k := range s.Layers {
			most[g[s.Gene(fmt.Sprintf("layer %d", k))]]++
		}
		if slices.Max(slices.Collect(maps.Values(most))) >= 3 {
			alike++
		}
	}
	if alike < 80 { // of independent slots with six options about 4
		t.Errorf("%d of 200 paths take three of four layers alike", alike)
	}
}

func TestStreamsAreApart(t *testing.T) {
	seen := map[int64]string{}
	for seed := range uint64(20) {
		for _, purpose := range []string{"a", "b", "ab", ""} {
			for key := range uint64(20) {
				x := search.Stream(seed, purpose, key).Int63()
				if other, twice := seen[x]; twice {
					t.Fatalf("stream (%d, %q, %d) begins as %s", seed, purpose, key, other)
				}
				seen[x] = purpose
			}
		}
	}
	a, b := search.Stream(7, "x", 1, 2), search.Stream(7, "x", 1, 2)
	for range 10 {
		if a.Int63() != b.Int63() {
			t.Fatal("equal arguments, different streams")
		}
	}
}

// A pinned beginning: a change here changes every run that is to be resumed.
func TestStreamIsPinned(t *testing.T) {
	rng := search.Stream(1, "brood", 2, 0)
	got := []int{rng.Intn(1000), rng.Intn(1000), int(1000 * rng.Float64()), int(1000 * rng.NormFloat64())}
	if want := []int{736, 116, 63, -203}; !slices.Equal(got, want) {
		t.Errorf("stream begins %v, want %v", got, want)
	}
}

func FuzzMutateAndCrossover(f *testing.F) {
	f.Add(uint64(1), uint64(2), 0.5)
	f.Add(uint64(0), ^uint64(0), 0.0)
	all := spaces()
	f.Fuzz(func(t *testing.T, seed, mate uint64, rate float64) {
		if !(rate >= 0 && rate <= 1) {
			t.Skip()
		}
		s := all[seed%uint64(len(all))]
		rng := search.Stream(seed, "fuzz")
		settings := search.DefaultGA()
		settings.ResetRate, settings.TogetherRate = rate, 1-rate
		g, h := search.Uniform(s, rng), search.Uniform(s, search.Stream(mate, "fuzz"))
		for range 20 {
			g, _ = search.Mutate(s, settings, g, rng)
			g, h = search.Crossover(s, g, h, 30*rate, rng)
			if err := s.Check(g); err != nil {
				t.Fatal(err)
			}
			if err := s.Check(h); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// A shared step is that of a parameter, expert, block and slot: groups move together,
// blocks by themselves.
func TestSharedStepsMoveOwners(t *testing.T) {
	gene := func(name, group, block string) mergesearch.Gene {
		return mergesearch.Gene{Name: name, Kind: mergesearch.Real, Max: 1, Default: 0.5, Parameter: "weight", Expert: "a", Group: group, Block: block}
	}
	space := &mergesearch.Space{Genes: []mergesearch.Gene{
		gene("one", "mlp", "low"), gene("two", "rest", "low"), gene("three", "mlp", "high"),
	}}
	steps := 0.0
	g := search.SharedSteps(space, space.Default(), 0.1, func() float64 { steps++; return steps })
	for i, want := range []float64{0.6, 0.6, 0.7} {
		if math.Abs(g[i]-want) > 1e-9 {
			t.Errorf("gene %s is %v, want %v", space.Genes[i].Name, g[i], want)
		}
	}
}
