package surrogate

import (
	"cmp"
	"math"
	"slices"
)

// Observation is what a candidate reached on an item, or on average on so many
// that the item stands for.
type Observation struct {
	Item   int     // index into Model.Items
	Value  float64 // in [0, 1]
	Weight float64 // answers behind it; positive
}

// Model is what the answers so far say.
type Model struct {
	Items []Item
	Hyper Hyper

	// Worst makes the fitness that of the worst task, of which weights then say
	// nothing: a smooth minimum, so that tasks that are almost as bad count too.
	Worst bool

	basis      *Basis
	tasks      [][]int // items of each task
	weights    []float64
	candidates []*candidate
	posteriors []*posterior // of each task; nil before the first Fit
}

type candidate struct {
	features []float64       // nil without a place
	answers  [][]Observation // by task

	// By task: the ability as believed, and the Gaussian that stands for the answers.
	mean, variance    []float64
	target, precision []float64
}

// New makes a model of items, told by their tasks, whose fitness is the mean over
// tasks with these weights of the mean chance over a task's items.
func New(itemTasks []int, weights []float64, basis *Basis) *Model {
	m := &Model{basis: basis, Hyper: startHyper(len(basis.origin)), tasks: make([][]int, len(weights))}
	total := 0.0
	for _, w := range weights {
		total += w
	}
	for _, w := range weights {
		m.weights = append(m.weights, w/total)
	}
	for i, t := range itemTasks {
		m.Items = append(m.Items, Item{Task: t, LogSlope: logSlopeMean})
		m.tasks[t] = append(m.tasks[t], i)
	}
	m.posteriors = make([]*posterior, len(weights))
	return m
}

// Add takes a candidate's answers over; its place is nil for one that has none.
// The number of the candidate, from 0, is returned.
func (m *Model) Add(place []float64, answers []Observation) int {
	n := len(m.tasks)
	c := &candidate{
		answers: make([][]Observation, n), mean: make([]float64, n), variance: make([]float64, n),
		target: make([]float64, n), precision: make([]float64, n),
	}
	if place != nil || len(m.basis.origin) == 0 {
		c.features = m.basis.features(place)
	}
	for _, o := range answers {
		t := m.Items[o.Item].Task
		c.answers[t] = append(c.answers[t], o)
	}
	for t, p := range m.posteriors {
		c.variance[t] = 0.3
		if p != nil && c.features != nil {
			c.mean[t] = p.at(c.features)
		}
	}
	m.candidates = append(m.candidates, c)
	return len(m.candidates) - 1
}

// Answer adds to what a candidate that was added before answered.
func (m *Model) Answer(number int, answers []Observation) {
	c := m.candidates[number]
	for _, o := range answers {
		t := m.Items[o.Item].Task
		c.answers[t] = append(c.answers[t], o)
	}
}

// Fit moves abilities, regression and items in turns, a few times; what was fitted
// before is where it starts. The hyper-parameters take one step up the evidence.
func (m *Model) Fit() {
	for round := range 2 {
		m.linearise()
		m.regress(false)
		m.linearise()
		if round == 1 {
			m.tune()
		}
		m.regress(round == 0)
		m.fitItems()
	}
	m.linearise()
	m.regress(false)
}

// linearise replaces each candidate's answers by a Gaussian about its ability: a
// Newton step, of limited length.
func (m *Model) linearise() {
	for _, c := range m.candidates {
		for t, answers := range c.answers {
			g, h, at := 0.0, 0.0, c.mean[t]
			for _, o := range answers {
				it := &m.Items[o.Item]
				a := it.Slope()
				p := logistic(a * (at - it.Difficulty))
				g += o.Weight * a * (o.Value - p)
				h += o.Weight * a * a * max(p*(1-p), 0.01)
			}
			if c.precision[t] = h; h > 0 {
				c.target[t] = at + clip(g/h, 1.5)
			}
		}
	}
}

// normal gathers the regression of a task.
func (m *Model) normal(task int, residual float64) *normal {
	n := newNormal(m.basis.size())
	for _, c := range m.candidates {
		if c.features != nil && c.precision[task] > 0 {
			n.add(c.features, c.target[task], 1/(residual+1/c.precision[task]))
		}
	}
	return n
}

// regress fits the coefficients of every task, then every ability; how sure it is
// of them if asked.
func (m *Model) regress(variances bool) {
	prior, residual := m.basis.prior(m.Hyper), m.Hyper.Residual
	for t := range m.tasks {
		q := m.normal(t, residual).solve(prior)
		m.posteriors[t] = q
		for _, c := range m.candidates {
			if c.features == nil { // a broad prior about 0
				c.variance[t] = 1 / (0.25 + c.precision[t])
				c.mean[t] = c.variance[t] * c.precision[t] * c.target[t]
				continue
			}
			own := 0.0 // how much its own answers say beyond the regression
			if c.precision[t] > 0 {
				own = residual / (residual + 1/c.precision[t])
			}
			at := q.at(c.features)
			c.mean[t] = at + own*(c.target[t]-at)
			if variances {
				c.variance[t] = residual*(1-own) + (1-own)*(1-own)*q.variance(c.features)
			}
		}
	}
}

func (m *Model) fitItems() {
	byItem := make([][]answer, len(m.Items))
	for _, c := range m.candidates {
		for t, answers := range c.answers {
			for _, o := range answers {
				byItem[o.Item] = append(byItem[o.Item], answer{c.mean[t], c.variance[t], o.Value, o.Weight})
			}
		}
	}
	for i := range m.Items {
		m.Items[i].fit(byItem[i])
	}
}

// tune moves each variance by factors of 2.5 as long as the evidence grows, twice
// at most.
func (m *Model) tune() {
	var cached []*normal
	residual := -1.0
	evidence := func(h Hyper) float64 {
		if h.Residual != residual {
			cached, residual = nil, h.Residual
			for t := range m.tasks {
				cached = append(cached, m.normal(t, residual))
			}
		}
		prior, sum := m.basis.prior(h), h.logPrior()
		for _, n := range cached {
			sum += n.evidence(prior)
		}
		return sum
	}
	best := evidence(m.Hyper)
	for k := range m.Hyper.fields() {
		for _, factor := range []float64{2.5, 0.4} {
			moved := false
			for range 2 {
				h := m.Hyper
				*h.fields()[k] *= factor
				e := evidence(h)
				if !(e > best) {
					break
				}
				best, m.Hyper, moved = e, h, true
			}
			if moved {
				break
			}
		}
	}
}

// curve returns the mean chance over a task's items at an ability, and its slope.
func (m *Model) curve(task int, ability float64) (value, slope float64) {
	n := float64(len(m.tasks[task]))
	for _, i := range m.tasks[task] {
		it := &m.Items[i]
		a, p := it.Slope(), it.Chance(ability)
		value += p / n
		slope += a * p * (1 - p) / n
	}
	return value, slope
}

// Expected returns the ability that is expected at a place, by task.
func (m *Model) Expected(place []float64) []float64 {
	mean := make([]float64, len(m.tasks))
	f := m.basis.features(place)
	for t, q := range m.posteriors {
		mean[t] = q.at(f)
	}
	return mean
}

// Abilities returns what is expected at a place, by task, and the variance of that
// expectation.
func (m *Model) Abilities(place []float64) (mean, variance []float64) {
	f := m.basis.features(place)
	for _, q := range m.posteriors {
		mean, variance = append(mean, q.at(f)), append(variance, q.variance(f))
	}
	return mean, variance
}

// Ability returns what is believed of a candidate that was added: its ability by
// task and the variance.
func (m *Model) Ability(number int) (mean, variance []float64) {
	c := m.candidates[number]
	return c.mean, c.variance
}

// Level returns the fitness at these abilities: the mean chance over all items.
func (m *Model) Level(abilities []float64) float64 {
	values := make([]float64, len(abilities))
	for t := range values {
		values[t], _ = m.curve(t, abilities[t])
	}
	level, _ := m.join(values)
	return level
}

// Uncertain returns the level at these abilities and its standard error, to which the
// variance of each ability adds by itself.
func (m *Model) Uncertain(abilities, variance []float64) (level, stderr float64) {
	values := make([]float64, len(abilities))
	for t := range values {
		values[t], _ = m.curve(t, abilities[t])
	}
	level, _ = m.join(values)
	for t, value := range values {
		values[t], _ = m.curve(t, abilities[t]+math.Sqrt(variance[t]))
		moved, _ := m.join(values)
		values[t] = value
		stderr += (moved - level) * (moved - level)
	}
	return level, math.Sqrt(stderr)
}

// softness of the smooth minimum, as a fitness.
const softness = 0.01

// join makes the values of tasks into a fitness, with its derivative by each.
func (m *Model) join(values []float64) (level float64, share []float64) {
	if !m.Worst {
		for t, w := range m.weights {
			level += w * values[t]
		}
		return level, m.weights
	}
	low, sum := slices.Min(values), 0.0
	for _, v := range values {
		e := math.Exp((low - v) / softness)
		share = append(share, e)
		sum += e
	}
	for t := range share {
		share[t] /= sum
	}
	return low - softness*math.Log(sum), share
}

// Fitness returns the level expected at a place. Fit comes first.
func (m *Model) Fitness(place []float64) float64 { return m.Level(m.Expected(place)) }

// Maximise climbs the fitness from a place, within the cube and no further than
// reach from the place in any coordinate, and returns where it ends.
func (m *Model) Maximise(from []float64, reach float64) []float64 {
	x, y, grad := slices.Clone(from), make([]float64, len(from)), make([]float64, len(from))
	values, slopes := make([]float64, len(m.tasks)), make([]float64, len(m.tasks))
	at, step := m.Fitness(x), 0.02*math.Sqrt(float64(len(x)))
	for range 150 {
		clear(grad)
		f := m.basis.features(x)
		for t, q := range m.posteriors {
			values[t], slopes[t] = m.curve(t, q.at(f))
		}
		_, shares := m.join(values)
		for t, q := range m.posteriors {
			m.basis.gradient(x, q.mean, shares[t]*slopes[t], grad)
		}
		norm := 0.0
		for _, g := range grad {
			norm += g * g
		}
		if norm = math.Sqrt(norm); norm < 1e-7 {
			break
		}
		for range 12 {
			for j := range x {
				low, high := max(0, from[j]-reach), min(1, from[j]+reach)
				y[j] = min(high, max(low, x[j]+step*grad[j]/norm))
			}
			if g := m.Fitness(y); g > at {
				at, step = g, 1.5*step
				copy(x, y)
				break
			}
			step /= 2
		}
		if step < 1e-5 {
			break
		}
	}
	return x
}

// Informative returns the items of a task, those first whose answers say most about
// candidates of abilities between low and high. An item never asked counts as the
// prior has it.
func (m *Model) Informative(task int, low, high float64) []int {
	const points = 5
	worth := make(map[int]float64, len(m.tasks[task]))
	for _, i := range m.tasks[task] {
		for k := range points {
			worth[i] += m.Items[i].information(low + (high-low)*float64(k)/(points-1))
		}
	}
	out := slices.Clone(m.tasks[task])
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(worth[b], worth[a]) })
	return out
}

// AddMean adds an item that stands for the mean over many of a task: of slope 1 and
// difficulty 0, and never fitted. It is no part of the level, unless the task has no
// other. Its index is returned.
func (m *Model) AddMean(task int) int {
	i := len(m.Items)
	m.Items = append(m.Items, Item{Task: task, Fixed: true})
	if len(m.tasks[task]) == 0 {
		m.tasks[task] = []int{i}
	}
	return i
}

// Locate returns what abilities lie behind some answers, by task, and the variance,
// for a candidate whose place is not known: that of the average candidate is the
// prior. Fit comes first.
func (m *Model) Locate(answers []Observation) (mean, variance []float64) {
	f := make([]float64, m.basis.size())
	f[0] = 1
	for t, q := range m.posteriors {
		prior := q.at(f)
		at, precision := prior, 1/(m.Hyper.Residual+q.variance(f))
		h := precision
		for range 6 {
			g := precision * (prior - at)
			h = precision
			for _, o := range answers {
				it := &m.Items[o.Item]
				if it.Task != t {
					continue
				}
				a, p := it.Slope(), it.Chance(at)
				g += o.Weight * a * (o.Value - p)
				h += o.Weight * a * a * max(p*(1-p), 0.01)
			}
			at += clip(g/h, 1)
		}
		mean, variance = append(mean, at), append(variance, 1/h)
	}
	return mean, variance
}
