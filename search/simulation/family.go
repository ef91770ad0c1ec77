package simulation

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"

	"mergesearch"
	"mergesearch/search"
)

// Family is a landscape as stages of a run. Its space has two experts, one method
// with a parameter t for each of d groups, and the usual recipe t = 0.5. The experts
// stand where every t is 0 or 1, the base model below the first of them. It is safe
// for concurrent use.
type Family struct {
	*Landscape
	Space *mergesearch.Space

	items  map[mergesearch.Split][]mergesearch.Item
	number map[mergesearch.ItemID]int

	mu     sync.Mutex
	places map[mergesearch.RecipeID]place
}

// place is where a recipe stands, and what it loses in every skill on top.
type place struct {
	x    []float64
	loss float64
}

var (
	_ search.Builder = (*Family)(nil)
	_ search.Scorer  = (*Family)(nil)
)

var taskNames = [skills]string{"first", "second", "third"}

// NewFamily makes a landscape into stages.
func NewFamily(l *Landscape) (*Family, error) {
	f := &Family{
		Landscape: l, items: map[mergesearch.Split][]mergesearch.Item{},
		number: map[mergesearch.ItemID]int{}, places: map[mergesearch.RecipeID]place{},
	}
	spec := mergesearch.SpaceSpec{
		Base: "base", Experts: []string{"a", "b"},
		Methods: []mergesearch.Method{{
			Name:       "blend",
			Parameters: []mergesearch.Parameter{{Name: "t", Required: true, Default: 0.5, Max: 1}},
			Usual:      []mergesearch.Usual{{Name: "uniform average", Values: map[string]float64{"t": 0.5}}},
		}},
		Ranges: []mergesearch.GeneRange{{Parameter: "t", Max: 1, PerGroup: true}},
	}
	for j := range l.Dimension {
		g := mergesearch.Group{Name: fmt.Sprintf("layer %d", j)}
		if j < l.Dimension-1 {
			g.Filters = []string{filter(j)}
		}
		spec.Groups = append(spec.Groups, g)
	}
	var err error
	if f.Space, err = mergesearch.NewSpace(spec); err != nil {
		return nil, err
	}
	for i := range l.items {
		split := mergesearch.SearchSplit
		switch {
		case i >= searchItems+otherItems:
			split = mergesearch.HeldOutSplit
		case i >= searchItems:
			split = mergesearch.ValidationSplit
		}
		task := taskNames[l.items[i].skill]
		id := mergesearch.ItemID(fmt.Sprintf("%s/%04d", task, i))
		f.items[split] = append(f.items[split], mergesearch.Item{ID: id, Task: task})
		f.number[id] = i
	}
	return f, nil
}

func filter(group int) string { return "layers." + strconv.Itoa(group) + "." }

// Benchmark weighs the skills equally.
func (f *Family) Benchmark() mergesearch.Benchmark {
	var b mergesearch.Benchmark
	for _, t := range taskNames {
		b.Tasks = append(b.Tasks, mergesearch.TaskWeight{Task: t, Weight: 1})
	}
	return b
}

// Items lists a split: 1000 search items, 300 of each other split.
func (f *Family) Items(split mergesearch.Split) []mergesearch.Item { return f.items[split] }

// Place returns where a recipe stands.
func (f *Family) Place(r mergesearch.Recipe) []float64 {
	switch r.Method {
	case "passthrough":
		if r.Models[0].Model == "b" {
			return f.level(1)
		}
		return f.level(0)
	case "linear":
		return f.Middle()
	}
	x := make([]float64, f.Dimension)
	v := map[string]float64{}
	rest := 0.5
	for _, c := range r.Parameters["t"] {
		if c.Filter == "" {
			rest = c.Values[0]
		}
		v[c.Filter] = c.Values[0]
	}
	for j := range x {
		x[j] = rest
		if t, ok := v[filter(j)]; ok {
			x[j] = t
		}
	}
	return x
}

// Build keeps where the recipe stands.
func (f *Family) Build(_ context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	p := place{x: f.Place(r)}
	if r.Method == "passthrough" && r.Models[0].Model == "base" {
		p.loss = 1
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	recipe := r.ID()
	f.places[recipe] = p
	digest := "simulated-" + strings.TrimSpace(string(recipe))
	return mergesearch.Candidate{ID: id, Recipe: recipe, Tensors: nothing(digest), Fingerprint: digest}, nil
}

// Score answers the items.
func (f *Family) Score(_ context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	f.mu.Lock()
	p := f.places[c.Recipe]
	f.mu.Unlock()
	values, mark := f.Skills(p.x), f.mark(p.x)
	for s := range values {
		values[s] -= p.loss
	}
	out := make([]mergesearch.Outcome, len(items))
	for k, id := range items {
		out[k].Item = id
		if f.solves(f.number[id], values, mark) {
			out[k].Value = 1
		}
	}
	return out, nil
}

// nothing stands for a candidate's tensors: there are none.
type nothing string

func (nothing) Names() []string { return nil }

func (nothing) Tensor(name string) (mergesearch.Tensor, error) {
	return mergesearch.Tensor{}, fmt.Errorf("tensor %s: a simulated candidate has none", name)
}

func (n nothing) Digest() string { return string(n) }
func (nothing) Release()         {}
