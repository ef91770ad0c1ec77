package eval

import (
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"

	"mergesearch"
)

// The metrics that are understood, in the harness's words.
const (
	Acc        = "acc"         // the likeliest choice is the right one; for loglikelihood: greedy decoding gives the target
	AccNorm    = "acc_norm"    // the same after dividing by the choice's length in code points
	ExactMatch = "exact_match" // the answer equals the target
)

// Metric is one entry of metric_list. The first of a task is what
// mergesearch.Outcome.Value holds; the others appear in samples and reports.
type Metric struct {
	Name string

	// What exact_match does to both sides before it compares, in this order.
	ignore                        []*regexp2.Regexp // deleted
	ignoreCase, ignorePunctuation bool
	ignoreNumbers                 bool
}

// metricsOf lists the metrics of each output type; the first is the default.
var metricsOf = map[OutputType][]string{
	GenerateUntil:  {ExactMatch},
	MultipleChoice: {Acc, AccNorm},
	LogLikelihood:  {Acc},
}

// metricsElsewhere are metrics of the harness that are not supported yet.
var metricsElsewhere = []string{
	"acc_bytes", "acc_mutual_info", "acc_all", "bits_per_byte", "bleu", "brier_score", "byte_perplexity",
	"chrf", "f1", "likelihood", "mcc", "perplexity", "ter", "word_perplexity",
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
		return refuse(e.value, e.path, "the list is empty", "leave the key out for the default metrics")
	}
	return nil
}

func readMetric(item entry) (Metric, error) {
	var m Metric
	parts, err := mapping(item.value, item.path)
	if err != nil {
		return m, err
	}
	for _, p := range parts {
		switch p.key {
		case "metric":
			m.Name, err = p.oneOf("metric", append([]string{Acc, AccNorm, ExactMatch}, metricsElsewhere...)...)
		case "aggregation":
			_, err = p.oneOf("aggregation", "mean")
		case "higher_is_better":
			var up bool
			if up, err = p.boolean(); err == nil && !up {
				err = refuse(p.value, p.path, "fitness is always higher-is-better, and so is this metric", "write true")
			}
		case "ignore_case":
			m.ignoreCase, err = p.boolean()
		case "ignore_punctuation":
			m.ignorePunctuation, err = p.boolean()
		case "ignore_numbers":
			m.ignoreNumbers, err = p.boolean()
		case "regexes_to_ignore":
			m.ignore, err = readRegexes(p)
		default:
			known := []string{"metric", "aggregation", "higher_is_better", "ignore_case", "ignore_punctuation", "ignore_numbers", "regexes_to_ignore"}
			err = refuse(p.at, p.path, "unknown or unsupported key", mergesearch.UnknownWord("key", p.key, known).Hint)
		}
		if err != nil {
			return m, err
		}
	}
	if m.Name == "" {
		return m, refuse(item.at, item.path, "the key metric: is missing", "")
	}
	return m, nil
}

func readRegexes(e entry) ([]*regexp2.Regexp, error) {
	patterns, err := e.texts()
	if err != nil {
		return nil, err
	}
	var out []*regexp2.Regexp
	for _, p := range patterns {
		r, err := regexp2.Compile(p, regexp2.None)
		if err != nil {
			return nil, refuse(e.value, e.path, "not a regular expression: "+err.Error(), "")
		}
		r.MatchTimeout = matchTimeout
		out = append(out, r)
	}
	return out, nil
}

// checkMetrics fills in the defaults and refuses metrics that do not go with the
// output type.
func (c *config) checkMetrics() error {
	known := metricsOf[c.output]
	if len(c.metrics) == 0 {
		for _, name := range known {
			c.metrics = append(c.metrics, Metric{Name: name})
		}
	}
	seen := map[string]bool{}
	for _, m := range c.metrics {
		fits := false
		for _, k := range known {
			fits = fits || k == m.Name
		}
		switch {
		case !fits:
			return refuse(c.metricsAt.at, c.metricsAt.path, m.Name+" is not supported with output_type: "+string(c.output), "supported: "+strings.Join(known, ", "))
		case seen[m.Name]:
			return refuse(c.metricsAt.at, c.metricsAt.path, m.Name+" is listed twice", "")
		}
		seen[m.Name] = true
	}
	return nil
}

// exact compares an answer with the targets as the harness's exact_match does:
// after the deletions that the task asks for, and without trimming anything, so
// an answer with a space in front is another answer.
func (m Metric) exact(answer string, targets []string) (bool, error) {
	a, err := m.normal(answer)
	if err != nil {
		return false, err
	}
	for _, t := range targets {
		b, err := m.normal(t)
		if err != nil {
			return false, err
		}
		if a == b {
			return true, nil
		}
	}
	return false, nil
}

// normal applies, in the harness's order: regexes, case, punctuation, numbers.
func (m Metric) normal(s string) (string, error) {
	for _, r := range m.ignore {
		var err error
		if s, err = r.Replace(s, "", -1, -1); err != nil {
			return "", err
		}
	}
	if m.ignoreCase {
		s = strings.ToLower(s)
	}
	if m.ignorePunctuation {
		s = deleteRunes(s, "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
	}
	if m.ignoreNumbers {
		s = deleteRunes(s, "0123456789")
	}
	return s, nil
}

func deleteRunes(s, set string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(set, r) {
			return -1
		}
		return r
	}, s)
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

// perCharacter divides each choice's log-likelihood by its length in code points
// (not bytes, whatever papers say: the harness uses Python's len).
func perCharacter(scores []float64, choices []string) []float64 {
	out := make([]float64, len(scores))
	for i, s := range scores {
		out[i] = s / float64(utf8.RuneCountInString(choices[i]))
	}
	return out
}
