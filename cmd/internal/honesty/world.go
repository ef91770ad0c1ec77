package honesty

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/zeebo/xxh3"

	"mergesearch"
)

// Items says how many items a world has in each split, over its three tasks.
type Items struct{ Search, Validation, HeldOut int }

// World is a simulated family of a base model and three experts. It builds and
// scores recipes. A world is used by one run, which may have several workers.
type World struct {
	Space *mergesearch.Space

	seed   uint64
	gain   float64
	tilt   float64     // how far an expert's own task is above its mean
	centre [][]float64 // by expert and group: the middle of the plateau
	items  map[mergesearch.Split][]mergesearch.Item
	traits map[mergesearch.ItemID]trait
}

// trait is what an item is like: solved when luck is below the logistic of slope
// times (ability - difficulty). The luck of a steady item is the same for every
// recipe, that of the others is drawn anew for each.
type trait struct {
	task                    int
	slope, difficulty, luck float64
	steady                  bool
}

// The population that items are drawn from, and its share of items that flip. With
// it about 17 answers of 100 differ between two recipes of the same profile.
const (
	slopeSD, difficultyMean, difficultySD = 0.4, 0.2, 1.3
	flips                                 = 0.4
)

// The models of a world. Levels are expected fitnesses; the best parent is bestLevel
// good, the next one a little less.
var (
	experts    = []string{"north", "east", "west"}
	levels     = map[string]float64{"base": 0.35, "north": bestLevel, "east": bestLevel - 0.02, "west": bestLevel - 0.06}
	bestParent = experts[0]
)

const (
	bestLevel = 0.5
	radius    = 0.35 // of the plateau: distance of the mean weights from its centre
	slide     = 0.25 // loss of fitness per unit of distance beyond it
	groups    = 3
)

// NewWorld draws a world whose best recipes are gain above the best parent. Tilt says
// how far experts are above their mean on their own tasks; the larger, the more
// answers of a balanced merge differ from those of its parents. Equal arguments give
// equal worlds.
func NewWorld(seed uint64, gain, tilt float64, items Items) *World {
	rng := rand.New(rand.NewPCG(seed, 0x40e57))
	w := &World{
		Space: space(), seed: seed, gain: gain, tilt: tilt,
		items: map[mergesearch.Split][]mergesearch.Item{}, traits: map[mergesearch.ItemID]trait{},
	}
	for range experts {
		var centre []float64
		level := 0.3 + 0.4*rng.Float64()
		for range groups {
			centre = append(centre, level+0.1*rng.NormFloat64())
		}
		w.centre = append(w.centre, centre)
	}
	for _, split := range []struct {
		name mergesearch.Split
		n    int
	}{{mergesearch.SearchSplit, items.Search}, {mergesearch.ValidationSplit, items.Validation}, {mergesearch.HeldOutSplit, items.HeldOut}} {
		for k := range split.n {
			task := k % len(experts)
			id := mergesearch.ItemID(fmt.Sprintf("%s/%s-%04d", experts[task], split.name, k))
			w.items[split.name] = append(w.items[split.name], mergesearch.Item{ID: id, Task: experts[task]})
			w.traits[id] = trait{
				task: task, slope: math.Exp(slopeSD * rng.NormFloat64()), difficulty: difficultyMean + difficultySD*rng.NormFloat64(),
				luck: rng.Float64(), steady: rng.Float64() >= flips,
			}
		}
	}
	return w
}

// space has a weight for each expert and group of one method, which is enough for
// genomes to differ.
func space() *mergesearch.Space {
	weight := mergesearch.Parameter{Name: "weight", PerModel: true, Required: true, Default: 1, Max: 1, Step: 0.001}
	spec := mergesearch.SpaceSpec{
		Base: "base", Experts: experts, DType: "bfloat16",
		Methods: []mergesearch.Method{{
			Name: "task_arithmetic", NeedsBase: true, Parameters: []mergesearch.Parameter{weight},
			Usual: []mergesearch.Usual{
				{Name: "task arithmetic 0.3", Values: map[string]float64{"weight": 0.3}},
				{Name: "task arithmetic 0.6", Values: map[string]float64{"weight": 0.6}},
			},
		}},
		Ranges: []mergesearch.GeneRange{{Parameter: "weight", Max: 1, PerExpert: true, PerGroup: true}},
	}
	for g := range groups {
		group := mergesearch.Group{Name: fmt.Sprintf("layer %d", g)}
		if g < groups-1 {
			group.Filters = []string{fmt.Sprintf("layers.%d.", g)}
		}
		spec.Groups = append(spec.Groups, group)
	}
	s, err := mergesearch.NewSpace(spec)
	if err != nil {
		panic(err)
	}
	return s
}

// Benchmark weighs the tasks equally.
func (w *World) Benchmark() mergesearch.Benchmark {
	var b mergesearch.Benchmark
	for _, e := range experts {
		b.Tasks = append(b.Tasks, mergesearch.TaskWeight{Task: e, Weight: 1})
	}
	return b
}

// Gain returns by how much a recipe is truly better than the named parent.
func (w *World) Gain(r mergesearch.Recipe, parent string) float64 {
	return mean(w.profile(r)) - levels[parent]
}

// profile returns the expected value of a recipe on each task.
func (w *World) profile(r mergesearch.Recipe) []float64 {
	out := make([]float64, len(experts))
	if r.Method == "passthrough" {
		name := r.Models[0].Model
		for task, e := range experts {
			out[task] = levels[name]
			switch {
			case name == "base":
			case name == e:
				out[task] += w.tilt
			default:
				out[task] -= w.tilt / float64(len(experts)-1)
			}
		}
		return out
	}
	// The distance from the plateau decides the level, the shares of the experts how
	// it is spread over tasks.
	var distance, total float64
	weights := make([]float64, len(experts))
	for e, expert := range experts {
		for g := range groups {
			x, _ := r.Value("weight", expert, fmt.Sprintf("model.layers.%d.weight", g), 0)
			weights[e] += x / groups
			d := x - w.centre[e][g]
			distance += d * d / groups
		}
		total += weights[e]
	}
	level := bestLevel + w.gain - slide*max(0, math.Sqrt(distance)-radius)
	for task := range out {
		out[task] = level
		if total > 0 {
			out[task] += w.tilt * (weights[task]/total - 1/float64(len(experts)))
		}
	}
	return out
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v
	}
	return sum / float64(len(x))
}

// Items lists a split.
func (w *World) Items(split mergesearch.Split) []mergesearch.Item { return w.items[split] }

// Build keeps the recipe as the candidate's tensors.
func (w *World) Build(_ context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	t := &model{digest: "simulated-" + string(r.ID()), abilities: make([]float64, len(experts))}
	for task, value := range w.profile(r) {
		t.abilities[task] = abilityFor(value)
	}
	return mergesearch.Candidate{ID: id, Recipe: r.ID(), Tensors: t, Fingerprint: t.digest}, nil
}

// Score answers the items.
func (w *World) Score(_ context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	abilities := c.Tensors.(*model).abilities
	out := make([]mergesearch.Outcome, len(items))
	seed := xxh3.HashStringSeed(string(c.Recipe), w.seed) // parents have the same recipe in every world
	for i, id := range items {
		out[i].Item = id
		t := w.traits[id]
		luck := t.luck
		if !t.steady {
			luck = unit(xxh3.HashStringSeed(string(id), seed))
		}
		if luck < logistic(t.slope*(abilities[t.task]-t.difficulty)) {
			out[i].Value = 1
		}
	}
	return out, nil
}

// unit maps a hash to [0, 1).
func unit(h uint64) float64 { return float64(h>>11) / (1 << 53) }

func logistic(x float64) float64 { return 1 / (1 + math.Exp(-x)) }

// model stands for a candidate's tensors: there are none.
type model struct {
	digest    string
	abilities []float64 // of each task
}

// Names is empty.
func (m *model) Names() []string { return nil }

// Tensor refuses.
func (m *model) Tensor(name string) (mergesearch.Tensor, error) {
	return mergesearch.Tensor{}, fmt.Errorf("tensor %s: a simulated model has none", name)
}

// Digest names the recipe.
func (m *model) Digest() string { return m.digest }

// Release does nothing.
func (m *model) Release() {}

// seedOf derives the seed of one search of a study.
func seedOf(study uint64, search int) uint64 {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], study)
	binary.LittleEndian.PutUint64(b[8:], uint64(search))
	return xxh3.Hash(b[:])
}
