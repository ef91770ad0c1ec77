package architecture

import (
	"encoding/json"
	"slices"
	"strings"

	"mergesearch"
)

// Architecture is what the table knows of the family of a config.json. A nil
// Architecture is that of a model that the table does not have.
type Architecture struct {
	family *family
	config map[string]any
}

// Default is the name of the only module of a model of one part.
const Default = "default"

// Lookup finds the architecture that a config.json names, by architectures[0] and
// else by model_type; nil when the table has none, or when there is no config
// (nil). An unreadable config is a *mergesearch.InputError without a file.
func Lookup(config []byte) (*Architecture, error) {
	if config == nil {
		return nil, nil
	}
	var all map[string]any
	if err := json.Unmarshal(config, &all); err != nil {
		return nil, &mergesearch.InputError{Problem: "not a JSON object: " + err.Error(), Hint: "config.json comes with the model; fetch it again"}
	}
	t := theTable()
	if classes, ok := all["architectures"]; ok && classes != nil {
		list, ok := classes.([]any)
		if !ok {
			return nil, &mergesearch.InputError{Field: "architectures", Problem: "not a list of names", Hint: "for example \"architectures\": [\"LlamaForCausalLM\"]"}
		}
		if len(list) > 0 {
			class, ok := list[0].(string)
			if !ok {
				return nil, &mergesearch.InputError{Field: "architectures", Problem: "not a list of names", Hint: "for example \"architectures\": [\"LlamaForCausalLM\"]"}
			}
			if f := t.classes[class]; f != nil {
				return &Architecture{f, all}, nil
			}
		}
	}
	if kind, ok := all["model_type"].(string); ok && t.types[kind] != nil {
		return &Architecture{t.types[kind], all}, nil
	}
	return nil, nil
}

// Families returns the names of all families of the table, in its order.
func Families() []string {
	var out []string
	for _, f := range theTable().families {
		out = append(out, f.Name)
	}
	return out
}

// Name returns the name of the family, "" for nil.
func (a *Architecture) Name() string {
	if a == nil {
		return ""
	}
	return a.family.Name
}

// Layer is Split for numbers that count layers: it returns false for a tensor
// outside the stacks of the architecture, such as "visual.merger.mlp.0.weight".
// Nil takes every number for that of a layer.
func (a *Architecture) Layer(tensor string) (stack string, layer int, rest string, ok bool) {
	stack, layer, rest, ok = Split(tensor)
	if a != nil && ok && a.layers(stack) == nil {
		return "", 0, "", false
	}
	return stack, layer, rest, ok
}

// layers finds the stack that is meant by a name in any spelling.
func (a *Architecture) layers(stack string) *layers {
	stack = a.family.first(stack)
	for i, l := range a.family.Layers {
		if l.Stack == stack {
			return &a.family.Layers[i]
		}
	}
	return nil
}

// Embedding reports whether the tensor is a matrix with a row for each token: the
// input embedding or an untied head.
func (a *Architecture) Embedding(tensor string) bool {
	if a == nil {
		return guessEmbedding(tensor)
	}
	return among(a.family.Embeddings, a.family.first(tensor))
}

// HeadBias reports whether the tensor is a vector with an element for each token.
func (a *Architecture) HeadBias(tensor string) bool {
	if a == nil {
		return tensor == "lm_head.bias"
	}
	return among(a.family.HeadBiases, a.family.first(tensor))
}

// After reports whether the tensor lies outside the layers and is used after those
// of its module: final norms, heads, poolers. Nil answers false.
func (a *Architecture) After(tensor string) bool {
	if a == nil {
		return false
	}
	if _, _, _, ok := a.Layer(tensor); ok {
		return false
	}
	return among(a.family.After, a.family.first(tensor))
}

// Knows reports whether the table says where the tensor belongs: into a stack of
// layers, before one or after one. Nil knows nothing.
func (a *Architecture) Knows(tensor string) bool {
	if a == nil {
		return false
	}
	_, _, _, ok := a.Layer(tensor)
	return ok || a.After(tensor) || among(a.family.Before, a.family.first(tensor))
}

// Tied returns the other names under which the same weights may be stored, the
// most usual first: of a head that of the embedding, and the reverse.
func (a *Architecture) Tied(tensor string) []string {
	if a == nil {
		return guessTied(tensor)
	}
	var out []string
	tensor = a.family.first(tensor)
	for _, group := range a.family.Tied {
		if !slices.Contains(group, tensor) {
			continue
		}
		for _, other := range group {
			if other != tensor {
				out = append(out, a.family.spellings(other)...)
			}
		}
	}
	return out
}

// Aliases returns the other spellings of a tensor's name, the most usual first:
// "layers.0.mlp.up_proj.weight" for "model.layers.0.mlp.up_proj.weight".
func (a *Architecture) Aliases(tensor string) []string {
	if a == nil {
		return guessAliases(tensor)
	}
	return without(a.family.spellings(tensor), tensor)
}

// Optional reports whether models of the family may lack the tensor: tied heads,
// poolers, and buffers that transformers computes anew (inverse frequencies of
// rotary embeddings, masks, position numbers).
func (a *Architecture) Optional(tensor string) bool {
	if a == nil {
		return guessOptional(tensor)
	}
	return among(a.family.Optional, a.family.first(tensor))
}

// Modules returns the names of the parts of the model that a recipe may merge one
// by one: Default alone for a model of one part.
func (a *Architecture) Modules() []string {
	if a == nil || len(a.family.Modules) == 0 {
		return []string{Default}
	}
	var out []string
	for _, m := range a.family.Modules {
		out = append(out, m.Name)
	}
	return out
}

// Module returns the part of the model that a tensor belongs to, one of Modules.
// Of several entries that cover it the longest counts; a tensor that none covers
// belongs to the first module.
func (a *Architecture) Module(tensor string) string {
	name, longest := a.Modules()[0], 0
	if a == nil {
		return name
	}
	tensor = a.family.first(tensor)
	for _, m := range a.family.Modules {
		for _, p := range m.Tensors {
			if n := below(p, tensor); n > longest {
				name, longest = m.Name, n
			}
		}
	}
	return name
}

// Expert takes the numbers of layer and expert from the name of a tensor that
// belongs to one expert of a mixture. It is false for routers, shared experts and
// tensors that hold all experts.
func (a *Architecture) Expert(tensor string) (layer, expert int, ok bool) {
	_, layer, rest, ok := a.Layer(tensor)
	if !ok {
		return 0, 0, false
	}
	stack, expert, _, ok := Split(rest)
	if !ok || stack != "experts" && !strings.HasSuffix(stack, ".experts") {
		return 0, 0, false
	}
	return layer, expert, true
}
