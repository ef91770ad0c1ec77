package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/goccy/go-yaml/ast"

	"mergesearch"
	"mergesearch/eval/metric"
)

// Group is a file of lm-evaluation-harness that lists tasks and groups.
type Group struct {
	Name    string
	Tasks   []*Task  // of the group and of the groups in it
	Metrics []string // whose means over the tasks the file asks for; keys of Metric
	BySize  bool     // tasks weigh by their number of items, not one each
}

// ReadTasks reads a task file, or a group file with all tasks that it lists. The
// names in a group are those of task files, groups and tags in the group's own
// directory and below it, as the harness finds them. The group is nil for a task
// file.
func ReadTasks(file string, r Reading) ([]*Task, *Group, error) {
	entries, err := readEntries(file)
	if err != nil {
		return nil, nil, err
	}
	if find(entries, "group") < 0 {
		t, err := ReadTask(file, r)
		if err != nil {
			return nil, nil, err
		}
		return []*Task{t}, nil, nil
	}
	index, err := indexTasks(filepath.Dir(file))
	if err != nil {
		return nil, nil, err
	}
	g, err := parseGroup(entries)
	if err != nil {
		return nil, nil, mergesearch.InFile(err, file)
	}
	files, err := g.files(index, []string{g.Name})
	if err != nil {
		return nil, nil, mergesearch.InFile(err, file)
	}
	for _, f := range files {
		t, err := ReadTask(f, r)
		if err != nil {
			return nil, nil, err
		}
		g.Tasks = append(g.Tasks, t)
	}
	return g.Tasks, &g.Group, nil
}

// GroupReport sums up a group.
type GroupReport struct {
	Group   string              `json:"group"`
	Items   int                 `json:"items"`
	Metrics map[string]Estimate `json:"metrics"`
}

// Report puts the reports of the group's tasks together: for each metric that the
// file asks for the mean over tasks, by size or one each, and the pooled standard
// error as the harness computes it.
func (g *Group) Report(tasks []TaskReport) GroupReport {
	out := GroupReport{Group: g.Name, Metrics: map[string]Estimate{}}
	for _, key := range g.Metrics {
		var values, stderrs []float64
		var sizes, items []int
		for _, t := range tasks {
			e, ok := t.Metrics[key]
			if !ok || !slices.ContainsFunc(g.Tasks, func(task *Task) bool { return task.Name == t.Task }) {
				continue
			}
			size := 1
			if g.BySize {
				size = t.Items
			}
			values, stderrs = append(values, e.Value), append(stderrs, e.StdErr)
			sizes, items = append(sizes, size), append(items, t.Items)
		}
		if len(values) == 0 {
			continue
		}
		stderr, ok := metric.PooledStderr(stderrs, items)
		out.Metrics[key] = estimate(metric.GroupMean(values, sizes), stderr, ok)
		out.Items = 0
		for _, n := range items {
			out.Items += n
		}
	}
	return out
}

// find returns the place of a key, or -1.
func find(entries []entry, key string) int {
	return slices.IndexFunc(entries, func(e entry) bool { return e.key == key })
}

// groupFile is a group as written.
type groupFile struct {
	Group
	members []entry
}

func parseGroup(entries []entry) (*groupFile, error) {
	g := &groupFile{}
	for _, e := range entries {
		var err error
		switch e.key {
		case "group":
			g.Name, err = e.text()
		case "task":
			g.members, err = e.sequence()
		case "aggregate_metric_list":
			err = g.readAggregates(e)
		case "group_alias", "metadata", "tag":
		default:
			err = e.refuseKey("unknown key of a group", mergesearch.UnknownWord("key", e.key, []string{"group", "task", "aggregate_metric_list", "group_alias", "metadata"}).Hint)
		}
		if err != nil {
			return nil, err
		}
	}
	if g.Name == "" || len(g.members) == 0 {
		return nil, &mergesearch.InputError{Field: "group", Problem: "a group needs a name and a list of tasks", Hint: "write group: NAME and task: [TASK, ...]"}
	}
	return g, nil
}

func (g *groupFile) readAggregates(e entry) error {
	items := []entry{e}
	if _, list := e.value.(*ast.SequenceNode); list {
		var err error
		if items, err = e.sequence(); err != nil {
			return err
		}
	}
	for _, item := range items {
		parts, err := item.mapping()
		if err != nil {
			return err
		}
		name, filters := "", []string{plainPipeline}
		for _, p := range parts {
			switch p.key {
			case "metric":
				name, err = p.text()
			case "weight_by_size":
				g.BySize, err = p.boolean()
			case "filter_list":
				filters, err = p.texts()
			case "aggregation":
				_, err = p.oneOf("aggregation", "mean")
			default:
				err = p.refuseKey("unknown key", mergesearch.UnknownWord("key", p.key, []string{"metric", "weight_by_size", "filter_list", "aggregation"}).Hint)
			}
			if err != nil {
				return err
			}
		}
		if name == "" {
			return item.refuse("the key metric: is missing", "")
		}
		for _, f := range filters {
			g.Metrics = append(g.Metrics, Metric{Name: name, Filter: f}.Key())
		}
	}
	return nil
}

// files lists the task files of the group, each once, in the order of the list.
func (g *groupFile) files(index *taskIndex, stack []string) ([]string, error) {
	var out []string
	add := func(files ...string) {
		for _, f := range files {
			if !slices.Contains(out, f) {
				out = append(out, f)
			}
		}
	}
	for _, m := range g.members {
		if _, inline := m.value.(*ast.MappingNode); inline {
			return nil, m.refuse("a task written inside a group is not supported", "write it into a file of its own and name it here")
		}
		name, err := m.text()
		if err != nil {
			return nil, err
		}
		switch {
		case index.tasks[name] != "":
			add(index.tasks[name])
		case len(index.tags[name]) > 0:
			add(index.tags[name]...)
		case index.groups[name] != "":
			if slices.Contains(stack, name) {
				return nil, m.refuse(fmt.Sprintf("the group %q lists itself", name), "")
			}
			files, err := index.group(name, stack)
			if err != nil {
				return nil, err
			}
			add(files...)
		default:
			return nil, m.refuse(fmt.Sprintf("no task, tag or group is named %q", name), mergesearch.UnknownWord("task", name, index.names()).Hint)
		}
	}
	return out, nil
}

// taskIndex says which file in a directory tree holds which task, group and tag.
type taskIndex struct {
	tasks, groups map[string]string
	tags          map[string][]string
}

// maxIndexed bounds the files that are looked through for the members of a group.
const maxIndexed = 20_000

// indexTasks looks through the YAML files of a directory tree. Files that are no
// task files are passed over: they may be anything.
func indexTasks(dir string) (*taskIndex, error) {
	index := &taskIndex{map[string]string{}, map[string]string{}, map[string][]string{}}
	seen := 0
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".yaml" && filepath.Ext(path) != ".yml" {
			return err
		}
		if seen++; seen > maxIndexed {
			return &mergesearch.InputError{File: dir, Problem: fmt.Sprintf("more than %d YAML files below the group file", maxIndexed), Hint: "put the group beside its tasks"}
		}
		if entries, err := readEntries(path); err == nil {
			index.add(path, entries)
		}
		return nil
	})
	return index, err
}

func (index *taskIndex) add(path string, entries []entry) {
	word := func(key string) string {
		if i := find(entries, key); i >= 0 {
			if s, err := entries[i].text(); err == nil {
				return s
			}
		}
		return ""
	}
	if group := word("group"); group != "" {
		index.groups[group] = path
		return
	}
	task := word("task")
	if task == "" {
		return
	}
	index.tasks[task] = path
	if i := find(entries, "tag"); i >= 0 {
		tags, _ := entries[i].texts()
		for _, tag := range tags {
			index.tags[tag] = append(index.tags[tag], path)
		}
	}
}

// group lists the task files of a group that another one names.
func (index *taskIndex) group(name string, stack []string) ([]string, error) {
	file := index.groups[name]
	entries, err := readEntries(file)
	if err != nil {
		return nil, err
	}
	g, err := parseGroup(entries)
	if err != nil {
		return nil, mergesearch.InFile(err, file)
	}
	files, err := g.files(index, append(slices.Clone(stack), name))
	return files, mergesearch.InFile(err, file)
}

func (index *taskIndex) names() []string {
	var out []string
	for name := range index.tasks {
		out = append(out, name)
	}
	for name := range index.groups {
		out = append(out, name)
	}
	for name := range index.tags {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}
