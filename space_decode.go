package mergesearch

import (
	"slices"
	"strings"
)

// Decode turns a normalized genome into its recipe. Parameters without a gene,
// and optional ones that hold their default everywhere, are left out: the method
// supplies them.
func (s *Space) Decode(g Genome) Recipe {
	if s.Path != nil {
		return s.decodePath(g)
	}
	return s.decodeMerge(g)
}

// decodeMerge decodes the merge in parameter space. Blocks that merge differently
// are documents over the whole model, of which the last recipe takes the layers
// that it wants; blocks that merge alike share one.
func (s *Space) decodeMerge(g Genome) Recipe {
	joined := Recipe{Method: "passthrough", Base: s.Base, DType: s.DType}
	stages := map[RecipeID]string{}
	for _, b := range s.blocks() {
		r := s.decodeBlock(g, b)
		name, known := stages[r.ID()]
		if !known {
			name = b.Name
			stages[r.ID()] = name
			joined.Stages = append(joined.Stages, Stage{Name: name, Recipe: r})
		}
		joined.appendLayers(name, b.First, b.End, nil)
	}
	if len(joined.Stages) == 1 {
		return joined.Stages[0].Recipe
	}
	return joined
}

// appendLayers adds a run of a model's layers, to the last slice where it goes on.
func (r *Recipe) appendLayers(model string, first, end int, parameters map[string]Setting) {
	if n := len(r.Slices); n > 0 {
		last := &r.Slices[n-1].Sources[0]
		if last.Model == model && last.End == first && sameParameters(last.Parameters, parameters) {
			last.End = end
			return
		}
	}
	r.Slices = append(r.Slices, Slice{Sources: []Source{{Input: Input{Model: model, Parameters: parameters}, First: first, End: end}}})
}

func sameParameters(a, b map[string]Setting) bool {
	if len(a) != len(b) {
		return false
	}
	for name, x := range a {
		if !slices.EqualFunc(x, b[name], func(c, d Condition) bool { return c.Filter == d.Filter && slices.Equal(c.Values, d.Values) }) {
			return false
		}
	}
	return true
}

func (s *Space) decodeBlock(g Genome, b Block) Recipe {
	m := s.methodOf(g, b.Name)
	r := s.skeleton(m, s.pairOf(g, b.Name))
	for _, p := range m.Parameters {
		if p.PerModel {
			for i := range r.Models {
				if set := s.setting(g, p, r.Models[i].Model, b); set != nil {
					r.Models[i].set(p.Name, set)
				}
			}
		} else if set := s.setting(g, p, "", b); set != nil {
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

func (s *Space) pairOf(g Genome, block string) string {
	if i, ok := s.pairs[block]; ok {
		return s.Genes[i].Options[int(g[i])]
	}
	return ""
}

// cellOf finds the active genes of a parameter for one expert in one group of a
// block: those of the expert come before those for all, those of the group likewise.
func (s *Space) cellOf(g Genome, parameter, expert, group, block string) (cell, bool) {
	for _, key := range []cellKey{
		{parameter, expert, group, block},
		{parameter, expert, "", block},
		{parameter, "", group, block},
		{parameter, "", "", block},
	} {
		if c, ok := s.cells[key]; ok && s.Active(g, c.genes[0]) {
			return c, true
		}
	}
	return cell{}, false
}

// values returns the number that the genes of a cell hold, or their gradient.
// Numbers of the gradient that no tensor takes part of repeat their neighbour;
// equal ones throughout are one number.
func (c cell) values(g Genome) []float64 {
	if c.knots == nil {
		return []float64{g[c.genes[0]]}
	}
	out := make([]float64, c.of)
	at := 0
	for k := range out {
		if at+1 < len(c.knots) && c.knots[at+1] <= k {
			at++
		}
		out[k] = g[c.genes[at]]
	}
	if slices.Min(out) == slices.Max(out) {
		return out[:1]
	}
	return out
}

// setting collects the genes of a parameter for one expert in a block into its
// setting, or nil when it need not be written. Groups of one value become a plain
// number, or gradient.
func (s *Space) setting(g Genome, p Parameter, expert string, b Block) Setting {
	groups := s.groupsOf(b)
	values := make([][]float64, len(groups))
	for i, group := range groups {
		c, ok := s.cellOf(g, p.Name, expert, group.Name, b.Name)
		if !ok {
			return nil
		}
		values[i] = c.values(g)
	}
	same := !slices.ContainsFunc(values, func(v []float64) bool { return !slices.Equal(v, values[0]) })
	if same && len(values[0]) == 1 && !p.Required && values[0][0] == p.Default {
		return nil
	}
	if same {
		groups, values = []Group{{}}, values[:1]
	}
	var set Setting
	for i, group := range groups {
		v := values[i]
		if len(v) > 1 && b.End == s.Layers {
			// mergekit gives the tensors after the layers the first number of a
			// gradient; the last is meant.
			for _, tensor := range s.After {
				if same || s.groupOf(tensor) == group.Name {
					set = append(set, Condition{Filter: tensor, Values: v[len(v)-1:]})
				}
			}
		}
		if i == len(groups)-1 {
			set = append(set, Condition{Values: v})
			continue
		}
		for _, f := range group.Filters {
			set = append(set, Condition{Filter: f, Values: v})
		}
	}
	return set
}

// groupOf returns the name of the group that a tensor belongs to.
func (s *Space) groupOf(tensor string) string {
	for _, g := range s.Groups {
		if slices.ContainsFunc(g.Filters, func(f string) bool { return strings.Contains(tensor, f) }) {
			return g.Name
		}
	}
	return s.Groups[len(s.Groups)-1].Name
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
