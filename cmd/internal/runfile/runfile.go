package runfile

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strconv"
	"strings"

	"mergesearch"
	"mergesearch/search"
)

// RunFile is a run file with the defaults that depend on it alone filled in. Field tags are the keys
// of the file; JSON names are what the store freezes.
type RunFile struct {
	Name    string   `yaml:"name" json:"name"`       // letters, digits, '-', '_' and '.'; names the run's directory
	Seed    uint64   `yaml:"seed" json:"seed"`       // of the search and of random masks
	Base    string   `yaml:"base" json:"base"`       // directory of the base model
	Experts []string `yaml:"experts" json:"experts"` // directories of the fine-tuned models
	DType   string   `yaml:"dtype" json:"dtype"`     // of the merged tensors: bfloat16, float16 or float32; default: the base model's
	Methods []string `yaml:"methods" json:"methods"`

	// MethodBlocks cuts the layers into so many runs of neighbours, each with a method
	// and parameters of its own. Default: one method for the whole model.
	MethodBlocks int `yaml:"method_blocks" json:"method_blocks,omitempty"`

	Genes   map[string]Gene `yaml:"genes" json:"genes"`
	Groups  []Group         `yaml:"groups" json:"groups"`
	Layers  *LayerPath      `yaml:"path" json:"path,omitempty"`
	Start   []string        `yaml:"start" json:"start,omitempty"` // recipe files that are scored before the search, which may start from them
	Tasks   []Task          `yaml:"tasks" json:"tasks"`
	Prompts Prompts         `yaml:"prompts" json:"prompts,omitzero"`

	Objective   string       `yaml:"objective" json:"objective,omitempty"`   // mean (default, read as empty), worst or pareto
	Objectives  []Objective  `yaml:"objectives" json:"objectives,omitempty"` // of pareto; default: each task
	Constraints []Constraint `yaml:"constraints" json:"constraints,omitempty"`
	Costs       []Cost       `yaml:"costs" json:"costs,omitempty"`

	Algorithm Algorithm `yaml:"algorithm" json:"algorithm"`
	Race      Race      `yaml:"race" json:"race"`
	Budget    Budget    `yaml:"budget" json:"budget"`
	Shortlist int       `yaml:"shortlist" json:"shortlist"` // candidates that answer validation items; default 8
	Endpoint  Endpoint  `yaml:"endpoint" json:"-"`          // where, not what: no part of the frozen configuration
	Price     *Price    `yaml:"price" json:"-"`             // for plans alone

	// File is the path that the run file was read from.
	File string `yaml:"-" json:"-"`
}

// Gene asks for a parameter to be searched.
type Gene struct {
	Min     *float64 `yaml:"min" json:"min"`
	Max     *float64 `yaml:"max" json:"max"`
	Step    float64  `yaml:"step" json:"step,omitempty"`       // grid; default: the method's own
	Per     []string `yaml:"per" json:"per,omitempty"`         // "expert", "group", both or neither
	Methods []string `yaml:"methods" json:"methods,omitempty"` // default: all that take the parameter

	// Gradient asks for so many numbers, spread evenly over the layers, instead of one.
	Gradient int `yaml:"gradient" json:"gradient,omitempty"`
}

// LayerPath asks for a search over the layers that follow each other.
type LayerPath struct {
	Models []string `yaml:"models" json:"models"` // names or directories; "merged" is the merge by methods and genes
	Skip   bool     `yaml:"skip" json:"skip,omitempty"`
	Repeat bool     `yaml:"repeat" json:"repeat,omitempty"`
	Both   bool     `yaml:"both" json:"both,omitempty"`
	Least  int      `yaml:"least" json:"least,omitempty"` // layers; default half of the models'
	Most   int      `yaml:"most" json:"most,omitempty"`
	Scale  *Scale   `yaml:"scale" json:"scale,omitempty"`
	Fold   []string `yaml:"fold" json:"fold,omitempty"` // default o_proj and down_proj
}

// Scale is the factor of what a layer adds.
type Scale struct {
	Min  *float64 `yaml:"min" json:"min"`
	Max  *float64 `yaml:"max" json:"max"`
	Step float64  `yaml:"step" json:"step,omitempty"` // grid; default 0.01
}

// Group is a set of tensors that share coefficients.
type Group struct {
	Name string `yaml:"name" json:"name"`

	// Match lists substrings of tensor names. "{layer}" stands for the number of
	// each layer in turn. A group without match takes what is left.
	Match []string `yaml:"match" json:"match,omitempty"`

	// Blocks cuts the layers into that many contiguous blocks, each a group of its
	// own; the name must then contain "{block}". Default: one block of all layers.
	Blocks int `yaml:"blocks" json:"blocks,omitempty"`

	Modules []string `yaml:"modules" json:"modules,omitempty"` // instead of match: parts of a transformer
	Regex   string   `yaml:"regex" json:"regex,omitempty"`     // instead of match: an expression that finds names of tensors
}

// Task is a task file with its weight in the fitness.
type Task struct {
	File   string   `yaml:"file" json:"file"`
	Weight *float64 `yaml:"weight" json:"weight"` // default 1
}

// Prompts says how prompts are put together where that is not the task's matter, in
// the words of lm-evaluation-harness.
type Prompts struct {
	Fewshot            string `yaml:"fewshot" json:"fewshot,omitempty"` // per_item (default), or harness
	NumFewshot         *int   `yaml:"num_fewshot" json:"num_fewshot,omitempty"`
	SystemInstruction  string `yaml:"system_instruction" json:"system_instruction,omitempty"`
	ApplyChatTemplate  bool   `yaml:"apply_chat_template" json:"apply_chat_template,omitempty"`
	FewshotAsMultiturn bool   `yaml:"fewshot_as_multiturn" json:"fewshot_as_multiturn,omitempty"`

	ChatTemplate     string         `yaml:"chat_template" json:"chat_template,omitempty"` // file; default: the model's own
	ChatTemplateArgs map[string]any `yaml:"chat_template_args" json:"chat_template_args,omitempty"`
}

// Algorithm names the search algorithm and its settings; zero values take the
// algorithm's own defaults.
type Algorithm struct {
	Name       string  `yaml:"name" json:"name"` // of the search algorithm; default auto, which chooses
	Population int     `yaml:"population" json:"population,omitempty"`
	Islands    int     `yaml:"islands" json:"islands,omitempty"`
	Sigma      float64 `yaml:"sigma" json:"sigma,omitempty"`           // first step, as a share of each gene's range
	Separable  bool    `yaml:"separable" json:"separable,omitempty"`   // learn no correlations
	Adapt      bool    `yaml:"adapt" json:"adapt,omitempty"`           // adapt the learning rates to the noise
	Start      string  `yaml:"start" json:"start,omitempty"`           // name of the usual recipe to start at
	Answer     string  `yaml:"answer" json:"answer,omitempty"`         // mean or best
	Lookahead  int     `yaml:"lookahead" json:"lookahead,omitempty"`   // cohorts asked before the first is told; default 8
	Attraction bool    `yaml:"attraction" json:"attraction,omitempty"` // m2n2: choose a mate for what the first parent lacks

	Command []string `yaml:"command" json:"command,omitempty"` // external: program and arguments, started beside the run file
	Timeout float64  `yaml:"timeout" json:"timeout,omitempty"` // external: seconds of every wait for it; default 60
}

// Race says how many items candidates answer before the weaker ones leave.
type Race struct {
	Rungs     []int    `yaml:"rungs" json:"rungs,omitempty"` // items per task at each rung, growing; default: the algorithm's, or all at once
	GivenKeep *float64 `yaml:"keep" json:"-"`                // share of a cohort that goes on after each rung; default 0.5
	Keep      float64  `yaml:"-" json:"keep,omitempty"`      // GivenKeep or the default
	Items     string   `yaml:"items" json:"items,omitempty"` // of the rungs before the last: fixed, fresh or undecided; default fixed, or the algorithm's
}

// Budget ends the search. Zero means no limit of that kind; one must be given.
type Budget struct {
	Candidates int     `yaml:"candidates" json:"candidates,omitempty"`
	Answers    int     `yaml:"answers" json:"answers,omitempty"` // item answers of the search
	Tokens     int     `yaml:"tokens" json:"tokens,omitempty"`   // of prompts and completions of these answers
	Hours      float64 `yaml:"hours" json:"hours,omitempty"`
	Disk       float64 `yaml:"disk" json:"disk,omitempty"` // gigabytes that the run directory may take; no end by itself
}

// Endpoint is the inference server that answers. Most keys are of some kinds only.
type Endpoint struct {
	Kind string `yaml:"kind" json:"kind"` // of server; default embedded, the engine of the program
	URL  string `yaml:"url" json:"url,omitempty"`

	Model       string   `yaml:"model" json:"model,omitempty"`               // at the URL; openai: may hold {dir}
	APIKeyEnv   string   `yaml:"api_key_env" json:"api_key_env,omitempty"`   // environment variable with the key for the URL
	LoadCommand []string `yaml:"load_command" json:"load_command,omitempty"` // openai: program and arguments, {dir} is the candidate

	Command []string `yaml:"command" json:"command,omitempty"` // that starts a server; default: the kind's own
	Args    []string `yaml:"args" json:"args,omitempty"`       // at its end
	Servers int      `yaml:"servers" json:"servers,omitempty"` // default 1
	Devices []string `yaml:"devices" json:"devices,omitempty"` // CUDA_VISIBLE_DEVICES of each server

	Storage  string `yaml:"storage" json:"storage,omitempty"`     // where candidates are written; default: memory-backed
	LoadOnce bool   `yaml:"load_once" json:"load_once,omitempty"` // a new candidate is loaded once, not twice
}

// Price is what answers cost, in any one currency.
type Price struct {
	Input  float64 `yaml:"input" json:"input,omitempty"`   // of a million prompt tokens
	Output float64 `yaml:"output" json:"output,omitempty"` // of a million completion tokens
	Hour   float64 `yaml:"hour" json:"hour,omitempty"`     // of an hour of the machine
}

// EndpointKinds are the kinds of endpoints: the engine of this program, a "mergesearch
// serve" elsewhere, and other servers.
var EndpointKinds = []string{"embedded", "mergesearch", "vllm", "sglang", "llamacpp", "openai"}

// check refuses keys that the kind cannot use.
func (e *Endpoint) check() error {
	refuse := func(field, problem, hint string) error {
		return &mergesearch.InputError{Field: "endpoint." + field, Problem: problem, Hint: hint}
	}
	if !slices.Contains(EndpointKinds, e.Kind) {
		in := mergesearch.UnknownWord("kind of endpoint", e.Kind, EndpointKinds)
		in.Field, in.Problem = "endpoint.kind", fmt.Sprintf("unknown kind %q", e.Kind)
		return in
	}
	if e.URL != "" {
		if err := CheckURL(e.URL); err != nil {
			err.Field = "endpoint.url"
			return err
		}
	}
	started := slices.Contains([]string{"vllm", "sglang", "llamacpp"}, e.Kind)
	switch {
	case (e.Kind == "mergesearch" || e.Kind == "openai") && e.URL == "":
		return refuse("url", "missing for kind "+e.Kind, "for example url: http://127.0.0.1:8080")
	case (e.Kind == "embedded" || e.Kind == "llamacpp") && e.URL != "":
		return refuse("url", "kind "+e.Kind+" takes none", "")
	case (e.Kind == "openai" || started && e.URL != "") != (e.Model != ""):
		return refuse("model", "the name of the model at the url belongs here, and only there", "")
	case e.Kind == "openai" && len(e.LoadCommand) == 0 && !strings.Contains(e.Model, "{dir}"):
		return refuse("load_command", "missing: nothing would load a candidate", "name the program and its arguments; {dir} stands for the candidate's directory")
	case e.Kind != "openai" && len(e.LoadCommand) > 0:
		return refuse("load_command", "only kind openai takes one", "")
	case e.APIKeyEnv != "" && e.Model == "":
		return refuse("api_key_env", "only a server at a url needs a key", "")
	case (!started || e.URL != "") && (len(e.Command) > 0 || len(e.Args) > 0 || e.Servers != 0 || len(e.Devices) > 0):
		return refuse("command", "command, args, servers and devices are for servers that are started here", "leave the url out, or these keys")
	case e.Servers < 0 || len(e.Devices) > 0 && e.Servers > len(e.Devices):
		return refuse("servers", fmt.Sprintf("%d servers for %d devices", e.Servers, len(e.Devices)), "")
	}
	return nil
}

// CheckURL refuses a base URL to which no key and no prompt may be sent: of another
// protocol than HTTP, with a user or password, which would end up in logs, or at an
// address that clouds keep their secrets at. It returns nil, or an error without a field.
func CheckURL(text string) *mergesearch.InputError {
	refuse := func(problem, hint string) *mergesearch.InputError {
		return &mergesearch.InputError{Problem: problem, Hint: hint}
	}
	const example = "for example http://127.0.0.1:8000/v1"
	u, err := url.Parse(text)
	switch {
	case strings.Contains(text, "@"):
		return refuse("a URL holds no user, password or key", "put the key into the environment and name its variable")
	case len(text) > 2048:
		return refuse("longer than 2048 bytes", example)
	case err != nil:
		return refuse(fmt.Sprintf("%.80q is no URL", text), example)
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return refuse(fmt.Sprintf("%.80q is no URL of a server", text), example)
	case u.RawQuery != "" || u.Fragment != "":
		return refuse(fmt.Sprintf("%.80q has a query or a fragment", text), "give the base URL, "+example)
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return refuse(fmt.Sprintf("%.80q has no port that is one", text), "a port lies between 1 and 65535")
		}
	}
	if ip, err := netip.ParseAddr(u.Hostname()); err == nil && (ip.Unmap().IsLinkLocalUnicast() || ip.IsMulticast() || ip == metadataV6) {
		return refuse(fmt.Sprintf("%.80q is an address of the machine's own services", text), "an inference server has an ordinary address, "+example)
	}
	return nil
}

// metadataV6 is where a cloud's machines ask who they are, beside 169.254.169.254.
var metadataV6 = netip.MustParseAddr("fd00:ec2::254")

// Limits of a run file's numbers, far above any use of them.
const (
	maxPopulation = 1_000_000
	maxHours      = 100_000 // eleven years
	maxKnots      = 64
	maxDisk       = 1e9 // gigabytes
	maxPrice      = 1_000_000
)

// maxFileBytes is far above any run file and far below any accident.
const maxFileBytes = 1 << 20

// Read reads and checks a run file.
func Read(file string) (*RunFile, error) {
	info, err := os.Stat(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &mergesearch.InputError{File: file, Problem: "no such run file", Hint: "configs/quickstart/run.yaml is one, with comments"}
	} else if err != nil {
		return nil, &mergesearch.InputError{File: file, Problem: err.Error(), Cause: err}
	}
	if info.IsDir() || info.Size() > maxFileBytes {
		return nil, &mergesearch.InputError{File: file, Problem: "not a run file", Hint: "a run file is YAML of at most 1 MB; see configs/quickstart/run.yaml"}
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, &mergesearch.InputError{File: file, Problem: err.Error(), Cause: err}
	}
	r, err := Parse(data)
	if err != nil {
		return nil, withHint(mergesearch.InFile(err, file), "configs/quickstart/run.yaml is a run file with comments")
	}
	r.File = file
	return r, nil
}

// withHint gives err a hint, if it is an InputError without one.
func withHint(err error, hint string) error {
	var in *mergesearch.InputError
	if errors.As(err, &in) && in.Hint == "" {
		hinted := *in
		hinted.Hint = hint
		return &hinted
	}
	return err
}

// Parse checks the text of a run file and fills in the defaults. Paths stay as
// they are written.
func Parse(data []byte) (*RunFile, error) {
	r := &RunFile{Shortlist: 8, Race: Race{Keep: 0.5}, Algorithm: Algorithm{Name: "auto"}, Endpoint: Endpoint{Kind: "embedded"}}
	if err := decodeStrict(data, r); err != nil {
		return nil, err
	}
	for i := range r.Tasks {
		if r.Tasks[i].Weight == nil {
			one := 1.0
			r.Tasks[i].Weight = &one
		}
	}
	if r.Race.GivenKeep != nil {
		r.Race.Keep = *r.Race.GivenKeep
	}
	if r.Objective == "mean" {
		r.Objective = ""
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *RunFile) check() error {
	refuse := func(field, problem, hint string) error {
		return &mergesearch.InputError{Field: field, Problem: problem, Hint: hint}
	}
	switch {
	case r.Name == "":
		return refuse("name", "missing", "give the run a name, such as name: quickstart")
	case !plainName(r.Name):
		return refuse("name", fmt.Sprintf("%q cannot name a directory", r.Name), "use letters, digits, '-', '_' and '.', at most 64 of them")
	case r.Base == "":
		return refuse("base", "missing", "name the directory of the base model")
	case len(r.Experts) < 2:
		return refuse("experts", "a merge needs at least two experts", "list the directories of the fine-tuned models")
	case !slices.Contains([]string{"", "bfloat16", "float16", "float32"}, r.DType):
		return refuse("dtype", fmt.Sprintf("%q cannot be written", r.DType), "use bfloat16, float16 or float32")
	case len(r.Methods) == 0 && (r.Layers == nil || slices.Contains(r.Layers.Models, mergesearch.Merged)):
		return refuse("methods", "no method listed", "for example methods: [linear, task_arithmetic, ties]")
	case len(r.Tasks) == 0:
		return refuse("tasks", "no task listed", "list task files under tasks:")
	case r.Shortlist < 1:
		return refuse("shortlist", "must be at least 1", "")
	case r.Race.Items != "" && !slices.Contains(search.ItemChoices(), search.ItemChoice(r.Race.Items)):
		return refuse("race.items", fmt.Sprintf("unknown choice of items %q", r.Race.Items), "fixed, fresh or undecided")
	case !(r.Race.Keep > 0 && r.Race.Keep <= 1):
		return refuse("race.keep", fmt.Sprintf("%v is not a share", r.Race.Keep), "give the share of a cohort that goes on, above 0 and up to 1")
	case r.Budget == Budget{Disk: r.Budget.Disk}:
		return refuse("budget", "missing", "for example budget: {candidates: 200}")
	}
	for _, n := range []struct {
		field       string
		value, most float64
	}{
		{"algorithm.population", float64(r.Algorithm.Population), maxPopulation},
		{"algorithm.islands", float64(r.Algorithm.Islands), maxPopulation},
		{"algorithm.lookahead", float64(r.Algorithm.Lookahead), maxPopulation},
		{"algorithm.timeout", r.Algorithm.Timeout, 3600 * maxHours},
		{"budget.candidates", float64(r.Budget.Candidates), math.MaxInt},
		{"budget.answers", float64(r.Budget.Answers), math.MaxInt},
		{"budget.tokens", float64(r.Budget.Tokens), math.MaxInt},
		{"budget.hours", r.Budget.Hours, maxHours},
		{"budget.disk", r.Budget.Disk, maxDisk},
	} {
		if !(n.value >= 0) {
			return refuse(n.field, "cannot be negative", "leave it out for the default")
		}
		if n.value > n.most {
			return refuse(n.field, fmt.Sprintf("%s is above %.0f", strconv.FormatFloat(n.value, 'f', -1, 64), n.most), "leave it out for the default")
		}
	}
	if p := r.Price; p != nil && (!(p.Input >= 0 && p.Input <= maxPrice) || !(p.Output >= 0 && p.Output <= maxPrice) || !(p.Hour >= 0 && p.Hour <= maxPrice)) {
		return refuse("price", "cannot be negative or above a million", "for example price: {input: 0.15, output: 0.6} for a million tokens, or {hour: 2.5}")
	}
	if known := search.Algorithms(); !slices.Contains(known, r.Algorithm.Name) {
		e := mergesearch.UnknownWord("algorithm", r.Algorithm.Name, known)
		e.Field, e.Problem = "algorithm.name", fmt.Sprintf("unknown algorithm %q", r.Algorithm.Name)
		return e
	}
	if err := r.Endpoint.check(); err != nil {
		return err
	}
	if p := r.Prompts; p.NumFewshot != nil && *p.NumFewshot < 0 {
		return refuse("prompts.num_fewshot", "cannot be negative", "")
	} else if p.FewshotAsMultiturn && !p.ApplyChatTemplate {
		return refuse("prompts.fewshot_as_multiturn", "needs apply_chat_template: true", "")
	} else if (p.ChatTemplate != "" || len(p.ChatTemplateArgs) > 0) && !p.ApplyChatTemplate {
		return refuse("prompts.chat_template", "needs apply_chat_template: true", "")
	} else if known := []string{"", "per_item", "harness"}; !slices.Contains(known, p.Fewshot) {
		e := mergesearch.UnknownWord("way to draw examples", p.Fewshot, known[1:])
		e.Field, e.Problem = "prompts.fewshot", fmt.Sprintf("unknown way to draw examples %q", p.Fewshot)
		return e
	}
	for i, n := range r.Race.Rungs {
		if n < 1 || i > 0 && n <= r.Race.Rungs[i-1] {
			return refuse("race.rungs", fmt.Sprintf("%v: items per task must grow from rung to rung", r.Race.Rungs), "for example rungs: [30, 120]")
		}
	}
	for i, t := range r.Tasks {
		if t.File == "" {
			return refuse(fmt.Sprintf("tasks[%d].file", i), "missing", "name a task file")
		}
		if !(*t.Weight > 0) || *t.Weight > 1e6 {
			return refuse(fmt.Sprintf("tasks[%d].weight", i), fmt.Sprintf("%v is not a positive weight", *t.Weight), "remove a task that is not to count")
		}
	}
	if err := r.checkObjective(); err != nil {
		return err
	}
	if _, err := r.Ranges(); err != nil {
		return err
	}
	if r.MethodBlocks < 0 || r.MethodBlocks == 1 {
		return refuse("method_blocks", fmt.Sprintf("%d blocks", r.MethodBlocks), "give 2 or more, or leave it out for one method")
	}
	if err := r.Layers.check(); err != nil {
		return err
	}
	_, err := r.LayerGroups(1<<10, nil)
	return err
}

func plainName(s string) bool {
	for _, c := range s {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && c != '-' && c != '_' && c != '.' {
			return false
		}
	}
	return s[0] != '.' && len(s) <= 64
}

// Ranges returns the genes in the root's terms, sorted by parameter.
func (r *RunFile) Ranges() ([]mergesearch.GeneRange, error) {
	names := make([]string, 0, len(r.Genes))
	for name := range r.Genes {
		names = append(names, name)
	}
	sort.Strings(names)
	var out []mergesearch.GeneRange
	for _, name := range names {
		g, field := r.Genes[name], "genes."+name
		if g.Min == nil || g.Max == nil {
			return nil, &mergesearch.InputError{Field: field, Problem: "min and max are both needed", Hint: "for example {min: 0, max: 1.5}"}
		}
		if err := checkRange(field, *g.Min, *g.Max, g.Step); err != nil {
			return nil, err
		}
		out = append(out, mergesearch.GeneRange{
			Parameter: name, Min: *g.Min, Max: *g.Max, Step: g.Step, Methods: g.Methods,
			PerExpert: slices.Contains(g.Per, "expert"), PerGroup: slices.Contains(g.Per, "group"), Knots: g.Gradient,
		})
		if g.Gradient < 0 || g.Gradient == 1 {
			return nil, &mergesearch.InputError{Field: field + ".gradient", Problem: fmt.Sprintf("a gradient of %d numbers", g.Gradient), Hint: "5 numbers are usual, and 2 the least"}
		}
		if g.Gradient > maxKnots {
			return nil, &mergesearch.InputError{Field: field + ".gradient", Problem: fmt.Sprintf("a gradient of %d numbers, more than %d", g.Gradient, maxKnots), Hint: "each number is a gene; 5 are usual"}
		}
		for i, p := range g.Per {
			if slices.Contains(g.Per[:i], p) {
				return nil, &mergesearch.InputError{Field: field + ".per", Problem: fmt.Sprintf("%q is listed twice", p), Hint: "for example per: [expert, group]"}
			}
			if p != "expert" && p != "group" {
				e := mergesearch.UnknownWord("division", p, []string{"expert", "group"})
				e.Field, e.Problem = field+".per", fmt.Sprintf("unknown division %q", p)
				return nil, e
			}
		}
	}
	return out, nil
}

// checkRange refuses a range that is upside down or endless, and a step that no value
// of it can take.
func checkRange(field string, least, most, step float64) error {
	refuse := func(field, problem, hint string) error {
		return &mergesearch.InputError{Field: field, Problem: problem, Hint: hint}
	}
	switch width := most - least; {
	case !(least <= most):
		return refuse(field, fmt.Sprintf("range upside down: min %v, max %v", least, most), "min must not exceed max")
	case !(width <= math.MaxFloat64):
		return refuse(field, fmt.Sprintf("range without bounds: min %v, max %v", least, most), "for example {min: 0, max: 1.5}")
	case !(step >= 0):
		return refuse(field+".step", fmt.Sprintf("%v is not a step", step), "leave it out for the default")
	case math.IsInf(step, 1) || width > 0 && step > width:
		return refuse(field+".step", fmt.Sprintf("%v is wider than the range from %v to %v", step, least, most), "give a step well below max - min, or leave it out for the default")
	}
	return nil
}

// SpacePath returns the path through the layers in the root's terms, nil for none.
func (r *RunFile) SpacePath() *mergesearch.Path {
	p := r.Layers
	if p == nil {
		return nil
	}
	out := &mergesearch.Path{Skip: p.Skip, Repeat: p.Repeat, Both: p.Both, Least: p.Least, Most: p.Most}
	for _, m := range p.Models {
		out.Models = append(out.Models, filepath.Base(filepath.Clean(m)))
	}
	if p.Scale != nil {
		out.Scale = &mergesearch.Range{Min: *p.Scale.Min, Max: *p.Scale.Max, Step: p.Scale.Step}
		out.Fold = p.Fold
	}
	return out
}

// check refuses what needs no models to be seen, and fills in defaults.
func (p *LayerPath) check() error {
	refuse := func(field, problem, hint string) error {
		return &mergesearch.InputError{Field: "path." + field, Problem: problem, Hint: hint}
	}
	switch {
	case p == nil:
		return nil
	case len(p.Models) == 0:
		return refuse("models", "missing", "list the models whose layers a path may take")
	case p.Least < 0 || p.Most < 0:
		return refuse("least", "cannot be negative", "")
	case p.Scale == nil && len(p.Fold) > 0:
		return refuse("fold", "there is no scale to fold", "remove it, or add scale: {min: 0.5, max: 1.5}")
	case p.Scale == nil:
		return nil
	case p.Scale.Min == nil || p.Scale.Max == nil:
		return refuse("scale", "min and max are both needed", "for example {min: 0.5, max: 1.5}")
	}
	if err := checkRange("path.scale", *p.Scale.Min, *p.Scale.Max, p.Scale.Step); err != nil {
		return err
	}
	if p.Scale.Step == 0 {
		p.Scale.Step = 0.01
	}
	if len(p.Fold) == 0 {
		p.Fold = []string{"o_proj", "down_proj"}
	}
	return nil
}

// Path returns p as seen from the working directory: relative paths of a run
// file are relative to the file.
func (r *RunFile) Path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(filepath.Dir(r.File), p)
}
