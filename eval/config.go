package eval

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/eval/port"
)

// OutputType says how a task asks its questions, in the harness's words.
type OutputType string

// The ways of asking.
const (
	GenerateUntil  OutputType = "generate_until"        // the model writes an answer
	MultipleChoice OutputType = "multiple_choice"       // log-likelihood of each choice
	LogLikelihood  OutputType = "loglikelihood"         // log-likelihood of one continuation
	Rolling        OutputType = "loglikelihood_rolling" // log-likelihood of a whole text
)

// config is a task file as written, with the harness's defaults filled in.
type config struct {
	name string
	dir  string // of the task file

	included []string // files that keys came from, beside the task file

	output OutputType
	data   dataSource

	training, validation, test splitName

	text, target, choice   source
	description, genPrefix source
	processDocs            function
	processResults         function

	targetDelimiter, fewshotDelimiter string
	shots                             int
	shotsAt                           entry
	shot                              shotConfig
	generation                        generation
	repeats                           int
	repeatsAt                         entry
	pipelines                         []pipeline
	metrics                           []Metric
	metricsAt                         entry
	scorer                            *scorerConfig // nil: none
	judge                             *judgeConfig  // nil: none
	unsafeAt                          entry         // unsafe_code: true
}

// splitName is a reference to a split of the data; its name is empty when the
// file does not give one.
type splitName struct {
	name string
	at   entry
}

// function is a Python function that the task file names and that this program
// has a port of; resolved when the whole file is read.
type function struct {
	at   entry
	port *port.Function
}

func (f *function) given() bool { return f.at.value != nil }

// readConfig reads a task file. Every error is an *InputError with the place.
func readConfig(file string) (*config, error) {
	entries, err := readEntries(file)
	if err != nil {
		return nil, err
	}
	c, err := parseConfig(entries, filepath.Dir(file))
	return c, mergesearch.InFile(err, file)
}

// parseConfig reads the keys of a task file; paths in it are relative to dir,
// or to the file that an entry stands in.
func parseConfig(entries []entry, dir string) (*config, error) {
	c := &config{
		dir:              dir,
		targetDelimiter:  " ",
		fewshotDelimiter: "\n\n",
		output:           GenerateUntil,
		generation:       generation{maxTokens: 256},
		repeats:          1,
	}
	readers := c.readers()
	for _, e := range entries {
		if e.file != "" && !slices.Contains(c.included, e.file) {
			c.included = append(c.included, e.file)
		}
		read, ok := readers[e.key]
		_, never := unsupported[e.key]
		if isNull(e) && (ok || never) {
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
	if len(c.pipelines) == 0 {
		c.pipelines = []pipeline{{name: plainPipeline, steps: []filterStep{takeFirst}}}
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, c.resolve()
}

func (c *config) readOutputType(e entry) error {
	word, err := e.oneOf("output type", string(GenerateUntil), string(MultipleChoice), string(LogLikelihood), string(Rolling))
	c.output = OutputType(word)
	return err
}

func (c *config) readShots(e entry) (err error) {
	c.shotsAt = e
	c.shots, err = e.integer(0)
	return err
}

func (c *config) readRepeats(e entry) (err error) {
	c.repeatsAt = e
	c.repeats, err = e.integer(1)
	return err
}

func (c *config) readUnsafe(e entry) error {
	unsafe, err := e.boolean()
	if unsafe {
		c.unsafeAt = e
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
	case c.data.missing():
		return missing("dataset_path", "json, csv or parquet, with the files under dataset_kwargs: {data_files: {test: questions.jsonl}}, or the name of a data set in the hub cache")
	case !c.text.given() && c.output != Rolling:
		return missing("doc_to_text", "name the column that holds the question")
	case !c.target.given():
		return missing("doc_to_target", "name the column that holds the answer")
	case c.output == MultipleChoice && !c.choice.given():
		return missing("doc_to_choice", "name the column that holds the choices, or switch output_type")
	case (c.output == LogLikelihood || c.output == Rolling) && c.choice.given():
		return c.choice.at.refuseKey("has no meaning with output_type: "+string(c.output), "write output_type: multiple_choice")
	case c.unsafeAt.value != nil && c.scorer == nil:
		return c.unsafeAt.refuse("code that a model wrote is not run in this program", "name a program that scores the answers: scorer: {command: [...]}")
	case c.scorer != nil && c.output != GenerateUntil:
		return c.scorer.at.refuse("a scorer has no meaning with output_type: "+string(c.output), "write output_type: generate_until")
	case c.output == Rolling && c.shots > 0:
		return c.shotsAt.refuse("the likelihood of whole texts takes no examples", "")
	}
	if err := c.checkRepeats(); err != nil {
		return err
	}
	if err := c.checkJudge(); err != nil {
		return err
	}
	return c.checkMetrics()
}

// checkJudge refuses a judge that has nothing to do.
func (c *config) checkJudge() error {
	uses := func(m Metric) bool { return m.Name == Scored || m.Name == PassAtK }
	switch {
	case c.judge == nil:
		return nil
	case c.scorer != nil:
		return c.judge.at.refuseKey("the task has a scorer too", "leave one of them out")
	case c.output != GenerateUntil:
		return c.judge.at.refuseKey("a judge has no meaning with output_type: "+string(c.output), "write output_type: generate_until")
	case c.processResults.given():
		return c.judge.at.refuseKey("process_results scores the answers already", "leave one of them out")
	case len(c.metrics) > 0 && !slices.ContainsFunc(c.metrics, uses):
		return c.metricsAt.refuse("no metric uses the judge's grades", "add {metric: score}, or leave metric_list out")
	}
	return nil
}

// checkRepeats refuses what asks one thing several times for nothing, or needs
// several answers and gets one.
func (c *config) checkRepeats() error {
	need := 1
	for _, p := range c.pipelines {
		need = max(need, p.needs())
		if c.output != GenerateUntil && !p.plain() {
			return p.at.refuse("only take_first goes with output_type: "+string(c.output), "")
		}
	}
	switch {
	case need > c.repeats:
		return c.pipelines[0].at.refuse(fmt.Sprintf("a filter needs %d answers to a question, repeats gives %d", need, c.repeats), fmt.Sprintf("write repeats: %d", need))
	case c.repeats > 1 && c.output != GenerateUntil:
		return c.repeatsAt.refuse("log-likelihoods are the same each time", "leave it out")
	case c.repeats > 1 && c.generation.temperature == 0:
		return c.repeatsAt.refuse(fmt.Sprintf("%d greedy answers to a question are the same", c.repeats), "give generation_kwargs a temperature and do_sample: true, or leave repeats out")
	}
	return nil
}

// resolve finds the ports of the functions that the file names.
func (c *config) resolve() error {
	functions := []*function{
		&c.processDocs, &c.processResults, &c.shot.processDocs, &c.text.function, &c.target.function, &c.choice.function,
		&c.description.function, &c.genPrefix.function, &c.shot.text.function, &c.shot.target.function, &c.shot.choice.function,
		&c.shot.genPrefix.function,
	}
	for i := range c.metrics {
		functions = append(functions, &c.metrics[i].aggregate)
	}
	for _, f := range functions {
		if err := f.resolve(c); err != nil {
			return err
		}
	}
	for i := range c.pipelines {
		for k := range c.pipelines[i].steps {
			if err := c.pipelines[i].steps[k].resolve(c); err != nil {
				return err
			}
		}
	}
	if p := c.processResults.port; p != nil && p.Results == nil {
		return c.processResults.at.refuse(p.Name+" does not score answers", "")
	}
	return nil
}

func (f *function) resolve(c *config) error {
	if !f.given() {
		return nil
	}
	name, ok := f.at.function()
	if !ok {
		return f.at.refuse("want a function, found "+kindOf(f.at.value), "")
	}
	dir := c.dir
	if f.at.file != "" {
		dir = filepath.Dir(f.at.file)
	}
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	p, ok := port.Lookup(c.name, dir, name)
	if !ok {
		return f.at.refuse("there is no port of the Python function "+name, "prepare the data so that columns and templates suffice; ports: "+strings.Join(port.Names(), ", "))
	}
	f.port = &p
	return nil
}
