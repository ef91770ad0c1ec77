package eval

import (
	"fmt"
	"slices"
	"strconv"

	"mergesearch"
	"mergesearch/eval/jinja"
)

// targets reads the answer of a document that is not multiple choice: one text,
// or a list of texts of which any counts.
func (l *loading) targets(d document) ([]string, error) {
	v, err := l.target.value(d)
	if err != nil {
		return nil, err
	}
	list, many := v.([]any)
	if !many {
		list = []any{v}
	} else if l.output == LogLikelihood {
		return nil, d.refuse(l.target.field(), "a list of answers cannot be scored by log-likelihood", "write output_type: multiple_choice")
	}
	var out []string
	for _, x := range list {
		text, err := jinja.Str(x)
		if err != nil || x == nil {
			return nil, d.refuse(l.target.field(), "the answer is "+describe(x), "every document needs an answer that is text or a number")
		}
		if text == "" {
			return nil, d.refuse(l.target.field(), "the answer is empty", "give the document an answer or remove it")
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return nil, d.refuse(l.target.field(), "the list of answers is empty", "give the document an answer or remove it")
	}
	return out, nil
}

// askChoices reads the choices of a document and which one is right.
func (l *loading) askChoices(d document, q *question) error {
	v, err := l.choice.value(d)
	if err != nil {
		return err
	}
	list, ok := v.([]any)
	if !ok {
		return d.refuse(l.choice.field(), "want a list of choices, found "+describe(v), "")
	}
	for i, x := range list {
		text, err := jinja.Str(x)
		if err != nil || x == nil {
			return d.refuse(l.choice.field(), fmt.Sprintf("choice %d is %s", i, describe(x)), "every choice must be text or a number")
		}
		if text == "" {
			return d.refuse(l.choice.field(), fmt.Sprintf("choice %d is empty", i), "")
		}
		q.choices = append(q.choices, text)
	}
	if len(q.choices) < 2 {
		return d.refuse(l.choice.field(), fmt.Sprintf("%d choices: a question needs at least two", len(q.choices)), "")
	}
	if slices.Min(q.choices) == slices.Max(q.choices) {
		return d.refuse(l.choice.field(), "all choices are the same", "")
	}
	q.gold, err = l.gold(d, q.choices)
	return err
}

// gold reads the right choice: a label, or the choice itself. Digits count as a
// label unless they come straight from a column, as in the harness.
func (l *loading) gold(d document, choices []string) (int, error) {
	v, err := l.target.value(d)
	if err != nil {
		return 0, err
	}
	switch x := v.(type) {
	case int64:
		return l.label(d, x, len(choices))
	case string:
		if n, err := strconv.ParseInt(x, 10, 64); err == nil && isDigits(x) && !l.target.column {
			return l.label(d, n, len(choices))
		}
		if x == "" {
			return 0, d.refuse(l.target.field(), "the answer is empty", "give the document an answer or remove it")
		}
		if i := slices.Index(choices, x); i >= 0 {
			return i, nil
		}
		return 0, d.refuse(l.target.field(), fmt.Sprintf("the answer %q is not among the choices", x), mergesearch.UnknownWord("choice", x, choices).Hint)
	}
	return 0, d.refuse(l.target.field(), "want a label or a choice, found "+describe(v), "")
}

func (l *loading) label(d document, n int64, choices int) (int, error) {
	if n < 0 || n >= int64(choices) {
		return 0, d.refuse(l.target.field(), fmt.Sprintf("label %d is out of range: there are %d choices, counted from 0", n, choices), "")
	}
	return int(n), nil
}
