package merge

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"mergesearch"
	"mergesearch/merge/attacktest"
)

// A recipe with anchors is the recipe with what they mark written out. PyYAML's
// safe_load agrees, but for lists after <<: there 6.0.4 lets the first or the last
// count, as its keys happen to lie in memory; YAML says the first.
func TestAliases(t *testing.T) {
	for name, c := range map[string][2]string{
		"of a value": {
			"merge_method: slerp\nbase_model: &b org/a\nmodels: [{model: *b}, {model: org/b}]\nparameters: {t: &t 0.3}\n",
			"merge_method: slerp\nbase_model: org/a\nmodels: [{model: org/a}, {model: org/b}]\nparameters: {t: 0.3}\n",
		},
		"of a list and of a mapping": {
			"merge_method: ties\nbase_model: c\nmodels:\n- model: a\n  parameters: &p\n    weight: &w [0.1, 0.9]\n    density: 0.5\n- model: b\n  parameters: *p\n- model: d\n  parameters: {weight: *w}\n",
			"merge_method: ties\nbase_model: c\nmodels:\n- {model: a, parameters: {weight: [0.1, 0.9], density: 0.5}}\n- {model: b, parameters: {weight: [0.1, 0.9], density: 0.5}}\n- {model: d, parameters: {weight: [0.1, 0.9]}}\n",
		},
		"<<, whose keys the mapping's own precede": {
			"merge_method: ties\nbase_model: c\nmodels:\n- &a {model: a, parameters: &p {weight: 1, density: 0.5}}\n- <<: *a\n  model: b\n- {model: d, parameters: {density: 0.1, <<: *p}}\n",
			"merge_method: ties\nbase_model: c\nmodels:\n- {model: a, parameters: {weight: 1, density: 0.5}}\n- {model: b, parameters: {weight: 1, density: 0.5}}\n- {model: d, parameters: {weight: 1, density: 0.1}}\n",
		},
		"<< with a list, of which the first counts": {
			"merge_method: ties\nbase_model: c\nmodels:\n- {model: a, parameters: &p {weight: 1}}\n- {model: b, parameters: &q {weight: 2, density: 0.5}}\n- model: d\n  parameters:\n    <<: [*p, *q]\n",
			"merge_method: ties\nbase_model: c\nmodels:\n- {model: a, parameters: {weight: 1}}\n- {model: b, parameters: {weight: 2, density: 0.5}}\n- {model: d, parameters: {weight: 1, density: 0.5}}\n",
		},
		"for a key": {
			"merge_method: linear\nmodels:\n- model: a\n  parameters:\n    &k weight: 1\n- model: b\n  parameters:\n    *k : 2\n",
			"merge_method: linear\nmodels:\n- {model: a, parameters: {weight: 1}}\n- {model: b, parameters: {weight: 2}}\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := ParseRecipe([]byte(c[0]))
			if err != nil {
				t.Fatal(err)
			}
			want, err := ParseRecipe([]byte(c[1]))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, want %+v", got, want)
			}
			mustSurvive(t, got)
		})
	}
}

// A short text that stands for a billion values is refused before they are made.
func TestAliasesThatGrow(t *testing.T) {
	var lists, mappings, deep strings.Builder
	lists.WriteString("merge_method: linear\nparameters:\n  a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n")
	mappings.WriteString("merge_method: linear\nparameters:\n  a0: &a0 {b: 1}\n")
	deep.WriteString("merge_method: linear\nparameters:\n  a0: &a0 [1]\n")
	for i := range 30 {
		nine := strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i), 9), ", ")
		fmt.Fprintf(&lists, "  a%d: &a%d [%s]\n", i+1, i+1, nine)
		fmt.Fprintf(&mappings, "  a%d: &a%d {<<: [%s], c%d: *a%d}\n", i+1, i+1, nine, i, i)
	}
	for i := range maxRecipeDepth {
		fmt.Fprintf(&deep, "  a%d: &a%d [*a%d]\n", i+1, i+1, i)
	}
	for want, text := range map[string]string{
		"more than 8192 values": lists.String(), "more than 8192 values, with": mappings.String(), "nested deeper than 64": deep.String(),
	} {
		attacktest.Recipe(t, want, text)
		_, err := ParseRecipe([]byte(text))
		var in *mergesearch.InputError
		if !errors.As(err, &in) || !strings.Contains(in.Problem, want) || in.Line == 0 || in.Hint == "" {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
