package mergesearch

import (
	"slices"
	"strings"
)

// Decode turns a normalized genome into its recipe. Parameters without a gene,
// and optional ones that hold their default everywhere, are left out: the method
// supplies them.
func (s *Space) Decode(g Genome) Recipe {
	m := s.Method(g)
	r := s.skeleton(m, s.pairOf(g))
	for _, p := range m.Parameters {
		if p.PerModel {
			for i := range r.Models {
				if set := s.setting(g, p, r.Models[i].Model); set != nil {
					r.Models[i].set(p.Name, set)
				}
			}
		} else if set := s.setting(g, p, ""); set != nil {
			r.setParameter(p.Name, set)
		}
	}
	s.fillRequired(m, &r)
	return r
}

// skeleton returns the recipe of a method without parameters; pair is "a+b" for
// methods of two models.
func (s *Space) skeleton(m Method, pair string) Recipe {
	r := Recipe{Method: m.Name, DType: s.DType}
	if m.Random {
		r.Seed = s.Seed
	}
	experts := s.Experts
	if m.NeedsBase || m.OptionalBase {
		r.Base = s.Base
	}
	if m.OfTwo() {
		a, b, _ := strings.Cut(pair, "+")
		experts = []string{a, b}
		if m.Pair {
			r.Base = a
		}
	}
	for _, e := range experts {
		r.Models = append(r.Models, Input{Model: e})
	}
	return r
}

func (s *Space) pairOf(g Genome) string {
	if i, ok := s.index[PairGene]; ok {
		return s.Genes[i].Options[int(g[i])]
	}
	return ""
}

// setting collects the genes of a parameter for one expert into its setting, or
// nil when it need not be written. Groups of one value become a plain number.
func (s *Space) setting(g Genome, p Parameter, expert string) Setting {
	values := make([]float64, 0, len(s.Groups))
	for _, group := range s.Groups {
		for _, name := range []string{
			p.Name + "." + expert + "." + group.Name, p.Name + "." + expert,
			p.Name + "." + group.Name, p.Name,
		} {
			if i, ok := s.index[name]; ok && s.Active(g, i) {
				values = append(values, g[i])
				break
			}
		}
	}
	if len(values) < len(s.Groups) {
		return nil
	}
	if slices.Min(values) == slices.Max(values) {
		if !p.Required && values[0] == p.Default {
			return nil
		}
		return Number(values[0])
	}
	var set Setting
	for i, group := range s.Groups {
		if len(group.Filters) == 0 {
			set = append(set, Condition{Values: []float64{values[i]}})
		}
		for _, f := range group.Filters {
			set = append(set, Condition{Filter: f, Values: []float64{values[i]}})
		}
	}
	return set
}

// fillRequired writes the declared default of required parameters that no gene
// sets, since mergekit refuses a recipe without them.
func (s *Space) fillRequired(m Method, r *Recipe) {
	for _, p := range m.Parameters {
		if !p.Required {
			continue
		}
		if !p.PerModel {
			if r.Parameters[p.Name] == nil {
				r.setParameter(p.Name, Number(p.Default))
			}
			continue
		}
		for i := range r.Models {
			if r.Models[i].Parameters[p.Name] == nil {
				r.Models[i].set(p.Name, Number(p.Default))
			}
		}
	}
}

func (in *Input) set(name string, v Setting) {
	if in.Parameters == nil {
		in.Parameters = map[string]Setting{}
	}
	in.Parameters[name] = v
}

func (r *Recipe) setParameter(name string, v Setting) {
	if r.Parameters == nil {
		r.Parameters = map[string]Setting{}
	}
	r.Parameters[name] = v
}
