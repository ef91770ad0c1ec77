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
	if err := s.checkPath(); err != nil {
		return err
	}
	if len(s.Methods) == 0 && (s.Path == nil || s.Path.takes(Merged)) {
		return &InputError{Field: "methods", Problem: "no method listed"}
	}
	if err := s.checkBlocks(); err != nil {
		return err
	}
	return s.checkGroups()
}

func (s *Space) checkBlocks() error {
	next := 0
	for _, b := range s.Blocks {
		if b.Name == s.Base || b.Name == Merged || slices.Contains(s.Experts, b.Name) {
			return &InputError{Field: "method_blocks", Problem: fmt.Sprintf("a model has the name of block %q", b.Name), Hint: "name a link to its directory"}
		}
		if b.Name == "" || b.First != next || b.End <= b.First {
			return &InputError{Field: "method_blocks", Problem: fmt.Sprintf("block %q with layers %d to %d does not follow layer %d", b.Name, b.First, b.End, next)}
		}
		next = b.End
	}
	if len(s.Blocks) > 0 && next != s.Layers {
		return &InputError{Field: "method_blocks", Problem: fmt.Sprintf("the blocks cover %d of %d layers", next, s.Layers)}
	}
	return nil
}

func (s *Space) checkGroups() error {
	var earlier []string
	names := map[string]bool{}
	for i, g := range s.Groups {
		if names[g.Name] {
			return &InputError{Field: "groups." + g.Name, Problem: "the name of two groups", Hint: "give each group a name of its own"}
		}
		names[g.Name] = true
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

func (s *Space) add(g Gene) int {
	g.Name = strings.Join(slices.DeleteFunc([]string{g.Name, g.Expert, g.Group, g.Block}, func(p string) bool { return p == "" }), ".")
	if g.Knot > 0 {
		g.Name += fmt.Sprintf(".g%d", g.Knot-1)
	}
	s.index[g.Name] = len(s.Genes)
	s.Genes = append(s.Genes, g)
	return len(s.Genes) - 1
}

// addChoices adds the genes of method and pair, for each block its own.
func (s *Space) addChoices() {
	var names, pairs, paired []string
	for _, m := range s.Methods {
		names = append(names, m.Name)
		if m.OfTwo() {
			paired = append(paired, m.Name)
		}
	}
	for i, a := range s.Experts {
		for _, b := range s.Experts[i+1:] {
			pairs = append(pairs, a+"+"+b)
		}
	}
	if len(names) > 1 {
		for _, b := range s.blocks() {
			s.methods[b.Name] = s.add(Gene{Name: MethodGene, Kind: Choice, Options: names, Block: b.Name})
		}
	}
	if len(paired) > 0 {
		for _, b := range s.blocks() {
			s.pairs[b.Name] = s.add(Gene{Name: PairGene, Kind: Choice, Options: pairs, Methods: paired, Block: b.Name})
		}
	}
}

// cellKey names the tensors that one gene, or one gradient, sets a parameter for.
type cellKey struct{ parameter, expert, group, block string }

// cell is the genes of a parameter: one, or those numbers of a gradient that reach
// a tensor, in order.
type cell struct {
	genes []int
	knots []int // places of the genes in the gradient; nil for one plain number
	of    int   // numbers of the gradient
}

func (s *Space) addRange(r GeneRange) error {
	declared, takers, err := s.takers(r)
	if err != nil {
		return err
	}
	field := "genes." + r.Parameter
	experts, groups := []string{""}, []Group{{}}
	if r.PerExpert {
		experts = s.Experts
	}
	if r.PerGroup {
		groups = s.Groups
	}
	for _, e := range experts {
		for _, group := range groups {
			for _, b := range s.blocks() {
				if !s.reaches(group, b) {
					continue
				}
				key := cellKey{r.Parameter, e, group.Name, b.Name}
				if _, twice := s.cells[key]; twice {
					return &InputError{Field: field, Problem: "listed twice"}
				}
				g := Gene{
					Name: r.Parameter, Kind: Real, Min: r.Min, Max: r.Max, Step: r.Step, Methods: takers,
					Parameter: r.Parameter, Expert: e, Group: group.Name, Block: b.Name,
				}
				if g.Step == 0 {
					g.Step = declared.Step
				}
				g.Default = g.Snap(declared.Default)
				c := cell{knots: s.knots(r.Knots, group, b), of: r.Knots}
				if c.knots == nil {
					c.genes = []int{s.add(g)}
				}
				for _, k := range c.knots {
					g.Knot = k + 1
					c.genes = append(c.genes, s.add(g))
				}
				s.cells[key] = c
			}
		}
	}
	return nil
}

// takers returns the declaration of a range's parameter and the methods that take
// it, nil for all.
func (s *Space) takers(r GeneRange) (declared Parameter, takers []string, err error) {
	field := "genes." + r.Parameter
	if !finite(r.Min) || !finite(r.Max) || r.Min > r.Max {
		return declared, nil, &InputError{Field: field, Problem: fmt.Sprintf("range upside down: min %v, max %v", r.Min, r.Max), Hint: "min must not exceed max"}
	}
	if err := s.checkTakers(r); err != nil {
		return declared, nil, err
	}
	var known []string
	for _, m := range s.Methods {
		for _, p := range m.Parameters {
			known = append(known, p.Name)
		}
		if p, ok := m.Parameter(r.Parameter); ok && (r.Methods == nil || slices.Contains(r.Methods, m.Name)) {
			takers = append(takers, m.Name)
			declared = p
		}
	}
	switch {
	case len(takers) == 0:
		slices.Sort(known)
		e := UnknownWord("parameter", r.Parameter, slices.Compact(known))
		e.Field, e.Problem = field, "no listed method takes this parameter"
		return declared, nil, e
	case r.PerExpert && !declared.PerModel:
		return declared, nil, &InputError{Field: field, Problem: "this parameter belongs to the whole recipe, not to an expert", Hint: "remove expert from per:"}
	case r.Knots != 0 && (r.Knots < 2 || s.Layers < 2):
		return declared, nil, &InputError{Field: field + ".gradient", Problem: fmt.Sprintf("a gradient of %d numbers over %d layers", r.Knots, s.Layers), Hint: "it takes two numbers and two layers at least; 5 numbers are usual"}
	case r.Knots != 0 && declared.Step == 1:
		return declared, nil, &InputError{Field: field + ".gradient", Problem: "this parameter is true or false", Hint: "remove gradient"}
	}
	if len(takers) == len(s.Methods) {
		takers = nil
	}
	return declared, takers, nil
}

// checkTakers refuses methods of a range that are not those of the space, or do not
// take its parameter.
func (s *Space) checkTakers(r GeneRange) error {
	field := "genes." + r.Parameter + ".methods"
	if r.Methods != nil && len(r.Methods) == 0 {
		return &InputError{Field: field, Problem: "no method listed", Hint: "leave methods out for all that take the parameter"}
	}
	var known []string
	for _, m := range s.Methods {
		known = append(known, m.Name)
	}
	for _, name := range r.Methods {
		k := slices.Index(known, name)
		if k < 0 {
			e := unknown(field, "method", name, known)
			e.Problem = fmt.Sprintf("%q is not among the methods of the search", name)
			return e
		}
		if _, ok := s.Methods[k].Parameter(r.Parameter); !ok {
			return &InputError{Field: field, Problem: fmt.Sprintf("%s takes no %s", name, r.Parameter), Hint: "remove it from the list"}
		}
	}
	return nil
}

// layersIn lists the layers in which a group has tensors in a block, with -1 for
// what comes before the layers and their number for what comes after.
func (s *Space) layersIn(group Group, b Block) []int {
	layers := group.Layers
	if layers == nil {
		for k := -1; k <= s.Layers; k++ {
			layers = append(layers, k)
		}
	}
	var out []int
	for _, k := range layers {
		if k >= b.First && k < b.End || k < 0 && b.First == 0 || k >= s.Layers && b.End == s.Layers {
			out = append(out, k)
		}
	}
	return out
}

// reaches reports whether a group has tensors in a block.
func (s *Space) reaches(group Group, b Block) bool {
	return len(s.Blocks) == 0 || len(s.layersIn(group, b)) > 0
}

// groupsOf lists the groups that have tensors in a block. The last of them takes
// all that the others leave.
func (s *Space) groupsOf(b Block) []Group {
	var out []Group
	for _, g := range s.Groups {
		if s.reaches(g, b) {
			out = append(out, g)
		}
	}
	return out
}

// knots lists the numbers of a gradient of n that some tensor of a group in a block
// takes part of, counted from 0; nil where no tensor lies in a layer, or n is 0.
func (s *Space) knots(n int, group Group, b Block) []int {
	var used []int
	layered := false
	for _, k := range s.layersIn(group, b) {
		layered = layered || k >= 0 && k < s.Layers
		// The layer stands at k/(layers-1) of the way through n-1 gaps.
		at, gaps := min(max(k, 0), s.Layers-1)*(n-1), max(1, s.Layers-1)
		used = append(used, at/gaps)
		if at%gaps != 0 {
			used = append(used, at/gaps+1)
		}
	}
	if n == 0 || !layered {
		return nil
	}
	slices.Sort(used)
	return slices.Compact(used)
}
