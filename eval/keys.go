package eval

import (
	"slices"

	"mergesearch"
)

// unsupported are keys of lm-evaluation-harness task files that this program
// knows of and cannot honour, with what to do instead.
var unsupported = map[string]string{
	"group":                 "this is a group: list its tasks, or name the group file where tasks are listed",
	"task_list":             "write one file for each task",
	"group_alias":           "",
	"aggregate_metric_list": "",
	"class":                 "it names Python code",
	"custom_dataset":        "write the data to a JSONL file",
	"use_prompt":            "write the template under doc_to_text",
	"doc_to_image":          "",
	"doc_to_audio":          "",
	"fewshot_indices":       "",
}

// inert are keys that the harness reads and that change no answer.
var inert = []string{"task_alias", "tag", "metadata", "should_decontaminate", "doc_to_decontamination_query"}

// unknownKey tells a misspelt key from one that the harness has and we have not.
func unknownKey(e entry, readers map[string]func(entry) error) error {
	if hint, known := unsupported[e.key]; known {
		return e.refuseKey("this key of lm-evaluation-harness is not supported", hint)
	}
	var known []string
	for k := range readers {
		known = append(known, k)
	}
	for k := range unsupported {
		known = append(known, k)
	}
	slices.Sort(known)
	return e.refuseKey("unknown key", mergesearch.UnknownWord("key", e.key, known).Hint)
}

// readers has one function for each key that is understood.
func (c *config) readers() map[string]func(entry) error {
	split := func(to *splitName) func(entry) error {
		return func(e entry) (err error) {
			to.at = e
			to.name, err = e.text()
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
	run := func(to *function) func(entry) error {
		return func(e entry) error {
			to.at = e
			return nil
		}
	}
	r := map[string]func(entry) error{
		"task":              text(&c.name),
		"dataset_path":      c.data.readPath,
		"dataset_name":      c.data.readName,
		"dataset_kwargs":    func(e entry) error { return c.data.readFiles(e, c.dir) },
		"training_split":    split(&c.training),
		"validation_split":  split(&c.validation),
		"test_split":        split(&c.test),
		"fewshot_split":     split(&c.shot.split),
		"output_type":       c.readOutputType,
		"process_docs":      run(&c.processDocs),
		"doc_to_text":       from(&c.text),
		"doc_to_target":     from(&c.target),
		"doc_to_choice":     from(&c.choice),
		"description":       from(&c.description),
		"gen_prefix":        from(&c.genPrefix),
		"process_results":   run(&c.processResults),
		"target_delimiter":  text(&c.targetDelimiter),
		"fewshot_delimiter": text(&c.fewshotDelimiter),
		"num_fewshot":       c.readShots,
		"fewshot_config":    c.shot.read,
		"generation_kwargs": c.readGeneration,
		"metric_list":       c.readMetrics,
		"filter_list":       c.readFilters,
		"repeats":           c.readRepeats,
		"unsafe_code":       c.readUnsafe,
		"scorer":            c.readScorer,
		"judge":             c.readJudge,
	}
	for _, k := range inert {
		r[k] = func(entry) error { return nil }
	}
	return r
}
