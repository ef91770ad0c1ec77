package searchtest

import (
	"fmt"
	"slices"

	"mergesearch"
)

// Methods returns declarations of six merge methods with the parameters and
// usual settings that the merge engine gives them.
func Methods() []mergesearch.Method {
	weight := mergesearch.Parameter{Name: "weight", PerModel: true, Required: true, Default: 1, Max: 1.5, Step: 0.001}
	density := mergesearch.Parameter{Name: "density", PerModel: true, Default: 1, Min: 0.1, Max: 1, Step: 0.01}
	lambda := mergesearch.Parameter{Name: "lambda", Default: 1, Min: 0.5, Max: 1.5, Step: 0.001}
	t := mergesearch.Parameter{Name: "t", Required: true, Default: 0.5, Max: 1, Step: 0.001}
	set := func(name string, pairs ...any) mergesearch.Usual {
		u := mergesearch.Usual{Name: name, Values: map[string]float64{}}
		for i := 0; i < len(pairs); i += 2 {
			u.Values[pairs[i].(string)] = pairs[i+1].(float64)
		}
		return u
	}
	shared := func(u mergesearch.Usual) mergesearch.Usual {
		u.ShareWeight = true
		return u
	}
	return []mergesearch.Method{
		{Name: "linear", Parameters: []mergesearch.Parameter{weight}, Usual: []mergesearch.Usual{set("naive soup", "weight", 1.0)}},
		{Name: "slerp", Pair: true, Parameters: []mergesearch.Parameter{t}, Usual: []mergesearch.Usual{set("slerp t 0.5", "t", 0.5)}},
		{
			Name: "task_arithmetic", NeedsBase: true, Parameters: []mergesearch.Parameter{weight, lambda},
			Usual: []mergesearch.Usual{set("task arithmetic 0.4", "weight", 0.4), set("task arithmetic 1", "weight", 1.0)},
		},
		{
			Name: "ties", NeedsBase: true, Parameters: []mergesearch.Parameter{weight, density, lambda},
			Usual: []mergesearch.Usual{set("ties density 0.2", "weight", 1.0, "density", 0.2), set("ties density 0.5", "weight", 1.0, "density", 0.5)},
		},
		{
			Name: "dare_ties", NeedsBase: true, Random: true, Parameters: []mergesearch.Parameter{weight, density, lambda},
			Usual: []mergesearch.Usual{shared(set("dare_ties density 0.5", "weight", 1.0, "density", 0.5))},
		},
		{
			Name: "dare_linear", NeedsBase: true, Random: true, Parameters: []mergesearch.Parameter{weight, density, lambda},
			Usual: []mergesearch.Usual{shared(set("dare_linear density 0.5", "weight", 1.0, "density", 0.5))},
		},
	}
}

// QuickSpace returns a space as the quickstart has it: the experts, nine groups
// (attention and mlp of four layers, and the rest), six methods, a weight for
// each expert and group, a density for each expert, lambda for ties and
// dare_ties, t for each group.
func QuickSpace(experts ...string) *mergesearch.Space {
	spec := mergesearch.SpaceSpec{
		Base: "base", Experts: experts, DType: "bfloat16", Seed: 1, Methods: Methods(),
		Ranges: []mergesearch.GeneRange{
			{Parameter: "weight", Max: 1.5, PerExpert: true, PerGroup: true},
			{Parameter: "density", Min: 0.3, Max: 1, Step: 0.05, PerExpert: true},
			{Parameter: "lambda", Min: 0.5, Max: 1.5, Methods: []string{"ties", "dare_ties"}},
			{Parameter: "t", Max: 1, PerGroup: true},
		},
	}
	for layer := range 4 {
		for _, module := range []struct{ name, part string }{{"attention", "self_attn"}, {"mlp", "mlp"}} {
			spec.Groups = append(spec.Groups, mergesearch.Group{
				Name:    fmt.Sprintf("%s %d", module.name, layer),
				Filters: []string{fmt.Sprintf("layers.%d.%s", layer, module.part)},
			})
		}
	}
	spec.Groups = append(spec.Groups, mergesearch.Group{Name: "rest"})
	return MustSpace(spec)
}

// SmallSpace returns a space with few genes of every sort: a choice of method and
// of pair, weights for each of two experts and two groups, a density, a fixed gene.
func SmallSpace() *mergesearch.Space {
	m := Methods()
	return MustSpace(mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b", "c"}, DType: "bfloat16", Methods: []mergesearch.Method{m[0], m[1], m[3]},
		Groups: []mergesearch.Group{{Name: "front", Filters: []string{"layers.0."}}, {Name: "back"}},
		Ranges: []mergesearch.GeneRange{
			{Parameter: "weight", Max: 1.5, PerExpert: true, PerGroup: true},
			{Parameter: "density", Min: 0.2, Max: 1, Step: 0.2},
			{Parameter: "lambda", Min: 1, Max: 1},
			{Parameter: "t", Max: 1},
		},
	})
}

// Kinds returns a space of each kind beyond the usual ones, over the names of a
// Llama of four layers: gradients, blocks with methods of their own, paths, and all
// of these together. Methods are those of the merge, such as Methods.
func Kinds(methods []mergesearch.Method, base string, experts ...string) map[string]*mergesearch.Space {
	layers := []int{0, 1, 2, 3}
	spec := mergesearch.SpaceSpec{
		Base: base, Experts: experts, DType: "bfloat16", Seed: 1, Methods: methods, Layers: 4, After: []string{"model.norm.weight"},
		Groups: []mergesearch.Group{
			{Name: "attention", Filters: []string{"self_attn"}, Layers: layers},
			{Name: "mlp", Filters: []string{"mlp"}, Layers: layers},
			{Name: "embeddings", Filters: []string{"embed_tokens"}, Layers: []int{-1}},
			{Name: "rest", Layers: append([]int{4}, layers...)},
		},
		Ranges: []mergesearch.GeneRange{
			{Parameter: "weight", Max: 1.5, PerExpert: true, PerGroup: true},
			{Parameter: "density", Min: 0.3, Max: 1, Step: 0.05, PerExpert: true},
			{Parameter: "lambda", Min: 0.5, Max: 1.5, Methods: []string{"ties", "dare_ties"}},
			{Parameter: "t", Max: 1},
		},
	}
	blocks := spec
	blocks.Blocks = []mergesearch.Block{{Name: "block-0", End: 2}, {Name: "block-1", First: 2, End: 4}}

	gradients := spec
	gradients.Ranges = slices.Clone(spec.Ranges)
	gradients.Ranges[0].Knots, gradients.Ranges[3].Knots = 3, 5

	path := mergesearch.SpaceSpec{
		Base: base, Experts: experts, DType: "bfloat16", Layers: 4,
		Path: &mergesearch.Path{
			Models: experts[:2], Skip: true, Repeat: true, Both: true, Least: 3, Most: 6,
			Scale: &mergesearch.Range{Min: 0.4, Max: 1.5, Step: 0.01}, Fold: []string{"o_proj", "down_proj"},
		},
	}
	whole := blocks
	whole.Ranges = slices.Clone(gradients.Ranges)
	whole.Ranges[0].PerGroup = false // a small space is enough
	merged := *path.Path
	merged.Models = []string{mergesearch.Merged, base, experts[0]}
	whole.Path = &merged

	return map[string]*mergesearch.Space{
		"blocks": MustSpace(blocks), "gradients": MustSpace(gradients), "path": MustSpace(path), "whole": MustSpace(whole),
	}
}

// MustSpace is NewSpace for spaces that are known to be right.
func MustSpace(spec mergesearch.SpaceSpec) *mergesearch.Space {
	s, err := mergesearch.NewSpace(spec)
	if err != nil {
		panic(err)
	}
	return s
}
