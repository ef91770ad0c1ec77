package runfile

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"mergesearch"
	"mergesearch/merge/architecture"
)

// Tensor is one of the base model, as groups see it.
type Tensor struct {
	Name  string
	Layer int    // -1 before the layers, their number after them
	Part  string // one of architecture.Parts, or ""
}

// LayerGroups expands the groups for a model of so many layers: a group with
// blocks becomes one group for each block, "{layer}" becomes the number of every
// layer of the block followed by a dot, where a dot follows it. Block b of B
// takes the layers from b*layers/B up to (b+1)*layers/B; of modules and of a regex
// the first takes what comes before the layers too, and the last what comes after.
//
// The tensors are those of the base model: modules and regex are expanded against
// them, to substrings that mergekit knows too. Without them the groups are checked
// as far as that goes.
func (r *RunFile) LayerGroups(layers int, tensors []Tensor) ([]mergesearch.Group, error) {
	e := expansion{layers: layers, tensors: tensors, owner: make([]int, len(tensors))}
	for i := range e.owner {
		e.owner[i] = -1
	}
	for i := range r.Groups {
		if err := e.add(&r.Groups[i], fmt.Sprintf("groups[%d]", i)); err != nil {
			return nil, err
		}
	}
	e.locate()
	return e.groups, nil
}

// expansion is groups being expanded.
type expansion struct {
	layers  int
	tensors []Tensor
	owner   []int // group of each tensor; -1 while it has none
	groups  []mergesearch.Group
}

func (e *expansion) add(g *Group, field string) error {
	blocks := max(1, g.Blocks)
	if err := g.check(field, blocks, e.layers); err != nil {
		return err
	}
	for b := range blocks {
		first, end := b*e.layers/blocks, (b+1)*e.layers/blocks
		group := mergesearch.Group{Name: strings.ReplaceAll(g.Name, "{block}", strconv.Itoa(b))}
		var err error
		if g.selects() {
			if b == 0 {
				first = -1
			}
			if b == blocks-1 {
				end = e.layers + 1
			}
			group.Filters, err = e.selected(g, first, end, field)
		} else {
			group.Filters, err = patterns(g.Match, first, end, field)
		}
		if err != nil {
			return err
		}
		if taken := e.take(group); !taken && e.tensors != nil && len(group.Filters) > 0 {
			return &mergesearch.InputError{
				Field: field + ".match", Problem: fmt.Sprintf("%q matches no tensor of the base model that no earlier group has", strings.Join(g.Match, ", ")),
				Hint: "remove the group; a head that is tied to the embeddings is no tensor of its own",
			}
		}
	}
	return nil
}

// selects reports whether the group is chosen by modules or by a regex.
func (g *Group) selects() bool { return len(g.Modules) > 0 || g.Regex != "" }

func (g *Group) check(field string, blocks, layers int) error {
	given := 0
	for _, is := range []bool{len(g.Match) > 0, len(g.Modules) > 0, g.Regex != ""} {
		if is {
			given++
		}
	}
	switch {
	case g.Name == "":
		return &mergesearch.InputError{Field: field + ".name", Problem: "missing"}
	case given > 1:
		return &mergesearch.InputError{Field: field, Problem: "more than one of match, modules and regex", Hint: "one of them says which tensors are meant"}
	case g.Blocks < 0 || blocks > layers:
		return &mergesearch.InputError{Field: field + ".blocks", Problem: fmt.Sprintf("%d blocks of %d layers", g.Blocks, layers), Hint: "at most one block for each layer"}
	case blocks > 1 && !strings.Contains(g.Name, "{block}"):
		return &mergesearch.InputError{Field: field + ".name", Problem: "several blocks need {block} in the name", Hint: fmt.Sprintf("for example name: %q", g.Name+" {block}")}
	case blocks > 1 && !g.selects() && !perLayer(g.Match):
		return &mergesearch.InputError{Field: field + ".match", Problem: "several blocks need {layer} in every pattern", Hint: `for example "layers.{layer}.mlp"`}
	}
	for _, m := range g.Modules {
		if !slices.Contains(architecture.Parts, m) {
			e := mergesearch.UnknownWord("module", m, architecture.Parts)
			e.Field, e.Problem = field+".modules", fmt.Sprintf("unknown module %q", m)
			return e
		}
	}
	if _, err := regexp.Compile(g.Regex); err != nil {
		return &mergesearch.InputError{Field: field + ".regex", Problem: strings.TrimPrefix(err.Error(), "error parsing regexp: "), Hint: "the syntax is that of Go's regexp"}
	}
	return nil
}

func perLayer(patterns []string) bool {
	for _, p := range patterns {
		if !strings.Contains(p, "{layer}") {
			return false
		}
	}
	return len(patterns) > 0
}

// patterns expands match for the layers of a block.
func patterns(match []string, first, end int, field string) ([]string, error) {
	var out []string
	for _, pattern := range match {
		if !strings.Contains(pattern, "{layer}") {
			out = append(out, pattern)
			continue
		}
		if !strings.Contains(pattern, "{layer}.") {
			return nil, &mergesearch.InputError{Field: field + ".match", Problem: fmt.Sprintf("%q: {layer} must be followed by a dot, or layer 1 would match layer 10", pattern)}
		}
		for layer := first; layer < end; layer++ {
			out = append(out, strings.ReplaceAll(pattern, "{layer}", strconv.Itoa(layer)))
		}
	}
	return out, nil
}

// selected returns substrings for the tensors that modules or the regex mean in
// some layers, as far as no earlier group has them.
func (e *expansion) selected(g *Group, first, end int, field string) ([]string, error) {
	if e.tensors == nil {
		return []string{"."}, nil // stands for some filter
	}
	key, text := "modules", strings.Join(g.Modules, ", ")
	means := func(t Tensor) bool { return slices.Contains(g.Modules, t.Part) }
	if g.Regex != "" {
		key, text = "regex", g.Regex
		expression := regexp.MustCompile(g.Regex)
		means = func(t Tensor) bool { return expression.MatchString(t.Name) }
	}
	var want, others []string
	for i, t := range e.tensors {
		switch {
		case e.owner[i] >= 0:
		case means(t) && t.Layer >= first && t.Layer < end:
			want = append(want, t.Name)
		default:
			others = append(others, t.Name)
		}
	}
	if len(want) == 0 {
		return nil, &mergesearch.InputError{Field: field + "." + key, Problem: fmt.Sprintf("%q means no tensor of the base model that no earlier group has", text), Hint: "remove the group; a head that is tied to the embeddings is no tensor of its own"}
	}
	filters, clash := filtersFor(want, others)
	if clash != "" {
		return nil, &mergesearch.InputError{
			Field: field + "." + key, Problem: fmt.Sprintf("%q cannot be told from %q by a part of its name, which is all that a recipe has", clash, containing(others, clash)),
			Hint: "put a group for the longer name first",
		}
	}
	return filters, nil
}

func containing(names []string, part string) string {
	return names[slices.IndexFunc(names, func(n string) bool { return strings.Contains(n, part) })]
}

// take adds a group, which owns the tensors that it matches and none had before, and
// reports whether there are any.
func (e *expansion) take(g mergesearch.Group) (taken bool) {
	for i, t := range e.tensors {
		if e.owner[i] < 0 && (len(g.Filters) == 0 || slices.ContainsFunc(g.Filters, func(f string) bool { return strings.Contains(t.Name, f) })) {
			e.owner[i] = len(e.groups)
			taken = true
		}
	}
	e.groups = append(e.groups, g)
	return taken
}

// locate notes in which layers each group has tensors. Where all tensors have a
// group, the last one needs no filters.
func (e *expansion) locate() {
	if len(e.tensors) == 0 || len(e.groups) == 0 {
		return
	}
	if !slices.Contains(e.owner, -1) {
		e.groups[len(e.groups)-1].Filters = nil
	}
	for i, group := range e.owner {
		if group >= 0 {
			e.groups[group].Layers = append(e.groups[group].Layers, e.tensors[i].Layer)
		}
	}
	for i := range e.groups {
		slices.Sort(e.groups[i].Layers)
		e.groups[i].Layers = slices.Compact(e.groups[i].Layers)
	}
}
