package mergesearch_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"mergesearch"
)

func TestRecipeIDIgnoresTheOrderOfModels(t *testing.T) {
	a := mergesearch.Input{Model: "a", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(0.7)}}
	b := mergesearch.Input{Model: "b", Parameters: map[string]mergesearch.Setting{"weight": mergesearch.Number(0.5)}}
	one := mergesearch.Recipe{Method: "linear", Models: []mergesearch.Input{a, b}}
	two := mergesearch.Recipe{Method: "linear", Models: []mergesearch.Input{b, a}}
	if one.ID() != two.ID() {
		t.Error("permuted models change the ID")
	}
	two.Models[0].Parameters = map[string]mergesearch.Setting{"weight": mergesearch.Number(0.6)}
	if one.ID() == two.ID() {
		t.Error("another weight keeps the ID")
	}
	if one.Models[0].Model != "a" {
		t.Error("Canonical reordered the recipe itself")
	}
}

// The example of mergekit's sheet: [0, 1, 10] over five layers is 0, 0.5, 1, 5.5, 10.
func TestGradientIsInterpolatedOverLayers(t *testing.T) {
	s := mergesearch.Setting{{Values: []float64{0, 1, 10}}}
	for layer, want := range []float64{0, 0.5, 1, 5.5, 10} {
		if got, ok := s.At("x", float64(layer)/4); !ok || got != want {
			t.Errorf("layer %d: %v, want %v", layer, got, want)
		}
	}
}

func TestFirstMatchingConditionWins(t *testing.T) {
	s := mergesearch.Setting{
		{Filter: "self_attn", Values: []float64{1}},
		{Filter: "attn", Values: []float64{2}},
		{Filter: "*", Values: []float64{3}},
	}
	for tensor, want := range map[string]float64{"layers.0.self_attn.q": 1, "cross_attn": 2, "mlp": 3} {
		if got, _ := s.At(tensor, 0); got != want {
			t.Errorf("%s: %v, want %v", tensor, got, want)
		}
	}
	if _, ok := s[:1].At("mlp", 0); ok {
		t.Error("a condition that does not match gave a value")
	}
}

func TestScoreIsTheWeightedMeanOfTasks(t *testing.T) {
	b := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "x", Weight: 1}, {Task: "y", Weight: 3}}}
	s, err := b.Score([]mergesearch.Outcome{
		{Item: "y/1", Value: 1},
		{Item: "x/1", Value: 0},
		{Item: "x/2", Value: 1},
		{Item: "y/2", Value: 1, Truncated: true},
	}, "f")
	if err != nil {
		t.Fatal(err)
	}
	if s.Fitness != 0.875 || s.Items != 4 || s.Tasks[0].StdErr != 0.5 || s.Tasks[1].Truncated != 1 {
		t.Errorf("got %+v", s)
	}
	if math.Abs(s.StdErr-0.125) > 1e-15 {
		t.Errorf("standard error %v, want 0.125", s.StdErr)
	}
	for name, bad := range map[string][]mergesearch.Outcome{
		"a task without outcomes": {{Item: "x/1"}},
		"NaN":                     {{Item: "x/1", Value: math.NaN()}, {Item: "y/1"}},
		"a value above one":       {{Item: "x/1", Value: 2}, {Item: "y/1"}},
		"a foreign task":          {{Item: "x/1"}, {Item: "y/1"}, {Item: "z/1"}},
	} {
		if _, err := b.Score(bad, ""); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
}

func TestScoreDoesNotDependOnTheOrderOfOutcomes(t *testing.T) {
	b := mergesearch.Benchmark{Tasks: []mergesearch.TaskWeight{{Task: "x", Weight: 1}}}
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Float64Range(0, 1), 2, 40).Draw(t, "values")
		var out, back []mergesearch.Outcome
		for i, v := range values {
			out = append(out, mergesearch.Outcome{Item: mergesearch.ItemID("x/" + string(rune('A'+i))), Value: v})
		}
		for i := range out {
			back = append(back, out[len(out)-1-i])
		}
		s, err := b.Score(out, "")
		r, err2 := b.Score(back, "")
		if err != nil || err2 != nil || s.Fitness != r.Fitness || s.StdErr != r.StdErr {
			t.Fatalf("%v %v against %v %v", s, err, r, err2)
		}
	})
}

func TestMemberNeedsAFiniteFitness(t *testing.T) {
	i := mergesearch.Individual{Operator: "random"}
	if _, err := i.Scored("c0001", mergesearch.Score{Fitness: math.NaN(), Items: 3}); err == nil {
		t.Error("NaN is accepted")
	}
	if _, err := i.Scored("c0001", mergesearch.Score{Fitness: 0.5}); err == nil {
		t.Error("a score without items is accepted")
	}
	m, err := i.Scored("c0001", mergesearch.Score{Fitness: 0.5, Items: 3})
	if err != nil || m.Fitness() != 0.5 || m.ID() != "c0001" {
		t.Errorf("%v %v", m, err)
	}
}

func TestPopulationHashCoversEveryField(t *testing.T) {
	base := func() []mergesearch.Record {
		return []mergesearch.Record{
			{Index: 1, Generation: 2, Genome: "m=x", RecipeID: "r", State: mergesearch.Scored, Outcomes: []mergesearch.Outcome{{Item: "x/1", Value: 1}, {Item: "x/2"}}},
		}
	}
	want := mergesearch.PopulationHash(base())
	swapped := base()
	swapped[0].Outcomes[0], swapped[0].Outcomes[1] = swapped[0].Outcomes[1], swapped[0].Outcomes[0]
	swapped[0].Outcomes[0].Completion = "text does not count"
	if mergesearch.PopulationHash(swapped) != want {
		t.Error("the order of outcomes or their text enters")
	}
	for name, change := range map[string]func(*mergesearch.Record){
		"index":      func(r *mergesearch.Record) { r.Index++ },
		"generation": func(r *mergesearch.Record) { r.Generation++ },
		"genome":     func(r *mergesearch.Record) { r.Genome += "1" },
		"recipe":     func(r *mergesearch.Record) { r.RecipeID += "1" },
		"state":      func(r *mergesearch.Record) { r.State = mergesearch.Failed },
		"reason":     func(r *mergesearch.Record) { r.ReasonCode = "not_finite" },
		"value":      func(r *mergesearch.Record) { r.Outcomes[0].Value = 0.5 },
		"missing":    func(r *mergesearch.Record) { r.Outcomes[0].Missing = true },
		"item":       func(r *mergesearch.Record) { r.Outcomes[0].Item = "x/3" },
	} {
		changed := base()
		change(&changed[0])
		if mergesearch.PopulationHash(changed) == want {
			t.Errorf("%s does not enter the hash", name)
		}
	}
}

func TestNearest(t *testing.T) {
	known := []string{"weight", "density", "lambda", "task_arithmetic"}
	for word, want := range map[string]string{"wieght": "weight", "dens": "", "densty": "density", "task-arithmetic": "task_arithmetic", "xyz": ""} {
		if got := mergesearch.Nearest(word, known); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}

func TestItemsDigestIgnoresOrderAndText(t *testing.T) {
	out := []mergesearch.Outcome{{Item: "x/1", Value: 1}, {Item: "x/2"}}
	want := mergesearch.ItemsDigest(out)
	if mergesearch.ItemsDigest([]mergesearch.Outcome{{Item: "x/2", Completion: "text"}, out[0]}) != want {
		t.Error("the order or the text enters")
	}
	if mergesearch.ItemsDigest(out[:1]) == want || mergesearch.ItemsDigest(nil) == want {
		t.Error("an item more or less does not enter")
	}
}
