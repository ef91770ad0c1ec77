package merge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"mergesearch"
	"mergesearch/merge/kernel"
	"mergesearch/merge/safetensors"
)

// layout finds out of which tensors each tensor of a result is made.
type layout struct {
	scope
	*Plan
	dtype mergesearch.DType // that the recipe asks for; empty: the donor's
}

// part is a run of output layers with what they are made of; a recipe over whole
// models is one part with all layers.
type part struct {
	field   string // of the recipe, for messages
	sources []partSource
	base    *model // nil when no source is one
	levels  []map[string]mergesearch.Setting
	layers  int
	first   int // number of the first layer in the result
}

type partSource struct {
	model      *model
	parameters map[string]mergesearch.Setting
	first      int // layer of the model
}

// chooseModels finds the models of the recipe and the one whose small files the
// result gets.
func (l *layout) chooseModels() error {
	r := l.Recipe
	seen := map[string]bool{}
	var unknown error
	add := func(name string) string {
		if !seen[name] && unknown == nil && name != "" {
			seen[name] = true
			var m *model
			if m, unknown = l.model(name); unknown == nil {
				l.models = append(l.models, m)
			}
		}
		return name
	}
	mergesearch.Recipe{Base: r.Base, Models: r.Models, Slices: r.Slices, Modules: r.Modules}.Renamed(add)
	if unknown != nil {
		return unknown
	}
	if l.Method.Pair || l.Method.NeedsBase || l.Method.OptionalBase {
		l.Base = r.Base
	}
	first := l.models[0] // as the recipe lists them
	slices.SortStableFunc(l.models, func(a, b *model) int { return cmp.Compare(a.key, b.key) })
	for _, m := range l.models {
		if m.name != l.Base && (m.name != r.Base || l.method.mergesBase || slices.ContainsFunc(r.Models, func(in mergesearch.Input) bool { return in.Model == m.name })) {
			l.Models = append(l.Models, m.name)
		}
	}
	if l.Method.Pair {
		l.Models = append([]string{r.Base}, l.Models...) // the base is the first of a pair, whatever its name
	}
	switch {
	case r.Base != "":
		l.donor, _ = l.model(r.Base)
	case l.engine.base != "" && !l.method.oneModel && l.engine.modelNamed(l.engine.base) != nil:
		l.donor = l.engine.modelNamed(l.engine.base)
	default:
		l.donor = first
	}
	l.Donor = l.donor.name
	return nil
}

// build lays out the whole result.
func (l *layout) build() error {
	r := l.Recipe
	switch {
	case len(r.Modules) > 0:
		for _, m := range r.Modules {
			levels := []map[string]mergesearch.Setting{m.Parameters, r.Parameters}
			if err := l.module(m.Name, m.Models, m.Slices, levels); err != nil {
				return err
			}
		}
	default:
		if err := l.module("", r.Models, r.Slices, []map[string]mergesearch.Setting{r.Parameters}); err != nil {
			return err
		}
	}
	return l.sort()
}

// sort puts the tensors into the order of use and refuses two of one name.
func (l *layout) sort() error {
	at := map[string]int{}
	var names []string
	for i, t := range l.Tensors {
		if _, twice := at[t.Name]; twice {
			return &mergesearch.InputError{Field: t.Name, Problem: "tensor belongs to two modules"}
		}
		at[t.Name] = i
		names = append(names, t.Name)
	}
	safetensors.SortNames(names)
	sorted := make([]PlannedTensor, len(names))
	for i, name := range names {
		sorted[i] = l.Tensors[at[name]]
	}
	l.Tensors = sorted
	return nil
}

// module lays out one module, or with an empty name the whole model.
func (l *layout) module(name string, models []mergesearch.Input, cuts []mergesearch.Slice, levels []map[string]mergesearch.Setting) error {
	if name != "" && !slices.Contains(l.donor.architecture.Modules(), name) {
		err := mergesearch.UnknownWord("module", name, l.donor.architecture.Modules())
		err.Field = "modules." + name
		return err
	}
	belongs := func(m *model, tensor string) bool { return name == "" || m.architecture.Module(tensor) == name }
	if len(cuts) == 0 {
		return l.whole(models, levels, belongs)
	}
	return l.slices(cuts, levels, belongs)
}

// whole lays out a merge of whole models.
func (l *layout) whole(models []mergesearch.Input, levels []map[string]mergesearch.Setting, belongs func(*model, string) bool) error {
	p := &part{field: "models", levels: levels}
	for _, in := range models {
		m, err := l.model(in.Model)
		if err != nil {
			return err
		}
		p.sources = append(p.sources, partSource{model: m, parameters: in.Parameters})
	}
	if l.Base != "" {
		p.base, _ = l.model(l.Base)
		if !slices.ContainsFunc(p.sources, func(s partSource) bool { return s.model == p.base }) {
			p.sources = append(p.sources, partSource{model: p.base})
		}
	}
	if base, err := l.model(l.Recipe.Base); l.method.mergesBase && err == nil && !slices.ContainsFunc(p.sources, func(s partSource) bool { return s.model == base }) {
		p.sources = append(p.sources, partSource{model: base})
	}
	if err := l.checkCount(p); err != nil {
		return err
	}
	names, err := l.union(p, belongs)
	if err != nil {
		return err
	}
	layers := map[string]int{}
	for _, name := range names {
		if stack, k, _, ok := l.donor.architecture.Layer(name); ok {
			layers[stack] = max(layers[stack], k+1)
		}
	}
	for _, name := range names {
		at := l.outside(name)
		if stack, k, _, ok := l.donor.architecture.Layer(name); ok {
			at = position(k, layers[stack])
		}
		if err := l.tensor(name, p, at, func(partSource) string { return name }); err != nil {
			return err
		}
	}
	return nil
}

// outside returns the position of a tensor outside the layers: 0 before them and
// 1 after them. mergekit has 0 for both.
func (l *layout) outside(name string) float64 {
	if l.donor.architecture.After(name) && l.Recipe.Compat == "" {
		return 1
	}
	return 0
}

// union lists the tensors of the result: those of the donor if it is merged, else
// of the first model, and what others have beyond them and may.
func (l *layout) union(p *part, belongs func(*model, string) bool) ([]string, error) {
	first := p.sources[0].model
	for _, s := range p.sources {
		if s.model == l.donor {
			first = s.model
		}
	}
	var aligned []string
	if l.aligned != nil {
		aligned = append(aligned, "vocab_size")
	}
	if err := compareConfigs(first, l.models, aligned...); err != nil {
		return nil, err
	}
	var names []string
	has := map[string]bool{}
	for _, name := range first.Names() {
		if belongs(first, name) {
			names, has[name] = append(names, name), true
		}
	}
	for _, s := range p.sources {
		for _, name := range s.model.Names() {
			if has[name] || !belongs(s.model, name) {
				continue
			}
			if other, ok := first.find(name); ok && !slices.Contains(first.architecture.Tied(name), other) {
				continue // the same tensor in another spelling
			} else if !ok && !first.architecture.Optional(name) {
				return nil, foreignTensor(first, s.model, name)
			}
			names, has[name] = append(names, name), true
		}
	}
	return names, nil
}

// slices lays out a stack of slices.
func (l *layout) slices(cuts []mergesearch.Slice, levels []map[string]mergesearch.Setting, belongs func(*model, string) bool) error {
	var parts []*part
	next, stack := 0, ""
	for i, cut := range cuts {
		p, err := l.slice(cut, fmt.Sprintf("slices[%d]", i), levels)
		if err != nil {
			return err
		}
		p.first, next = next, next+p.layers
		parts = append(parts, p)
		for _, s := range p.sources {
			if stack, err = l.onlyStack(s.model, stack, belongs); err != nil {
				return err
			}
		}
	}
	if next == 0 {
		return &mergesearch.InputError{Field: "slices", Problem: "no slice has a layer"}
	}
	for _, p := range parts {
		for j := range p.layers {
			l.layers[stack] = append(l.layers[stack], l.picked(p, j))
			if err := l.layer(p, stack, j, belongs); err != nil {
				return err
			}
		}
	}
	// What stands outside the layers comes from the first slice or from the last.
	for _, name := range l.outsideNames(parts, belongs) {
		p := parts[0]
		if l.donor.architecture.After(name) {
			p = parts[len(parts)-1]
		}
		if err := l.tensor(name, p, l.outside(name), func(partSource) string { return name }); err != nil {
			return err
		}
	}
	return nil
}

func (l *layout) slice(cut mergesearch.Slice, field string, levels []map[string]mergesearch.Setting) (*part, error) {
	p := &part{field: field, levels: append([]map[string]mergesearch.Setting{cut.Parameters}, levels...)}
	sources := cut.Sources
	if l.Recipe.Compat == "mergekit" {
		sources = lastOfEach(sources)
	}
	base := cmp.Or(cut.Base, l.Recipe.Base)
	for i, s := range sources {
		m, err := l.model(s.Model)
		if err != nil {
			return nil, err
		}
		if s.End-s.First != sources[0].End-sources[0].First {
			return nil, &mergesearch.InputError{Field: fmt.Sprintf("%s.sources[%d].layer_range", field, i), Problem: fmt.Sprintf("%d layers, but %d of the first source", s.End-s.First, sources[0].End-sources[0].First)}
		}
		p.layers = s.End - s.First
		p.sources = append(p.sources, partSource{model: m, parameters: s.Parameters, first: s.First})
		if s.Model == base && l.Base+cut.Base != "" {
			p.base = m
		}
	}
	if (l.Method.NeedsBase || l.Method.Pair) && p.base == nil {
		return nil, &mergesearch.InputError{Field: field + ".sources", Problem: fmt.Sprintf("the base model %s is no source of this slice", base), Hint: "list the base model among the sources, with the layer_range that task vectors are taken from"}
	}
	return p, l.checkCount(p)
}

// lastOfEach drops all but the last source of each model, as mergekit does.
func lastOfEach(sources []mergesearch.Source) []mergesearch.Source {
	var out []mergesearch.Source
	for i, s := range sources {
		if !slices.ContainsFunc(sources[i+1:], func(later mergesearch.Source) bool { return later.Model == s.Model }) {
			out = append(out, s)
		}
	}
	return out
}

// onlyStack returns the model's stack of layers, of which there must be one, the
// same in all models.
func (l *layout) onlyStack(m *model, want string, belongs func(*model, string) bool) (string, error) {
	for _, name := range m.Names() {
		stack, _, _, ok := m.architecture.Layer(name)
		if !ok || !belongs(m, name) {
			continue
		}
		if want != "" && stack != want {
			return "", &mergesearch.InputError{
				File: m.File(name), Field: name, Problem: fmt.Sprintf("layers of %q, where those of %q are cut", stack, want),
				Hint: "a model of several stacks of layers is cut module by module: use modules instead of slices",
			}
		}
		want = stack
	}
	if want == "" {
		return "", &mergesearch.InputError{File: m.Dir(), Problem: "no tensor has a layer number in its name, so it cannot be cut into slices"}
	}
	return want, nil
}

// layer lays out layer j of a part.
func (l *layout) layer(p *part, stack string, j int, belongs func(*model, string) bool) error {
	var rests []string
	for _, s := range p.sources {
		prefix := fmt.Sprintf("%s.%d.", stack, s.first+j)
		found := false
		for _, name := range s.model.layerNames(stack, s.first+j) {
			if belongs(s.model, name) {
				rests, found = append(rests, name[len(prefix):]), true
			}
		}
		if !found {
			return &mergesearch.InputError{
				Field: p.field + ".sources", Problem: fmt.Sprintf("%s has no layer %d", s.model.name, s.first+j),
				Hint: "layer_range [a, b] takes the layers from a up to b, without b; the first is 0",
			}
		}
	}
	slices.Sort(rests)
	for _, rest := range slices.Compact(rests) {
		out := fmt.Sprintf("%s.%d.%s", stack, p.first+j, rest)
		in := func(s partSource) string { return fmt.Sprintf("%s.%d.%s", stack, s.first+j, rest) }
		if err := l.tensor(out, p, position(j, p.layers), in); err != nil {
			return err
		}
	}
	return nil
}

// layerNames lists the tensors of one layer.
func (m *model) layerNames(stack string, layer int) []string {
	m.byLayer.Do(func() {
		m.inLayer = map[string][]string{}
		for _, name := range m.Names() {
			if s, k, _, ok := m.architecture.Layer(name); ok {
				key := fmt.Sprintf("%s.%d", s, k)
				m.inLayer[key] = append(m.inLayer[key], name)
			}
		}
	})
	return m.inLayer[fmt.Sprintf("%s.%d", stack, layer)]
}

func (l *layout) outsideNames(parts []*part, belongs func(*model, string) bool) []string {
	has := map[string]bool{}
	for i, p := range []*part{parts[0], parts[len(parts)-1]} {
		for _, s := range p.sources {
			for _, name := range s.model.Names() {
				if _, _, _, layered := s.model.architecture.Layer(name); !layered && belongs(s.model, name) && l.donor.architecture.After(name) == (i == 1) {
					has[name] = true
				}
			}
		}
	}
	return slices.Sorted(maps.Keys(has))
}

// checkCount demands as many sources as the method takes.
func (l *layout) checkCount(p *part) error {
	n := len(p.sources)
	others := n
	if p.base != nil {
		others = len(slices.DeleteFunc(slices.Clone(p.sources), func(s partSource) bool { return s.model == p.base }))
		if n-others > 1 { // of several ranges of the base model one is the base
			others = n - 1
		}
	}
	m := l.Method
	switch {
	case m.Pair && n != 2:
		return &mergesearch.InputError{Field: p.field, Problem: fmt.Sprintf("%s merges two models, this recipe has %d", m.Name, n)}
	case l.method.oneModel && n != 1:
		return &mergesearch.InputError{Field: p.field, Problem: fmt.Sprintf("%s takes one model, this recipe has %d", m.Name, n)}
	case others == 0:
		return &mergesearch.InputError{Field: p.field, Problem: "no model besides the base model"}
	case others < m.Least || m.Most > 0 && others > m.Most:
		return &mergesearch.InputError{Field: p.field, Problem: fmt.Sprintf("%s merges %s, this recipe has %d", m.Name, count(m), others)}
	case n > kernel.MaxModels:
		return &mergesearch.InputError{Field: p.field, Problem: fmt.Sprintf("%d models, the limit is %d", n, kernel.MaxModels)}
	}
	return nil
}

// tensor adds one tensor of the result, of the inputs that find names.
func (l *layout) tensor(name string, p *part, at float64, find func(partSource) string) error {
	t := PlannedTensor{Name: name, method: l.method}
	var base *InputTensor
	var lacking *model
	for order, s := range p.sources {
		stored, ok := s.model.find(find(s))
		if !ok {
			lacking = s.model
			continue
		}
		in := InputTensor{Model: s.model.name, Tensor: stored, model: s.model, parameters: s.parameters, order: order}
		if s.model == p.base && base == nil {
			base = &in
			continue
		}
		t.Inputs = append(t.Inputs, in)
	}
	if lacking != nil && !l.donor.architecture.Optional(name) {
		have := base
		if len(t.Inputs) > 0 {
			have = &t.Inputs[0]
		}
		return missingTensor(have.model, lacking, have.Tensor)
	}
	slices.SortStableFunc(t.Inputs, func(a, b InputTensor) int {
		return cmp.Or(cmp.Compare(a.model.key, b.model.key), cmp.Compare(a.Tensor, b.Tensor))
	})
	t.Base = base
	if l.Method.Pair && base != nil {
		t.Inputs = append([]InputTensor{*base}, t.Inputs...)
	}
	if lacking != nil {
		l.makeDo(&t)
	}
	return l.finish(&t, p, at)
}

// outputType returns the type of a tensor whose donor stores it as stored.
func (l *layout) outputType(stored mergesearch.DType) mergesearch.DType {
	switch {
	case l.Recipe.Compat == "mergekit" && l.Recipe.OutDType == "" && slices.Contains(compatFloat32, l.Method.Name):
		return mergesearch.F32
	case l.dtype != "":
		return l.dtype
	}
	return stored.Written()
}

// makeDo turns a tensor that some models lack, and may, into one of those that
// have it: a merge of fewer, or the one that is left.
func (l *layout) makeDo(t *PlannedTensor) {
	need := max(1, l.Method.Least)
	if l.Method.Pair {
		need = 2
	}
	if (t.Base == nil) == (l.Base == "") && len(t.Inputs) >= need {
		return
	}
	if len(t.Inputs) == 0 {
		t.Inputs = []InputTensor{*t.Base}
	}
	t.Inputs, t.Base, t.method = t.Inputs[:1], nil, &passthrough
}

// finish checks shapes and types, and resolves the parameters.
func (l *layout) finish(t *PlannedTensor, p *part, at float64) error {
	all := t.all()
	first := all[0]
	for _, in := range all {
		if in.model == l.donor {
			first = in
		}
	}
	info, _ := first.model.Info(first.Tensor)
	aligned := l.aligned != nil && len(info.Shape) == 2 && l.donor.architecture.Embedding(t.Name)
	for _, in := range all {
		x, _ := in.model.Info(in.Tensor)
		if aligned && len(x.Shape) == 2 {
			x.Shape = []int{info.Shape[0], x.Shape[1]} // rows are about to be aligned
		}
		if err := comparePair(first.model, info, in.model, x); err != nil {
			return err
		}
	}
	t.DType, t.Shape, t.Copied = info.DType, info.Shape, !info.DType.Float()
	if aligned {
		t.aligned, t.Shape = l.aligned, l.aligned.alignedShape(info.Shape)
	}
	t.elements = mergesearch.Tensor{Shape: t.Shape}.Elements()
	if !t.Copied {
		t.DType = l.outputType(info.DType)
		if err := t.resolve(p.levels, at); err != nil {
			return err
		}
	}
	l.Tensors = append(l.Tensors, *t)
	return nil
}
