package external

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode"

	"mergesearch"
)

// individual checks a proposal and returns it normalized. Genes that the genome's
// method does not use may be left out; all others must be given.
func (p *Proposer) individual(x proposal) (mergesearch.Individual, error) {
	g, err := p.genome(x.Genome)
	if err != nil {
		return mergesearch.Individual{}, err
	}
	operator := x.Operator
	if operator == "" {
		operator = "external"
	}
	unprintable := func(r rune) bool { return !unicode.IsPrint(r) }
	if len(operator) > 80 || strings.ContainsFunc(operator, unprintable) {
		return mergesearch.Individual{}, fmt.Errorf("operator %.80q is long or unprintable", operator)
	}
	for i, parent := range x.Parents {
		if !p.told[parent] {
			return mergesearch.Individual{}, fmt.Errorf("parent %.20q was not told with a fitness", parent)
		}
		if slices.Contains(x.Parents[:i], parent) {
			return mergesearch.Individual{}, fmt.Errorf("parent %s is named twice", parent)
		}
	}
	return mergesearch.Individual{Genome: g, Generation: p.round, Operator: operator, Parents: x.Parents}, nil
}

// genome reads values by gene name.
func (p *Proposer) genome(values map[string]any) (mergesearch.Genome, error) {
	s := p.options.Space
	for name := range values {
		if s.Gene(name) < 0 {
			return nil, p.unknown(values)
		}
	}
	g := s.Default()
	for i, gene := range s.Genes {
		v, given := values[gene.Name]
		if !given {
			continue
		}
		x, err := value(gene, v)
		if err != nil {
			return nil, fmt.Errorf("gene %s: %w", gene.Name, err)
		}
		g[i] = x
	}
	for i, gene := range s.Genes {
		if _, given := values[gene.Name]; !given && s.Active(g, i) {
			return nil, fmt.Errorf("gene %s is missing", gene.Name)
		}
	}
	return s.Normalize(g), nil
}

// unknown names the first of the unknown genes in the order of the alphabet.
func (p *Proposer) unknown(values map[string]any) error {
	var names []string
	for name := range values {
		if p.options.Space.Gene(name) < 0 {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return fmt.Errorf("gene %.80q is not of the space", names[0])
}

// value reads one gene. Bounds are kept up to rounding; the grid is left to
// Normalize.
func value(gene mergesearch.Gene, v any) (float64, error) {
	if gene.Kind == mergesearch.Choice {
		option, ok := v.(string)
		if i := slices.Index(gene.Options, option); ok && i >= 0 {
			return float64(i), nil
		}
		return 0, fmt.Errorf("%.80v is not one of %s", v, strings.Join(gene.Options, ", "))
	}
	x, ok := v.(float64)
	if !ok {
		return 0, errors.New("not a number")
	}
	if slack := 1e-9 * math.Max(1, gene.Max-gene.Min); !(x >= gene.Min-slack && x <= gene.Max+slack) {
		return 0, fmt.Errorf("%v is outside [%v, %v]", x, gene.Min, gene.Max)
	}
	return x, nil
}
