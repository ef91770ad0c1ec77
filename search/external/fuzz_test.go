package external

import (
	"math"
	"testing"

	"mergesearch"
)

// FuzzAnswer: whatever a program says is refused, or is a genome of the space.
func FuzzAnswer(f *testing.F) {
	for _, line := range []string{
		`{"type":"proposals","proposals":[{"genome":{"method":"linear","weight":0.5}}]}`,
		`{"type":"proposals","proposals":[{"genome":{"method":"ties","weight":1,"density":0.25},"operator":"x","parents":["c0001"]}],"finished":true}`,
		`{"type":"proposals","proposals":[{"genome":{"weight":1e999}}]}`,
		`{"type":"hello"}`, `[]`, `{"type":"proposals","proposals":[{"genome":{"method":"linear","method":"ties"}}]} {}`,
	} {
		f.Add([]byte(line))
	}
	space := &mergesearch.Space{Genes: []mergesearch.Gene{
		{Name: "method", Kind: mergesearch.Choice, Options: []string{"linear", "ties"}},
		{Name: "weight", Kind: mergesearch.Real, Min: 0, Max: 1.5, Step: 0.01},
		{Name: "density", Kind: mergesearch.Real, Min: 0.1, Max: 1},
	}}
	p := &Proposer{options: Options{Space: space}, told: map[mergesearch.CandidateID]bool{"c0001": true}}
	f.Fuzz(func(t *testing.T, line []byte) {
		a, err := parseAnswer(line, "proposals")
		if err != nil {
			return
		}
		for _, x := range a.Proposals {
			individual, err := p.individual(x)
			if err != nil {
				continue
			}
			for i, v := range individual.Genome {
				if g := space.Genes[i]; math.IsNaN(v) || g.Kind == mergesearch.Real && (v < g.Min-1e-6 || v > g.Max+1e-6) {
					t.Errorf("%s: gene %s is %v", line, g.Name, v)
				}
			}
		}
	})
}
