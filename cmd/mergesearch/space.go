package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/merge"
	"mergesearch/merge/architecture"
)

// makeSpace turns the run file's genes, groups and path into a space over the base
// model's tensors.
func (s *session) makeSpace(methods []mergesearch.Method) error {
	files, err := s.baseFiles()
	if err != nil {
		return err
	}
	layers, err := layerCount(files)
	if err != nil {
		return mergesearch.InFile(err, filepath.Join(s.models[s.baseName()], "config.json"))
	}
	s.layers = layers
	ranges, err := s.file.Ranges()
	if err != nil {
		return err
	}
	if err := checkRanges(methods, ranges); err != nil {
		return err
	}
	tensors, err := s.tensors(files["config.json"], layers)
	if err != nil {
		return err
	}
	groups, err := s.file.LayerGroups(layers, tensors)
	if err != nil {
		return err
	}
	spec := mergesearch.SpaceSpec{
		Base: s.baseName(), Experts: s.expertNames(), Methods: methods, Groups: groups, Ranges: ranges,
		DType: s.file.DType, Seed: s.file.Seed, Layers: layers, Path: s.file.SpacePath(),
	}
	for _, t := range tensors {
		if t.Layer == layers {
			spec.After = append(spec.After, t.Name)
		}
	}
	if spec.Blocks, err = methodBlocks(s.file.MethodBlocks, layers); err != nil {
		return err
	}
	if err := checkFold(spec.Path, tensors, layers); err != nil {
		return err
	}
	s.space, err = mergesearch.NewSpace(spec)
	return err
}

// tensors lists the base model's tensors with the layer and the part of each. What
// goes by layers needs a model with one stack of them.
func (s *session) tensors(config []byte, layers int) ([]runfile.Tensor, error) {
	a, err := architecture.Lookup(config)
	if err != nil {
		return nil, err
	}
	checkpoint, _ := s.engine.Model(s.baseName())
	var out []runfile.Tensor
	stacks := map[string]bool{}
	for _, name := range checkpoint.Names() {
		t := runfile.Tensor{Name: name, Layer: -1, Part: a.Part(name)}
		if stack, layer, _, ok := a.Layer(name); ok {
			stacks[stack] = true
			t.Layer = min(layer, layers)
		} else if a.After(name) {
			t.Layer = layers
		}
		out = append(out, t)
	}
	gradient := slices.ContainsFunc(slices.Collect(maps.Values(s.file.Genes)), func(g runfile.Gene) bool { return g.Gradient > 0 })
	if len(stacks) != 1 && (s.file.MethodBlocks > 0 || s.file.Layers != nil || gradient) {
		return nil, &mergesearch.InputError{
			Field: "base", Problem: fmt.Sprintf("%d stacks of layers, so method_blocks, gradient and path are not clear", len(stacks)),
			Hint: "they are for models of one stack of layers",
		}
	}
	return out, nil
}

// methodBlocks cuts the layers into runs with a method of their own.
func methodBlocks(n, layers int) ([]mergesearch.Block, error) {
	if n > layers {
		return nil, &mergesearch.InputError{Field: "method_blocks", Problem: fmt.Sprintf("%d blocks of %d layers", n, layers), Hint: "at most one block for each layer: a method is for whole layers, since a recipe joins documents by them"}
	}
	var out []mergesearch.Block
	for b := range n {
		out = append(out, mergesearch.Block{Name: fmt.Sprintf("block-%d", b), First: b * layers / n, End: (b + 1) * layers / n})
	}
	return out, nil
}

// afterNorms are the norms behind output projections: they undo any factor there.
var afterNorms = []string{"post_feedforward_layernorm", "post_mlp_layernorm", "post_self_attn_layernorm"}

// checkFold demands that each filter of a path's factor finds a tensor in every
// layer, and that no norm undoes the factor.
func checkFold(p *mergesearch.Path, tensors []runfile.Tensor, layers int) error {
	if p == nil || p.Scale == nil {
		return nil
	}
	for _, f := range p.Fold {
		found := make([]bool, layers)
		for _, t := range tensors {
			if t.Layer >= 0 && t.Layer < layers && strings.Contains(t.Name, f) {
				found[t.Layer] = true
			}
		}
		if k := slices.Index(found, false); k >= 0 {
			return &mergesearch.InputError{
				Field: "path.fold", Problem: fmt.Sprintf("no tensor of layer %d has %q in its name", k, f),
				Hint: "list the output projections of attention and MLP: fold: [c_proj] for GPT-2",
			}
		}
	}
	for _, t := range tensors {
		for _, n := range afterNorms {
			if strings.Contains(t.Name, n) {
				return &mergesearch.InputError{
					Field: "path.scale", Problem: fmt.Sprintf("%s stands behind the output projection and undoes a factor there", t.Name),
					Hint: "leave scale out",
				}
			}
		}
	}
	return nil
}

// readStart reads the recipes that the run file starts from. They name the models of
// the run by directory, as export writes them, or by name.
func (s *session) readStart() error {
	names := map[string]string{}
	for name, dir := range s.models {
		if path, err := filepath.Abs(dir); err == nil {
			names[path] = name
		}
	}
	for i, file := range s.file.Start {
		if err := s.present(fmt.Sprintf("start[%d]", i), file); err != nil {
			return err
		}
		file = s.file.Path(file)
		r, err := merge.ReadRecipe(file)
		if err != nil {
			return err
		}
		r = r.Renamed(func(model string) string {
			for _, path := range []string{model, filepath.Join(filepath.Dir(file), model)} {
				if path, err := filepath.Abs(path); err == nil && names[path] != "" {
					return names[path]
				}
			}
			return model
		})
		if err := s.engine.Check(r); err != nil {
			return mergesearch.InFile(err, file)
		}
		b := s.space.Baseline("start "+strings.TrimSuffix(filepath.Base(file), filepath.Ext(file)), r)
		if !b.Exact {
			s.note("%s is no point of the space: it is scored, but the search cannot go on from it", file)
		}
		s.start = append(s.start, b)
	}
	return nil
}

// checkRanges refuses a gene with a value that no recipe can use, before a
// candidate in the middle of the search has it.
func checkRanges(methods []mergesearch.Method, ranges []mergesearch.GeneRange) error {
	for _, r := range ranges {
		for _, m := range methods {
			p, takes := m.Parameter(r.Parameter)
			if !takes || r.Methods != nil && !slices.Contains(r.Methods, m.Name) {
				continue
			}
			for i, v := range []float64{r.Min, r.Max} {
				if err := merge.CheckValue(p, v); err != nil {
					err.Field = fmt.Sprintf("genes.%s.%s", r.Parameter, []string{"min", "max"}[i])
					return err
				}
			}
		}
	}
	return nil
}

// layerCount reads the number of layers from config.json, under the names that
// the families use.
func layerCount(files map[string][]byte) (int, error) {
	var config struct {
		Layers *int `json:"num_hidden_layers"`
		NLayer *int `json:"n_layer"`
	}
	if err := json.Unmarshal(files["config.json"], &config); err != nil {
		return 0, &mergesearch.InputError{Problem: "not valid JSON: " + err.Error()}
	}
	for _, n := range []*int{config.Layers, config.NLayer} {
		if n != nil && *n > 0 {
			return *n, nil
		}
	}
	return 0, &mergesearch.InputError{Field: "num_hidden_layers", Problem: "missing, so layers cannot be grouped"}
}
