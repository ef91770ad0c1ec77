package eval

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"mergesearch"
	"mergesearch/eval/metric"
	"mergesearch/eval/port"
	"mergesearch/eval/python"
)

// The metrics that are understood, in the harness's words.
const (
	Acc            = "acc"             // the likeliest choice is right; for loglikelihood: greedy decoding gives the target
	AccNorm        = "acc_norm"        // the same after dividing by the choice's length in code points
	AccBytes       = "acc_bytes"       // the same after dividing by its length in bytes of UTF-8
	AccMutualInfo  = "acc_mutual_info" // the same after subtracting the choice's likelihood without the question
	ExactMatch     = "exact_match"     // the answer equals the target; for choices: greedy decoding gives the right one
	BrierScore     = "brier_score"     // squared distance between the choices' probabilities and the truth, 0 to 2
	F1             = "f1"              // of the chosen indices, over all items
	MCC            = "mcc"             // Matthews correlation of the chosen indices, over all items
	Perplexity     = "perplexity"      // exp(-mean log-likelihood) per document
	WordPerplexity = "word_perplexity"
	BytePerplexity = "byte_perplexity"
	BitsPerByte    = "bits_per_byte"
	BLEU           = "bleu"   // over all items, 0 to 100
	ChrF           = "chrf"   // over all items, 0 to 100
	TER            = "ter"    // over all items, in edits per hundred words
	PassAtK        = "pass@k" // chance that one of k answers is right, estimated from all
	Scored         = "score"  // what the task's scorer or judge says
)

// Metric is one entry of metric_list, for one of the task's filter pipelines. The
// first of a task steers a search: mergesearch.Outcome.Value is what one item adds
// to it.
type Metric struct {
	Name   string
	Filter string // name of the pipeline; "none" where the task file has no filters

	aggregation string   // the harness's name
	aggregate   function // instead of aggregation
	at          entry
	k           int  // of pass@k
	lower       bool // a lower value is better, as the task file says of a ported metric

	normal metric.Normalizer // of exact_match
}

// Key names the metric in reports: by its pipeline too where there are several,
// as the harness does.
func (m Metric) Key() string {
	if m.Filter == plainPipeline || m.Filter == "" {
		return m.Name
	}
	return m.Name + "," + m.Filter
}

// mark is what one item adds to a metric.
type mark struct {
	value  float64 // of the item alone, in [0, 1], higher is better: for a search
	number float64 // what the aggregation adds up
	weight float64 // of number, in weighted aggregations

	gold, predicted int       // f1, mcc, brier_score
	probabilities   []float64 // brier_score
	references      []string  // bleu, chrf, ter
	text            string    // bleu, chrf, ter
	ported          port.Mark // of a ported process_results
}

// plainMark is the mark of a metric that is averaged as it is.
func plainMark(x float64) mark { return mark{value: x, number: x} }

// metricKind says where a metric may stand and how items are put together unless
// the task file says otherwise.
type metricKind struct {
	outputs     []OutputType
	aggregation string
	lower       bool // a lower value is better
}

var metricKinds = map[string]metricKind{
	Acc:            {outputs: []OutputType{MultipleChoice, LogLikelihood}, aggregation: "mean"},
	AccNorm:        {outputs: []OutputType{MultipleChoice}, aggregation: "mean"},
	AccBytes:       {outputs: []OutputType{MultipleChoice}, aggregation: "mean"},
	AccMutualInfo:  {outputs: []OutputType{MultipleChoice}, aggregation: "mean"},
	ExactMatch:     {outputs: []OutputType{GenerateUntil, MultipleChoice}, aggregation: "mean"},
	BrierScore:     {outputs: []OutputType{MultipleChoice}, aggregation: "brier_score", lower: true},
	F1:             {outputs: []OutputType{MultipleChoice}, aggregation: "f1"},
	MCC:            {outputs: []OutputType{MultipleChoice}, aggregation: "matthews_corrcoef"},
	Perplexity:     {outputs: []OutputType{LogLikelihood}, aggregation: "perplexity", lower: true},
	WordPerplexity: {outputs: []OutputType{Rolling}, aggregation: "weighted_perplexity", lower: true},
	BytePerplexity: {outputs: []OutputType{Rolling}, aggregation: "weighted_perplexity", lower: true},
	BitsPerByte:    {outputs: []OutputType{Rolling}, aggregation: "bits_per_byte", lower: true},
	BLEU:           {outputs: []OutputType{GenerateUntil}, aggregation: "bleu"},
	ChrF:           {outputs: []OutputType{GenerateUntil}, aggregation: "chrf"},
	TER:            {outputs: []OutputType{GenerateUntil}, aggregation: "ter", lower: true},
	PassAtK:        {outputs: []OutputType{GenerateUntil}, aggregation: "mean"},
	Scored:         {outputs: []OutputType{GenerateUntil}, aggregation: "mean"},
}

// defaultMetrics are those of a task file without metric_list.
var defaultMetrics = map[OutputType][]string{
	GenerateUntil:  {ExactMatch},
	MultipleChoice: {Acc, AccNorm},
	LogLikelihood:  {Perplexity, Acc},
	Rolling:        {WordPerplexity, BytePerplexity, BitsPerByte},
}

// metricsElsewhere are metrics of the harness that are not supported.
var metricsElsewhere = []string{"acc_all", "likelihood", "bypass", "code_eval"}

func metricNames(of OutputType) []string {
	var names []string
	for name, kind := range metricKinds {
		if of == "" || slices.Contains(kind.outputs, of) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

func (c *config) readMetrics(e entry) error {
	c.metricsAt = e
	list, err := e.sequence()
	if err != nil {
		return err
	}
	for _, item := range list {
		m, err := readMetric(item)
		if err != nil {
			return err
		}
		c.metrics = append(c.metrics, m)
	}
	if len(c.metrics) == 0 {
		return e.refuse("the list is empty", "leave the key out for the default metrics")
	}
	return nil
}

func readMetric(item entry) (Metric, error) {
	m := Metric{at: item}
	var up entry
	var higher bool
	parts, err := item.mapping()
	if err != nil {
		return m, err
	}
	for _, p := range parts {
		switch p.key {
		case "metric":
			if name, ok := p.function(); ok {
				err = p.refuse("there is no port of the Python function "+name, "metrics: "+strings.Join(metricNames(""), ", "))
			} else {
				m.at = p
				m.Name, err = p.text()
			}
		case "aggregation":
			if _, ok := p.function(); ok {
				m.aggregate.at = p
			} else {
				m.aggregation, err = p.oneOf("aggregation", aggregationNames()...)
			}
		case "higher_is_better":
			up = p
			higher, err = p.boolean()
		case "hf_evaluate":
			var loaded bool
			if loaded, err = p.boolean(); err == nil && loaded {
				err = p.refuse("metrics of the evaluate library are not loaded", "leave it out where the metric is one of: "+strings.Join(metricNames(""), ", "))
			}
		case "k":
			m.k, err = p.integer(1)
		case "ignore_case":
			m.normal.IgnoreCase, err = p.boolean()
		case "ignore_punctuation":
			m.normal.IgnorePunctuation, err = p.boolean()
		case "ignore_numbers":
			m.normal.IgnoreNumbers, err = p.boolean()
		case "regexes_to_ignore":
			m.normal.Ignore, err = readRegexes(p)
		default:
			known := []string{"metric", "aggregation", "higher_is_better", "hf_evaluate", "k", "ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"}
			err = p.refuseKey("unknown or unsupported key", mergesearch.UnknownWord("key", p.key, known).Hint)
		}
		if err != nil {
			return m, err
		}
	}
	if m.Name == "" {
		return m, item.refuse("the key metric: is missing", "")
	}
	m.lower = up.value != nil && !higher
	if kind, known := metricKinds[m.Name]; known && up.value != nil && higher == kind.lower {
		return m, up.refuse(fmt.Sprintf("%v is wrong for %s", higher, m.Name), "leave it out: it is known")
	}
	return m, nil
}

func readRegexes(e entry) ([]*python.Regex, error) {
	patterns, err := e.texts()
	if err != nil {
		return nil, err
	}
	var out []*python.Regex
	for _, p := range patterns {
		r, err := python.Compile(p)
		if err != nil {
			return nil, e.refuse("not a regular expression of Python: "+err.Error(), "")
		}
		out = append(out, r)
	}
	return out, nil
}

// checkMetrics fills in the defaults, refuses metrics that do not go with the
// output type, and makes one of each for every pipeline. With process_results the
// names are the function's own.
func (c *config) checkMetrics() error {
	if len(c.metrics) == 0 {
		names := defaultMetrics[c.output]
		if c.scorer != nil || c.judge != nil {
			names = []string{Scored}
		}
		for _, name := range names {
			c.metrics = append(c.metrics, Metric{Name: name, at: c.metricsAt})
		}
	}
	seen := map[string]bool{}
	for i := range c.metrics {
		m := &c.metrics[i]
		kind, known := metricKinds[m.Name]
		in := mergesearch.UnknownWord("metric", m.Name, append(metricNames(""), metricsElsewhere...))
		switch {
		case seen[m.Name]:
			return c.metricsAt.refuse(m.Name+" is listed twice", "")
		case c.processResults.given():
			// whatever it returns, averaged unless the file says otherwise
		case !known && slices.Contains(metricsElsewhere, m.Name):
			return m.at.refuse("the metric "+m.Name+" is not supported", "supported: "+strings.Join(metricNames(c.output), ", "))
		case !known:
			return m.at.refuse(fmt.Sprintf("unknown metric %q", m.Name), in.Hint)
		case !slices.Contains(kind.outputs, c.output):
			return m.at.refuse(m.Name+" is not supported with output_type: "+string(c.output), "supported: "+strings.Join(metricNames(c.output), ", "))
		case m.Name == Scored && c.scorer == nil && c.judge == nil:
			return m.at.refuse("the metric score needs a scorer or a judge", "name the program, scorer: {command: [...]}, or describe the model, judge: {url: ..., model: ...}")
		case m.Name == PassAtK && (m.k == 0 || m.k > c.repeats):
			return m.at.refuse(fmt.Sprintf("pass@k needs k, from 1 to the number of repeats (%d)", c.repeats), "for example k: 1, and repeats: 10 beside metric_list")
		}
		if m.aggregation == "" && !m.aggregate.given() {
			m.aggregation = kind.aggregation
			if !known {
				m.aggregation = "mean"
			}
		}
		if err := c.checkAggregation(m, kind); err != nil {
			return err
		}
		seen[m.Name] = true
	}
	var all []Metric
	for _, p := range c.pipelines {
		for _, m := range c.metrics {
			m.Filter = p.name
			all = append(all, m)
		}
	}
	c.metrics = all
	return nil
}

// likeliest returns the index of the largest score, the first one on ties.
func likeliest(scores []float64) int {
	best := 0
	for i, s := range scores {
		if s > scores[best] {
			best = i
		}
	}
	return best
}

// perLength divides each choice's log-likelihood by its length: in code points
// for acc_norm, whatever papers say (the harness uses Python's len), in bytes for
// acc_bytes.
func perLength(scores []float64, choices []string, length func(string) int) []float64 {
	out := make([]float64, len(scores))
	for i, s := range scores {
		out[i] = s / float64(length(choices[i]))
	}
	return out
}

func codePoints(s string) int { return utf8.RuneCountInString(s) }

func bytesOf(s string) int { return len(s) }
