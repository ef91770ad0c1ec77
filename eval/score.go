package eval

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/eval/metric"
	"mergesearch/eval/port"
	"mergesearch/eval/python"
)

// Sample is what was asked and answered for one item, with every metric of its
// task. Its JSON form is a line of the samples file.
type Sample struct {
	Task     string             `json:"task"`
	DocID    string             `json:"doc_id"`
	Prompt   string             `json:"prompt"`
	Target   string             `json:"target"`
	Choices  []SampleChoice     `json:"choices,omitempty"`
	Output   string             `json:"output"`
	Outputs  []string           `json:"outputs,omitempty"`  // all answers, where a question is asked several times
	Filtered map[string]string  `json:"filtered,omitempty"` // by pipeline, what its filters left of the output
	Judged   []string           `json:"judged,omitempty"`   // what the judge model wrote about each answer
	Metrics  map[string]float64 `json:"metrics"`            // by Metric.Key, what the item adds to each

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

// graded is what came of one question.
type graded struct {
	outcome mergesearch.Outcome
	sample  Sample
	marks   []mark // in the order of the task's metrics
}

// grade turns the answers to a question into marks.
func (t *Task) grade(q *question, a answers) (graded, error) {
	g := graded{
		outcome: mergesearch.Outcome{Item: q.id, PromptTokens: a.prompt, CompletionTokens: a.completion},
		sample:  Sample{Task: t.Name, DocID: q.docID, Prompt: q.prompt, Target: q.answer(), Metrics: map[string]float64{}},
		marks:   make([]mark, len(t.Metrics)),
	}
	var err error
	if t.Output == GenerateUntil {
		err = t.gradeTexts(q, a, &g)
	} else {
		err = t.gradeLikelihoods(q, a.likelihoods, &g)
	}
	if err != nil {
		return g, fmt.Errorf("item %s: %w", q.id, err)
	}
	for i, m := range t.Metrics {
		g.sample.Metrics[m.Key()] = g.marks[i].number
	}
	g.outcome.Value, g.sample.Output = g.marks[0].value, g.outcome.Completion
	return g, nil
}

// gradeTexts scores completions, pipeline by pipeline.
func (t *Task) gradeTexts(q *question, a answers, g *graded) error {
	all := make([]string, len(a.texts))
	for i, c := range a.texts {
		switch c.finish {
		case "stop":
		case "length":
			g.outcome.Truncated = true
		default:
			return unusable("the completion ended with %q", c.finish)
		}
		all[i] = c.text
	}
	g.outcome.Completion, g.outcome.Empty = all[0], all[0] == ""
	if len(all) > 1 {
		g.sample.Outputs = all
	}
	for _, v := range a.judgements {
		g.sample.Judged = append(g.sample.Judged, v.wrote)
	}
	for _, p := range t.pipelines {
		left, err := p.run(q, all)
		if err != nil {
			return err
		}
		if p.name != plainPipeline {
			if g.sample.Filtered == nil {
				g.sample.Filtered = map[string]string{}
			}
			g.sample.Filtered[p.name] = strings.Join(left.texts, "\n")
		}
		if t.results != nil {
			if err := t.gradePorted(q, port.Answers{Texts: left.texts}, p.name, g); err != nil {
				return err
			}
			continue
		}
		for i := range t.Metrics {
			m := &t.Metrics[i]
			if m.Filter != p.name {
				continue
			}
			if g.marks[i], err = m.ofTexts(q, left, a.scores); err != nil {
				return fmt.Errorf("metric %s: %w", m.Name, err)
			}
		}
	}
	return nil
}

// ofTexts scores what a pipeline left of the answers to a question; scores are those
// of the task's scorer or judge for the answers themselves.
func (m *Metric) ofTexts(q *question, left filtered, scores []float64) (mark, error) {
	switch m.Name {
	case Scored:
		if left.one {
			scores = scores[:1]
		}
		return plainMark(metric.Mean(scores)), nil
	case BLEU, ChrF, TER:
		return m.ofTranslation(q.targets, left.texts[0])
	}
	right := 0
	if m.Name == PassAtK && scores != nil {
		for _, s := range scores {
			right += int(fraction(s >= 1))
		}
		return plainMark(metric.PassAtK(len(scores), right, m.k)), nil
	}
	for _, text := range left.texts {
		ok, err := m.normal.Matches(text, q.targets)
		if err != nil {
			return mark{}, err
		}
		if ok {
			right++
		}
	}
	if m.Name == PassAtK {
		return plainMark(metric.PassAtK(len(left.texts), right, m.k)), nil
	}
	return plainMark(float64(right) / float64(len(left.texts))), nil
}

// ofTranslation scores a text against its references; the item's own value is the
// metric of that one sentence.
func (m *Metric) ofTranslation(references []string, text string) (mark, error) {
	k := mark{references: references, text: text}
	alone, err := aggregations[metricKinds[m.Name].aggregation]([]mark{k}, false)
	k.number, k.value = alone.Value, alone.Value/100
	if m.Name == TER {
		k.value = 1 - k.value
	}
	k.value = min(max(k.value, 0), 1)
	return k, err
}

// gradeLikelihoods scores the log-likelihoods of a question's pairs.
func (t *Task) gradeLikelihoods(q *question, likelihoods []likelihood, g *graded) error {
	texts := q.choices
	if texts == nil {
		texts = q.targets
	}
	scores, alone := make([]float64, len(texts)), make([]float64, 0, len(texts))
	a := port.Answers{}
	for i, l := range likelihoods {
		if i >= len(texts) {
			alone = append(alone, l.logprob)
			continue
		}
		scores[i] = l.logprob
		g.sample.Choices = append(g.sample.Choices, SampleChoice{texts[i], l.logprob, l.greedy})
		a.LogLikelihoods, a.Greedy = append(a.LogLikelihoods, l.logprob), append(a.Greedy, l.greedy)
	}
	if t.Output == MultipleChoice {
		if allEqual(scores) {
			return &degenerate{fmt.Sprintf("all %d choices have the log-likelihood %v: chance is no score", len(scores), scores[0])}
		}
		g.outcome.Completion = q.choices[likeliest(scores)]
	}
	for _, p := range t.pipelines { // of likelihoods each is the same
		if t.results != nil {
			if err := t.gradePorted(q, a, p.name, g); err != nil {
				return err
			}
		}
	}
	for i := range t.Metrics {
		if t.results == nil {
			g.marks[i] = t.Metrics[i].ofLikelihoods(q, t.Output, scores, alone, a.Greedy)
		}
	}
	return nil
}

func (m *Metric) ofLikelihoods(q *question, output OutputType, scores, alone []float64, greedy []bool) mark {
	switch output {
	case LogLikelihood:
		if m.Name == Acc {
			return plainMark(fraction(greedy[0]))
		}
		return mark{value: math.Exp(min(scores[0], 0)), number: scores[0]}
	case Rolling:
		size := float64(bytesOf(q.targets[0]))
		if m.Name == WordPerplexity {
			size = float64(words(q.targets[0]))
		}
		return perSize(scores[0], size)
	}
	golds := q.golds
	if q.context >= 0 {
		golds = []int{q.context}
	}
	right := func(scores []float64) mark {
		return plainMark(fraction(slices.Contains(golds, likeliest(scores))))
	}
	switch m.Name {
	case AccNorm:
		return right(perLength(scores, q.choices, codePoints))
	case AccBytes:
		return right(perLength(scores, q.choices, bytesOf))
	case AccMutualInfo:
		gained := make([]float64, len(scores))
		for i := range gained {
			gained[i] = scores[i] - alone[i]
		}
		return right(gained)
	case ExactMatch:
		return plainMark(fraction(slices.ContainsFunc(golds, func(i int) bool { return greedy[i] })))
	case BrierScore:
		p := metric.Softmax(scores)
		b, _ := metric.Brier(golds[:1], [][]float64{p}) // the label was checked
		return mark{value: 1 - b/2, number: b, gold: golds[0], probabilities: p}
	case F1, MCC:
		k := right(scores)
		k.gold, k.predicted = golds[0], likeliest(scores)
		return k
	}
	return right(scores)
}

// perSize is the mark of a log-likelihood that is divided by a size, in words or
// bytes.
func perSize(logprob, size float64) mark {
	return mark{value: math.Exp(min(logprob/size, 0)), number: logprob, weight: size}
}

// words counts what white space separates, as re.split(r"\s+") does: white space
// at an end separates an empty word.
func words(s string) int { return python.Runs(s, python.IsSpace) + 1 }

// gradePorted scores by the task's ported process_results.
func (t *Task) gradePorted(q *question, a port.Answers, pipeline string, g *graded) error {
	found, err := t.results.Results(plainFields(q.fields), a)
	if err != nil {
		return fmt.Errorf("%s: %w", t.results.Name, err)
	}
	for i := range t.Metrics {
		m := &t.Metrics[i]
		if m.Filter != pipeline {
			continue
		}
		p, ok := found[m.Name]
		if !ok {
			return fmt.Errorf("%s gives no metric %q", t.results.Name, m.Name)
		}
		k := plainMark(p.Value)
		if p.Weight > 0 {
			k = perSize(p.Value, p.Weight)
		}
		if m.lower && p.Weight == 0 {
			k.value = math.Exp(-max(k.value, 0)) // falls as the metric grows, whatever its scale
		}
		k.value, k.ported = min(max(k.value, 0), 1), p
		g.marks[i] = k
	}
	return nil
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
