package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/spf13/cobra"

	"mergesearch"
	"mergesearch/cmd/internal/plan"
	"mergesearch/cmd/internal/report"
	"mergesearch/cmd/internal/runfile"
	"mergesearch/eval"
	"mergesearch/eval/dataset"
)

type initFlags struct {
	tasks           []string
	out, name, from string
}

func newInitCommand() *cobra.Command {
	var f initFlags
	c := &cobra.Command{
		Use:   "init BASE EXPERT... --task FILE",
		Short: "check a family and write a commented run file for it",
		Long: `init reads the headers of the models and the tasks, refuses what cannot be merged, and
writes a run file with methods, genes, groups and a budget that suit them.

With --from it reads a configuration of mergekit-evolve instead of the models' names;
what has no counterpart is said. Each of its tasks needs a file: one of --task, or
NAME.yaml beside it.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := f.draft(args)
			if err != nil {
				return err
			}
			if err := d.write(c.Context()); err != nil {
				return err
			}
			if wantsJSON(c) {
				return report.Write(c.OutOrStdout(), map[string]any{"file": f.out, "notes": append([]string{}, d.notes...), "next": d.next()})
			}
			for _, n := range d.notes {
				fmt.Fprintf(c.ErrOrStderr(), "note: %s\n", oneLine(n))
			}
			_, err = fmt.Fprintf(c.OutOrStdout(), "%s\nnext: %s\n", report.Plain(f.out), d.next())
			return err
		},
	}
	c.Flags().StringArrayVar(&f.tasks, "task", nil, "task file, once for each task")
	c.Flags().StringVar(&f.out, "out", "run.yaml", "where to write; a file that is there is left alone")
	c.Flags().StringVar(&f.name, "name", "", "name of the run (default after the folder of the base model)")
	c.Flags().StringVar(&f.from, "from", "", "configuration of mergekit-evolve to read")
	return c
}

// draft is a run file to be.
type draft struct {
	out, name, base string
	experts         []string
	layers          int
	methods         []string
	genes           []string // lines
	groups          []string // lines
	tasks           []string // files
	weights         []float64
	more            []string // further keys, as lines
	candidates      int
	race            string // "": the algorithm's own, or what write proposes
	least           int    // search items of the task that has fewest
	notes           []string
}

func (d *draft) note(format string, args ...any) {
	d.notes = append(d.notes, fmt.Sprintf(format, args...))
}

func (d *draft) next() string { return "mergesearch plan " + shellWord(d.out) + " --calibrate" }

func (f *initFlags) draft(args []string) (*draft, error) {
	d := &draft{out: f.out, name: f.name}
	if _, err := os.Lstat(f.out); err == nil {
		return nil, &mergesearch.InputError{File: f.out, Problem: "is there already", Hint: "choose another file with --out, or remove it"}
	}
	var err error
	if f.from != "" {
		err = d.fromEvolve(f, args)
	} else {
		err = d.fromModels(f, args)
	}
	if err != nil {
		return nil, err
	}
	if d.name == "" {
		d.name = nameFrom(d.base)
	}
	return d, d.size()
}

// nameFrom makes the name of a run from that of a folder.
func nameFrom(dir string) string {
	name := regexp.MustCompile(`[^A-Za-z0-9_.-]+`).ReplaceAllString(filepath.Base(filepath.Clean(dir)), "-")
	name = strings.TrimLeft(name, ".-")
	return name[:min(len(name), 50)] + "-merge"
}

func (d *draft) fromModels(f *initFlags, args []string) error {
	if len(args) < 3 {
		return &mergesearch.InputError{Problem: fmt.Sprintf("init takes a base model and at least two experts, got %d models", len(args)), Hint: "mergesearch init BASE EXPERT EXPERT --task FILE"}
	}
	if len(f.tasks) == 0 {
		return &mergesearch.InputError{Field: "--task", Problem: "missing: a search needs something to be good at", Hint: "name task files in the format of lm-evaluation-harness; configs/tasks has some"}
	}
	if err := d.family(args[0], args[1:]); err != nil {
		return err
	}
	for _, t := range f.tasks {
		d.tasks, d.weights = append(d.tasks, t), append(d.weights, 1)
	}
	d.methods = []string{"linear", "slerp", "task_arithmetic", "ties", "dare_ties", "dare_linear"}
	d.genes = []string{
		"  weight: {min: 0, max: 1.5, per: [expert, group]} # how much of an expert is taken",
		"  density: {min: 0.1, max: 1, step: 0.01, per: [expert]} # share of a task vector that is kept",
		"  lambda: {min: 0.5, max: 1.5, methods: [ties, dare_ties]} # scale of the merged task vector",
		"  t: {min: 0, max: 1, per: [group]} # slerp: 0 is the first model of the pair, 1 the second",
	}
	blocks := depthBlocks(d.layers)
	d.groups = []string{
		fmt.Sprintf("  - {name: %q, modules: [attention], blocks: %d}", blockName("attention", blocks), blocks),
		fmt.Sprintf("  - {name: %q, modules: [mlp], blocks: %d}", blockName("mlp", blocks), blocks),
		"  - {name: rest} # embeddings, norms and the head",
	}
	return nil
}

func blockName(name string, blocks int) string {
	if blocks > 1 {
		return name + " {block}"
	}
	return name
}

// depthBlocks is into how many runs of neighbours the layers are cut: one a layer of
// small models, four to eight of larger ones.
func depthBlocks(layers int) int { return min(layers, max(4, min(8, layers/6))) }

// family finds the models and the depth of the base.
func (d *draft) family(base string, experts []string) (err error) {
	if d.base, err = located(base); err != nil {
		return err
	}
	for _, e := range experts {
		dir, err := located(e)
		if err != nil {
			return err
		}
		d.experts = append(d.experts, dir)
	}
	config, err := os.ReadFile(filepath.Join(d.base, "config.json"))
	if err != nil {
		return &mergesearch.InputError{File: filepath.Join(d.base, "config.json"), Problem: "cannot be read", Hint: "a model is a directory of the Hugging Face layout"}
	}
	d.layers, err = layerCount(map[string][]byte{"config.json": config})
	return mergesearch.InFile(err, filepath.Join(d.base, "config.json"))
}

// located finds a model's directory, here or in the hub's cache.
func located(name string) (string, error) {
	path, revision, _ := strings.Cut(name, "@")
	dir, err := locate(path, revision)
	if err != nil {
		return "", err
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return "", &mergesearch.InputError{File: name, Problem: "no such model directory", Hint: "name a directory, or a repository that is in the hub's cache; nothing is downloaded"}
	}
	return dir, nil
}

// size sets the budget by the items that there are: the more items, the smaller
// the differences that can be told apart, and the more candidates are worth a try.
func (d *draft) size() error {
	items, least := 0, math.MaxInt
	for _, file := range d.tasks {
		if _, err := os.Stat(file); err != nil {
			return &mergesearch.InputError{File: file, Problem: "no such task file"}
		}
		tasks, _, err := eval.ReadTasks(file, eval.Reading{Cache: dataset.HubCache(os.Getenv)})
		if err != nil {
			return err
		}
		for _, t := range tasks {
			n := len(t.Items(mergesearch.SearchSplit))
			items, least = items+n, min(least, n)
		}
	}
	if d.candidates == 0 {
		d.candidates = max(48, min(480, items*2/3/24*24))
	}
	d.least = least
	return nil
}

// text is the run file.
func (d *draft) text() string {
	var b strings.Builder
	relative := func(path string) string { return quoted(d.relative(path)) }
	var experts []string
	for _, e := range d.experts {
		experts = append(experts, relative(e))
	}
	fmt.Fprintf(&b, `# Written by mergesearch init. Look first, then run:
#
#     mergesearch plan %[1]s --calibrate
#     mergesearch run %[1]s
#
# Paths are relative to this file. mergesearch schema prints all keys for editors.

name: %[2]s # the run's directory is runs/<name>-s<seed>
seed: 1 # the same seed gives the same run, whatever the number of workers

# The family: models of one shape and one tokenizer, the experts fine-tuned from the base.
base: %[3]s
experts: [%[4]s]

# The merge methods that the search may choose from.
methods: [%[5]s]

# What the search may vary. A gene that the chosen method does not use is masked.
genes:
%[6]s

# Tensors that share coefficients, in blocks of neighbours among the %[7]d layers.
groups:
%[8]s

# What the merge is to be good at, with its weight in the fitness.
tasks:
`, shellWord(d.out), d.name, relative(d.base), strings.Join(experts, ", "), strings.Join(d.methods, ", "), strings.Join(d.genes, "\n"), d.layers, strings.Join(d.groups, "\n"))
	for i, t := range d.tasks {
		fmt.Fprintf(&b, "  - {file: %s, weight: %s}\n", relative(t), strconv.FormatFloat(d.weights[i], 'g', -1, 64))
	}
	for _, line := range d.more {
		fmt.Fprintf(&b, "\n%s\n", line)
	}
	b.WriteString("\n# Left to the program, which says what it chose and why.\nalgorithm: {name: auto}\n")
	if d.race != "" {
		fmt.Fprintf(&b, "\n# Every candidate answers the first number of items of each task; the better ones go on\n# to the second.\nrace: %s\n", d.race)
	}
	fmt.Fprintf(&b, "\n# When to stop, in proportion to the search items: more candidates than they can tell\n# apart find luck. Also: answers, tokens or hours.\nbudget: {candidates: %d}\n", d.candidates)
	b.WriteString("\n# Who answers: the engine inside the program.\nendpoint: {kind: embedded}\n")
	return b.String()
}

// relative is a path as seen from the run file, or the whole one where that is shorter.
func (d *draft) relative(path string) string {
	from, err1 := filepath.Abs(filepath.Dir(d.out))
	to, err2 := filepath.Abs(path)
	if err1 != nil || err2 != nil {
		return path
	}
	if rel, err := filepath.Rel(from, to); err == nil && len(rel) < len(to) {
		return filepath.ToSlash(rel)
	}
	return filepath.ToSlash(to)
}

// quoted is a YAML string.
func quoted(s string) string {
	if plainWord.MatchString(s) && !strings.ContainsAny(s, ":,@%") && !strings.HasPrefix(s, "-") && !strings.HasPrefix(s, "=") {
		return s
	}
	return strconv.Quote(s)
}

// read makes the text a session, as run does.
func (d *draft) read(text string) (*session, error) {
	file, err := runfile.Parse([]byte(text))
	if err != nil {
		return nil, mergesearch.InFile(err, d.out)
	}
	file.File = d.out
	s, err := readSession(file, deviceFlag{"cpu"}, true)
	if err != nil {
		return nil, err
	}
	if err := s.checkSplits(); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// write checks the run file as run does, as far as that needs no endpoint, and writes
// it.
func (d *draft) write(ctx context.Context) error {
	text := d.text()
	s, err := d.read(text)
	if err != nil {
		return err
	}
	defer func() { s.Close() }()
	if a, err := s.newAlgorithm(s.budget()); err != nil {
		return mergesearch.InFile(err, d.out)
	} else if a.Race == nil && d.race == "" && d.least >= 40 {
		s.Close()
		last := min(d.least, 240)
		d.race = fmt.Sprintf("{rungs: [%d, %d], keep: 0.5}", last/4, last)
		text = d.text()
		if s, err = d.read(text); err != nil {
			return err
		}
	}
	if _, err := s.rehearse(ctx, 1, nil); err != nil {
		return err
	}
	d.notes = append(d.notes, s.notes...)
	held := map[string]int{}
	for _, t := range s.tasks {
		held[t.Name] = len(t.Items(mergesearch.HeldOutSplit))
	}
	d.note("the held-out items can prove a true gain of %.1f points, 4 times of 5", 100*plan.Detectable(held, s.benchmark.Tasks, usualDiscordance))
	f, err := os.OpenFile(d.out, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrNotExist) {
		return &mergesearch.InputError{File: d.out, Problem: "its folder does not exist"}
	} else if err != nil {
		return err
	}
	if _, err := f.WriteString(text); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// evolve is a configuration of mergekit-evolve.
type evolve struct {
	Genome struct {
		Models           []string `yaml:"models"`
		Method           string   `yaml:"merge_method"`
		Base             string   `yaml:"base_model"`
		TokenizerSource  string   `yaml:"tokenizer_source"`
		LayerGranularity int      `yaml:"layer_granularity"`
		Normalize        *bool    `yaml:"normalize"`
		Negative         bool     `yaml:"allow_negative_weights"`
		Filters          []string `yaml:"filters"`
		Smooth           bool     `yaml:"smooth"`
	} `yaml:"genome"`
	Tasks      []any `yaml:"tasks"`
	Limit      *int  `yaml:"limit"`
	NumFewshot *int  `yaml:"num_fewshot"`
	Shuffle    bool  `yaml:"shuffle"`
	RandomInit bool  `yaml:"random_init"`
	Chat       *bool `yaml:"apply_chat_template"`
	MultiTurn  *bool `yaml:"fewshot_as_multiturn"`
}

// readEvolve reads a configuration strictly. The YAML library panics on some malformed
// documents; that is a refusal too.
func readEvolve(data []byte) (e evolve, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &mergesearch.InputError{Problem: "not valid YAML"}
		}
	}()
	if err := yaml.UnmarshalWithOptions(data, &e, yaml.Strict()); err != nil {
		line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
		return e, &mergesearch.InputError{Problem: "no configuration of mergekit-evolve: " + line, Hint: "it has the keys genome and tasks"}
	}
	return e, nil
}

// fromEvolve takes over what has a counterpart and notes what has none.
func (d *draft) fromEvolve(f *initFlags, args []string) error {
	refuse := func(field, problem, hint string) error {
		return &mergesearch.InputError{File: f.from, Field: field, Problem: problem, Hint: hint}
	}
	if len(args) > 1 {
		return &mergesearch.InputError{Problem: "with --from only a base model may be named", Hint: "the models stand in " + f.from}
	}
	info, err := os.Stat(f.from)
	if err != nil || info.IsDir() || info.Size() > 1<<20 {
		return refuse("", "no such configuration, or too large for one", "")
	}
	data, err := os.ReadFile(f.from)
	if err != nil {
		return err
	}
	e, err := readEvolve(data)
	if err != nil {
		return mergesearch.InFile(err, f.from)
	}
	g := e.Genome
	allowed := map[string][]string{"linear": {"weight"}, "task_arithmetic": {"weight"}, "ties": {"weight", "density"}, "dare_ties": {"weight", "density"}, "slerp": {"t"}}
	if allowed[g.Method] == nil {
		return refuse("genome.merge_method", fmt.Sprintf("%q is no method of mergekit-evolve", g.Method), "linear, task_arithmetic, ties, dare_ties or slerp")
	}
	base := g.Base
	if len(args) == 1 {
		base = args[0]
	}
	if base == "" {
		return refuse("genome.base_model", "missing, and a search here needs one", "name it: mergesearch init BASE --from "+shellWord(f.from))
	}
	var experts []string
	for _, m := range g.Models {
		if m == base {
			d.note("genome.models lists the base model: its own weight is no gene here; what the experts' weights leave is the base's")
			continue
		}
		experts = append(experts, m)
	}
	if err := d.family(base, experts); err != nil {
		return err
	}
	if len(experts) < 2 {
		return refuse("genome.models", fmt.Sprintf("%d experts beside the base model", len(experts)), "a search here needs two")
	}
	d.methods = []string{g.Method}
	if err := d.evolveGenes(e, allowed[g.Method], refuse); err != nil {
		return err
	}
	if err := d.evolveTasks(f, e, refuse); err != nil {
		return err
	}
	d.evolvePrompts(e)
	if g.TokenizerSource != "" {
		d.note("genome.tokenizer_source has no counterpart: merges take the base model's tokenizer, and all models must share its vocabulary")
	}
	if e.Shuffle {
		d.note("shuffle has no counterpart: items of a rung are drawn by the seed")
	}
	if e.RandomInit {
		d.note("random_init has no counterpart: where the algorithm starts is its own matter")
	}
	if e.Limit != nil && *e.Limit > 0 {
		d.race = fmt.Sprintf("{rungs: [%d]}", *e.Limit)
	}
	d.candidates = 100
	d.note("the budget of 100 candidates is the default of --max-fevals")
	return nil
}

func (d *draft) evolveGenes(e evolve, genes []string, refuse func(field, problem, hint string) error) error {
	g := e.Genome
	blocks := 1
	if g.LayerGranularity > 0 {
		if d.layers%g.LayerGranularity != 0 {
			return refuse("genome.layer_granularity", fmt.Sprintf("%d does not divide the %d layers", g.LayerGranularity, d.layers), "")
		}
		blocks = d.layers / g.LayerGranularity
	}
	gradient := ""
	if g.Smooth && blocks > 1 {
		gradient, blocks = fmt.Sprintf(", gradient: %d", blocks), 1
	}
	for _, name := range genes {
		least, most := 0.0, 1.0
		switch {
		case name == "weight" && g.Negative:
			least, most = -1.5, 1.5
		case name == "weight":
			most = 1.5
		case name == "density":
			least = 0.01
		}
		per := "[expert, group]"
		if name == "t" {
			per = "[group]"
		}
		d.genes = append(d.genes, fmt.Sprintf("  %s: {min: %g, max: %g, per: %s%s}", name, least, most, per, gradient))
	}
	if g.Method == "slerp" {
		d.note("slerp: the pair is a gene of its own here, and t goes from 0 to 1 instead of to 0.5")
	}
	if g.Method != "slerp" && g.Method != "task_arithmetic" {
		normalize := 1
		if g.Normalize != nil && !*g.Normalize {
			normalize = 0
		}
		d.genes = append(d.genes, fmt.Sprintf("  normalize: {min: %d, max: %d} # as the configuration says", normalize, normalize))
	} else if g.Normalize != nil {
		d.note("genome.normalize has no counterpart for %s", g.Method)
	}
	for i, filter := range g.Filters {
		d.groups = append(d.groups, fmt.Sprintf("  - {name: %q, regex: %s, blocks: %d}", blockName(fmt.Sprintf("filter %d", i+1), blocks), strconv.Quote(regexp.QuoteMeta(filter)), blocks))
	}
	if blocks > 1 {
		d.groups = append(d.groups, fmt.Sprintf("  - {name: \"layers {block}\", regex: \"\\\\.\\\\d+\\\\.\", blocks: %d}", blocks))
	}
	d.groups = append(d.groups, "  - {name: rest}")
	if blocks > 1 {
		d.note("what stands outside the layers is a group of its own here; there it takes the values of the first or the last layers")
	}
	return nil
}

func (d *draft) evolveTasks(f *initFlags, e evolve, refuse func(field, problem, hint string) error) error {
	byName := map[string]string{}
	for _, file := range f.tasks {
		tasks, _, err := eval.ReadTasks(file, eval.Reading{Cache: dataset.HubCache(os.Getenv)})
		if err != nil {
			return err
		}
		for _, t := range tasks {
			byName[t.Name] = file
		}
		byName[strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))] = file
	}
	if len(e.Tasks) == 0 {
		return refuse("tasks", "missing", "")
	}
	for i, t := range e.Tasks {
		field := fmt.Sprintf("tasks[%d]", i)
		name, weight, metric := "", 1.0, ""
		switch t := t.(type) {
		case string:
			name = t
		case map[string]any:
			name, _ = t["name"].(string)
			metric, _ = t["metric"].(string)
			switch w := t["weight"].(type) {
			case nil:
			case float64:
				weight = w
			case uint64:
				weight = float64(w)
			case int64:
				weight = float64(w)
			default:
				return refuse(field+".weight", "want a number", "")
			}
			for key := range t {
				if !slices.Contains([]string{"name", "weight", "metric"}, key) {
					d.note("%s.%s has no counterpart", field, key)
				}
			}
		}
		if name == "" {
			return refuse(field, "want a name, or name, weight and metric", "")
		}
		if !(weight > 0) {
			return refuse(field+".weight", fmt.Sprintf("%g: here higher is better for every metric", weight), "give a positive weight, and a metric for which higher is better")
		}
		file := byName[name]
		if beside := filepath.Join(filepath.Dir(f.from), name+".yaml"); file == "" {
			if _, err := os.Stat(beside); err != nil {
				return refuse(field, fmt.Sprintf("no file for the task %q", name), "give it with --task FILE; configs/tasks has some")
			}
			file = beside
		}
		tasks, _, err := eval.ReadTasks(file, eval.Reading{Cache: dataset.HubCache(os.Getenv)})
		if err != nil {
			return err
		}
		want, _, _ := strings.Cut(metric, ",")
		if want != "" && len(tasks) > 0 {
			if have, _, _ := strings.Cut(tasks[0].Metric(), ","); have != want {
				d.note("%s.metric: %s is scored by its first metric, %s, not by %s", field, name, have, want)
			}
		}
		d.tasks, d.weights = append(d.tasks, file), append(d.weights, weight)
	}
	return nil
}

// evolvePrompts takes over how prompts are put together. Chat templates are the
// default there; a base model without one cannot have them.
func (d *draft) evolvePrompts(e evolve) {
	var keys []string
	if e.NumFewshot != nil {
		keys = append(keys, fmt.Sprintf("num_fewshot: %d", *e.NumFewshot))
	}
	if chat := e.Chat == nil || *e.Chat; chat {
		config, _ := os.ReadFile(filepath.Join(d.base, "tokenizer_config.json"))
		_, err := os.Stat(filepath.Join(d.base, "chat_template.jinja"))
		if strings.Contains(string(config), `"chat_template"`) || err == nil {
			keys = append(keys, "apply_chat_template: true", fmt.Sprintf("fewshot_as_multiturn: %v", e.MultiTurn == nil || *e.MultiTurn))
		} else {
			d.note("apply_chat_template: the base model has no chat template, so prompts are plain text")
		}
	}
	if len(keys) > 0 {
		d.more = append(d.more, "# How prompts are put together, as the configuration says.\nprompts: {"+strings.Join(keys, ", ")+"}")
	}
}
