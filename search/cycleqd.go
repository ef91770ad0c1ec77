package search

import (
	"math"
	"math/rand"
	"slices"

	"mergesearch"
)

// CycleQDSettings tunes CycleQD.
type CycleQDSettings struct {
	Bins      int     // cells along each task's axis
	Start     int     // individuals without parents that are asked first
	Mutation  float64 // odds that a child is mutated
	Low, High float64 // elite sampling: what the worst and the best resident of an archive count on each axis
	Lookahead int
}

// DefaultCycleQD returns the published settings, with the package's mutation in
// place of that of singular values, which coefficients do not have.
func DefaultCycleQD() CycleQDSettings {
	return CycleQDSettings{Bins: 15, Start: 16, Mutation: 0.7, Low: 0.5, High: 0.8, Lookahead: DefaultLookahead}
}

// CycleQD (Kuroki et al. 2025, arXiv 2410.14735) in the space of coefficients. Each
// task has an archive of its own: a grid over the scores of the other tasks, whose
// cells hold the model that is best at the task. The tasks take turns in giving
// the parents, elites are preferred, and every child is offered to all archives.
//
// A child is the near-equal mix of two parents, mutated: half of the times by more
// of the expert that is best at the turn's task, as published, else as in the
// genetic algorithm, since mixes of equal parts never leave their parents' hull.
// It recommends the mix of the archives' best by the softmax of their scores.
type CycleQD struct {
	breeder
	settings CycleQDSettings
	tasks    []string
	low      []float64 // of each task's axis
	high     []float64
	leader   []string     // expert that is best at each task; empty while none is known
	archives [][]occupant // of each task, in the order in which cells were filled
}

type occupant struct {
	cell  []int // of the other tasks
	value []float64
	resident
}

// NewCycleQD refuses a benchmark of one task, which has no other to spread along.
func NewCycleQD(space *mergesearch.Space, b mergesearch.Benchmark, seed uint64, s CycleQDSettings) (*CycleQD, error) {
	if err := checkArchive(2, s.Lookahead); err != nil {
		return nil, err
	}
	switch {
	case len(b.Tasks) < 2:
		return nil, &mergesearch.InputError{Field: "tasks", Problem: "cycleqd keeps one archive per task over the scores of the others, so it needs two", Hint: "choose m2n2 or dns for one task"}
	case s.Bins < 1 || s.Start < 0 || !(s.Mutation >= 0 && s.Mutation <= 1) || !(s.Low >= 0 && s.High >= s.Low):
		return nil, &mergesearch.InputError{Field: "algorithm", Problem: "bins must be at least 1, start, low and high not negative, high no less than low, and mutation a share"}
	}
	a := &CycleQD{breeder: newBreeder(space, seed, "cycleqd", s.Lookahead), settings: s, archives: make([][]occupant, len(b.Tasks))}
	for _, t := range b.Tasks {
		a.tasks = append(a.tasks, t.Task)
		a.low, a.high, a.leader = append(a.low, 0), append(a.high, 1), append(a.leader, "")
	}
	return a, nil
}

// Ask proposes a child of the archive whose turn it is.
func (a *CycleQD) Ask() []mergesearch.Individual {
	k, rng := a.next()
	turn := k % len(a.tasks)
	archive := a.archives[turn]
	if k < a.settings.Start || len(archive) == 0 {
		return a.cohort(a.founder(k, rng), rng)
	}
	odds := a.elites(archive)
	x := roulette(odds, rng)
	child := a.offspring(archive[x].trial.Individual.Genome, "copy", archive[x].resident)
	if len(archive) > 1 {
		odds[x] = 0
		y := roulette(odds, rng)
		w, v := 1+0.01*rng.NormFloat64(), 1+0.01*rng.NormFloat64()
		g, _ := a.mix(archive[x].trial.Individual.Genome, archive[y].trial.Individual.Genome, v/(w+v), len(a.space.Genes)+a.places)
		child = a.offspring(g, "mix", archive[x].resident, archive[y].resident)
	}
	if rng.Float64() < a.settings.Mutation || len(archive) == 1 {
		if rng.Intn(2) == 0 || !a.push(&child, a.leader[turn], rng) {
			a.mutate(&child, rng)
		}
	}
	return a.cohort(child, rng)
}

// push adds up to a tenth of the range to the weights of an expert, drawn for each
// group. It returns false where the genome has none.
func (a *CycleQD) push(i *mergesearch.Individual, expert string, rng *rand.Rand) bool {
	g, pushed := i.Genome.Clone(), false
	for k, gene := range a.space.Genes {
		if expert != "" && gene.Expert == expert && gene.Parameter == "weight" && a.space.Active(g, k) {
			g[k] += 0.1 * rng.Float64() * (gene.Max - gene.Min)
			pushed = true
		}
	}
	i.Genome = a.space.Normalize(g)
	if pushed {
		i.Operator += ", push"
	}
	return pushed
}

// elites returns the odds of each occupant to be a parent: the product over all
// tasks of where it stands between the worst and the best of the archive.
func (a *CycleQD) elites(archive []occupant) []float64 {
	odds := make([]float64, len(archive))
	for i := range odds {
		odds[i] = 1
	}
	for t := range a.tasks {
		worst, best := math.Inf(1), math.Inf(-1)
		for _, o := range archive {
			worst, best = min(worst, o.value[t]), max(best, o.value[t])
		}
		for i, o := range archive {
			at := 1.0
			if best > worst {
				at = (o.value[t] - worst) / (best - worst)
			}
			odds[i] *= a.settings.Low + (a.settings.High-a.settings.Low)*at
		}
	}
	return odds
}

// Tell sets the axes by the experts first: from 85 % of the weakest to 115 % of the
// strongest. Then it offers each trial to all archives.
func (a *CycleQD) Tell(trials []mergesearch.Trial) {
	if a.begin(trials) {
		a.setAxes(trials)
	}
	for _, t := range trials {
		if _, ok := t.Member(); !ok || t.State != mergesearch.Scored || t.Individual.Genome == nil {
			continue
		}
		value, ok := a.values(t)
		if !ok {
			continue
		}
		t.Outcomes = nil
		for turn := range a.archives {
			a.offer(turn, occupant{a.cell(turn, value), value, resident{trial: t}})
		}
	}
}

func (a *CycleQD) setAxes(trials []mergesearch.Trial) {
	for k := range a.tasks {
		weakest, strongest := math.Inf(1), math.Inf(-1)
		for _, t := range trials {
			value, ok := a.values(t)
			if _, scored := t.Member(); !ok || !scored || !slices.Contains(a.space.Experts, t.Name) || t.Individual.Operator != "parent" {
				continue
			}
			weakest = min(weakest, value[k])
			if value[k] > strongest {
				strongest, a.leader[k] = value[k], t.Name
			}
		}
		if low, high := 0.85*weakest, 1.15*strongest; low < high && !math.IsInf(low, 0) {
			a.low[k], a.high[k] = low, high
		}
	}
}

// values returns the trial's score on each task, and false when one is missing.
func (a *CycleQD) values(t mergesearch.Trial) ([]float64, bool) {
	if len(t.Score.Tasks) != len(a.tasks) {
		return nil, false
	}
	out := make([]float64, len(a.tasks))
	for k, s := range t.Score.Tasks {
		out[k] = s.Value
	}
	return out, true
}

// cell returns the bins of the other tasks.
func (a *CycleQD) cell(turn int, value []float64) []int {
	var out []int
	for k, v := range value {
		if k != turn {
			at := int((v - a.low[k]) / (a.high[k] - a.low[k]) * float64(a.settings.Bins))
			out = append(out, min(max(at, 0), a.settings.Bins-1))
		}
	}
	return out
}

// offer puts an occupant into its cell if that is empty or held by one that is
// worse at the archive's task.
func (a *CycleQD) offer(turn int, o occupant) {
	archive := a.archives[turn]
	i := slices.IndexFunc(archive, func(x occupant) bool { return slices.Equal(x.cell, o.cell) })
	switch {
	case i < 0:
		a.archives[turn] = append(archive, o)
	case o.value[turn] > archive[i].value[turn]:
		archive[i] = o
	}
}

// Recommend mixes the archives' best: the coefficients of those that share the
// method of the best of them, by the softmax of their scores at their own tasks.
func (a *CycleQD) Recommend() (mergesearch.Individual, bool) {
	var best []occupant
	var beta []float64
	lead := 0
	for turn, archive := range a.archives {
		if len(archive) == 0 {
			return mergesearch.Individual{}, false
		}
		top := archive[0]
		for _, o := range archive {
			if o.value[turn] > top.value[turn] {
				top = o
			}
		}
		best, beta = append(best, top), append(beta, math.Exp(top.value[turn]))
		if outranks(top.trial, best[lead].trial) {
			lead = turn
		}
	}
	g := best[lead].trial.Individual.Genome.Clone()
	parents := []resident{best[lead].resident}
	for i, gene := range a.space.Genes {
		if gene.Kind == mergesearch.Choice || !a.space.Active(g, i) {
			continue
		}
		sum, total := 0.0, 0.0
		for k, o := range best {
			if x := o.trial.Individual.Genome; a.space.Method(x).Name == a.space.Method(g).Name {
				sum, total = sum+beta[k]*x[i], total+beta[k]
			}
		}
		g[i] = sum / total
	}
	for _, o := range best {
		if x := o.trial.Individual.Genome; a.space.Method(x).Name == a.space.Method(g).Name {
			parents = append(parents, o.resident)
		}
	}
	out := a.offspring(a.space.Normalize(g), "softmax mix", parents...)
	out.Generation = a.asked + 1
	return out, true
}
