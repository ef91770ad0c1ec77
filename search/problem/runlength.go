package problem

import (
	"math"
	"math/rand"
	"slices"
)

// Meter is what an optimiser sees of a function in one trial: it counts
// evaluations until the target is reached or the budget is spent.
type Meter struct {
	Function

	target float64
	budget int
	rng    *rand.Rand
	spent  int
	solved bool
}

// Evaluate returns the observed cost at x. After the end of the trial it is +Inf
// and counts no more.
func (m *Meter) Evaluate(x []float64) float64 {
	if m.Done() {
		return math.Inf(1)
	}
	m.spent++
	m.solved = m.Cost(x)-m.Best <= m.target
	return m.Observe(x, m.rng)
}

// Done reports whether the trial has ended.
func (m *Meter) Done() bool { return m.solved || m.spent >= m.budget }

// RunLength is how many evaluations an optimiser took in each trial, and whether
// it reached the target.
type RunLength struct {
	Evaluations []int
	Solved      []bool
}

// Measure runs trials 0, 1, ... of an optimiser until the cost without noise is
// within target of the best, or budget evaluations are spent. The noise of trial k
// depends on k alone. An optimiser that returns early has failed the trial with
// what it spent.
func Measure(trials int, target float64, budget int, function func(trial int) Function, optimise func(trial int, m *Meter)) RunLength {
	var r RunLength
	for k := range trials {
		m := &Meter{Function: function(k), target: target, budget: budget, rng: rand.New(rand.NewSource(int64(k)))}
		optimise(k, m)
		r.Evaluations = append(r.Evaluations, m.spent)
		r.Solved = append(r.Solved, m.solved)
	}
	return r
}

// Successes counts the trials that reached the target.
func (r RunLength) Successes() int {
	n := 0
	for _, s := range r.Solved {
		if s {
			n++
		}
	}
	return n
}

// ERT is the expected running time: all evaluations divided by the successes,
// +Inf without one (Hansen et al. 2009).
func (r RunLength) ERT() float64 {
	sum := 0
	for _, e := range r.Evaluations {
		sum += e
	}
	return float64(sum) / float64(r.Successes())
}

// Quantile returns a quantile, 0 to 1, of the run lengths of the trials that
// reached the target, interpolated; NaN without one.
func (r RunLength) Quantile(p float64) float64 {
	var runs []int
	for k, s := range r.Solved {
		if s {
			runs = append(runs, r.Evaluations[k])
		}
	}
	if len(runs) == 0 {
		return math.NaN()
	}
	slices.Sort(runs)
	at := p * float64(len(runs)-1)
	low := int(at)
	high := min(low+1, len(runs)-1)
	return float64(runs[low]) + (at-float64(low))*float64(runs[high]-runs[low])
}
