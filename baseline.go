package mergesearch

import (
	"math"
	"strings"
)

// Baseline is a recipe that a run compares its winner with.
type Baseline struct {
	Name   string
	Recipe Recipe
	Genome Genome // nearest genome of the space
	Exact  bool   // Genome decodes to Recipe, so the baseline can start a search
}

// Baselines returns the usual recipes of every method of the space, for methods
// of two models once for every pair; the same in all blocks.
func (s *Space) Baselines() []Baseline {
	var out []Baseline
	for _, m := range s.Methods {
		pairs := []string{""}
		if m.OfTwo() {
			pairs = s.Genes[s.pairs[s.blocks()[0].Name]].Options
		}
		for _, u := range m.Usual {
			for _, pair := range pairs {
				r := s.skeleton(m, pair)
				for _, p := range m.Parameters {
					v, ok := u.Values[p.Name]
					if !ok {
						continue
					}
					if p.Name == "weight" && u.ShareWeight {
						v = math.Round(1000*v/float64(len(s.Experts))) / 1000
					}
					if !p.PerModel {
						r.setParameter(p.Name, Number(v))
						continue
					}
					for i := range r.Models {
						r.Models[i].set(p.Name, Number(v))
					}
				}
				s.fillRequired(m, &r)
				out = append(out, s.Baseline(strings.TrimSpace(u.Name+" "+pair), r))
			}
		}
	}
	return out
}

// Baseline makes a recipe a baseline of the space.
func (s *Space) Baseline(name string, r Recipe) Baseline {
	b := Baseline{Name: name, Recipe: r}
	if b.Genome, b.Exact = s.Encode(r); b.Exact {
		b.Recipe = s.Decode(b.Genome)
	}
	return b
}

// Passthrough returns the recipe that is one model unchanged: how a parent is
// scored.
func Passthrough(model, dtype string) Recipe {
	return Recipe{Method: "passthrough", Models: []Input{{Model: model}}, DType: dtype}
}
