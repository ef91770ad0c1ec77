package runfile

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"mergesearch"
)

const good = `
name: demo
seed: 3
base: models/base
experts: [models/a, models/b]
methods: [linear, ties]
genes:
  weight: {min: 0, max: 1.5, per: [expert, group]}
  density: {min: 0.1, max: 1, step: 0.01}
groups:
  - {name: "mlp {block}", match: ["layers.{layer}.mlp"], blocks: 2}
  - {name: rest}
tasks:
  - {file: t.yaml}
budget: {candidates: 10}
`

func TestDefaultsAreFilledIn(t *testing.T) {
	r, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	if r.Algorithm.Name != "auto" || r.Endpoint.Kind != "embedded" || r.Shortlist != 8 || *r.Tasks[0].Weight != 1 || r.Race.Keep != 0.5 {
		t.Errorf("defaults: %+v", r)
	}
	ranges, err := r.Ranges()
	if err != nil || len(ranges) != 2 || ranges[0].Parameter != "density" || !ranges[1].PerGroup {
		t.Errorf("ranges %+v, %v", ranges, err)
	}
}

// TestObjectives: what is said of objectives is what the benchmark has, and saying
// the default is saying nothing.
func TestObjectives(t *testing.T) {
	text := good + `
objective: pareto
objectives: [{name: words, tasks: {reverse: 1, atlas: 2}}, {name: sums, tasks: {arithmetic: 1}}]
constraints: [{task: reverse, keep: 0.98, parent: a}]
costs: [{cost: tokens, weight: 0.001}, {cost: depth}]
`
	r, err := Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	b := r.Benchmark([]mergesearch.TaskWeight{{Task: "arithmetic", Weight: 1}, {Task: "reverse", Weight: 1}, {Task: "atlas", Weight: 1}})
	if err := b.Check([]string{"a"}); err != nil {
		t.Fatal(err)
	}
	if !b.Several() || b.Groups[0].Tasks[0] != (mergesearch.TaskWeight{Task: "atlas", Weight: 2}) || b.Constraints[0] != (mergesearch.Constraint{Task: "reverse", Keep: 0.98, Parent: "a"}) ||
		b.Costs[1] != (mergesearch.Cost{Kind: mergesearch.DepthCost}) || b.Costs[0].Weight != 0.001 {
		t.Errorf("%+v", b)
	}
	said, err := Parse([]byte(good + "objective: mean\n"))
	if err != nil || said.Objective != "" {
		t.Errorf("objective %q, %v", said.Objective, err)
	}
}

func TestBlocksCutTheLayers(t *testing.T) {
	r, err := Parse([]byte(good))
	if err != nil {
		t.Fatal(err)
	}
	groups, err := r.LayerGroups(5, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range groups {
		got = append(got, g.Name+": "+strings.Join(g.Filters, " "))
	}
	want := []string{"mlp 0: layers.0.mlp layers.1.mlp", "mlp 1: layers.2.mlp layers.3.mlp layers.4.mlp", "rest: "}
	if strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("got %q, want %q", got, want)
	}
	if _, err := r.LayerGroups(1, nil); err == nil {
		t.Error("two blocks of one layer are accepted")
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct{ old, new, want, hint string }{
		"misspelt key":        {"genes:", "gens:", "7:1: gens: unknown key", `did you mean "genes"?`},
		"misspelt inner key":  {"per: [expert, group]", "pre: [expert]", "pre: unknown key", `did you mean "per"?`},
		"range upside down":   {"min: 0, max: 1.5", "min: 2, max: 1.5", "genes.weight: range upside down", "min must not exceed max"},
		"range without end":   {"min: 0, max: 1.5", "min: 0", "genes.weight: min and max", ""},
		"wrong division":      {"per: [expert, group]", "per: [exprt]", "genes.weight.per: unknown division", `did you mean "expert"?`},
		"wrong type":          {"seed: 3", "seed: three", "3:7: ", ""},
		"negative seed":       {"seed: 3", "seed: -3", "3:7: ", ""},
		"duplicate key":       {"seed: 3", "seed: 3\nseed: 4", "4:1: ", ""},
		"anchor":              {"seed: 3", "seed: &a 3", "anchors, aliases", ""},
		"no budget":           {"budget: {candidates: 10}", "", "budget: missing", ""},
		"name of a directory": {"name: demo", "name: ../demo", "name: ", ""},
		"one expert":          {"[models/a, models/b]", "[models/a]", "experts: ", ""},
		"unknown algorithm":   {"budget:", "algorithm: {name: gaa}\nbudget:", "algorithm.name: unknown", `did you mean "ga"?`},
		"rungs that shrink":   {"budget:", "race: {rungs: [30, 20]}\nbudget:", "race.rungs: ", ""},
		"keep above one":      {"budget:", "race: {keep: 1.5}\nbudget:", "race.keep: ", ""},
		"unknown endpoint":    {"budget:", "endpoint: {kind: embeded}\nbudget:", "endpoint.kind: ", `did you mean "embedded"?`},
		"endpoint with url":   {"budget:", "endpoint: {kind: llamacpp, url: 'http://127.0.0.1:1'}\nbudget:", "endpoint.url: kind llamacpp takes none", ""},
		"url sans model":      {"budget:", "endpoint: {kind: vllm, url: 'http://127.0.0.1:1'}\nbudget:", "endpoint.model: ", ""},
		"nothing that loads":  {"budget:", "endpoint: {kind: openai, url: 'http://127.0.0.1:1', model: m}\nbudget:", "endpoint.load_command: missing", "{dir}"},
		"command for nobody":  {"budget:", "endpoint: {kind: embedded, args: [-v]}\nbudget:", "endpoint.command: ", ""},
		"too few devices":     {"budget:", "endpoint: {kind: vllm, servers: 3, devices: ['0']}\nbudget:", "endpoint.servers: 3 servers for 1 devices", ""},
		"endpoint sans url":   {"budget:", "endpoint: {kind: mergesearch}\nbudget:", "endpoint.url: ", ""},
		"task sans file":      {"{file: t.yaml}", "{weight: 1}", "tasks[0].file: missing", ""},
		"negative weight":     {"{file: t.yaml}", "{file: t.yaml, weight: -1}", "tasks[0].weight: ", ""},
		"weight zero":         {"{file: t.yaml}", "{file: t.yaml, weight: 0}", "tasks[0].weight: 0 is not a positive weight", ""},
		"text for a number":   {"seed: 3", "seed: three", "3:7: seed: want a whole number that is not negative", ""},
		"layer without a dot": {`"layers.{layer}.mlp"`, `"layers.{layer}"`, "followed by a dot", ""},
		"blocks without name": {`"mlp {block}"`, `"mlp"`, "{block} in the name", ""},
		"unknown objective":   {"budget:", "objective: paretto\nbudget:", `objective: unknown objective "paretto"`, `did you mean "pareto"?`},
		"groups of nothing":   {"budget:", "objectives: [{name: x, tasks: {a: 1}}]\nbudget:", "objectives: only objective: pareto", "write objective: pareto"},
		"group sans weight":   {"budget:", "objective: pareto\nobjectives: [{name: x, tasks: {a: 0}}, {name: y, tasks: {b: 1}}]\nbudget:", "objectives[0].tasks.a: 0 is not a positive weight", ""},
		"constraint of half":  {"budget:", "constraints: [{task: a}]\nbudget:", "constraints[0]: task and keep", "for example"},
		"keep two":            {"budget:", "constraints: [{task: a, keep: 2}]\nbudget:", "constraints[0].keep: 2 is not a share", "98 %"},
		"misspelt constraint": {"budget:", "constraints: [{task: a, kep: 0.9}]\nbudget:", "kep: unknown key", `did you mean "keep"?`},
		"unknown cost":        {"budget:", "costs: [{cost: token, weight: 1}]\nbudget:", `costs[0].cost: unknown cost "token"`, `did you mean "tokens"?`},
		"cost sans weight":    {"budget:", "costs: [{cost: depth}]\nbudget:", "costs[0]: a cost without a weight", "give it a weight"},
		"cost of nothing":     {"budget:", "costs: [{cost: depth, weight: 0}]\nbudget:", "costs[0].weight: 0 costs nothing", "pareto"},
		"negative tokens":     {"{candidates: 10}", "{tokens: -1}", "budget.tokens: cannot be negative", ""},
		"gradient of one":     {"per: [expert, group]}", "per: [expert], gradient: 1}", "genes.weight.gradient: a gradient of 1 numbers", "5 numbers"},
		"endless gradient":    {"per: [expert, group]}", "per: [expert], gradient: 100000}", "genes.weight.gradient: a gradient of 100000 numbers, more than 64", "5 are usual"},
		"division twice":      {"per: [expert, group]", "per: [expert, expert]", `genes.weight.per: "expert" is listed twice`, ""},
		"step without end":    {"step: 0.01", "step: .inf", "genes.density.step: +Inf is wider than the range", "leave it out"},
		"step too wide":       {"step: 0.01", "step: 5", "genes.density.step: 5 is wider than the range from 0.1 to 1", "leave it out"},
		"step of nothing":     {"step: 0.01", "step: .nan", "genes.density.step: NaN is not a step", ""},
		"range without bound": {"min: 0, max: 1.5", "min: 0, max: .inf", "genes.weight: range without bounds: min 0, max +Inf", "for example"},
		"scale without step":  {"genes:", "path: {models: [merged, a], scale: {min: 0.5, max: 1, step: .inf}}\ngenes:", "path.scale.step: +Inf is wider", ""},
		"negative population": {"budget:", "algorithm: {population: -1}\nbudget:", "algorithm.population: cannot be negative", ""},
		"too many":            {"budget:", "algorithm: {population: 1000001}\nbudget:", "algorithm.population: 1000001 is above 1000000", ""},
		"timeout of ages":     {"budget:", "algorithm: {timeout: 1e12}\nbudget:", "algorithm.timeout: 1000000000000 is above 360000000", ""},
		"hours without end":   {"{candidates: 10}", "{hours: .inf}", "budget.hours: +Inf is above 100000", ""},
		"hours of ages":       {"{candidates: 10}", "{hours: 1e9}", "budget.hours: 1000000000 is above 100000", ""},
		"keep of nobody":      {"budget:", "race: {keep: 0}\nbudget:", "race.keep: 0 is not a share", ""},
		"keep of nothing":     {"budget:", "race: {keep: .nan}\nbudget:", "race.keep: NaN is not a share", ""},
		"constraint twice":    {"budget:", "constraints: [{task: a, keep: 0.9}, {task: a, keep: 0.8}]\nbudget:", "constraints[1].task: \"a\" has a constraint already", "one"},
		"one method block":    {"genes:", "method_blocks: 1\ngenes:", "method_blocks: 1 blocks", ""},
		"unknown module":      {"match: [\"layers.{layer}.mlp\"]", "modules: [mpl]", "groups[0].modules: unknown module", `did you mean "mlp"?`},
		"modules and match":   {"blocks: 2", "modules: [mlp]", "groups[0]: more than one of", ""},
		"broken regex":        {"match: [\"layers.{layer}.mlp\"]", "regex: '('", "groups[0].regex: missing closing )", ""},
		"path sans models":    {"genes:", "path: {skip: true}\ngenes:", "path.models: missing", ""},
		"misspelt path key":   {"genes:", "path: {models: [a, b], skp: true}\ngenes:", "skp: unknown key", `did you mean "skip"?`},
		"scale upside down":   {"genes:", "path: {models: [merged, a], scale: {min: 2, max: 1}}\ngenes:", "path.scale: range upside down", ""},
		"fold sans scale":     {"genes:", "path: {models: [merged, a], fold: [o_proj]}\ngenes:", "path.fold: there is no scale", ""},
		"second document":     {"budget: {candidates: 10}", "budget: {candidates: 10}\n---\na: 1", "more than one document", ""},
		"not YAML":            {"seed: 3", "seed: [3", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(good, c.old, c.new, 1)
			if text == good {
				t.Fatalf("the sample has no %q", c.old)
			}
			_, err := Parse([]byte(text))
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("got %v, want an input error", err)
			}
			if !strings.Contains(err.Error(), c.want) || !strings.Contains(in.Hint, c.hint) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %q, hint %q; want %q, hint %q", err, in.Hint, c.want, c.hint)
			}
		})
	}
}

// llama lists the tensors of a small model as groups see them.
func llama(layers int) []Tensor {
	out := []Tensor{{"model.embed_tokens.weight", -1, "embeddings"}}
	for k := range layers {
		for _, t := range []struct{ name, part string }{
			{"self_attn.q_proj.weight", "attention"},
			{"self_attn.q_norm.weight", "norms"},
			{"self_attn.o_proj.weight", "attention"},
			{"mlp.up_proj.weight", "mlp"},
			{"mlp.down_proj.weight", "mlp"},
			{"input_layernorm.weight", "norms"},
			{"post_attention_layernorm.weight", "norms"},
		} {
			out = append(out, Tensor{fmt.Sprintf("model.layers.%d.%s", k, t.name), k, t.part})
		}
	}
	return append(out, Tensor{"model.norm.weight", layers, "norms"}, Tensor{"lm_head.weight", layers, "head"})
}

func groupsOf(t *testing.T, groups string, layers int) ([]mergesearch.Group, error) {
	t.Helper()
	head, rest, _ := strings.Cut(good, "groups:")
	_, tail, _ := strings.Cut(rest, "tasks:")
	r, err := Parse([]byte(head + "groups:\n" + groups + "tasks:" + tail))
	if err != nil {
		t.Fatal(err)
	}
	return r.LayerGroups(layers, llama(layers))
}

// Modules and expressions become substrings of which the first that matches a tensor
// is of its own group; all modules need no rest.
func TestModulesBecomeFilters(t *testing.T) {
	for _, layers := range []int{2, 12} {
		groups, err := groupsOf(t, `
  - {name: "attention {block}", modules: [attention], blocks: 2}
  - {name: up, regex: 'mlp\.up'}
  - {name: mlp, modules: [mlp]}
  - {name: norms, modules: [norms]}
  - {name: ends, modules: [embeddings, head]}
`, layers)
		if err != nil {
			t.Fatal(err)
		}
		for _, tensor := range llama(layers) {
			want := map[string]string{"mlp": "mlp", "norms": "norms", "embeddings": "ends", "head": "ends"}[tensor.Part]
			switch {
			case tensor.Part == "attention":
				want = fmt.Sprintf("attention %d", tensor.Layer/(layers/2))
			case strings.Contains(tensor.Name, "mlp.up"):
				want = "up"
			}
			at := slices.IndexFunc(groups, func(g mergesearch.Group) bool {
				return len(g.Filters) == 0 || slices.ContainsFunc(g.Filters, func(f string) bool { return strings.Contains(tensor.Name, f) })
			})
			if groups[at].Name != want || !slices.Contains(groups[at].Layers, tensor.Layer) {
				t.Errorf("%d layers: %s is in %+v, want %s", layers, tensor.Name, groups[at], want)
			}
		}
		if f := groups[len(groups)-1].Filters; f != nil {
			t.Errorf("the last group has filters %q", f)
		}
		if f := groups[3].Filters; layers == 2 && !slices.Equal(f, []string{"mlp"}) {
			t.Errorf("mlp has filters %q", f)
		}
	}
}

func TestGroupsThatNoFilterCanSay(t *testing.T) {
	for groups, want := range map[string]string{
		"  - {name: last norm, regex: '^norm.weight$'}\n  - {name: rest}\n":                           "groups[0].regex: \"^norm.weight$\" means no tensor",
		"  - {name: norms, modules: [norms]}\n  - {name: more, modules: [norms]}\n  - {name: rest}\n": "groups[1].modules: \"norms\" means no tensor",
		"  - {name: bias, match: [bias]}\n  - {name: rest}\n":                                         "groups[0].match: \"bias\" matches no tensor",
		"  - {name: mlp, modules: [mlp]}\n  - {name: up, match: [up_proj]}\n  - {name: rest}\n":       "groups[1].match: \"up_proj\" matches no tensor",
	} {
		_, err := groupsOf(t, groups, 2)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", groups, err, want)
		}
	}
	if f, clash := filtersFor([]string{"norm.weight"}, []string{"layers.0.attention_norm.weight"}); clash != "norm.weight" {
		t.Errorf("filters %q, clash %q", f, clash)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(good))
	f.Add([]byte("name: x\ngenes: {weight: {min: .nan, max: 1}}\n"))
	f.Add([]byte("- a\n- b: {c: [1, 2]}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := Parse(data)
		if err != nil {
			var in *mergesearch.InputError
			if !errors.As(err, &in) {
				t.Fatalf("%v is not an input error", err)
			}
			return
		}
		if r.Name == "" || len(r.Experts) < 2 || len(r.Tasks) == 0 {
			t.Fatalf("accepted without its essentials: %+v", r)
		}
	})
}
