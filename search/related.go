package search

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"mergesearch"
)

// move is a way to change related genes by one draw: sets of genes of which one
// moves as a whole. All genes of a set have the same parameter.
type move struct {
	name string // "expert", "group", "kind", "all", "block", "gradient", "knot"
	sets [][]int
}

// relatedMoves lists what can move together in a space:
//
//   - expert: a parameter of one expert in every group,
//   - group: a parameter of every expert in one group,
//   - kind: a parameter of one expert in one kind of module, such as the
//     attention of every layer,
//   - all: a parameter of every expert in every group,
//   - block: a parameter of one expert in one block of layers,
//   - gradient: the numbers of one gradient,
//   - knot: one place in the gradients of every expert.
//
// Sets of a single gene, and moves that only repeat an earlier one, are left out.
func relatedMoves(s *mergesearch.Space) []move {
	kinds := kindsOfGroups(s.Groups)
	var out []move
	seen := map[string]bool{}
	for _, by := range []struct {
		name string
		key  func(mergesearch.Gene) string
	}{
		{"expert", func(g mergesearch.Gene) string { return g.Expert }},
		{"group", func(g mergesearch.Gene) string { return g.Group }},
		{"kind", func(g mergesearch.Gene) string { return g.Expert + "/" + kinds[g.Group] }},
		{"all", func(mergesearch.Gene) string { return "" }},
		{"block", func(g mergesearch.Gene) string { return g.Expert + "/" + g.Block }},
		{"gradient", func(g mergesearch.Gene) string { return g.Expert + "/" + g.Group + "/" + g.Block }},
		{"knot", func(g mergesearch.Gene) string { return fmt.Sprintf("%s/%s/%d", g.Group, g.Block, g.Knot) }},
	} {
		m := move{name: by.name}
		for _, set := range partition(s, by.key) {
			text := strings.Trim(strings.Join(names(s, set), ";"), ";")
			if len(set) > 1 && !seen[text] {
				seen[text] = true
				m.sets = append(m.sets, set)
			}
		}
		if len(m.sets) > 0 {
			out = append(out, m)
		}
	}
	return out
}

// partition splits the real genes that can vary by parameter and key, in the
// order of the space.
func partition(s *mergesearch.Space, key func(mergesearch.Gene) string) [][]int {
	var out [][]int
	place := map[string]int{}
	for i, g := range s.Genes {
		if g.Kind != mergesearch.Real || g.Max <= g.Min {
			continue
		}
		k := g.Parameter + "\x00" + key(g)
		at, ok := place[k]
		if !ok {
			at = len(out)
			place[k] = at
			out = append(out, nil)
		}
		out[at] = append(out[at], i)
	}
	return out
}

func names(s *mergesearch.Space, set []int) []string {
	var out []string
	for _, i := range set {
		out = append(out, s.Genes[i].Name)
	}
	return out
}

var digits = regexp.MustCompile(`[0-9]+`)

// kindsOfGroups tells for each group which kind of module it holds: its filters
// with every number taken out, so that "layers.0.mlp" and "layers.3.mlp" are one
// kind. The group without filters is a kind of its own.
func kindsOfGroups(groups []mergesearch.Group) map[string]string {
	out := map[string]string{}
	for _, g := range groups {
		var kind []string
		for _, f := range g.Filters {
			kind = append(kind, digits.ReplaceAllString(f, "#"))
		}
		slices.Sort(kind)
		out[g.Name] = strings.Join(slices.Compact(kind), ",")
	}
	return out
}

// usable narrows the moves to what changes this genome: sets with an active gene.
func (m *mutator) usable(g mergesearch.Genome) []move {
	var out []move
	for _, mv := range m.moves {
		var sets [][]int
		for _, set := range mv.sets {
			if slices.ContainsFunc(set, func(i int) bool { return m.space.Active(g, i) }) {
				sets = append(sets, set)
			}
		}
		if len(sets) > 0 {
			out = append(out, move{mv.name, sets})
		}
	}
	return out
}
