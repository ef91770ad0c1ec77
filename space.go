package mergesearch

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Group is a named set of tensors that share coefficients.
type Group struct {
	Name string

	// Filters are substrings of tensor names, as in mergekit's conditional
	// parameters. Empty for the last group, which takes all that no other group
	// took.
	Filters []string
}

// GeneRange asks for a parameter to be searched.
type GeneRange struct {
	Parameter string
	Min, Max  float64
	Step      float64  // grid; 0 for the method's own
	PerExpert bool     // one gene for each expert instead of one for all
	PerGroup  bool     // one gene for each group instead of one for all
	Methods   []string // only for these methods; nil for all that take it
}

// SpaceSpec says what a search may vary. NewSpace checks it.
type SpaceSpec struct {
	Base    string   // name of the base model
	Experts []string // names of the experts; order is kept in reports only
	Methods []Method
	Groups  []Group
	Ranges  []GeneRange
	DType   string // of the merged tensors, as recipes spell it; empty: that of the base
	Seed    uint64 // of random masks
}

// Space is an ordered list of genes and the rule that turns a genome into a
// recipe. It does not change after NewSpace and is safe for concurrent use.
type Space struct {
	SpaceSpec
	Genes []Gene

	index map[string]int
}

// The names of the two choice genes.
const (
	MethodGene = "method" // which method
	PairGene   = "pair"   // which two experts, for methods of two models
)

// NewSpace derives the genes. It returns an *InputError when the parts do not
// fit together.
func NewSpace(spec SpaceSpec) (*Space, error) {
	s := &Space{SpaceSpec: spec, index: map[string]int{}}
	if err := s.checkParts(); err != nil {
		return nil, err
	}
	if len(spec.Groups) == 0 {
		s.Groups = []Group{{Name: "all"}}
	}
	var names, pairs, paired []string
	for _, m := range spec.Methods {
		names = append(names, m.Name)
		if m.OfTwo() {
			paired = append(paired, m.Name)
		}
	}
	if len(names) > 1 {
		s.add(Gene{Name: MethodGene, Kind: Choice, Options: names})
	}
	if len(paired) > 0 {
		for i, a := range spec.Experts {
			for _, b := range spec.Experts[i+1:] {
				pairs = append(pairs, a+"+"+b)
			}
		}
		s.add(Gene{Name: PairGene, Kind: Choice, Options: pairs, Methods: paired})
	}
	for _, r := range spec.Ranges {
		if err := s.addRange(r); err != nil {
			return nil, err
		}
	}
	if len(s.Genes) == 0 {
		return nil, &InputError{Field: "genes", Problem: "nothing to search: one method and no parameter", Hint: "list at least one gene, such as weight: {min: 0, max: 1.5}"}
	}
	return s, nil
}

// Method returns the declaration of the method that the genome chooses.
func (s *Space) Method(g Genome) Method {
	if i, ok := s.index[MethodGene]; ok {
		return s.Methods[int(g[i])]
	}
	return s.Methods[0]
}

// Active reports whether the genome's method uses gene i.
func (s *Space) Active(g Genome, i int) bool {
	m := s.Genes[i].Methods
	return m == nil || slices.Contains(m, s.Method(g).Name)
}

// Gene returns the index of the named gene, or -1.
func (s *Space) Gene(name string) int {
	if i, ok := s.index[name]; ok {
		return i
	}
	return -1
}

// Default returns the genome in which every gene holds its default.
func (s *Space) Default() Genome {
	g := make(Genome, len(s.Genes))
	for i := range s.Genes {
		g[i] = s.Genes[i].Default
	}
	return g
}

// Normalize returns the genome with every active gene snapped to its bounds and
// grid and every inactive one at its default. Operators end with it, so inactive
// genes never drift.
func (s *Space) Normalize(g Genome) Genome {
	n := g.Clone()
	if i, ok := s.index[MethodGene]; ok {
		n[i] = s.Genes[i].Snap(n[i])
	}
	for i := range s.Genes {
		if s.Active(n, i) {
			n[i] = s.Genes[i].Snap(n[i])
		} else {
			n[i] = s.Genes[i].Default
		}
	}
	return n
}

// Check returns an error that names the offending gene when g is not a
// normalized genome of this space; NaN is refused too.
func (s *Space) Check(g Genome) error {
	if len(g) != len(s.Genes) {
		return fmt.Errorf("genome has %d genes, the space has %d", len(g), len(s.Genes))
	}
	for i, x := range s.Normalize(g) {
		if g[i] != x {
			return fmt.Errorf("gene %s: %v, want %v", s.Genes[i].Name, g[i], x)
		}
	}
	return nil
}

// Canonical returns the active genes as "name=value" joined by semicolons, with
// choices by name and numbers in their shortest form. Two genomes with equal
// canonical forms decode to the same recipe.
func (s *Space) Canonical(g Genome) string {
	var b strings.Builder
	for i, gene := range s.Genes {
		if !s.Active(g, i) {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(';')
		}
		b.WriteString(gene.Name)
		b.WriteByte('=')
		if gene.Kind == Choice {
			b.WriteString(gene.Options[int(g[i])])
		} else {
			b.WriteString(strconv.FormatFloat(g[i], 'g', -1, 64))
		}
	}
	return b.String()
}
