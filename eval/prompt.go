package eval

import (
	"fmt"
	"slices"
	"strings"
)

// question turns a document into a question of its split.
func (l *loading) question(d document, part splitPart) (question, error) {
	q, asked, err := l.ask(d)
	if err != nil {
		return q, err
	}
	head, err := l.description.text(d)
	if err != nil {
		return q, err
	}
	examples, err := l.examples(d)
	if err != nil {
		return q, err
	}
	q.prompt = head + examples + asked
	q.docID = fmt.Sprintf("%s-%d", part.name, d.place)
	q.split = part.of(q.key)
	if l.output == LogLikelihood {
		q.pairs = []pair{{q.prompt, q.targets[0]}}
	}
	for _, choice := range q.choices {
		q.pairs = append(q.pairs, pair{q.prompt, l.targetDelimiter + choice})
	}
	return q, nil
}

// examples renders the few-shot block of a document: the first documents of the
// pool without the document itself, each with its answer.
func (l *loading) examples(d document) (string, error) {
	var b strings.Builder
	left := l.shots
	for _, shot := range l.pool {
		if left == 0 {
			break
		}
		if shot.file == d.file && shot.place == d.place {
			continue
		}
		q, asked, err := l.ask(shot)
		if err != nil {
			return "", err
		}
		b.WriteString(asked + l.targetDelimiter + q.target() + l.fewshotDelimiter)
		left--
	}
	if left > 0 {
		return "", refuse(l.shotsAt.at, l.shotsAt.path, fmt.Sprintf("the few-shot split has %d documents too few", left), "")
	}
	return b.String(), nil
}

// ask reads question, choices and answer of a document; asked is the question
// without description and examples.
func (l *loading) ask(d document) (q question, asked string, err error) {
	q = question{file: d.file, line: d.line, named: d.fields["id"]}
	if asked, err = l.text.text(d); err != nil {
		return q, "", err
	}
	if asked == "" && l.text.words != "" {
		return q, "", d.refuse(l.text.field(), "the question is empty", "")
	}
	if l.output == MultipleChoice {
		err = l.askChoices(d, &q)
	} else {
		q.targets, err = l.targets(d)
	}
	q.key = questionKey(asked, q)
	return q, asked, err
}

// questionKey is equal for questions that ask the same thing, with the choices in
// whatever order.
func questionKey(asked string, q question) string {
	parts := slices.Sorted(slices.Values(q.choices))
	if asked == "" && q.choices == nil {
		parts = q.targets
	}
	return strings.Join(append([]string{asked}, parts...), "\x00")
}
