package mergesearch

import (
	"slices"
	"strings"
)

// Encode returns the genome nearest to a recipe, and whether it decodes to that
// very recipe. A recipe whose method, models or slices are not of this space gives
// nil.
func (s *Space) Encode(r Recipe) (Genome, bool) {
	g := s.Default()
	encode := s.encodeMerge
	if s.Path != nil {
		encode = s.encodePath
	}
	if !encode(r, g) {
		return nil, false
	}
	g = s.Normalize(g)
	return g, s.Decode(g).ID() == r.ID()
}

// encodeMerge reads a merge in parameter space into g: for each block the document
// that its layers are taken from.
func (s *Space) encodeMerge(r Recipe, g Genome) bool {
	for _, b := range s.blocks() {
		document, ok := r, true
		if len(r.Stages) > 0 {
			document, ok = documentOf(r, b)
		}
		if !ok || !s.encodeBlock(document, b, g) {
			return false
		}
	}
	return true
}

// documentOf returns the document of a recipe that all layers of a block are taken
// from, at their own place.
func documentOf(r Recipe, b Block) (Recipe, bool) {
	next, name := 0, ""
	for _, slice := range r.Slices {
		if len(slice.Sources) != 1 || r.Method != "passthrough" || slice.Sources[0].First != next {
			return Recipe{}, false
		}
		from := slice.Sources[0]
		if next = from.End; from.First < b.End && from.End > b.First {
			if name != "" && name != from.Model {
				return Recipe{}, false
			}
			name = from.Model
		}
	}
	i := slices.IndexFunc(r.Stages, func(st Stage) bool { return st.Name == name })
	if i < 0 {
		return Recipe{}, false
	}
	return r.Stages[i].Recipe, true
}

func (s *Space) encodeBlock(r Recipe, b Block, g Genome) bool {
	method := slices.IndexFunc(s.Methods, func(m Method) bool { return m.Name == r.Method })
	if method < 0 {
		return false
	}
	m := s.Methods[method]
	if i, ok := s.methods[b.Name]; ok {
		g[i] = float64(method)
	}
	if m.OfTwo() {
		i := s.pairs[b.Name]
		option := slices.IndexFunc(s.Genes[i].Options, func(o string) bool {
			a, b, _ := strings.Cut(o, "+")
			return len(r.Models) == 2 && (r.Base == a || !m.Pair && r.names(a)) && r.names(b)
		})
		if option < 0 {
			return false
		}
		g[i] = float64(option)
	}
	for i := range s.Genes {
		if gene := &s.Genes[i]; gene.Kind == Real && gene.Slot == 0 && gene.Block == b.Name && s.Active(g, i) {
			g[i] = s.encodeGene(r, m, gene, b)
		}
	}
	return true
}

// encodeGene reads what a recipe says of the tensors that a gene is for.
func (s *Space) encodeGene(r Recipe, m Method, gene *Gene, b Block) float64 {
	expert := gene.Expert
	if expert == "" && len(r.Models) > 0 {
		expert = r.Models[0].Model
	}
	tensor := s.tensorOf(gene.Group)
	if gene.Knot > 0 {
		of := s.cells[cellKey{gene.Parameter, gene.Expert, gene.Group, b.Name}].of
		if v := r.values(gene.Parameter, expert, tensor); len(v) == of {
			return v[gene.Knot-1]
		}
		if v, ok := r.Value(gene.Parameter, expert, tensor, float64(gene.Knot-1)/float64(of-1)); ok {
			return v
		}
	} else if v, ok := r.Value(gene.Parameter, expert, tensor, 0); ok {
		return v
	}
	if p, ok := m.Parameter(gene.Parameter); ok {
		return p.Default
	}
	return gene.Default
}

// tensorOf returns a name that stands for the tensors of a group: one of its
// filters, or "", which matches no filter, like the tensors of the last group.
// Tensors after the layers stand for none, since a gradient treats them apart.
func (s *Space) tensorOf(group string) string {
	for _, g := range s.Groups {
		if g.Name != group || len(g.Filters) == 0 {
			continue
		}
		for _, f := range g.Filters {
			if !slices.ContainsFunc(s.After, func(tensor string) bool { return strings.Contains(f, tensor) }) {
				return f
			}
		}
		return g.Filters[0]
	}
	return ""
}
