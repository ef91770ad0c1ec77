package mergesearch

import (
	"fmt"
	"slices"
	"strings"
)

func (s *Space) checkParts() error {
	switch {
	case s.Base == "":
		return &InputError{Field: "base", Problem: "missing"}
	case len(s.Experts) < 2:
		return &InputError{Field: "experts", Problem: "a merge needs at least two experts", Hint: "list the fine-tuned models under experts:"}
	case len(s.Methods) == 0:
		return &InputError{Field: "methods", Problem: "no method listed"}
	}
	seen := map[string]bool{s.Base: true}
	for _, e := range s.Experts {
		if seen[e] {
			return &InputError{Field: "experts", Problem: fmt.Sprintf("%q is listed twice", e)}
		}
		if strings.Contains(e, "+") {
			return &InputError{Field: "experts", Problem: fmt.Sprintf("%q: a model name cannot contain '+'", e)}
		}
		seen[e] = true
	}
	var earlier []string
	for i, g := range s.Groups {
		if len(g.Filters) == 0 && i != len(s.Groups)-1 {
			return &InputError{Field: "groups." + g.Name, Problem: "a group without match: takes all that is left, so it must be the last"}
		}
		for _, f := range g.Filters {
			for _, e := range earlier {
				if strings.Contains(f, e) {
					return &InputError{Field: "groups." + g.Name, Problem: fmt.Sprintf("%q is already taken by %q of an earlier group", f, e), Hint: "put the longer pattern first"}
				}
			}
		}
		earlier = append(earlier, g.Filters...)
	}
	if n := len(s.Groups); n > 0 && len(s.Groups[n-1].Filters) > 0 {
		return &InputError{Field: "groups", Problem: "no group takes the rest of the tensors", Hint: "add a last group without match:"}
	}
	return nil
}

func (s *Space) add(g Gene) {
	s.index[g.Name] = len(s.Genes)
	s.Genes = append(s.Genes, g)
}

func (s *Space) addRange(r GeneRange) error {
	field := "genes." + r.Parameter
	if !finite(r.Min) || !finite(r.Max) || r.Min > r.Max {
		return &InputError{Field: field, Problem: fmt.Sprintf("range upside down: min %v, max %v", r.Min, r.Max), Hint: "min must not exceed max"}
	}
	var takers, known []string
	var declared Parameter
	for _, m := range s.Methods {
		for _, p := range m.Parameters {
			known = append(known, p.Name)
		}
		if p, ok := m.Parameter(r.Parameter); ok && (r.Methods == nil || slices.Contains(r.Methods, m.Name)) {
			takers = append(takers, m.Name)
			declared = p
		}
	}
	if len(takers) == 0 {
		slices.Sort(known)
		e := UnknownWord("parameter", r.Parameter, slices.Compact(known))
		e.Field, e.Problem = field, "no listed method takes this parameter"
		return e
	}
	if r.PerExpert && !declared.PerModel {
		return &InputError{Field: field, Problem: "this parameter belongs to the whole recipe, not to an expert", Hint: "remove expert from per:"}
	}
	if len(takers) == len(s.Methods) {
		takers = nil
	}
	experts, groups := []string{""}, []string{""}
	if r.PerExpert {
		experts = s.Experts
	}
	if r.PerGroup {
		groups = nil
		for _, g := range s.Groups {
			groups = append(groups, g.Name)
		}
	}
	step := r.Step
	if step == 0 {
		step = declared.Step
	}
	for _, e := range experts {
		for _, group := range groups {
			g := Gene{
				Kind: Real, Min: r.Min, Max: r.Max, Step: step, Methods: takers,
				Parameter: r.Parameter, Expert: e, Group: group,
			}
			g.Name = strings.Join(slices.DeleteFunc([]string{r.Parameter, e, group}, func(p string) bool { return p == "" }), ".")
			g.Default = g.Snap(declared.Default)
			if _, twice := s.index[g.Name]; twice {
				return &InputError{Field: field, Problem: "listed twice"}
			}
			s.add(g)
		}
	}
	return nil
}
