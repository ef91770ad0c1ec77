package mergetest

import (
	"math"
	"math/rand/v2"

	"mergesearch"
)

// RandomRecipe draws a recipe of a method with every parameter set, as numbers,
// gradients and conditions, within the declared ranges. Methods of two models get
// the first two experts, methods of one model the first; where a base model is
// optional, half of the recipes name one.
func RandomRecipe(r *rand.Rand, m mergesearch.Method, base string, experts []string) mergesearch.Recipe {
	out := mergesearch.Recipe{Method: m.Name, Parameters: map[string]mergesearch.Setting{}, Seed: r.Uint64N(1000)}
	switch {
	case m.Pair:
		experts = experts[:2]
		out.Base = experts[r.IntN(2)]
	case m.NeedsBase:
		out.Base = base
	case m.OptionalBase && r.IntN(2) == 0:
		out.Base = base
	}
	switch {
	case m.Pair:
	case m.Most > 0:
		experts = experts[:m.Most]
	case m.Name == "passthrough":
		experts = experts[:1]
	}
	for _, e := range experts {
		out.Models = append(out.Models, mergesearch.Input{Model: e, Parameters: map[string]mergesearch.Setting{}})
	}
	for _, p := range m.Parameters {
		if !p.PerModel {
			out.Parameters[p.Name] = randomSetting(r, p)
			continue
		}
		for i := range out.Models {
			out.Models[i].Parameters[p.Name] = randomSetting(r, p)
		}
	}
	return out
}

func randomSetting(r *rand.Rand, p mergesearch.Parameter) mergesearch.Setting {
	draw := func() float64 {
		if p.Step == 1 {
			return float64(r.IntN(2)) // a flag
		}
		return math.Round((p.Min+r.Float64()*(p.Max-p.Min))*1000) / 1000
	}
	if p.Step == 1 {
		return mergesearch.Number(draw())
	}
	switch r.IntN(3) {
	case 0:
		return mergesearch.Number(draw())
	case 1:
		return mergesearch.Setting{{Values: []float64{draw(), draw(), draw()}}}
	}
	return mergesearch.Setting{
		{Filter: "self_attn", Values: []float64{draw()}},
		{Filter: "mlp", Values: []float64{draw(), draw()}},
		{Values: []float64{draw()}},
	}
}
