package searchtest

import (
	"fmt"
	"math"

	"mergesearch"
	"mergesearch/search"
)

// Landscape is an analytic fitness over the genomes of a space: higher is better,
// at most 1, which the optimum alone reaches.
type Landscape func(mergesearch.Genome) float64

// Sphere returns a landscape over a space with a choice of methods: one minus
// twice the mean squared distance to the target, in units of each gene's range,
// over the genes that the target's method uses; genomes of another method lose a
// quarter on top.
func Sphere(s *mergesearch.Space, target mergesearch.Genome) Landscape {
	return quadratic(s, target, func(float64) float64 { return 1 })
}

// Ridge is a Sphere in which the common movement of all genes counts fifty times
// as much as any other direction, as it does where every layer wants about the
// same coefficient.
func Ridge(s *mergesearch.Space, target mergesearch.Genome) Landscape {
	return quadratic(s, target, func(common float64) float64 { return 1 + 50*common*common })
}

func quadratic(s *mergesearch.Space, target mergesearch.Genome, scale func(float64) float64) Landscape {
	target = s.Normalize(target)
	return func(g mergesearch.Genome) float64 {
		var squares, common, n float64
		for i, gene := range s.Genes {
			if gene.Kind == mergesearch.Real && gene.Max > gene.Min && s.Active(target, i) {
				d := (g[i] - target[i]) / (gene.Max - gene.Min)
				squares += d * d
				common += d
				n++
			}
		}
		n = max(n, 1) // a space of choices alone
		f := 1 - 2*squares/n*scale(common/n)
		for i, gene := range s.Genes {
			if gene.Kind == mergesearch.Choice && s.Active(target, i) && g[i] != target[i] {
				f -= 0.25
			}
		}
		return math.Max(0, f)
	}
}

// Tell turns a cohort into trials with the landscape's fitness, from the given
// index on. The worse half leaves the race at rung 0, and fail, if set, fails
// trials by index.
func (f Landscape) Tell(cohort []mergesearch.Individual, index int, fail func(index int) bool) []mergesearch.Trial {
	out := make([]mergesearch.Trial, len(cohort))
	for k, individual := range cohort {
		t := mergesearch.Trial{Index: index + k, Individual: individual, State: mergesearch.Scored, Rung: 1}
		t.Score.Fitness = f(individual.Genome)
		items := 100
		better := 0
		for _, other := range cohort {
			if f(other.Genome) > t.Score.Fitness {
				better++
			}
		}
		if better >= (len(cohort)+1)/2 {
			t.State, t.Rung, items = mergesearch.Eliminated, 0, 20
		}
		f.answer(&t, items)
		if fail != nil && fail(t.Index) {
			t.State, t.Score, t.Outcomes = mergesearch.Failed, mergesearch.Score{}, nil
			t.Reason = mergesearch.Reason{Code: "not_finite", Text: "tensor x: NaN"}
		}
		out[k] = t
	}
	return out
}

// tasks is what the trials of a landscape answer.
var tasks = []string{"left", "right"}

// Brief returns what an algorithm for a landscape over the space is made from.
func Brief(s *mergesearch.Space, seed uint64) search.Brief {
	b := search.Brief{Space: s, Seed: seed, Budget: search.Budget{Candidates: 100}}
	for _, task := range tasks {
		b.Benchmark.Tasks = append(b.Benchmark.Tasks, mergesearch.TaskWeight{Task: task, Weight: 1})
		for j := range 50 {
			b.Items = append(b.Items, mergesearch.Item{ID: mergesearch.ItemID(fmt.Sprintf("%s/%d", task, j)), Task: task})
		}
	}
	return b
}

// answer gives a trial scores and outcomes on two tasks whose mean is its fitness
// up to rounding: genomes that are equally good are good at different tasks and
// items.
func (f Landscape) answer(t *mergesearch.Trial, items int) {
	phase := 0.0
	for i, x := range t.Individual.Genome {
		phase += float64(i+1) * x
	}
	fit := t.Score.Fitness
	room := math.Min(fit, 1-fit)
	t.Score.Items = items
	for k, task := range tasks {
		value := fit + room/2*math.Sin(3*phase+math.Pi*float64(k))
		room := math.Min(value, 1-value)
		t.Score.Tasks = append(t.Score.Tasks, mergesearch.TaskScore{Task: task, Value: value, Items: items / 2})
		for j := range items / 2 {
			swing := room * math.Sin(float64(j/2+1)*phase)
			if j%2 == 1 {
				swing = -swing
			}
			t.Outcomes = append(t.Outcomes, mergesearch.Outcome{
				Item: mergesearch.ItemID(fmt.Sprintf("%s/%d", task, j)), Value: value + swing,
			})
		}
	}
}

// Baselines turns the space's usual recipes into the trials that an algorithm is
// told first.
func (f Landscape) Baselines(s *mergesearch.Space) []mergesearch.Trial {
	var out []mergesearch.Trial
	for i, model := range append([]string{s.Base}, s.Experts...) {
		out = append(out, mergesearch.Trial{
			Index: i, Name: model, Individual: mergesearch.Individual{Operator: "parent"},
			State: mergesearch.Scored, Rung: 1, Score: mergesearch.Score{Fitness: 0.1 * float64(i)},
		})
	}
	for _, b := range s.Baselines() {
		t := mergesearch.Trial{
			Index: len(out), Name: b.Name, Individual: mergesearch.Individual{Operator: "baseline"},
			State: mergesearch.Scored, Rung: 1, Score: mergesearch.Score{Fitness: 0.2},
		}
		if b.Exact {
			t.Individual.Genome = b.Genome
			t.Score.Fitness = f(b.Genome)
		}
		out = append(out, t)
	}
	for i := range out {
		f.answer(&out[i], 100)
	}
	return out
}

// Best runs an algorithm on the landscape for so many individuals and returns the
// highest fitness that it asked for.
func (f Landscape) Best(s *mergesearch.Space, a search.Algorithm, individuals int) float64 {
	told := f.Baselines(s)
	index, best := len(told), 0.0
	a.Tell(told)
	for spent := 0; spent < individuals; {
		cohort := a.Ask()
		if len(cohort) == 0 {
			break
		}
		for _, i := range cohort {
			best = max(best, f(i.Genome))
		}
		a.Tell(f.Tell(cohort, index, nil))
		index += len(cohort)
		spent += len(cohort)
	}
	return best
}
