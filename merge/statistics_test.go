package merge_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/merge/mergetest"
)

// coefficients are the parameters that statistics do not depend on.
var coefficients = []string{"weight", "t", "lambda", "normalize", "normalize_weights", "scale", "alpha", "r"}

// withOtherCoefficients draws the coefficients of a recipe anew and leaves the rest.
func withOtherCoefficients(recipe mergesearch.Recipe, other mergesearch.Recipe) mergesearch.Recipe {
	change := func(set, from map[string]mergesearch.Setting) map[string]mergesearch.Setting {
		out := map[string]mergesearch.Setting{}
		for name, value := range set {
			if out[name] = value; slices.Contains(coefficients, name) {
				out[name] = from[name]
			}
		}
		return out
	}
	recipe.Parameters = change(recipe.Parameters, other.Parameters)
	recipe.Models = slices.Clone(recipe.Models)
	for i := range recipe.Models {
		recipe.Models[i].Parameters = change(recipe.Models[i].Parameters, other.Models[i].Parameters)
	}
	return recipe
}

// Across a search what does not depend on coefficients is computed once: a second
// candidate that differs in these alone adds no statistics, whatever the method.
func TestSecondCandidateAddsNoStatistics(t *testing.T) {
	needed := []string{
		"slerp", "nuslerp", "multislerp", "karcher", "model_stock", "arcee_fusion", "sce", "ramplus_tl",
		"ties", "breadcrumbs", "breadcrumbs_ties", "della", "della_linear",
	}
	for _, m := range merge.Methods() {
		t.Run(m.Name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(1, 2))
			for range 2 {
				e := family(t, mergetest.Checkpoint{}, merge.Options{})
				experts := []string{"expert-a", "expert-b", "expert-c"}
				first, other := mergetest.RandomRecipe(r, m, "base", experts), mergetest.RandomRecipe(r, m, "base", experts)
				build(t, e, first).Release()
				after := e.Statistics()
				if after == 0 && slices.Contains(needed, m.Name) {
					t.Errorf("no statistics for\n%s", merge.FormatRecipe(first))
				}
				second := withOtherCoefficients(first, other)
				build(t, e, second).Release()
				if n := e.Statistics(); n != after {
					t.Errorf("%d statistics after the first, %d after the second candidate:\n%s---\n%s", after, n, merge.FormatRecipe(first), merge.FormatRecipe(second))
				}
			}
		})
	}
}

// Products are kept pair by pair: a merge of some of the models that were merged
// before adds none.
func TestFewerModelsAddNoProducts(t *testing.T) {
	for _, method := range []string{"karcher", "multislerp", "model_stock"} {
		e := family(t, mergetest.Checkpoint{}, merge.Options{})
		base := map[string]string{"model_stock": "base"}[method]
		build(t, e, weightedIf(method, base, "expert-a", "expert-b", "expert-c")).Release()
		after := e.Statistics()
		build(t, e, weightedIf(method, base, "expert-a", "expert-c")).Release()
		if n := e.Statistics(); after == 0 || n != after {
			t.Errorf("%s: %d statistics after three models, %d after two of them", method, after, n)
		}
	}
}

// weightedIf is weighted for methods that have weights.
func weightedIf(method, base string, models ...string) mergesearch.Recipe {
	if method == "multislerp" {
		return weighted(method, base, models...)
	}
	return recipe(method, base, models...)
}
