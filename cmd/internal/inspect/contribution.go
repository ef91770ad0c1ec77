package inspect

import (
	"cmp"
	"math"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/merge"
	"mergesearch/store"
)

// Contribution is what each model gives to a group of tensors.
type Contribution struct {
	Group  string `json:"group"` // "" for the whole model
	Block  string `json:"block,omitempty"`
	Method string `json:"method"`

	// Shares add up to 1, in the order of the experts. They are those of the weights'
	// absolute values, of t between two models, or equal where the method itself
	// decides; Settled is false then. Densities and signs do not enter: what a method
	// makes of a weight is its own matter.
	Shares  []Share `json:"shares"`
	Settled bool    `json:"settled"`
}

// Share is the part of one model.
type Share struct {
	Model string  `json:"model"`
	Share float64 `json:"share"`
}

// Contributions returns the shares of the models by groups of tensors, in the order of
// the genes; of a path, by its layers.
func (r *Run) Contributions(t store.Trial) []Contribution {
	set := newSettings(r.Settings(t))
	if path := r.pathShares(set); path != nil {
		return path
	}
	recipe := t.Recipe
	if recipe.Method == "passthrough" && len(recipe.Models) == 1 {
		return []Contribution{{Method: recipe.Method, Shares: []Share{{recipe.Models[0].Model, 1}}, Settled: true}}
	}
	var out []Contribution
	for _, block := range blocksOf(set) {
		for _, group := range groupsOf(set, block) {
			out = append(out, r.contribution(set, recipe, group, block))
		}
	}
	return joined(out)
}

// blocksOf lists the blocks that have a method of their own, or the one without name.
func blocksOf(set settings) []string {
	var out []string
	for _, s := range set.list {
		if s.Parameter == methodPlace {
			out = append(out, s.Block)
		}
	}
	if out == nil {
		out = []string{""}
	}
	return out
}

// groupsOf lists the groups for which weights or t are set, or the one without name.
func groupsOf(set settings, block string) []string {
	var out []string
	for _, s := range set.list {
		if (s.Parameter == "weight" || s.Parameter == "t") && s.Block == block && !slices.Contains(out, s.Group) {
			out = append(out, s.Group)
		}
	}
	if len(out) > 1 {
		out = slices.DeleteFunc(out, func(g string) bool { return g == "" })
	}
	if out == nil {
		out = []string{""}
	}
	return out
}

func (r *Run) contribution(set settings, recipe mergesearch.Recipe, group, block string) Contribution {
	c := Contribution{Group: group, Block: block}
	if m, ok := set.find(Place{Parameter: methodPlace, Block: block}); ok {
		c.Method = m.Word
	}
	for _, s := range recipe.Stages {
		if s.Name == block {
			recipe = s.Recipe
		}
	}
	declared, known := methodNamed(c.Method)
	models := modelsOf(recipe)
	if known && declared.OfTwo() {
		if p, ok := set.find(Place{Parameter: pairPlace, Block: block}); ok {
			models = strings.Split(p.Word, "+")
		}
		if p, takes := declared.Parameter("t"); takes && len(models) == 2 {
			t := p.Default
			if s, ok := set.find(Place{Parameter: "t", Group: group, Block: block}); ok {
				t = s.mean()
			}
			c.Shares, c.Settled = []Share{{models[0], 1 - t}, {models[1], t}}, true
			return c
		}
	}
	weights := make([]float64, len(models))
	sum := 0.0
	if p, takes := declared.Parameter("weight"); known && takes {
		for i, m := range models {
			weights[i] = math.Abs(p.Default)
			if s, ok := set.find(Place{Parameter: "weight", Expert: m, Group: group, Block: block}); ok {
				weights[i] = math.Abs(s.mean())
			}
			sum += weights[i]
		}
	}
	c.Settled = sum > 0
	for i, m := range models {
		share := 1 / float64(len(models))
		if c.Settled {
			share = weights[i] / sum
		}
		c.Shares = append(c.Shares, Share{m, share})
	}
	return c
}

// modelsOf lists the models that a recipe merges, the base model of a pair first.
func modelsOf(r mergesearch.Recipe) []string {
	var out []string
	if m, ok := methodNamed(r.Method); ok && m.Pair {
		out = append(out, r.Base)
	}
	for _, in := range r.Models {
		if !slices.Contains(out, in.Model) {
			out = append(out, in.Model)
		}
	}
	return out
}

func methodNamed(name string) (mergesearch.Method, bool) {
	for _, m := range merge.Methods() {
		if m.Name == name {
			return m, true
		}
	}
	return mergesearch.Method{}, false
}

// pathShares returns whose layers a path takes, or nil without one.
func (r *Run) pathShares(set settings) []Contribution {
	var out []Contribution
	for _, s := range set.list {
		if s.Parameter != layerPlace {
			continue
		}
		c := Contribution{Group: s.Group, Method: "passthrough", Settled: true}
		models := strings.Split(s.Word, "+")
		for _, m := range models {
			name, _, _ := strings.Cut(m, "[")
			i := slices.IndexFunc(c.Shares, func(x Share) bool { return x.Model == name })
			if i < 0 {
				c.Shares = append(c.Shares, Share{Model: name})
				i = len(c.Shares) - 1
			}
			c.Shares[i].Share += 1 / float64(len(models))
		}
		out = append(out, c)
	}
	return out
}

// joined drops the names of groups when all of a run's have equal shares and one method.
func joined(list []Contribution) []Contribution {
	for _, c := range list[1:] {
		if c.Block != list[0].Block || c.Method != list[0].Method || !slices.Equal(c.Shares, list[0].Shares) {
			return list
		}
	}
	list[0].Group = ""
	return list[:1]
}

// Overall returns the shares over all contributions, each counted once, largest
// first.
func Overall(list []Contribution) []Share {
	var out []Share
	for _, c := range list {
		for _, s := range c.Shares {
			i := slices.IndexFunc(out, func(x Share) bool { return x.Model == s.Model })
			if i < 0 {
				out = append(out, Share{Model: s.Model})
				i = len(out) - 1
			}
			out[i].Share += s.Share / float64(len(list))
		}
	}
	slices.SortStableFunc(out, func(x, y Share) int { return cmp.Compare(y.Share, x.Share) })
	return out
}
