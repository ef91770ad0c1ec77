package eval

import (
	"fmt"
	"math"
	"slices"

	"mergesearch"
	"mergesearch/eval/metric"
	"mergesearch/eval/port"
)

// aggregation puts the marks of a task's items together: value and standard error,
// which is NaN where none is defined.
type aggregation func(marks []mark, withError bool) (Estimate, error)

// aggregations by the harness's names.
var aggregations = map[string]aggregation{
	"mean": func(marks []mark, _ bool) (Estimate, error) {
		xs := numbers(marks)
		stderr, ok := metric.MeanStderr(xs)
		return estimate(metric.Mean(xs), stderr, ok), nil
	},
	"nanmean":    statisticOf(metric.NanMean),
	"median":     statisticOf(metric.Median),
	"perplexity": statisticOf(metric.Perplexity),
	"weighted_perplexity": func(marks []mark, _ bool) (Estimate, error) {
		return estimate(metric.WeightedPerplexity(numbers(marks), weights(marks)), 0, false), nil
	},
	"bits_per_byte": func(marks []mark, _ bool) (Estimate, error) {
		return estimate(metric.BitsPerByte(numbers(marks), weights(marks)), 0, false), nil
	},
	"brier_score": func(marks []mark, _ bool) (Estimate, error) {
		gold, _ := labels(marks)
		var probabilities [][]float64
		for _, k := range marks {
			probabilities = append(probabilities, k.probabilities)
		}
		b, err := metric.Brier(gold, probabilities)
		return estimate(b, 0, false), err
	},
	"f1": func(marks []mark, withError bool) (Estimate, error) {
		s, err := metric.F1(labels(marks))
		return resampled(s, err, metric.Iterations, withError)
	},
	"matthews_corrcoef": func(marks []mark, withError bool) (Estimate, error) {
		return resampled(metric.MCC(labels(marks)), nil, metric.Iterations, withError)
	},
	"bleu": translationsOf(metric.BLEU),
	"chrf": translationsOf(metric.ChrF),
	"ter":  translationsOf(metric.TER),
}

// needs says what an aggregation takes of each item: only metrics that give it can be
// put together so.
var needs = map[string]string{
	"mean": "a number", "nanmean": "a number", "median": "a number", "perplexity": "a number",
	"weighted_perplexity": "a number with a size", "bits_per_byte": "a number with a size",
	"brier_score": "probabilities", "f1": "labels", "matthews_corrcoef": "labels",
	"bleu": "texts", "chrf": "texts", "ter": "texts",
}

// checkAggregation refuses one that the metric gives nothing for.
func (c *config) checkAggregation(m *Metric, kind metricKind) error {
	if m.aggregate.given() {
		return nil
	}
	need := needs[m.aggregation]
	fits := need == needs[kind.aggregation]
	if c.processResults.given() {
		fits = need == "a number" || need == "a number with a size"
	}
	if !fits {
		return m.at.refuse(fmt.Sprintf("aggregation %s takes %s of each item, which %s does not give", m.aggregation, need, m.Name), "leave aggregation out")
	}
	return nil
}

// checkTotals refuses, before anything is asked, questions that the aggregation of a
// metric could not put together in the end.
func (l *loading) checkTotals() error {
	for i := range l.task.Metrics {
		m := &l.task.Metrics[i]
		if l.task.results != nil || m.aggregation != "f1" && m.aggregation != "brier_score" {
			continue
		}
		for k := range l.task.questions {
			q, first := &l.task.questions[k], &l.task.questions[0]
			switch {
			case m.aggregation == "f1" && len(q.choices) != 2:
				return &mergesearch.InputError{File: q.file, Line: q.line, Field: l.choice.field(), Problem: fmt.Sprintf("%d choices: f1 is for two", len(q.choices)), Hint: "take the metric mcc, or acc"}
			case len(q.choices) != len(first.choices):
				return &mergesearch.InputError{File: q.file, Line: q.line, Field: l.choice.field(), Problem: fmt.Sprintf("%d choices, the first question has %d: brier_score wants the same number", len(q.choices), len(first.choices)), Hint: "take the metric acc"}
			}
		}
	}
	return nil
}

func aggregationNames() []string {
	var names []string
	for name := range aggregations {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

func estimate(value, stderr float64, ok bool) Estimate {
	if !ok {
		stderr = math.NaN()
	}
	return Estimate{value, stderr}
}

// resampled is a statistic with the harness's bootstrap behind its error.
func resampled(s metric.Statistic, err error, iterations int, withError bool) (Estimate, error) {
	if err != nil {
		return Estimate{}, err
	}
	if !withError {
		return estimate(s.Value(), 0, false), nil
	}
	stderr, ok := s.Stderr(iterations, 0)
	return estimate(s.Value(), stderr, ok), nil
}

func statisticOf(of func([]float64) metric.Statistic) aggregation {
	return func(marks []mark, withError bool) (Estimate, error) {
		return resampled(of(numbers(marks)), nil, metric.Iterations, withError)
	}
}

func translationsOf(of func(answers []string, references [][]string) (metric.Statistic, error)) aggregation {
	return func(marks []mark, withError bool) (Estimate, error) {
		var answers []string
		var references [][]string
		for _, k := range marks {
			answers, references = append(answers, k.text), append(references, k.references)
		}
		s, err := of(answers, references)
		return resampled(s, err, metric.TextIterations, withError)
	}
}

func numbers(marks []mark) []float64 {
	xs := make([]float64, len(marks))
	for i, k := range marks {
		xs[i] = k.number
	}
	return xs
}

func weights(marks []mark) []float64 {
	xs := make([]float64, len(marks))
	for i, k := range marks {
		xs[i] = k.weight
	}
	return xs
}

func labels(marks []mark) (gold, predicted []int) {
	for _, k := range marks {
		gold, predicted = append(gold, k.gold), append(predicted, k.predicted)
	}
	return gold, predicted
}

// estimate puts the marks of items together.
func (m *Metric) estimate(marks []mark) (Estimate, error) {
	var e Estimate
	var err error
	if p := m.aggregate.port; p != nil {
		e = portedEstimate(p, marks)
	} else {
		e, err = aggregations[m.aggregation](marks, true)
	}
	if err != nil {
		return e, fmt.Errorf("metric %s over %d items: %w", m.Key(), len(marks), err)
	}
	return e, nil
}

// portedEstimate aggregates by a function that the task file names; the harness
// gives these no error.
func portedEstimate(p *port.Function, marks []mark) Estimate {
	ported := make([]port.Mark, len(marks))
	for i, k := range marks {
		ported[i] = k.ported
	}
	return estimate(p.Aggregation(ported), 0, false)
}
