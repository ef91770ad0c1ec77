package mergesearch

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Path asks for a search in data-flow space (Akiba et al. 2025, arXiv 2403.13187):
// which layers of which models follow each other. Each layer of the models is a
// slot, in which a path may take that layer of one model, of two, of one twice, or
// none; so layers keep their order. A path is a passthrough of slices.
//
// What a slot adds to the residual stream may be scaled. The factor goes into the
// output projections of attention and MLP, so that any server runs the result.
type Path struct {
	// Models whose layers a slot may take, at least one: names of the base model and
	// of experts, and Merged for the merge in parameter space. The first is what a
	// slot takes by default.
	Models []string

	Skip   bool // a slot may be left out
	Repeat bool // a layer may come twice
	Both   bool // layers of two models may follow each other, in either order

	// Least and Most bound the layers of a path. Zero: half of the models' layers,
	// rounded up, and no bound.
	Least, Most int

	Scale *Range   // of what a slot adds; nil for none
	Fold  []string // filters of the output projections that take the factor
}

// Range is an interval with a grid, 0 for none.
type Range struct{ Min, Max, Step float64 }

// Merged names the merge in parameter space among the models of a path, and its
// document in a recipe.
const Merged = "merged"

// scaleParameter is passthrough's own.
const scaleParameter = "scale"

func (p *Path) takes(model string) bool { return slices.Contains(p.Models, model) }

// slot is the genes of one slot; scale is -1 for none.
type slot struct{ layer, scale int }

// move is what a path does in one slot: it takes the slot's layer of these models.
type move struct {
	name   string
	models []string
}

// skipMove is the option that takes no layer.
const skipMove = "skip"

func (s *Space) checkPath() error {
	p := s.Path
	if p == nil {
		return nil
	}
	refuse := func(field, problem, hint string) error {
		return &InputError{Field: "path." + field, Problem: problem, Hint: hint}
	}
	known := append([]string{s.Base}, s.Experts...)
	for _, reserved := range []string{skipMove, Merged} {
		if slices.Contains(known, reserved) {
			return refuse("models", fmt.Sprintf("a model is named %q, which means something else on a path", reserved), "name a link to its directory")
		}
	}
	for i, m := range p.Models {
		if m != Merged && !slices.Contains(known, m) {
			e := UnknownWord("model", m, append(known, Merged))
			e.Field, e.Problem = "path.models", fmt.Sprintf("unknown model %q", m)
			return e
		}
		if slices.Contains(p.Models[:i], m) {
			return refuse("models", fmt.Sprintf("%q is listed twice", m), "")
		}
	}
	least := p.least(s.Layers)
	switch {
	case s.Layers < 1:
		return refuse("models", "the number of layers is not known", "")
	case len(p.Models) == 0:
		return refuse("models", "missing", "for example models: ["+strings.Join(s.Experts, ", ")+"]")
	case len(s.movesOf()) < 2:
		return refuse("models", "one model and no other move: every path is that model", "list another model, or allow skip or repeat")
	case least < 1 || least > s.Layers || p.Most != 0 && p.Most < s.Layers:
		return refuse("least", fmt.Sprintf("%d to %d layers of models of %d", least, p.Most, s.Layers), "least is at most the number of layers of the models, and most no less than that")
	case p.Scale != nil && (!finite(p.Scale.Min) || !finite(p.Scale.Max) || p.Scale.Min > p.Scale.Max):
		return refuse("scale", fmt.Sprintf("range upside down: min %v, max %v", p.Scale.Min, p.Scale.Max), "min must not exceed max")
	case p.Scale != nil && len(p.Fold) == 0:
		return refuse("fold", "missing: no tensor takes the factor", "for example fold: [o_proj, down_proj]")
	case !p.takes(Merged) && (len(s.Ranges) > 0 || len(s.Groups) > 0 || len(s.Blocks) > 0 || len(s.Methods) > 0):
		return refuse("models", "no slot takes the merge, so methods, genes and groups say nothing", fmt.Sprintf("add %s to the models, or remove methods, genes and groups", Merged))
	}
	return nil
}

func (p *Path) least(layers int) int {
	if p.Least == 0 {
		return (layers + 1) / 2
	}
	return p.Least
}

// movesOf lists what a slot may do, in the order of the options of its gene: one
// model, two, one twice, none.
func (s *Space) movesOf() []move {
	var out []move
	add := func(models ...string) {
		out = append(out, move{strings.Join(models, "+"), models})
	}
	for _, m := range s.Path.Models {
		add(m)
	}
	for _, a := range s.Path.Models {
		for _, b := range s.Path.Models {
			if a != b && s.Path.Both {
				add(a, b)
			}
		}
	}
	for _, m := range s.Path.Models {
		if s.Path.Repeat {
			add(m, m)
		}
	}
	if s.Path.Skip {
		out = append(out, move{name: skipMove})
	}
	return out
}

func (s *Space) addPath() {
	if s.Path == nil {
		return
	}
	s.moves = s.movesOf()
	var options []string
	for _, m := range s.moves {
		options = append(options, m.name)
	}
	for k := range s.Layers {
		s.slots = append(s.slots, slot{layer: s.add(Gene{Name: fmt.Sprintf("layer %d", k), Kind: Choice, Options: options, Slot: k + 1}), scale: -1})
	}
	if s.Path.Scale == nil {
		return
	}
	for k := range s.slots {
		g := Gene{
			Name: scaleParameter, Kind: Real, Min: s.Path.Scale.Min, Max: s.Path.Scale.Max, Step: s.Path.Scale.Step,
			Parameter: scaleParameter, Group: fmt.Sprintf("layer %d", k), Slot: k + 1,
		}
		g.Default = g.Snap(1)
		s.slots[k].scale = s.add(g)
	}
}

// moveAt returns what a genome does in a slot.
func (s *Space) moveAt(g Genome, k int) move { return s.moves[int(g[s.slots[k].layer])] }

// takesMerged reports whether the path takes a layer of the merge.
func (s *Space) takesMerged(g Genome) bool {
	for k := range s.slots {
		if slices.Contains(s.moveAt(g, k).models, Merged) {
			return true
		}
	}
	return false
}

// fitPath makes a path of snapped choices long enough, from the front, or short
// enough, from the back, by giving slots the layer of their first model alone.
func (s *Space) fitPath(g Genome) {
	if s.Path == nil {
		return
	}
	depth := 0
	for k := range s.slots {
		depth += len(s.moveAt(g, k).models)
	}
	for k := 0; k < len(s.slots) && depth < s.Path.least(s.Layers); k++ {
		if len(s.moveAt(g, k).models) == 0 {
			g[s.slots[k].layer] = 0
			depth++
		}
	}
	for k := len(s.slots) - 1; k >= 0 && s.Path.Most > 0 && depth > s.Path.Most; k-- {
		if m := s.moveAt(g, k); len(m.models) == 2 {
			g[s.slots[k].layer] = float64(slices.Index(s.Path.Models, m.models[0]))
			depth--
		}
	}
}

// step is one layer of a path.
type step struct {
	model string
	slot  int
	scale float64
}

func (s *Space) steps(g Genome) []step {
	var out []step
	for k, sl := range s.slots {
		scale := 1.0
		if sl.scale >= 0 {
			scale = g[sl.scale]
		}
		for _, m := range s.moveAt(g, k).models {
			out = append(out, step{m, k, scale})
		}
	}
	return out
}

// decodePath writes a path as slices. One that is a model unchanged, or the merge,
// is that model's or the merge's own recipe.
func (s *Space) decodePath(g Genome) Recipe {
	steps := s.steps(g)
	if model := s.unchanged(steps); model == Merged {
		return s.decodeMerge(g)
	} else if model != "" {
		return Passthrough(model, s.DType)
	}
	r := Recipe{Method: "passthrough", Base: s.Base, DType: s.DType}
	if s.takesMerged(g) {
		merge := s.decodeMerge(g)
		r.Stages, merge.Stages = merge.Stages, nil
		r.Stages = append(r.Stages, Stage{Name: Merged, Recipe: merge})
	}
	for _, st := range steps {
		r.appendLayers(st.model, st.slot, st.slot+1, s.scaled(st.scale))
	}
	return r
}

// unchanged returns the model that a path takes every layer of, once and as it is,
// or "".
func (s *Space) unchanged(steps []step) string {
	for k, st := range steps {
		if st.slot != k || st.model != steps[0].model || st.scale != 1 {
			return ""
		}
	}
	if len(steps) != s.Layers {
		return ""
	}
	return steps[0].model
}

// scaled returns the parameters of a layer whose output counts so much.
func (s *Space) scaled(scale float64) map[string]Setting {
	if scale == 1 {
		return nil
	}
	var set Setting
	for _, f := range s.Path.Fold {
		set = append(set, Condition{Filter: f, Values: []float64{scale}})
	}
	return map[string]Setting{scaleParameter: set}
}

// encodePath reads the path of a recipe into g, and the merge if the path takes it.
func (s *Space) encodePath(r Recipe, g Genome) bool {
	steps, ok := s.stepsOf(r)
	if !ok {
		return false
	}
	models := make([][]string, len(s.slots))
	for i, st := range steps {
		if i > 0 && st.slot < steps[i-1].slot || st.slot >= len(s.slots) {
			return false
		}
		models[st.slot] = append(models[st.slot], st.model)
		if scale := s.slots[st.slot].scale; scale >= 0 {
			g[scale] = st.scale
		}
	}
	for k, sl := range s.slots {
		option := slices.IndexFunc(s.moves, func(m move) bool { return slices.Equal(m.models, models[k]) })
		if option < 0 {
			return false
		}
		g[sl.layer] = float64(option)
	}
	if !s.takesMerged(g) {
		return true
	}
	return s.encodeMerge(mergeOf(r), g)
}

// mergeOf returns the merge that a recipe's path takes layers of: its document, or
// the recipe itself where it has none.
func mergeOf(r Recipe) Recipe {
	for i, st := range r.Stages {
		if st.Name == Merged {
			merge := st.Recipe
			merge.Stages = r.Stages[:i:i]
			return merge
		}
	}
	return r
}

// stepsOf reads the layers of a recipe's path. A recipe that is no path of models
// of the space is the merge, unchanged.
func (s *Space) stepsOf(r Recipe) ([]step, bool) {
	var out []step
	known := true
	if len(r.Slices) == 0 && r.Method == "passthrough" && len(r.Models) == 1 && s.Path.takes(r.Models[0].Model) {
		for k := range s.slots {
			out = append(out, step{r.Models[0].Model, k, scaleOf(r.Models[0].Parameters, s.Path.Fold)})
		}
		return out, true
	}
	for _, slice := range r.Slices {
		if r.Method != "passthrough" || len(slice.Sources) != 1 || !s.Path.takes(slice.Sources[0].Model) {
			known = false
			break
		}
		from := slice.Sources[0]
		for k := from.First; k < from.End; k++ {
			out = append(out, step{from.Model, k, scaleOf(from.Parameters, s.Path.Fold)})
		}
	}
	if known && len(out) > 0 {
		return out, true
	}
	out = nil
	for k := range s.slots {
		out = append(out, step{Merged, k, 1})
	}
	return out, s.Path.takes(Merged)
}

func scaleOf(parameters map[string]Setting, fold []string) float64 {
	if len(fold) > 0 {
		if x, ok := parameters[scaleParameter].At(fold[0], 0); ok && !math.IsNaN(x) {
			return x
		}
	}
	return 1
}
