package eval

import (
	"slices"

	"mergesearch"
)

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
