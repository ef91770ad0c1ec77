package eval

import (
	"fmt"
	"os"
	"path/filepath"
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
		_, later := notYet[e.key]
		if _, null := e.value.(*ast.NullNode); null && (ok || later) {
			continue // as good as absent
		}
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
