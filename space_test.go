package mergesearch_test

import (
	"errors"
	"fmt"
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

// testSpaces returns a space of each kind.
func testSpaces(t testing.TB) map[string]*mergesearch.Space {
	t.Helper()
	specs := map[string]mergesearch.SpaceSpec{"one method": testSpec()}

	s := testSpec() // gradients of five numbers, for modules that know their layers
	s.Layers, s.After = 4, []string{"lm_head.weight", "model.norm.weight"}
	s.Groups = []mergesearch.Group{
		{Name: "attention", Filters: []string{"self_attn"}, Layers: []int{0, 1, 2, 3}},
		{Name: "embeddings", Filters: []string{"embed_tokens"}, Layers: []int{-1}},
		{Name: "rest", Layers: []int{0, 1, 2, 3, 4}},
	}
	s.Ranges[0].Knots, s.Ranges[2].Knots, s.Ranges[3].Knots = 5, 3, 5
	specs["gradients"] = s

	s.Blocks = []mergesearch.Block{{Name: "block-0", End: 1}, {Name: "block-1", First: 1, End: 3}, {Name: "block-2", First: 3, End: 4}}
	specs["blocks with gradients"] = s

	s = testSpec()
	s.Layers = 4
	s.Groups[0].Layers, s.Groups[1].Layers, s.Groups[2].Layers = []int{0}, []int{1}, []int{-1, 0, 1, 2, 3, 4}
	s.Blocks = []mergesearch.Block{{Name: "block-0", End: 2}, {Name: "block-1", First: 2, End: 4}}
	specs["blocks"] = s

	s.Path = &mergesearch.Path{
		Models: []string{"merged", "a", "base"}, Skip: true, Repeat: true, Both: true, Least: 3, Most: 6,
		Scale: &mergesearch.Range{Min: 0.5, Max: 1.5, Step: 0.01}, Fold: []string{"o_proj", "down_proj"},
	}
	specs["everything"] = s

	specs["path"] = mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"}, DType: "bfloat16", Layers: 5,
		Path: &mergesearch.Path{Models: []string{"a", "b"}, Skip: true, Both: true},
	}
	out := map[string]*mergesearch.Space{}
	for name, spec := range specs {
		space, err := mergesearch.NewSpace(spec)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = space
	}
	return out
}

// checkSpaces checks a property in a space of each kind.
func checkSpaces(t *testing.T, property func(*rapid.T, *mergesearch.Space)) {
	for name, s := range testSpaces(t) {
		t.Run(name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) { property(t, s) })
		})
	}
}

func drawGenome(t *rapid.T, s *mergesearch.Space) mergesearch.Genome {
	g := make(mergesearch.Genome, len(s.Genes))
	for i := range g {
		gene := s.Genes[i]
		switch {
		case gene.Kind == mergesearch.Choice:
			g[i] = rapid.Float64Range(-1, float64(len(gene.Options))).Draw(t, gene.Name)
		case rapid.IntRange(0, 3).Draw(t, "usual") > 0:
			g[i] = rapid.Float64Range(gene.Min-0.2, gene.Max+0.2).Draw(t, gene.Name)
		default:
			g[i] = gene.Default // equal values meet more often
		}
	}
	return g
}

func TestNormalizeIsAProjection(t *testing.T) {
	checkSpaces(t, func(t *rapid.T, s *mergesearch.Space) {
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
	checkSpaces(t, func(t *rapid.T, s *mergesearch.Space) {
		g := s.Normalize(drawGenome(t, s))
		back, exact := s.Encode(s.Decode(g))
		if !exact || !back.Equal(g) {
			t.Fatalf("genome %s came back as %v (exact %v)", s.Canonical(g), back, exact)
		}
		kept, err := mergesearch.ParseCanonical(s.Decode(g).Canonical())
		if err != nil || kept.ID() != s.Decode(g).ID() {
			t.Fatalf("%s: canonical form comes back as %s, %v", s.Canonical(g), kept.Canonical(), err)
		}
	})
}

func TestEqualCanonicalFormsMeanEqualRecipes(t *testing.T) {
	checkSpaces(t, func(t *rapid.T, s *mergesearch.Space) {
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

// withPath gives a spec four layers and a path.
func withPath(p mergesearch.Path) func(*mergesearch.SpaceSpec) {
	return func(s *mergesearch.SpaceSpec) { s.Layers, s.Path = 4, &p }
}

// A path below the least depth, or above the most, is mended; what a skipped slot
// would be scaled by is masked, and so is a merge that no slot takes.
func TestPathsKeepTheirBounds(t *testing.T) {
	s := testSpaces(t)["everything"]
	rapid.Check(t, func(t *rapid.T) {
		g := s.Normalize(drawGenome(t, s))
		depth, merged := 0, false
		for k := range s.Layers {
			option := s.Genes[s.Gene(fmt.Sprintf("layer %d", k))].Options[int(g[s.Gene(fmt.Sprintf("layer %d", k))])]
			kept := option != "skip"
			if kept {
				depth += 1 + strings.Count(option, "+")
			}
			if scale := s.Gene(fmt.Sprintf("scale.layer %d", k)); s.Active(g, scale) != kept {
				t.Fatalf("slot %d is %q, its scale active: %v", k, option, !kept)
			}
			merged = merged || strings.Contains(option, "merged")
		}
		if depth < s.Path.Least || depth > s.Path.Most {
			t.Fatalf("%d layers in %s", depth, s.Canonical(g))
		}
		if s.Active(g, s.Gene("method.block-0")) != merged {
			t.Fatalf("%s: genes of the merge active: %v", s.Canonical(g), !merged)
		}
	})
}

// Blocks that merge alike are one document, and each block has its own masks.
func TestBlocksAreDocuments(t *testing.T) {
	s := testSpaces(t)["blocks"]
	g := s.Default()
	if r := s.Decode(g); r.Method != "linear" || len(r.Stages) > 0 {
		t.Errorf("one method throughout decodes to %s", r.Canonical())
	}
	g[s.Gene("method.block-1")] = 2
	g = s.Normalize(g)
	r := s.Decode(g)
	if len(r.Stages) != 2 || r.Stages[1].Recipe.Method != "ties" || len(r.Slices) != 2 || r.Slices[1].Sources[0].First != 2 {
		t.Errorf("two methods decode to %s", r.Canonical())
	}
	if s.Active(g, s.Gene("density.a.block-0")) || !s.Active(g, s.Gene("density.a.block-1")) {
		t.Error("the method of one block decides on the genes of another")
	}
	if s.Gene("weight.a.attention 0.block-1") >= 0 {
		t.Error("a gene for a group that has no tensor in the block")
	}
}

// What stands after the layers gets the last number of a gradient by name, since
// mergekit would give it the first.
func TestGradientsNameWhatComesAfter(t *testing.T) {
	s := testSpaces(t)["gradients"]
	g := s.Default()
	for k := range 5 {
		g[s.Gene(fmt.Sprintf("weight.a.rest.g%d", k))] = float64(k) / 4
	}
	r := s.Decode(s.Normalize(g))
	for tensor, want := range map[string]float64{"lm_head.weight": 1, "model.norm.weight": 1, "model.embed_tokens.weight": 1, "model.layers.0.mlp.up_proj.weight": 0} {
		if got, _ := r.Value("weight", "a", tensor, 0); got != want {
			t.Errorf("%s: %v, want %v", tensor, got, want)
		}
	}
	if got, _ := r.Value("weight", "a", "model.layers.2.mlp.up_proj.weight", 0.5); got != 0.5 {
		t.Errorf("the middle of the gradient: %v", got)
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
		"two of one name":     {func(s *mergesearch.SpaceSpec) { s.Groups[1].Name = "attention 0" }, "groups.attention 0: the name of two groups"},
		"misspelt method":     {func(s *mergesearch.SpaceSpec) { s.Ranges[0].Methods = []string{"linear", "tise"} }, `genes.weight.methods: "tise" is not among the methods`},
		"method without it":   {func(s *mergesearch.SpaceSpec) { s.Ranges[1].Methods = []string{"ties", "linear"} }, "genes.density.methods: linear takes no density"},
		"methods of nothing":  {func(s *mergesearch.SpaceSpec) { s.Ranges[0].Methods = []string{} }, "genes.weight.methods: no method listed"},
		"no rest group":       {func(s *mergesearch.SpaceSpec) { s.Groups = s.Groups[:2] }, "takes the rest"},
		"filter taken before": {func(s *mergesearch.SpaceSpec) { s.Groups[0].Filters = []string{"layers."} }, "already taken"},
		"gradient of one":     {func(s *mergesearch.SpaceSpec) { s.Ranges[0].Knots, s.Layers = 1, 4 }, "genes.weight.gradient"},
		"gradient sans layer": {func(s *mergesearch.SpaceSpec) { s.Ranges[0].Knots = 5 }, "genes.weight.gradient"},
		"blocks with a gap": {func(s *mergesearch.SpaceSpec) {
			s.Blocks, s.Layers = []mergesearch.Block{{Name: "x", First: 1, End: 4}}, 4
		}, "method_blocks"},
		"blocks too short":   {func(s *mergesearch.SpaceSpec) { s.Blocks, s.Layers = []mergesearch.Block{{Name: "x", End: 3}}, 4 }, "3 of 4 layers"},
		"block like a model": {func(s *mergesearch.SpaceSpec) { s.Blocks, s.Layers = []mergesearch.Block{{Name: "a", End: 4}}, 4 }, "method_blocks"},
		"path of strangers":  {withPath(mergesearch.Path{Models: []string{"merged", "d"}}), "path.models: unknown model"},
		"path twice":         {withPath(mergesearch.Path{Models: []string{"merged", "a", "a"}}), "listed twice"},
		"path of one":        {withPath(mergesearch.Path{Models: []string{"merged"}}), "every path is that model"},
		"path sans merge":    {withPath(mergesearch.Path{Models: []string{"a", "b"}}), "no slot takes the merge"},
		"path too long":      {withPath(mergesearch.Path{Models: []string{"merged", "a"}, Least: 5}), "path.least"},
		"scale sans tensors": {withPath(mergesearch.Path{Models: []string{"merged", "a"}, Scale: &mergesearch.Range{Max: 1}}), "path.fold"},
		"scale upside down":  {withPath(mergesearch.Path{Models: []string{"merged", "a"}, Scale: &mergesearch.Range{Min: 2, Max: 1}}), "path.scale"},
		"no method":          {func(s *mergesearch.SpaceSpec) { s.Methods = nil }, "no method"},
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
