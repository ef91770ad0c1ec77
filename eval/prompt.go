package eval

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"mergesearch/eval/jinja"
)

// A prompt is a list of turns, each with the delimiter that follows it when all
// are written one after the other. The rules for delimiters are the harness's.

// turn is one message of a prompt.
type turn struct {
	Role      string `json:"role"` // "system", "user" or "assistant"
	Content   string `json:"content"`
	delimiter string // written after the content where there is no chat template
}

// plain writes turns one after the other.
func plain(turns []turn) string {
	var b strings.Builder
	for _, t := range turns {
		b.WriteString(t.Content + t.delimiter)
	}
	return b.String()
}

// joined puts two texts together, with the delimiter between them only where
// neither has white space at the joint.
func joined(a, b, delimiter string) string {
	if a != "" && b != "" && !spaceBetween(a, b) {
		return a + delimiter + b
	}
	return a + b
}

// spaceBetween reports whether white space stands where two texts, neither
// empty, meet.
func spaceBetween(a, b string) bool {
	last, _ := utf8.DecodeLastRuneInString(a)
	first, _ := utf8.DecodeRuneInString(b)
	return jinja.IsSpace(last) || jinja.IsSpace(first)
}

// questionTurns are the turns of a question, and of its answer where there is one.
func questionTurns(text, answer, prefix, targetDelimiter, after string) []turn {
	user := turn{Role: "user", Content: text}
	switch {
	case prefix != "":
		if text != "" && !spaceBetween(text, prefix) {
			user.delimiter = targetDelimiter
		}
	case answer != "":
		user.delimiter = targetDelimiter
	}
	switch {
	case answer != "":
		return []turn{user, {"assistant", joined(prefix, answer, " "), after}}
	case prefix != "":
		return []turn{user, {Role: "assistant", Content: prefix}}
	}
	return []turn{user}
}

// question turns a document into a question of its split.
func (l *loading) question(d document, part splitPart, draw *shotDraw) (question, error) {
	a, err := l.sources.read(d)
	if err != nil {
		return question{}, err
	}
	q := question{
		file: d.file, line: d.line, named: d.fields["id"], docID: fmt.Sprintf("%s-%d", part.name, d.place),
		asked: a, key: a.key(), fields: d.fields,
	}
	q.split = part.of(q.key)
	if l.output == Rolling {
		q.rolling, q.pairs = true, []pair{{"", a.targets[0]}}
		return q, nil
	}
	head, err := l.head(d, q.key, draw)
	if err != nil {
		return q, err
	}
	prefix, err := l.genPrefix.optional(d)
	if err != nil {
		return q, err
	}
	l.ask(&q, head, prefix)
	if l.reading.Chat {
		q.talk = l.converse(&q, head, prefix)
	}
	return q, nil
}

// head are the turns before the question: instruction, description, examples.
func (l *loading) head(d document, key string, draw *shotDraw) ([]turn, error) {
	description, err := l.description.optional(d)
	if err != nil {
		return nil, err
	}
	var turns []turn
	if system := joined(l.reading.System, description, l.fewshotDelimiter); system != "" {
		turns = append(turns, turn{Role: "system", Content: system})
	}
	examples, err := draw.turns(d, key)
	return append(turns, examples...), err
}

// ask writes the prompts of a question.
func (l *loading) ask(q *question, head []turn, prefix string) {
	delimiter := l.targetDelimiter
	if l.reading.Chat && l.output == MultipleChoice {
		delimiter = l.chatDelimiter()
	}
	if q.context >= 0 {
		for _, context := range q.choices {
			turns := append(slices.Clone(head), questionTurns(context, "", prefix, "", "")...)
			q.pairs = append(q.pairs, pair{plain(turns), delimiter + q.targets[0]})
		}
		q.prompt = q.pairs[q.context].context
		l.askAlone(q, delimiter)
		return
	}
	q.prompt = plain(append(slices.Clone(head), questionTurns(q.text, "", prefix, l.targetDelimiter, "")...))
	switch l.output {
	case LogLikelihood:
		q.pairs = []pair{{q.prompt, q.targets[0]}} // no delimiter: the target brings its own
	case MultipleChoice:
		for _, choice := range q.choices {
			q.pairs = append(q.pairs, pair{q.prompt, delimiter + choice})
		}
		l.askAlone(q, delimiter)
	}
}

// askAlone adds what acc_mutual_info subtracts: each choice after nothing.
func (l *loading) askAlone(q *question, delimiter string) {
	if !slices.ContainsFunc(l.metrics, func(m Metric) bool { return m.Name == AccMutualInfo }) {
		return
	}
	for _, choice := range q.choices {
		q.pairs = append(q.pairs, pair{"", delimiter + choice})
	}
}

// optional gives the source's text for a document, "" for null and for a source
// that is not given.
func (s *source) optional(d document) (string, error) {
	v, err := s.value(d)
	if v == nil || err != nil {
		return "", err
	}
	return s.text(d)
}

// key is equal for documents that ask the same thing, with the choices in
// whatever order.
func (a *asked) key() string {
	parts := slices.Sorted(slices.Values(a.choices))
	if a.text == "" && a.choices == nil {
		parts = a.targets
	}
	return strings.Join(append([]string{a.text}, parts...), "\x00")
}
