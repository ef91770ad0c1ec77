package eval

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"mergesearch"
)

// OutputType says how a task asks its questions, in the harness's words.
type OutputType string

// The ways of asking.
const (
	GenerateUntil  OutputType = "generate_until"  // the model writes an answer
	MultipleChoice OutputType = "multiple_choice" // log-likelihood of each choice
	LogLikelihood  OutputType = "loglikelihood"   // log-likelihood of one continuation
)

// config is a task file as written, with the harness's defaults filled in.
type config struct {
	name      string
	output    OutputType
	dataFiles map[string]string // split name to path
	dataAt    entry

	training, validation, test, fewshot splitName

	text, target, choice source
	description          source

	targetDelimiter, fewshotDelimiter string
	shots                             int
	shotsAt                           entry
	firstN                            bool // fewshot_config names the sampler first_n
	generation                        generation
	metrics                           []Metric
	metricsAt                         entry
}

// splitName is a reference to a key of data_files; its name is empty when the
// file does not give one.
type splitName struct {
	name string
	at   entry
}

// generation holds the harness's generation_kwargs.
type generation struct {
	until     []string
	maxTokens int
	given     bool // until was written
}

// notYet are keys of lm-evaluation-harness task files that this program knows of
// and cannot honour.
var notYet = map[string]string{
	"include":               "write the included keys into this file",
	"group":                 "list the tasks of a group in the run file",
	"task_list":             "",
	"group_alias":           "",
	"aggregate_metric_list": "give weights in the run file",
	"class":                 "",
	"custom_dataset":        "write the data to a JSONL file",
	"dataset_name":          "use dataset_path: json with local files under dataset_kwargs",
	"process_docs":          "prepare the data file instead",
	"process_results":       "use a metric of metric_list",
	"gen_prefix":            "",
	"use_prompt":            "",
	"doc_to_image":          "",
	"doc_to_audio":          "",
	"fewshot_indices":       "",
}

// inert are keys that the harness reads and that change no answer.
var inert = []string{"task_alias", "tag", "metadata", "should_decontaminate", "doc_to_decontamination_query"}

// readConfig reads a task file. Every error is an *InputError with the place.
func readConfig(file string) (*config, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, &mergesearch.InputError{File: file, Problem: "cannot read the task file: " + cause(err)}
	}
	c, err := parseConfig(text, filepath.Dir(file))
	return c, mergesearch.InFile(err, file)
}

// parseConfig reads the text of a task file; paths in it are relative to dir.
func parseConfig(text []byte, dir string) (*config, error) {
	entries, err := parseYAML(text)
	if err != nil {
		return nil, err
	}
	c := &config{
		targetDelimiter:  " ",
		fewshotDelimiter: "\n\n",
		output:           GenerateUntil,
		generation:       generation{maxTokens: 256},
	}
	readers := c.readers(dir)
	for _, e := range entries {
		read, ok := readers[e.key]
		if !ok {
			return nil, unknownKey(e, readers)
		}
		if err := read(e); err != nil {
			return nil, err
		}
	}
	if !c.generation.given {
		c.generation.until = []string{c.fewshotDelimiter}
	}
	return c, c.check()
}

// unknownKey tells a misspelt key from one that the harness has and we have not.
func unknownKey(e entry, readers map[string]func(entry) error) error {
	if hint, known := notYet[e.key]; known {
		return refuse(e.at, e.path, "this key of lm-evaluation-harness is not supported yet", hint)
	}
	var known []string
	for k := range readers {
		known = append(known, k)
	}
	for k := range notYet {
		known = append(known, k)
	}
	slices.Sort(known)
	return refuse(e.at, e.path, "unknown key", mergesearch.UnknownWord("key", e.key, known).Hint)
}

// readers has one function for each key that is understood.
func (c *config) readers(dir string) map[string]func(entry) error {
	split := func(to *splitName) func(entry) error {
		return func(e entry) (err error) {
			to.at = e
			if _, null := e.value.(*ast.NullNode); !null {
				to.name, err = e.text()
			}
			return err
		}
	}
	text := func(to *string) func(entry) error {
		return func(e entry) (err error) {
			*to, err = e.text()
			return err
		}
	}
	from := func(to *source) func(entry) error { return func(e entry) error { return to.read(e) } }
	r := map[string]func(entry) error{
		"task":              text(&c.name),
		"dataset_path":      datasetPath,
		"dataset_kwargs":    func(e entry) error { return c.readData(e, dir) },
		"training_split":    split(&c.training),
		"validation_split":  split(&c.validation),
		"test_split":        split(&c.test),
		"fewshot_split":     split(&c.fewshot),
		"output_type":       c.readOutputType,
		"doc_to_text":       from(&c.text),
		"doc_to_target":     from(&c.target),
		"doc_to_choice":     from(&c.choice),
		"description":       from(&c.description),
		"target_delimiter":  text(&c.targetDelimiter),
		"fewshot_delimiter": text(&c.fewshotDelimiter),
		"num_fewshot":       c.readShots,
		"fewshot_config":    c.readShotConfig,
		"generation_kwargs": c.readGeneration,
		"metric_list":       c.readMetrics,
		"filter_list":       readFilters,
		"repeats":           readRepeats,
		"unsafe_code":       readUnsafe,
	}
	for _, k := range inert {
		r[k] = func(entry) error { return nil }
	}
	return r
}

func datasetPath(e entry) error {
	path, err := e.text()
	switch {
	case err != nil:
		return err
	case path == "parquet" || path == "csv" || path == "text":
		return refuse(e.value, e.path, path+" files are not supported yet", "convert the data to JSONL and write dataset_path: json")
	case path != "json":
		return refuse(e.value, e.path, fmt.Sprintf("%q is not a local data set", path), "write dataset_path: json and name the files under dataset_kwargs: {data_files: {...}}")
	}
	return nil
}

func (c *config) readData(e entry, dir string) error {
	parts, err := mapping(e.value, e.path)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.key != "data_files" {
			return refuse(p.at, p.path, "unknown key", mergesearch.UnknownWord("key", p.key, []string{"data_files"}).Hint)
		}
		files, err := mapping(p.value, p.path)
		if err != nil {
			return err
		}
		c.dataAt, c.dataFiles = p, map[string]string{}
		for _, f := range files {
			path, err := f.text()
			if err != nil {
				return err
			}
			if !filepath.IsAbs(path) {
				path = filepath.Join(dir, path)
			}
			c.dataFiles[f.key] = path
		}
	}
	return nil
}

func (c *config) readOutputType(e entry) error {
	word, err := e.oneOf("output type", string(GenerateUntil), string(MultipleChoice), string(LogLikelihood), "loglikelihood_rolling")
	if err == nil && word == "loglikelihood_rolling" {
		return refuse(e.value, e.path, word+" is not supported yet", "")
	}
	c.output = OutputType(word)
	return err
}

func (c *config) readShots(e entry) (err error) {
	c.shotsAt = e
	c.shots, err = e.integer(0)
	return err
}

func (c *config) readShotConfig(e entry) error {
	parts, err := mapping(e.value, e.path)
	if err != nil {
		return err
	}
	for _, p := range parts {
		switch p.key {
		case "sampler":
			word, err := p.oneOf("sampler", "first_n", "default")
			if err != nil {
				return err
			}
			c.firstN = word == "first_n"
		case "split":
			c.fewshot.at = p
			if c.fewshot.name, err = p.text(); err != nil {
				return err
			}
		default:
			return refuse(p.at, p.path, "not supported yet", "known: sampler, split")
		}
	}
	return nil
}

func (c *config) readGeneration(e entry) error {
	parts, err := mapping(e.value, e.path)
	if err != nil {
		return err
	}
	known := []string{"until", "max_gen_toks", "temperature", "do_sample"}
	for _, p := range parts {
		switch p.key {
		case "until":
			c.generation.given = true
			c.generation.until, err = p.texts()
			if err == nil && slices.Contains(c.generation.until, "") {
				err = refuse(p.value, p.path, "an empty stop string would end every answer at once", "")
			}
		case "max_gen_toks":
			c.generation.maxTokens, err = p.integer(1)
		case "temperature":
			var x float64
			if x, err = p.number(); err == nil && x != 0 {
				err = refuse(p.value, p.path, "only greedy answers (temperature 0) are supported: others do not repeat", "")
			}
		case "do_sample":
			var b bool
			if b, err = p.boolean(); err == nil && b {
				err = refuse(p.value, p.path, "only greedy answers (do_sample: false) are supported: others do not repeat", "")
			}
		default:
			err = refuse(p.at, p.path, "unknown or unsupported key", mergesearch.UnknownWord("key", p.key, known).Hint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// readFilters accepts pipelines of take_first alone, which change nothing while
// each question is asked once.
func readFilters(e entry) error {
	pipelines, err := e.sequence()
	if err != nil {
		return err
	}
	if len(pipelines) > 1 {
		return refuse(pipelines[1].at, e.path, "a second filter pipeline is not supported yet", "")
	}
	for _, p := range pipelines {
		parts, err := mapping(p.value, p.path)
		if err != nil {
			return err
		}
		for _, part := range parts {
			switch part.key {
			case "name":
				_, err = part.text()
			case "filter":
				err = readFilterSteps(part)
			default:
				err = refuse(part.at, part.path, "unknown key", mergesearch.UnknownWord("key", part.key, []string{"name", "filter"}).Hint)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

func readFilterSteps(e entry) error {
	steps, err := e.sequence()
	if err != nil {
		return err
	}
	for _, s := range steps {
		parts, err := mapping(s.value, s.path)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if name, _ := p.text(); p.key != "function" || name != "take_first" {
				return refuse(p.at, p.path, fmt.Sprintf("filter %s: only the filter take_first is supported yet", nodeText(p.value)), "")
			}
		}
	}
	return nil
}

func readRepeats(e entry) error {
	n, err := e.integer(1)
	if err == nil && n > 1 {
		return refuse(e.value, e.path, "asking a question more than once is not supported: greedy answers repeat", "")
	}
	return err
}

func readUnsafe(e entry) error {
	unsafe, err := e.boolean()
	if err == nil && unsafe {
		return refuse(e.value, e.path, "running code that a model wrote is not supported", "")
	}
	return err
}

// check finds what single keys cannot show.
func (c *config) check() error {
	missing := func(key, hint string) error {
		return &mergesearch.InputError{Field: key, Problem: "missing", Hint: hint}
	}
	switch {
	case c.name == "":
		return missing("task", "give the task a name")
	case strings.ContainsAny(c.name, "/\n\t "):
		return &mergesearch.InputError{Field: "task", Problem: fmt.Sprintf("%q: a task name cannot hold spaces or slashes", c.name)}
	case len(c.dataFiles) == 0:
		return missing("dataset_kwargs.data_files", "name the data file of each split: {test: questions.jsonl}")
	case !c.text.given():
		return missing("doc_to_text", "name the column that holds the question")
	case !c.target.given():
		return missing("doc_to_target", "name the column that holds the answer")
	case c.output == MultipleChoice && !c.choice.given():
		return missing("doc_to_choice", "name the column that holds the choices, or switch output_type")
	case c.output != MultipleChoice && c.choice.given():
		return refuse(c.choice.at.at, "doc_to_choice", "has no meaning with output_type: "+string(c.output), "write output_type: multiple_choice")
	case c.shots > 0 && !c.firstN:
		return refuse(c.shotsAt.at, c.shotsAt.path, "only the sampler first_n is supported yet", "write fewshot_config: {sampler: first_n}")
	}
	return c.checkMetrics()
}
