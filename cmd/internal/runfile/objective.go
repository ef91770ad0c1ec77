package runfile

import (
	"cmp"
	"fmt"
	"slices"

	"mergesearch"
)

// Objective is one of several objectives: a weighted mean of some tasks.
type Objective struct {
	Name  string             `yaml:"name" json:"name"`
	Tasks map[string]float64 `yaml:"tasks" json:"tasks"` // weight by the name of the task
}

// Constraint asks the winner to keep a share of a parent's value on a task.
type Constraint struct {
	Task   string   `yaml:"task" json:"task"`
	Keep   *float64 `yaml:"keep" json:"keep"`               // share, above 0 and at most 1
	Parent string   `yaml:"parent" json:"parent,omitempty"` // default: the one that is best at the task
}

// Cost makes the cheaper of two candidates the better one.
type Cost struct {
	Cost   string   `yaml:"cost" json:"cost"`               // tokens: completion tokens per item; depth: layers
	Weight *float64 `yaml:"weight" json:"weight,omitempty"` // fitness that one unit costs; without: an objective of its own
}

// Benchmark returns what the run optimises, over these tasks with their weights.
func (r *RunFile) Benchmark(tasks []mergesearch.TaskWeight) mergesearch.Benchmark {
	b := mergesearch.Benchmark{Tasks: tasks, Aim: mergesearch.Aim(r.Objective)}
	for _, o := range r.Objectives {
		group := mergesearch.Objective{Name: o.Name}
		for task, weight := range o.Tasks {
			group.Tasks = append(group.Tasks, mergesearch.TaskWeight{Task: task, Weight: weight})
		}
		slices.SortFunc(group.Tasks, func(x, y mergesearch.TaskWeight) int { return cmp.Compare(x.Task, y.Task) })
		b.Groups = append(b.Groups, group)
	}
	for _, c := range r.Constraints {
		b.Constraints = append(b.Constraints, mergesearch.Constraint{Task: c.Task, Keep: *c.Keep, Parent: c.Parent})
	}
	for _, c := range r.Costs {
		cost := mergesearch.Cost{Kind: mergesearch.CostKind(c.Cost)}
		if c.Weight != nil {
			cost.Weight = *c.Weight
		}
		b.Costs = append(b.Costs, cost)
	}
	return b
}

// checkObjective refuses what is wrong whatever the tasks and parents are called:
// their names are known when the task files are read.
func (r *RunFile) checkObjective() error {
	tasks := []mergesearch.TaskWeight{{Task: "", Weight: 1}, {Task: " ", Weight: 1}} // two more, to have several
	var parents []string
	name := func(task string) {
		if !slices.ContainsFunc(tasks, func(t mergesearch.TaskWeight) bool { return t.Task == task }) {
			tasks = append(tasks, mergesearch.TaskWeight{Task: task, Weight: 1})
		}
	}
	for i, c := range r.Constraints {
		if c.Keep == nil || c.Task == "" {
			return &mergesearch.InputError{Field: fmt.Sprintf("constraints[%d]", i), Problem: "task and keep are both needed", Hint: "for example {task: reverse, keep: 0.98}"}
		}
		name(c.Task)
		parents = append(parents, c.Parent)
	}
	for _, o := range r.Objectives {
		for task := range o.Tasks {
			name(task)
		}
	}
	for i, c := range r.Costs {
		if c.Weight != nil && *c.Weight == 0 {
			return &mergesearch.InputError{Field: fmt.Sprintf("costs[%d].weight", i), Problem: "0 costs nothing", Hint: "remove the cost; with objective: pareto, one without the key weight is an objective of its own"}
		}
	}
	return r.Benchmark(tasks).Check(parents)
}
