package runfile

import (
	"fmt"
	"strconv"
	"strings"

	"mergesearch"
)

// LayerGroups expands the groups for a model of so many layers: a group with
// blocks becomes one group for each block, "{layer}" becomes the number of every
// layer of the block followed by a dot, where a dot follows it. Block b of B
// takes the layers from b*layers/B up to (b+1)*layers/B.
func (r *RunFile) LayerGroups(layers int) ([]mergesearch.Group, error) {
	var out []mergesearch.Group
	for i, g := range r.Groups {
		field := fmt.Sprintf("groups[%d]", i)
		if g.Name == "" {
			return nil, &mergesearch.InputError{Field: field + ".name", Problem: "missing"}
		}
		blocks := max(1, g.Blocks)
		switch {
		case g.Blocks < 0 || blocks > layers:
			return nil, &mergesearch.InputError{Field: field + ".blocks", Problem: fmt.Sprintf("%d blocks of %d layers", g.Blocks, layers), Hint: "at most one block for each layer"}
		case blocks > 1 && !strings.Contains(g.Name, "{block}"):
			return nil, &mergesearch.InputError{Field: field + ".name", Problem: "several blocks need {block} in the name", Hint: fmt.Sprintf("for example name: %q", g.Name+" {block}")}
		case blocks > 1 && !perLayer(g.Match):
			return nil, &mergesearch.InputError{Field: field + ".match", Problem: "several blocks need {layer} in every pattern", Hint: `for example "layers.{layer}.mlp"`}
		}
		for b := range blocks {
			group := mergesearch.Group{Name: strings.ReplaceAll(g.Name, "{block}", strconv.Itoa(b))}
			for _, pattern := range g.Match {
				if !strings.Contains(pattern, "{layer}") {
					group.Filters = append(group.Filters, pattern)
					continue
				}
				if !strings.Contains(pattern, "{layer}.") {
					return nil, &mergesearch.InputError{Field: field + ".match", Problem: fmt.Sprintf("%q: {layer} must be followed by a dot, or layer 1 would match layer 10", pattern)}
				}
				for layer := b * layers / blocks; layer < (b+1)*layers/blocks; layer++ {
					group.Filters = append(group.Filters, strings.ReplaceAll(pattern, "{layer}", strconv.Itoa(layer)))
				}
			}
			out = append(out, group)
		}
	}
	return out, nil
}

func perLayer(patterns []string) bool {
	for _, p := range patterns {
		if !strings.Contains(p, "{layer}") {
			return false
		}
	}
	return len(patterns) > 0
}
