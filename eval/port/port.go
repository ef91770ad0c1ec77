package port

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Fields is a document of a data file by column: nil, bool, int64, float64, string,
// []any, map[string]any.
type Fields = map[string]any

// Answers is what a model answered to one item: for each choice or continuation its
// log-likelihood (in nats) and whether it was the greedy one, or the texts that it
// generated, filtered.
type Answers struct {
	LogLikelihoods []float64
	Greedy         []bool
	Texts          []string
}

// Mark is what one item adds to a metric: its Value; the Weight of a weighted mean (0:
// none); the Values of a mean over parts of items, such as instructions.
type Mark struct {
	Value, Weight float64
	Values        []float64
}

// Function is a native port. Exactly one of the fields below Name is set.
type Function struct {
	Name string // "hellaswag/utils.process_docs"

	// Docs maps or filters the documents of a split, also those of the shots.
	Docs func([]Fields) ([]Fields, error)
	// Value is a question, a target or a list of choices: int64, string or []any.
	Value func(Fields) (any, error)
	// Results scores the answers to one document, by metric.
	Results func(Fields, Answers) (map[string]Mark, error)
	// Aggregation joins the marks of a metric; NaN without any.
	Aggregation func([]Mark) float64
	// Filter makes a step of a filter_list from its arguments; an argument that is a
	// mapping comes as []Pair, in the file's order. The step takes the answers to one
	// document.
	Filter func(arguments map[string]any) (func(Fields, []string) ([]string, error), error)
}

// family is the code beside the task files of one directory.
type family struct {
	name      string         // the directory's path below the harness's tasks
	tasks     *regexp.Regexp // the names of its tasks, for task files in another place
	functions []Function     // named without the family
}

var families = []family{
	bbhCoTZeroShot, bbhZeroShot, copa, crowsPairs, drop, gpqaZeroShot, gpqaFewShot, gpqaGenerative,
	gpqaCoTZeroShot, gpqaCoTFewShot, hellaswag, hendrycksMath, ifeval, leaderboardGPQA, leaderboardMMLUPro,
	leaderboardMuSR, logiqa, logiqa2, mathqa, medqa, mmluPro, mnli, pubmedqa, race, toxigen, truthfulqa,
	webqs, wikitext, winogrande, xwinograd,
}

// named matches a task's whole name.
func named(pattern string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + pattern + `)$`) }

// Lookup finds the port for "!function name" ("utils.process_docs") in a task file. The
// family is told by the task's name, if it is one of the harness's, else by the last
// parts of dir, the directory of the file that names the function ("hellaswag",
// "tasks/gpqa/zeroshot"). ok is false for what is not ported.
func Lookup(task, dir, name string) (f Function, ok bool) {
	for i := range families {
		if families[i].tasks.MatchString(task) {
			if f, ok := families[i].function(name); ok {
				return f, true
			}
		}
	}
	var best *family
	path := "/" + strings.Trim(filepath.ToSlash(filepath.Clean(dir)), "/")
	for i := range families {
		if strings.HasSuffix(path, "/"+families[i].name) && (best == nil || len(families[i].name) > len(best.name)) {
			best = &families[i]
		}
	}
	if best == nil {
		return Function{}, false
	}
	return best.function(name)
}

func (m *family) function(name string) (Function, bool) {
	for _, f := range m.functions {
		if f.Name == name {
			f.Name = m.name + "/" + name
			return f, true
		}
	}
	return Function{}, false
}

// Names lists every port, sorted: "drop/utils.process_docs", ...
func Names() []string {
	var out []string
	for _, m := range families {
		for _, f := range m.functions {
			out = append(out, m.name+"/"+f.Name)
		}
	}
	slices.Sort(out)
	return out
}
