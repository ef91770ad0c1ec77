package eval

import (
	"fmt"

	"mergesearch"
)

// Sample is what was asked and answered for one item, with every metric of its
// task. Its JSON form is a line of the samples file.
type Sample struct {
	Task    string             `json:"task"`
	DocID   string             `json:"doc_id"`
	Prompt  string             `json:"prompt"`
	Target  string             `json:"target"`
	Choices []SampleChoice     `json:"choices,omitempty"`
	Output  string             `json:"output"`
	Metrics map[string]float64 `json:"metrics"`

	Sanity
}

// SampleChoice is one choice of a sample.
type SampleChoice struct {
	Text    string  `json:"text"`
	Logprob float64 `json:"logprob"` // natural, summed over the choice's tokens
	Greedy  bool    `json:"greedy"`  // greedy decoding would have given this choice
}

// degenerate is the cause of an item whose choices all got the same score.
type degenerate struct{ text string }

func (d *degenerate) Error() string { return d.text }

// grade turns the answers to a question into its outcome and sample.
func (t *Task) grade(q *question, a answers) (mergesearch.Outcome, Sample, error) {
	o := mergesearch.Outcome{Item: q.id}
	s := Sample{Task: t.Name, DocID: q.docID, Prompt: q.prompt, Target: q.target()}
	var values []float64
	var err error
	if t.Output == GenerateUntil {
		values, err = t.gradeText(q, a.texts[0], &o)
	} else {
		values, err = t.gradeChoices(q, a.likelihoods, &s)
	}
	if err != nil {
		return o, s, fmt.Errorf("item %s: %w", q.id, err)
	}
	if t.Output == MultipleChoice {
		o.Completion = q.choices[likeliest(logprobs(s.Choices))]
	}
	s.Output, o.Value = o.Completion, values[0]
	s.Metrics = make(map[string]float64, len(values))
	for i, m := range t.Metrics {
		s.Metrics[m.Name] = values[i]
	}
	return o, s, nil
}

// gradeText scores a completion.
func (t *Task) gradeText(q *question, c written, o *mergesearch.Outcome) ([]float64, error) {
	switch c.finish {
	case "stop":
	case "length":
		o.Truncated = true
	default:
		return nil, unusable("the completion ended with %q", c.finish)
	}
	o.Completion, o.Empty = c.text, c.text == ""
	values := make([]float64, len(t.Metrics))
	for i, m := range t.Metrics {
		right, err := m.exact(c.text, q.targets)
		if err != nil {
			return nil, fmt.Errorf("metric %s: %w", m.Name, err)
		}
		values[i] = fraction(right)
	}
	return values, nil
}

// gradeChoices scores the log-likelihoods of continuations.
func (t *Task) gradeChoices(q *question, likelihoods []likelihood, s *Sample) ([]float64, error) {
	texts := q.choices
	if t.Output == LogLikelihood {
		texts = q.targets
	}
	for i, l := range likelihoods {
		s.Choices = append(s.Choices, SampleChoice{texts[i], l.logprob, l.greedy})
	}
	if t.Output == LogLikelihood {
		return []float64{fraction(s.Choices[0].Greedy)}, nil
	}
	scores := logprobs(s.Choices)
	if allEqual(scores) {
		return nil, &degenerate{fmt.Sprintf("all %d choices have the log-likelihood %v: chance is no score", len(scores), scores[0])}
	}
	values := make([]float64, len(t.Metrics))
	for i, m := range t.Metrics {
		best := likeliest(scores)
		if m.Name == AccNorm {
			best = likeliest(perCharacter(scores, q.choices))
		}
		values[i] = fraction(best == q.gold)
	}
	return values, nil
}

func logprobs(choices []SampleChoice) []float64 {
	out := make([]float64, len(choices))
	for i, c := range choices {
		out[i] = c.Logprob
	}
	return out
}

func allEqual(xs []float64) bool {
	for _, x := range xs {
		if x != xs[0] {
			return false
		}
	}
	return true
}

func fraction(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
