package searchtest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"

	"mergesearch"
	"mergesearch/search"
)

// Items says how many items per task a family has in each split.
type Items struct{ Search, Validation, HeldOut int }

// Family is a simulated base model with experts, each good at the task of its own
// name. It builds and scores recipes over its Space.
//
// The ability of skill s falls with the distance of its own expert's weights from
// what the skill needs, and with the squares of the others' weights, both as a
// mean over the groups and group by group, where each skill has importances and
// preferences of its own:
//
//	ability_s = top - own_s (3/4 (need_s - mean w_s)^2 + 1/4 sum_g a_sg (w_sg - need_sg)^2)
//	                - hurt_s sum_e size_e^2 (1/2 mean(w_e)^2 + 1/2 sum_g a_sg (w_eg - r_seg)^2)
//
// A weight above the need costs a tenth. An item of difficulty b and
// discrimination a is solved when its luck is below 1/(1+exp(-a (ability - b))).
// A quarter of the items draw their luck anew for each recipe, as greedy decoding
// flips borderline answers; the others keep it, so that candidates that answer
// the same items are compared almost without noise.
type Family struct {
	Space *mergesearch.Space

	// Refuse, if set, may fail a recipe when it is built; Degenerate when it is
	// scored on a split.
	Refuse     func(mergesearch.Recipe) *mergesearch.Failure
	Degenerate func(mergesearch.Recipe, []mergesearch.ItemID) *mergesearch.Failure

	seed   uint64
	skills []skill
	items  map[mergesearch.Split][]mergesearch.Item
	traits map[mergesearch.ItemID]trait

	mu       sync.Mutex
	recipes  map[mergesearch.RecipeID]mergesearch.Recipe
	builds   map[mergesearch.RecipeID]int
	asked    map[mergesearch.RecipeID]map[mergesearch.ItemID]int
	live     int
	mostLive int
	answered int
}

var (
	_ search.Builder = (*Family)(nil)
	_ search.Scorer  = (*Family)(nil)
)

type skill struct {
	own, need, hurt, size float64
	importance            []float64   // of each group; sums to 1
	needs                 []float64   // of each group
	rest                  [][]float64 // by expert and group: the weight that hurts least
}

type trait struct {
	task                      int
	difficulty, slope, chance float64
	steady                    bool
}

// NewFamily draws a family of three experts; equal seeds give equal families.
func NewFamily(seed uint64, items Items) *Family {
	f := &Family{
		Space: QuickSpace("arithmetic", "reverse", "atlas"), seed: seed,
		items: map[mergesearch.Split][]mergesearch.Item{}, traits: map[mergesearch.ItemID]trait{},
		recipes: map[mergesearch.RecipeID]mergesearch.Recipe{}, builds: map[mergesearch.RecipeID]int{},
		asked: map[mergesearch.RecipeID]map[mergesearch.ItemID]int{},
	}
	rng := rand.New(rand.NewPCG(seed, 0xfa111))
	for _, s := range []skill{
		{own: 13, need: 1.1, hurt: 0.8, size: 1},
		{own: 40, need: 0.35, hurt: 0.7, size: 2},
		{own: 6.5, need: 0.95, hurt: 1.5, size: 1},
	} {
		f.skills = append(f.skills, s.draw(len(f.Space.Experts), len(f.Space.Groups), rng))
	}
	for _, split := range []struct {
		name mergesearch.Split
		n    int
	}{{mergesearch.SearchSplit, items.Search}, {mergesearch.ValidationSplit, items.Validation}, {mergesearch.HeldOutSplit, items.HeldOut}} {
		for task, name := range f.Space.Experts {
			for k := range split.n {
				id := mergesearch.ItemID(fmt.Sprintf("%s/%s-%04d", name, split.name, k))
				f.items[split.name] = append(f.items[split.name], mergesearch.Item{ID: id, Task: name})
				f.traits[id] = trait{
					task: task, difficulty: 1.3 * rng.NormFloat64(), slope: math.Exp(0.3 * rng.NormFloat64()),
					chance: rng.Float64(), steady: rng.Float64() < 0.75,
				}
			}
		}
	}
	return f
}

func (s skill) draw(experts, groups int, rng *rand.Rand) skill {
	total := 0.0
	for range groups {
		a := math.Exp(0.7 * rng.NormFloat64())
		s.importance = append(s.importance, a)
		s.needs = append(s.needs, s.need*(1+0.6*rng.NormFloat64()))
		total += a
	}
	for g := range groups {
		s.importance[g] /= total
	}
	for range experts {
		var rest []float64
		for range groups {
			rest = append(rest, 0.2*rng.NormFloat64())
		}
		s.rest = append(s.rest, rest)
	}
	return s
}

// Benchmark weighs the skills equally.
func (f *Family) Benchmark() mergesearch.Benchmark {
	var b mergesearch.Benchmark
	for _, e := range f.Space.Experts {
		b.Tasks = append(b.Tasks, mergesearch.TaskWeight{Task: e, Weight: 1})
	}
	return b
}

// Fitness returns the expected fitness of a recipe on held-out items: what a
// search is judged by, without the luck of the items.
func (f *Family) Fitness(r mergesearch.Recipe) float64 {
	abilities := f.abilities(r)
	sum := 0.0
	for _, item := range f.items[mergesearch.HeldOutSplit] {
		sum += f.traits[item.ID].solves(abilities)
	}
	return sum / float64(len(f.items[mergesearch.HeldOutSplit]))
}

func (t trait) solves(abilities []float64) float64 {
	return 1 / (1 + math.Exp(-t.slope*(abilities[t.task]-t.difficulty)))
}

// abilities turns a recipe into the ability of each skill.
func (f *Family) abilities(r mergesearch.Recipe) []float64 {
	w, penalty := f.coefficients(r)
	out := make([]float64, len(f.skills))
	for s, k := range f.skills {
		shortfall := func(need, w float64) float64 {
			d := need - w
			if d < 0 {
				return 0.1 * d * d
			}
			return d * d
		}
		own, hurt := 0.75*shortfall(k.need, mean(w[s])), 0.0
		for g, a := range k.importance {
			own += 0.25 * a * shortfall(k.needs[g], w[s][g])
		}
		for e := range w {
			if e == s {
				continue
			}
			size := f.skills[e].size * f.skills[e].size
			hurt += size / 2 * mean(w[e]) * mean(w[e])
			for g, a := range k.importance {
				hurt += size / 2 * a * (w[e][g] - k.rest[e][g]) * (w[e][g] - k.rest[e][g])
			}
		}
		out[s] = 3.7 - k.own*own - k.hurt*hurt - penalty
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

// coefficients returns how much of each expert's task vector a recipe adds in
// each group, and what its method costs every skill.
func (f *Family) coefficients(r mergesearch.Recipe) (w [][]float64, penalty float64) {
	value := func(name, model, tensor string, otherwise float64) float64 {
		if v, ok := r.Value(name, model, tensor, 0); ok {
			return v
		}
		return otherwise
	}
	for e, expert := range f.Space.Experts {
		w = append(w, make([]float64, len(f.Space.Groups)))
		for g, group := range f.Space.Groups {
			tensor := "model.embed_tokens.weight"
			if len(group.Filters) > 0 {
				tensor = "model." + group.Filters[0] + ".weight"
			}
			switch r.Method {
			case "passthrough":
				if r.Models[0].Model == expert {
					w[e][g] = 1
				}
			case "slerp":
				t := value("t", "", tensor, 0.5)
				switch expert {
				case r.Base:
					w[e][g] = 1 - t
				case r.Models[0].Model, r.Models[1].Model:
					w[e][g] = t
				}
			case "linear":
				total := 0.0
				for _, other := range f.Space.Experts {
					total += value("weight", other, tensor, 0)
				}
				w[e][g] = value("weight", expert, tensor, 0) / max(total, 1e-6)
			default:
				w[e][g] = value("weight", expert, tensor, 0) * value("lambda", "", tensor, 1)
				d := value("density", expert, tensor, 1)
				lost := w[e][g] * w[e][g] * f.skills[e].size * (1 - d) / float64(len(f.Space.Groups))
				switch r.Method {
				case "ties":
					w[e][g] *= 0.85 * math.Pow(d, 0.3)
					penalty += 0.3 * lost
				case "dare_ties":
					w[e][g] *= 0.9
					penalty += 0.5 * lost / d
				case "dare_linear":
					penalty += 0.3 * lost / d
				}
			}
		}
	}
	if r.Method == "ties" || r.Method == "dare_ties" {
		penalty += 0.6
	}
	return w, penalty
}
