package mergesearch

import (
	"fmt"
	"math"
	"slices"
)

// Aim says how the values of the tasks become what a run optimises.
type Aim string

// The aims.
const (
	MeanTask  Aim = ""       // weighted mean of the tasks
	WorstTask Aim = "worst"  // the task with the lowest value
	Pareto    Aim = "pareto" // several objectives side by side; Score.Fitness is the weighted mean
)

// Objective is one of several things that a run with the aim Pareto optimises: the
// weighted mean of some tasks.
type Objective struct {
	Name  string
	Tasks []TaskWeight
}

// Constraint asks a candidate to keep a share of a parent's value on a task, on the
// same items.
type Constraint struct {
	Task   string
	Keep   float64 // share, above 0 and at most 1
	Parent string  // whose value; empty: of the parent that is best at the task
}

// CostKind names what a candidate costs.
type CostKind string

// The costs.
const (
	TokenCost CostKind = "tokens" // completion tokens per item
	DepthCost CostKind = "depth"  // layers of the merged model
)

// Cost makes a search prefer the cheaper of two candidates.
type Cost struct {
	Kind CostKind

	// Weight is the fitness that one unit costs: a completion token per item, a
	// layer. Zero with the aim Pareto makes the cost an objective of its own.
	Weight float64
}

// Several reports whether there is more than one objective.
func (b Benchmark) Several() bool { return b.Aim == Pareto }

// Measure is the value of one objective, higher is better.
type Measure struct {
	Name   string
	Value  float64 // of tasks in [0, 1]; of a cost its negative
	StdErr float64 // of Value, tasks taken as independent; 0 for a cost
}

// Measures returns what the run optimises, of a score: the fitness alone, or with
// the aim Pareto one measure for each objective (each task, where none are named),
// then for each cost without a weight.
func (b Benchmark) Measures(s Score) []Measure {
	if !b.Several() {
		return []Measure{{Name: "fitness", Value: s.Fitness, StdErr: s.StdErr}}
	}
	var out []Measure
	for _, o := range b.TaskObjectives() {
		var sum, variance, total float64
		for _, w := range o.Tasks {
			t := s.task(w.Task)
			sum += w.Weight * t.Value
			variance += w.Weight * w.Weight * t.StdErr * t.StdErr
			total += w.Weight
		}
		out = append(out, Measure{Name: o.Name, Value: sum / total, StdErr: math.Sqrt(variance) / total})
	}
	for _, c := range b.Costs {
		if c.Weight == 0 {
			out = append(out, Measure{Name: string(c.Kind), Value: -s.cost(c.Kind)})
		}
	}
	return out
}

// Objectives returns the values of Measures: higher is better, one number unless
// the aim is Pareto.
func (b Benchmark) Objectives(s Score) []float64 {
	measures := b.Measures(s)
	out := make([]float64, len(measures))
	for i, m := range measures {
		out[i] = m.Value
	}
	return out
}

// TaskObjectives returns the objectives of the aim Pareto that are not costs, in the
// order of Measures: the groups, or one for each task.
func (b Benchmark) TaskObjectives() []Objective {
	if len(b.Groups) > 0 {
		return b.Groups
	}
	var out []Objective
	for _, t := range b.Tasks {
		out = append(out, Objective{Name: t.Task, Tasks: []TaskWeight{{t.Task, 1}}})
	}
	return out
}

// task returns the score of one task, which must be there.
func (s Score) task(name string) TaskScore {
	for _, t := range s.Tasks {
		if t.Task == name {
			return t
		}
	}
	panic("mergesearch: a score without the task " + name)
}

// cost returns what a candidate costs, in units of the kind.
func (s Score) cost(kind CostKind) float64 {
	if kind == DepthCost {
		return float64(s.Layers)
	}
	return float64(s.CompletionTokens) / float64(max(1, s.Items))
}

// Steer returns the score as it steers a search: its fitness less the costs, down
// to 0, and by how much it violates the constraints. Layers is the depth of the
// model, references the scores on the same items of the constraints' parents, one
// for each constraint; without references nothing is violated.
func (b Benchmark) Steer(s Score, layers int, references []Score) Score {
	s.Layers = layers
	s.Cost = 0
	for _, c := range b.Costs {
		s.Cost += c.Weight * s.cost(c.Kind)
	}
	s.Fitness = max(0, s.Fitness-s.Cost)
	s.Violation = 0
	for i, c := range b.Constraints {
		if i < len(references) {
			s.Violation += max(0, c.Keep*references[i].task(c.Task).Value-s.task(c.Task).Value)
		}
	}
	return s
}

// Feasible reports whether the score violates no constraint.
func (s Score) Feasible() bool { return s.Violation == 0 }

// Merit is the fitness with the constraints taken in (Deb 2000, section 3): that of
// a feasible candidate is its fitness, in [0, 1], that of another the negative of
// its violation. So the feasible come first, by fitness, then the others, by
// violation. It compares candidates on the same items and is no measure of quality.
func (s Score) Merit() float64 {
	if s.Feasible() {
		return s.Fitness
	}
	return -s.Violation
}

// Check refuses, as an *InputError with the key of the run file, objectives,
// constraints and costs that do not fit the tasks and the parents.
func (b Benchmark) Check(parents []string) error {
	var tasks []string
	for _, t := range b.Tasks {
		tasks = append(tasks, t.Task)
	}
	if aims := []Aim{MeanTask, WorstTask, Pareto}; !slices.Contains(aims, b.Aim) {
		return unknown("objective", "objective", string(b.Aim), []string{"mean", "worst", "pareto"})
	}
	if err := b.checkObjectives(tasks); err != nil {
		return err
	}
	for i, c := range b.Constraints {
		field := fmt.Sprintf("constraints[%d]", i)
		switch {
		case !slices.Contains(tasks, c.Task):
			return unknown(field+".task", "task", c.Task, tasks)
		case !(c.Keep > 0 && c.Keep <= 1):
			return &InputError{Field: field + ".keep", Problem: fmt.Sprintf("%v is not a share above 0 and at most 1", c.Keep), Hint: "0.98 keeps 98 % of the parent's value"}
		case c.Parent != "" && !slices.Contains(parents, c.Parent):
			return unknown(field+".parent", "parent", c.Parent, parents)
		case slices.ContainsFunc(b.Constraints[:i], func(o Constraint) bool { return o.Task == c.Task && o.Parent == c.Parent }):
			return &InputError{Field: field + ".task", Problem: fmt.Sprintf("%q has a constraint already, with the same parent", c.Task), Hint: "keep the stricter one alone"}
		}
	}
	return b.checkCosts()
}

func (b Benchmark) checkObjectives(tasks []string) error {
	if len(b.Groups) > 0 && !b.Several() {
		return &InputError{Field: "objectives", Problem: "only objective: pareto has several", Hint: "write objective: pareto, or remove objectives"}
	}
	named := map[string]bool{string(TokenCost): true, string(DepthCost): true}
	for i, o := range b.Groups {
		field := fmt.Sprintf("objectives[%d]", i)
		if o.Name == "" || named[o.Name] {
			return &InputError{Field: field + ".name", Problem: fmt.Sprintf("%q is missing, taken, or the name of a cost", o.Name), Hint: "give each objective a name of its own"}
		}
		named[o.Name] = true
		if len(o.Tasks) == 0 {
			return &InputError{Field: field + ".tasks", Problem: "no task listed"}
		}
		for _, t := range o.Tasks {
			if !slices.Contains(tasks, t.Task) {
				return unknown(field+".tasks", "task", t.Task, tasks)
			}
			if !(t.Weight > 0) {
				return &InputError{Field: field + ".tasks." + t.Task, Problem: fmt.Sprintf("%v is not a positive weight", t.Weight)}
			}
		}
	}
	if b.Several() && len(b.TaskObjectives())+b.costObjectives() < 2 {
		return &InputError{Field: "objective", Problem: "pareto needs at least two objectives", Hint: "list a second task or objective, or write objective: mean"}
	}
	return nil
}

func (b Benchmark) checkCosts() error {
	seen := map[CostKind]bool{}
	for i, c := range b.Costs {
		field := fmt.Sprintf("costs[%d]", i)
		switch {
		case c.Kind != TokenCost && c.Kind != DepthCost:
			return unknown(field+".cost", "cost", string(c.Kind), []string{string(TokenCost), string(DepthCost)})
		case seen[c.Kind]:
			return &InputError{Field: field + ".cost", Problem: fmt.Sprintf("%q is listed twice", c.Kind)}
		case !(c.Weight >= 0) || math.IsInf(c.Weight, 1):
			return &InputError{Field: field + ".weight", Problem: fmt.Sprintf("%v is not a weight", c.Weight), Hint: "the fitness that one unit costs, such as 0.001"}
		case c.Weight == 0 && !b.Several():
			return &InputError{Field: field, Problem: "a cost without a weight is an objective of its own, which only objective: pareto has", Hint: "give it a weight, such as 0.001"}
		}
		seen[c.Kind] = true
	}
	return nil
}

func (b Benchmark) costObjectives() int {
	n := 0
	for _, c := range b.Costs {
		n += count(c.Weight == 0)
	}
	return n
}

// unknown is UnknownWord for a field.
func unknown(field, kind, word string, known []string) *InputError {
	e := UnknownWord(kind, word, known)
	e.Field, e.Problem = field, fmt.Sprintf("unknown %s %q", kind, word)
	return e
}
