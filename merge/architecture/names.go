package architecture

import (
	"slices"
	"strings"

	"mergesearch/merge/safetensors"
)

// Split cuts a tensor's name at its first number between dots, as
// safetensors.Layer does: "model.layers.1.mlp.experts.7.w1.weight" gives
// "model.layers", 1 and "mlp.experts.7.w1.weight". Not every number counts layers;
// Architecture.Layer knows.
func Split(tensor string) (stack string, layer int, rest string, ok bool) {
	return safetensors.Layer(tensor)
}

// below returns how many parts of the name the pattern covers, 0 when the name
// is neither the pattern nor stands below it. "*" covers any one part.
func below(pattern, name string) int {
	n := 0
	for {
		want, morePattern, _ := strings.Cut(pattern, ".")
		have, moreName, _ := strings.Cut(name, ".")
		if want != have && (want != "*" || have == "") {
			return 0
		}
		n++
		if morePattern == "" {
			return n
		}
		pattern, name = morePattern, moreName
	}
}

// among reports whether one of the patterns covers the name.
func among(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return below(p, name) > 0 })
}

// begins cuts a beginning of whole parts from a name. The rest begins with a dot,
// unless nothing is left.
func begins(name, with string) (rest string, ok bool) {
	rest, ok = strings.CutPrefix(name, with)
	return rest, ok && (rest == "" || rest[0] == '.')
}

// ends cuts an end of whole parts from a name.
func ends(name, with string) (rest string, ok bool) {
	rest, ok = strings.CutSuffix(name, with)
	return rest, ok && (rest == "" || rest[len(rest)-1] == '.')
}

// group returns the group that has the longest beginning of the name, and what
// follows it.
func (f *family) group(name string) (group []string, rest string) {
	longest := 0
	for _, g := range f.Spellings {
		for _, s := range g {
			if r, ok := begins(name, s); ok && len(s) > longest {
				longest, group, rest = len(s), g, r
			}
		}
	}
	return group, rest
}

// first returns the name in its first spelling.
func (f *family) first(name string) string {
	if g, rest := f.group(name); g != nil {
		name = g[0] + rest
	}
	for _, g := range f.Endings {
		for _, e := range g[1:] {
			if head, ok := ends(name, e); ok {
				return head + g[0]
			}
		}
	}
	return name
}

// spellings returns all names of a tensor, the first spelling first.
func (f *family) spellings(name string) []string {
	name = f.first(name)
	all := []string{name}
	if g, rest := f.group(name); g != nil {
		for _, s := range g[1:] {
			all = append(all, s+rest)
		}
	}
	for _, g := range f.Endings {
		if _, ok := ends(name, g[0]); !ok {
			continue
		}
		for _, s := range slices.Clone(all) {
			head, _ := ends(s, g[0])
			for _, e := range g[1:] {
				all = append(all, head+e)
			}
		}
	}
	return all
}

// without returns the names that are not the one given.
func without(names []string, name string) []string {
	return slices.DeleteFunc(names, func(n string) bool { return n == name })
}
