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

	// Layers in which the group has tensors, in ascending order: -1 stands for what
	// comes before the first layer, SpaceSpec.Layers for what comes after the last.
	// Nil: not known, so everywhere.
	Layers []int
}

// Block is a run of layers with a method of its own. The first one takes what
// comes before the layers too, and the last one what comes after them.
type Block struct {
	Name       string
	First, End int // layers First up to End, without End
}

// GeneRange asks for a parameter to be searched.
type GeneRange struct {
	Parameter string
	Min, Max  float64
	Step      float64  // grid; 0 for the method's own
	PerExpert bool     // one gene for each expert instead of one for all
	PerGroup  bool     // one gene for each group instead of one for all
	Knots     int      // numbers of a gradient over the layers instead of one number; 0 for none
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

	// Layers counts the layers of the models, and After names the tensors that come
	// after them. Blocks, gradients and paths need them; else they may be left out.
	Layers int
	After  []string

	// Blocks have a method and parameters of their own. They cover all layers, in
	// order. None: one method for the whole model.
	Blocks []Block

	// Path, if set, varies which layers of which models follow each other.
	Path *Path
}

// Space is an ordered list of genes and the rule that turns a genome into a
// recipe. It does not change after NewSpace and is safe for concurrent use.
type Space struct {
	SpaceSpec
	Genes []Gene

	index   map[string]int
	methods map[string]int // choice gene of the method by block
	pairs   map[string]int // choice gene of the pair by block
	cells   map[cellKey]cell
	slots   []slot
	moves   []move // options of a slot
}

// The names of the two choice genes. Those of a block have its name behind a dot.
const (
	MethodGene = "method" // which method
	PairGene   = "pair"   // which two experts, for methods of two models
)

// NewSpace derives the genes. It returns an *InputError when the parts do not
// fit together.
func NewSpace(spec SpaceSpec) (*Space, error) {
	s := &Space{
		SpaceSpec: spec, index: map[string]int{}, methods: map[string]int{}, pairs: map[string]int{}, cells: map[cellKey]cell{},
	}
	if err := s.checkParts(); err != nil {
		return nil, err
	}
	if len(spec.Groups) == 0 {
		s.Groups = []Group{{Name: "all"}}
	}
	s.addChoices()
	for _, r := range spec.Ranges {
		if err := s.addRange(r); err != nil {
			return nil, err
		}
	}
	s.addPath()
	if len(s.Genes) == 0 {
		return nil, &InputError{Field: "genes", Problem: "nothing to search: one method and no parameter", Hint: "list at least one gene, such as weight: {min: 0, max: 1.5}"}
	}
	return s, nil
}

// Method returns the declaration of the method that the genome chooses, for its
// first block where there are several. A space of paths alone has none.
func (s *Space) Method(g Genome) Method { return s.methodOf(g, s.blocks()[0].Name) }

func (s *Space) methodOf(g Genome, block string) Method {
	if i, ok := s.methods[block]; ok {
		return s.Methods[int(g[i])]
	}
	if len(s.Methods) == 0 {
		return Method{}
	}
	return s.Methods[0]
}

// blocks returns the blocks, or one without a name that stands for all layers.
func (s *Space) blocks() []Block {
	if len(s.Blocks) == 0 {
		return []Block{{End: s.Layers}}
	}
	return s.Blocks
}

// Active reports whether the genome uses gene i: its method takes it, the slot
// that it scales is kept, the merge that it is a parameter of is on the path.
func (s *Space) Active(g Genome, i int) bool {
	gene := &s.Genes[i]
	switch {
	case gene.Slot > 0:
		return gene.Kind == Choice || len(s.moveAt(g, gene.Slot-1).models) > 0
	case s.Path != nil && !s.takesMerged(g):
		return false
	}
	return gene.Methods == nil || slices.Contains(gene.Methods, s.methodOf(g, gene.Block).Name)
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
// grid and every inactive one at its default, and with a path that is neither too
// short nor too long. Operators end with it, so inactive genes never drift.
func (s *Space) Normalize(g Genome) Genome {
	n := g.Clone()
	for i := range s.Genes { // choices first: they decide what is active
		if s.Genes[i].Kind == Choice {
			n[i] = s.Genes[i].Snap(n[i])
		}
	}
	s.fitPath(n)
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
