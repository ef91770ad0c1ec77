package safetensors

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

// Layer splits a tensor's name at its first whole number between dots:
// "model.layers.12.mlp.up_proj.weight" gives "model.layers", 12 and
// "mlp.up_proj.weight". It returns false for tensors outside the layers.
func Layer(name string) (stack string, layer int, rest string, ok bool) {
	for at := 0; at < len(name); {
		end := strings.IndexByte(name[at:], '.')
		if end < 0 {
			return "", 0, "", false
		}
		part := name[at : at+end]
		if part != "" && len(part) < 8 && strings.Trim(part, "0123456789") == "" && at > 0 {
			n, err := strconv.Atoi(part)
			return name[:at-1], n, name[at+end+1:], err == nil
		}
		at += end + 1
	}
	return "", 0, "", false
}

// place is where a tensor stands in the order of use.
type place struct {
	part  int // embeddings, layers, what follows, the head
	stack string
	layer int
	step  int // within the layer
	name  string
}

// The order within a layer and at its ends, by parts of names. It covers the
// Llama, GPT-2 and NeoX families; what it does not know is ordered by name.
var steps = []string{"input_layernorm", "ln_1", "attn_norm", "self_attn", "attn", "attention", "post_attention", "ln_2", "ffn_norm", "mlp", "feed_forward"}

func placeOf(name string) place {
	p := place{part: 2, name: name}
	stack, layer, rest, ok := Layer(name)
	switch {
	case ok:
		p.part, p.stack, p.layer, p.step = 1, stack, layer, len(steps)
		for i, s := range steps {
			if strings.HasPrefix(rest, s) {
				p.step = i
				break
			}
		}
	case strings.Contains(name, "embed") || strings.Contains(name, "wte") || strings.Contains(name, "wpe"):
		p.part = 0
	case strings.Contains(name, "head"):
		p.part = 3
	}
	return p
}

// SortNames sorts tensor names into the order in which a model uses them:
// embeddings, layers by number, the rest, the head.
func SortNames(names []string) {
	places := make([]place, len(names))
	for i, n := range names {
		places[i] = placeOf(n)
	}
	slices.SortFunc(places, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.part, b.part), cmp.Compare(a.stack, b.stack), cmp.Compare(a.layer, b.layer),
			cmp.Compare(a.step, b.step), cmp.Compare(a.name, b.name))
	})
	for i, p := range places {
		names[i] = p.name
	}
}
