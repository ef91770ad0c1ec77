package mergesearch

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// ItemID names one question of a task: "task/document".
type ItemID string

// Item is one question as the parts beyond the evaluator see it.
type Item struct {
	ID   ItemID
	Task string
}

// Split is one of the three disjoint sets of items of a run.
type Split string

// The splits. Search items steer the search; validation items choose the best
// parent and the winner from the shortlist; held-out items are opened once, for
// the verdict.
const (
	SearchSplit     Split = "search"
	ValidationSplit Split = "validation"
	HeldOutSplit    Split = "held-out"
)

// Outcome is what came of asking one item.
type Outcome struct {
	Item  ItemID
	Value float64 // of the task's metric, in [0, 1], higher is better; 0 when Missing

	Missing   bool // no usable answer after all retries
	Truncated bool // the completion ended by the length limit
	Empty     bool // the completion was empty

	Completion string // the text answered, or the choice taken; for reading, never compared

	// Tokens of all requests that the item took, those that failed left out: what a
	// budget of tokens counts. Zero where the endpoint does not say.
	PromptTokens, CompletionTokens int
}

// Tokens is what the outcome cost.
func (o Outcome) Tokens() int { return o.PromptTokens + o.CompletionTokens }

// TaskWeight is a task of a benchmark with its weight in the fitness.
type TaskWeight struct {
	Task   string
	Weight float64 // positive
}

// Benchmark is the weighted set of tasks that a run optimises, and how.
type Benchmark struct {
	Tasks []TaskWeight

	Aim         Aim         // MeanTask, if not set
	Groups      []Objective // with the aim Pareto; none: each task is an objective
	Constraints []Constraint
	Costs       []Cost
}

// TaskScore is the outcome of one task.
type TaskScore struct {
	Task                      string
	Value                     float64 // mean of the outcomes
	StdErr                    float64 // of the mean: sqrt(sum (v-mean)^2 / (n (n-1))); 0 when n < 2
	Items                     int
	Truncated, Empty, Missing int
}

// Score is what a candidate is worth on the items that it answered. It is never
// a bare number: it says on how many items, how many of them were truncated,
// empty or missing, and which weights answered.
type Score struct {
	Fitness     float64 // in [0, 1]: weighted mean over tasks, or the worst task's value; less Cost
	StdErr      float64 // of Fitness, tasks taken as independent; of the worst task alone, if that is the fitness
	Items       int
	Tasks       []TaskScore // in the order of the benchmark
	Fingerprint string      // of the weights that answered

	CompletionTokens int     `json:",omitzero"` // of all items, as far as they were counted
	Layers           int     `json:",omitzero"` // of the model; 0 where nothing asks for it
	Cost             float64 `json:",omitzero"` // fitness that was deducted; Benchmark.Steer
	Violation        float64 `json:",omitzero"` // of the constraints: the shortfalls added up; 0 is feasible
}

// Estimate is a fitness that was not measured but inferred, with its standard error.
type Estimate struct{ Fitness, StdErr float64 }

// Score folds outcomes into a score. Outcomes may come in any order; each must
// belong to one of the benchmark's tasks, told by the part of its item before
// the slash. A task without outcomes makes the score an error, as does a value
// that is not in [0, 1]. Costs and constraints are left to Steer.
func (b Benchmark) Score(outcomes []Outcome, fingerprint string) (Score, error) {
	s := Score{Fingerprint: fingerprint, Tasks: make([]TaskScore, len(b.Tasks))}
	sums := make([]float64, len(b.Tasks))
	squares := make([]float64, len(b.Tasks))
	place := make(map[string]int, len(b.Tasks))
	for i, t := range b.Tasks {
		s.Tasks[i].Task = t.Task
		place[t.Task] = i
	}
	sorted := slices.Clone(outcomes) // one order of summation, so equal outcomes give equal bits
	slices.SortFunc(sorted, func(a, c Outcome) int {
		if a.Item < c.Item {
			return -1
		} else if a.Item > c.Item {
			return 1
		}
		return 0
	})
	for _, o := range sorted {
		i, ok := place[o.Item.Task()]
		if !ok {
			return Score{}, fmt.Errorf("item %s: no such task in the benchmark", o.Item)
		}
		if !(o.Value >= 0 && o.Value <= 1) {
			return Score{}, fmt.Errorf("item %s: value %v is outside [0, 1]", o.Item, o.Value)
		}
		t := &s.Tasks[i]
		t.Items++
		sums[i] += o.Value
		squares[i] += o.Value * o.Value
		t.Truncated += count(o.Truncated)
		t.Empty += count(o.Empty)
		t.Missing += count(o.Missing)
		s.CompletionTokens += o.CompletionTokens
	}
	var total, variance float64
	for i, t := range b.Tasks {
		n := float64(s.Tasks[i].Items)
		if n == 0 {
			return Score{}, fmt.Errorf("task %s: no outcomes", t.Task)
		}
		mean := sums[i] / n
		s.Tasks[i].Value = mean
		if n > 1 {
			s.Tasks[i].StdErr = math.Sqrt(max(0, squares[i]-n*mean*mean) / (n * (n - 1)))
		}
		s.Items += s.Tasks[i].Items
		s.Fitness += t.Weight * mean
		variance += t.Weight * t.Weight * s.Tasks[i].StdErr * s.Tasks[i].StdErr
		total += t.Weight
	}
	s.Fitness /= total
	s.StdErr = math.Sqrt(variance) / total
	if b.Aim == WorstTask {
		worst := slices.MinFunc(s.Tasks, func(x, y TaskScore) int { return cmp.Compare(x.Value, y.Value) })
		s.Fitness, s.StdErr = worst.Value, worst.StdErr
	}
	return s, nil
}

// Task returns the part of the item's name before the first slash.
func (id ItemID) Task() string {
	for i := range len(id) {
		if id[i] == '/' {
			return string(id[:i])
		}
	}
	return string(id)
}

// Comparison is a paired comparison of two models on the same items.
type Comparison struct {
	Gain          float64 // fitness of the first minus fitness of the second
	CILow, CIHigh float64 // 95 % interval of Gain: paired bootstrap, stratified by task
	PValue        float64 // two-sided, paired sign flips
	Items         int
}

// Ahead reports whether the first model is shown to be better: the whole interval is
// above zero, and the p-value below 0.05, which small samples decide.
func (c Comparison) Ahead() bool { return c.CILow > 0 && c.PValue < 0.05 }

// ItemsForHalf returns how many items it would take to have an interval half as wide:
// four times as many, since the width falls with the square root.
func (c Comparison) ItemsForHalf() int { return 4 * c.Items }

func count(b bool) int {
	if b {
		return 1
	}
	return 0
}
