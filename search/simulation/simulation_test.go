package simulation_test

import (
	"context"
	"math"
	"testing"

	"mergesearch/search"
	"mergesearch/search/simulation"
)

func TestSurrogateRuns(t *testing.T) {
	for _, kind := range []simulation.Kind{simulation.Layers} {
		for _, alg := range []string{"surrogate", "ga", "random"} {
			for seed := uint64(1000); seed < 1004; seed++ {
				r, err := simulation.Search(context.Background(), simulation.Study{Kind: kind, Dimension: 32, Seed: seed, Algorithm: alg, Answers: 25000})
				t.Logf("%s %d: %+v %v", alg, seed, r, err)
			}
		}
	}
	_ = math.Pi
	_ = search.Race{}
}
