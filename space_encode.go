package mergesearch

import (
	"slices"
	"strings"
)

// Encode returns the genome nearest to a recipe, and whether it decodes to that
// very recipe. A recipe whose method or models are not of this space gives nil.
func (s *Space) Encode(r Recipe) (Genome, bool) {
	g := s.Default()
	method := slices.IndexFunc(s.Methods, func(m Method) bool { return m.Name == r.Method })
	if method < 0 {
		return nil, false
	}
	m := s.Methods[method]
	if i, ok := s.index[MethodGene]; ok {
		g[i] = float64(method)
	}
	if m.OfTwo() {
		i := s.index[PairGene]
		option := slices.IndexFunc(s.Genes[i].Options, func(o string) bool {
			a, b, _ := strings.Cut(o, "+")
			return len(r.Models) == 2 && (r.Base == a || !m.Pair && r.names(a)) && r.names(b)
		})
		if option < 0 {
			return nil, false
		}
		g[i] = float64(option)
	}
	for i, gene := range s.Genes {
		if gene.Kind == Choice || !s.Active(g, i) {
			continue
		}
		tensor := "" // matches no filter, like the tensors of the last group
		for _, group := range s.Groups {
			if group.Name == gene.Group && len(group.Filters) > 0 {
				tensor = group.Filters[0]
			}
		}
		expert := gene.Expert
		if expert == "" && len(r.Models) > 0 {
			expert = r.Models[0].Model
		}
		if v, ok := r.Value(gene.Parameter, expert, tensor, 0); ok {
			g[i] = v
		} else if p, ok := m.Parameter(gene.Parameter); ok {
			g[i] = p.Default
		}
	}
	g = s.Normalize(g)
	return g, s.Decode(g).ID() == r.ID()
}
