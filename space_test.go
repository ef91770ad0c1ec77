package mergesearch_test

import (
	"errors"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
)

func testSpec() mergesearch.SpaceSpec {
	weight := mergesearch.Parameter{Name: "weight", PerModel: true, Required: true, Default: 1, Max: 1.5, Step: 0.001}
	density := mergesearch.Parameter{Name: "density", PerModel: true, Default: 1, Min: 0.1, Max: 1, Step: 0.01}
	lambda := mergesearch.Parameter{Name: "lambda", Default: 1, Min: 0.5, Max: 1.5, Step: 0.001}
	t := mergesearch.Parameter{Name: "t", Required: true, Default: 0.5, Max: 1, Step: 0.001}
	return mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b", "c"}, DType: "bfloat16", Seed: 7,
		Methods: []mergesearch.Method{
			{Name: "linear", Parameters: []mergesearch.Parameter{weight}, Usual: []mergesearch.Usual{{Name: "naive soup", Values: map[string]float64{"weight": 1}}}},
			{Name: "slerp", Pair: true, Parameters: []mergesearch.Parameter{t}, Usual: []mergesearch.Usual{{Name: "slerp t 0.5", Values: map[string]float64{"t": 0.5}}}},
			{Name: "ties", NeedsBase: true, Parameters: []mergesearch.Parameter{weight, density, lambda}, Usual: []mergesearch.Usual{{Name: "ties density 0.5", Values: map[string]float64{"weight": 1, "density": 0.5}}}},
			{
				Name: "dare_linear", NeedsBase: true, Random: true, Parameters: []mergesearch.Parameter{weight, density},
				Usual: []mergesearch.Usual{{Name: "dare_linear", Values: map[string]float64{"weight": 1, "density": 0.5}, ShareWeight: true}},
			},
		},
		Groups: []mergesearch.Group{
			{Name: "attention 0", Filters: []string{"layers.0.self_attn"}},
			{Name: "attention 1", Filters: []string{"layers.1.self_attn"}},
			{Name: "rest"},
		},
		Ranges: []mergesearch.GeneRange{
			{Parameter: "weight", Max: 1.5, PerExpert: true, PerGroup: true},
			{Parameter: "density", Min: 0.1, Max: 1, PerExpert: true},
			{Parameter: "lambda", Min: 0.5, Max: 1.5},
			{Parameter: "t", Max: 1, PerGroup: true},
		},
	}
}

func testSpace(t testing.TB) *mergesearch.Space {
	t.Helper()
	s, err := mergesearch.NewSpace(testSpec())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func drawGenome(t *rapid.T, s *mergesearch.Space) mergesearch.Genome {
	g := make(mergesearch.Genome, len(s.Genes))
	for i := range g {
		g[i] = rapid.Float64Range(-1, 7).Draw(t, s.Genes[i].Name)
	}
	return g
}

func TestNormalizeIsAProjection(t *testing.T) {
	s := testSpace(t)
	rapid.Check(t, func(t *rapid.T) {
		g := drawGenome(t, s)
		before := g.Clone()
		n := s.Normalize(g)
		if !g.Equal(before) {
			t.Fatal("Normalize wrote to its input")
		}
		if !n.Equal(s.Normalize(n)) {
			t.Fatalf("not idempotent: %v then %v", n, s.Normalize(n))
		}
		if err := s.Check(n); err != nil {
			t.Fatal(err)
		}
		for i, gene := range s.Genes {
			if !s.Active(n, i) && n[i] != gene.Default {
				t.Fatalf("inactive gene %s drifted to %v", gene.Name, n[i])
			}
		}
	})
}

func TestEncodeInvertsDecode(t *testing.T) {
	s := testSpace(t)
	rapid.Check(t, func(t *rapid.T) {
		g := s.Normalize(drawGenome(t, s))
		back, exact := s.Encode(s.Decode(g))
		if !exact || !back.Equal(g) {
			t.Fatalf("genome %s came back as %s (exact %v)", s.Canonical(g), s.Canonical(back), exact)
		}
	})
}

func TestEqualCanonicalFormsMeanEqualRecipes(t *testing.T) {
	s := testSpace(t)
	rapid.Check(t, func(t *rapid.T) {
		g, h := s.Normalize(drawGenome(t, s)), s.Normalize(drawGenome(t, s))
		if rapid.Bool().Draw(t, "same") {
			h = g.Clone()
		}
		if (s.Canonical(g) == s.Canonical(h)) != (s.Decode(g).ID() == s.Decode(h).ID()) {
			t.Fatalf("%s and %s: canonical forms and recipe IDs disagree", s.Canonical(g), s.Canonical(h))
		}
	})
}

func TestDecodedRecipeGivesEachGroupItsGene(t *testing.T) {
	s := testSpace(t)
	g := s.Default()
	g[s.Gene(mergesearch.MethodGene)] = 2
	g[s.Gene("weight.b.attention 1")] = 0.25
	g[s.Gene("weight.b.rest")] = 0.75
	r := s.Decode(s.Normalize(g))
	for tensor, want := range map[string]float64{
		"model.layers.0.self_attn.q_proj.weight": 1,
		"model.layers.1.self_attn.q_proj.weight": 0.25,
		"model.layers.1.mlp.up_proj.weight":      0.75,
		"model.embed_tokens.weight":              0.75,
	} {
		if got, ok := r.Value("weight", "b", tensor, 0); !ok || got != want {
			t.Errorf("weight of b for %s: %v %v, want %v", tensor, got, ok, want)
		}
	}
	if got, _ := r.Value("weight", "a", "model.embed_tokens.weight", 0); got != 1 {
		t.Errorf("weight of a: %v, want 1", got)
	}
}

func TestBaselinesStartASearch(t *testing.T) {
	s := testSpace(t)
	names := map[string]bool{}
	for _, b := range s.Baselines() {
		names[b.Name] = true
		if !b.Exact {
			t.Errorf("%s is not a point of the space", b.Name)
		}
		if got := s.Decode(b.Genome).ID(); got != b.Recipe.ID() {
			t.Errorf("%s: genome decodes to %s, recipe is %s", b.Name, got, b.Recipe.ID())
		}
	}
	for _, want := range []string{"naive soup", "slerp t 0.5 a+b", "slerp t 0.5 b+c", "ties density 0.5", "dare_linear"} {
		if !names[want] {
			t.Errorf("no baseline %q in %v", want, names)
		}
	}
}

func TestSpecsThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*mergesearch.SpaceSpec)
		want   string
	}{
		"range upside down":   {func(s *mergesearch.SpaceSpec) { s.Ranges[0].Min = 2 }, "genes.weight: range upside down"},
		"range not a number":  {func(s *mergesearch.SpaceSpec) { s.Ranges[0].Max = math.NaN() }, "genes.weight"},
		"unknown parameter":   {func(s *mergesearch.SpaceSpec) { s.Ranges[0].Parameter = "wieght" }, "genes.wieght"},
		"one expert":          {func(s *mergesearch.SpaceSpec) { s.Experts = s.Experts[:1] }, "two experts"},
		"expert twice":        {func(s *mergesearch.SpaceSpec) { s.Experts[1] = "a" }, "listed twice"},
		"t for each expert":   {func(s *mergesearch.SpaceSpec) { s.Ranges[3].PerExpert = true }, "genes.t"},
		"parameter twice":     {func(s *mergesearch.SpaceSpec) { s.Ranges = append(s.Ranges, s.Ranges[2]) }, "listed twice"},
		"rest group first":    {func(s *mergesearch.SpaceSpec) { s.Groups[0].Filters = nil }, "must be the last"},
		"no rest group":       {func(s *mergesearch.SpaceSpec) { s.Groups = s.Groups[:2] }, "takes the rest"},
		"filter taken before": {func(s *mergesearch.SpaceSpec) { s.Groups[0].Filters = []string{"layers."} }, "already taken"},
		"no method":           {func(s *mergesearch.SpaceSpec) { s.Methods = nil }, "no method"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := testSpec()
			c.change(&spec)
			_, err := mergesearch.NewSpace(spec)
			var in *mergesearch.InputError
			if !errors.As(err, &in) || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want an input error with %q", err, c.want)
			}
		})
	}
}

func TestCheckNamesTheGene(t *testing.T) {
	s := testSpace(t)
	g := s.Default()
	i := s.Gene("weight.a.rest")
	g[i] = math.NaN()
	if err := s.Check(g); err == nil || !strings.Contains(err.Error(), "weight.a.rest") {
		t.Fatalf("NaN: %v", err)
	}
	g[i] = 1.7
	if err := s.Check(g); err == nil || !strings.Contains(err.Error(), "weight.a.rest") {
		t.Fatalf("out of bounds: %v", err)
	}
}
