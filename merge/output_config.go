package merge

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/merge/fp8"
)

// pick is the layer of a model that a layer of the result is described by.
type pick struct {
	model *model
	layer int
}

// picked returns what layer j of a part is described by: the donor's layer if the
// donor is among the sources, else that of the first source.
func (l *layout) picked(p *part, j int) pick {
	from := p.sources[0]
	if i := slices.IndexFunc(p.sources, func(s partSource) bool { return s.model == l.donor }); i >= 0 {
		from = p.sources[i]
	}
	return pick{from.model, from.first + j}
}

// outputConfig returns the donor's config.json with what the plan makes otherwise:
// the type of the weights, the layers, and whether the head is the embedding.
// Nothing else changes, not even the spacing.
func (p *Plan) outputConfig(config []byte) ([]byte, error) {
	out, err := outputType(p.Recipe)
	if err != nil {
		return nil, err
	}
	if p.wasEightBits() { // what is written again is quantised no more
		config = fp8.WithoutQuantisation(config)
		if out == "" {
			out = mergesearch.BF16
		}
	}
	if out != "" {
		config = withDType(config, out)
	}
	if config, err = p.withLayers(config); err != nil {
		return nil, err
	}
	return p.withTie(config), nil
}

// wasEightBits reports whether the donor has weights of 8 bits in the plan.
func (p *Plan) wasEightBits() bool {
	return slices.ContainsFunc(p.Tensors, func(t PlannedTensor) bool {
		return slices.ContainsFunc(t.all(), func(in InputTensor) bool {
			info, _ := in.model.Info(in.Tensor)
			return in.model == p.donor && info.DType.Eight()
		})
	})
}

// all returns the inputs with the base.
func (t *PlannedTensor) all() []InputTensor {
	if t.Base == nil {
		return t.Inputs
	}
	return append([]InputTensor{*t.Base}, t.Inputs...)
}

// withLayers sets the number of layers that the recipe's slices make, under the
// key that the architecture has for each stack, and cuts the lists that have an
// item for each layer.
func (p *Plan) withLayers(config []byte) ([]byte, error) {
	for _, stack := range sortedKeys(p.layers) {
		keys := []string{p.donor.architecture.LayersKey(stack)}
		if keys[0] == "" {
			keys = []string{"num_hidden_layers", "n_layer", "num_layers"}
		}
		done := false
		for _, key := range keys {
			if !done {
				config, done = replaceEntry(config, strings.Split(key, "."), fmt.Sprint(len(p.layers[stack])))
			}
		}
		if !done {
			return nil, &mergesearch.InputError{
				File: filepath.Join(p.donor.Dir(), "config.json"), Field: keys[0],
				Problem: "no such entry, so the number of layers cannot be set", Hint: "give the model a config.json that names its number of layers",
			}
		}
		for _, key := range p.donor.architecture.LayerLists(stack) {
			list, err := p.listOfLayers(key, p.layers[stack])
			if err != nil {
				return nil, err
			}
			config, _ = replaceEntry(config, strings.Split(key, "."), list)
		}
	}
	return config, nil
}

// listOfLayers returns the items of the layers of a stack, in JSON. A model whose
// config.json has no such list is described by the donor's.
func (p *Plan) listOfLayers(key string, picks []pick) (string, error) {
	lists := map[*model][]json.RawMessage{}
	of := func(m *model) []json.RawMessage {
		if list, known := lists[m]; known {
			return list
		}
		var list []json.RawMessage
		if json.Unmarshal(m.configAt(key), &list) != nil {
			list = nil
		}
		lists[m] = list
		return list
	}
	var out bytes.Buffer
	for i, k := range picks {
		list := of(k.model)
		if list == nil {
			list = of(p.donor)
		}
		if k.layer >= len(list) {
			return "", &mergesearch.InputError{
				File: filepath.Join(k.model.Dir(), "config.json"), Field: key,
				Problem: fmt.Sprintf("%d items, but the model has a layer %d", len(list), k.layer), Hint: "the list needs an item for each layer",
			}
		}
		if i > 0 {
			out.WriteString(", ")
		}
		if err := json.Compact(&out, list[k.layer]); err != nil {
			return "", err
		}
	}
	return "[" + out.String() + "]", nil
}

// configAt returns what a model's config.json has at a dotted key; nil for
// nothing, and for a file that is none.
func (m *model) configAt(key string) json.RawMessage {
	files, err := m.Files()
	if err != nil {
		return nil
	}
	at := json.RawMessage(files["config.json"])
	for part := range strings.SplitSeq(key, ".") {
		var object map[string]json.RawMessage
		if json.Unmarshal(at, &object) != nil {
			return nil
		}
		at = object[part]
	}
	return at
}

// withTie says that head and embedding are two tensors where the result has both,
// with weights of their own from some model, and the donor has one. Else
// transformers would ignore the head.
func (p *Plan) withTie(config []byte) []byte {
	key := p.donor.architecture.TieKey()
	tied, said := p.donor.ties()
	if said && !tied || !said && p.ownHead(func(m *model) bool { return m == p.donor }) {
		return config
	}
	if !p.ownHead(func(m *model) bool { tied, _ := m.ties(); return !tied }) {
		return config
	}
	config, done := replaceEntry(config, strings.Split(key, "."), "false")
	if !done && !strings.Contains(key, ".") {
		config = addEntry(config, key, "false")
	}
	return config
}

// ties returns what the model's config.json says of head and embedding.
func (m *model) ties() (tied, said bool) {
	var value *bool
	err := json.Unmarshal(m.configAt(m.architecture.TieKey()), &value)
	if err != nil || value == nil {
		return false, false
	}
	return *value, true
}

// ownHead reports whether two tensors of the result that may be tied come from two
// tensors of one of these models.
func (p *Plan) ownHead(of func(*model) bool) bool {
	stored := map[string]map[*model]string{}
	for i := range p.Tensors {
		t := &p.Tensors[i]
		others := p.donor.architecture.Tied(t.Name)
		if len(others) == 0 {
			continue
		}
		mine := map[*model]string{}
		for _, in := range t.all() {
			mine[in.model] = in.Tensor
		}
		for _, other := range others {
			for m, name := range stored[other] {
				if mine[m] != "" && mine[m] != name && of(m) {
					return true
				}
			}
		}
		stored[t.Name] = mine
	}
	return false
}
