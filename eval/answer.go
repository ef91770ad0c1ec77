package eval

import (
	"fmt"
	"slices"
	"strconv"

	"mergesearch"
	"mergesearch/eval/jinja"
)

// asked is what a document asks and what counts as right, by one set of sources:
// those of the task, or those of its examples.
type asked struct {
	text    string   // the question; with several contexts, empty
	choices []string // nil when the task has none
	golds   []int    // right choices
	targets []string // right texts; with several contexts, the text that follows each
	context int      // with several contexts, the right one; else -1
}

// answer is the right answer, for reading and for examples.
func (a *asked) answer() string {
	if len(a.golds) > 0 {
		return a.choices[a.golds[0]]
	}
	return a.targets[0]
}

// sources are the parts that turn a document into what it asks.
type sources struct {
	text, target, choice *source
	output               OutputType
	severalContexts      bool // doc_to_text is an index into doc_to_choice
}

// read turns a document into what it asks.
func (s *sources) read(d document) (asked, error) {
	a := asked{context: -1}
	if s.choice.given() {
		var err error
		if a.choices, err = s.readChoices(d); err != nil {
			return a, err
		}
	}
	if s.severalContexts {
		return a, s.readContexts(d, &a)
	}
	var err error
	if a.text, err = s.readText(d); err != nil {
		return a, err
	}
	v, err := s.target.answers(d, a.choices != nil)
	if err != nil {
		return a, err
	}
	if a.choices != nil {
		a.golds, err = s.golds(d, v, a.choices)
		for _, g := range a.golds {
			a.targets = append(a.targets, a.choices[g])
		}
		return a, err
	}
	a.targets, err = s.targets(d, v)
	return a, err
}

// readText gives the question. Its words may be missing (some tasks compare whole
// sentences), a question that a template leaves empty is a fault of the data.
func (s *sources) readText(d document) (string, error) {
	v, err := s.text.typed(d, s.choice.given())
	if err != nil {
		return "", err
	}
	switch v.(type) {
	case nil, []any, map[string]any, *jinja.Dict:
		return "", d.refuse(s.text.field(), "want text, found "+describe(v), "")
	case int64:
		if s.choice.given() && !s.text.column {
			return "", d.refuse(s.text.field(), fmt.Sprintf("the question is the number %d, in other documents it is text", v), "")
		}
	}
	text, err := jinja.Str(v)
	if err != nil {
		return "", d.refuse(s.text.field(), err.Error(), "")
	}
	if text == "" && s.text.words != "" {
		return "", d.refuse(s.text.field(), "the question is empty", "")
	}
	return text, nil
}

// readContexts reads a document whose choices are contexts, as in winogrande: the
// text is the right one's index, the target what follows each.
func (s *sources) readContexts(d document, a *asked) error {
	v, err := s.text.typed(d, true)
	if err != nil {
		return err
	}
	n, ok := v.(int64)
	if !ok {
		return d.refuse(s.text.field(), "want the index of a choice, found "+describe(v), "")
	}
	if a.context, err = label(d, s.text.field(), n, len(a.choices)); err != nil {
		return err
	}
	if v, err = s.target.answers(d, false); err != nil {
		return err
	}
	a.targets, err = s.targets(d, v)
	return err
}

// targets reads the answer of a document without choices: one text, or a list of
// texts of which any counts.
func (s *sources) targets(d document, v any) ([]string, error) {
	list, many := listOf(v)
	if !many {
		list = []any{v}
	} else if s.output == LogLikelihood || s.output == Rolling {
		return nil, d.refuse(s.target.field(), "a list of answers cannot be scored by log-likelihood", "write output_type: multiple_choice")
	}
	var out []string
	for _, x := range list {
		text, err := jinja.Str(x)
		if err != nil || x == nil {
			return nil, d.refuse(s.target.field(), "the answer is "+describe(x), "every document needs an answer that is text or a number")
		}
		if text == "" {
			return nil, d.refuse(s.target.field(), "the answer is empty", "give the document an answer or remove it")
		}
		out = append(out, text)
	}
	if len(out) == 0 {
		return nil, d.refuse(s.target.field(), "the list of answers is empty", "give the document an answer or remove it")
	}
	return out, nil
}

// readChoices reads the choices of a document.
func (s *sources) readChoices(d document) ([]string, error) {
	v, err := s.choice.value(d)
	if err != nil {
		return nil, err
	}
	list, ok := listOf(v)
	if text, words := v.(string); words && !s.choice.column { // the harness reads it as a Python list
		list, ok = pythonList(text)
	}
	if !ok {
		return nil, d.refuse(s.choice.field(), "want a list of choices, found "+describe(v), "")
	}
	var choices []string
	for i, x := range list {
		text, err := jinja.Str(x)
		if err != nil || x == nil {
			return nil, d.refuse(s.choice.field(), fmt.Sprintf("choice %d is %s", i, describe(x)), "every choice must be text or a number")
		}
		if text == "" {
			return nil, d.refuse(s.choice.field(), fmt.Sprintf("choice %d is empty", i), "")
		}
		choices = append(choices, text)
	}
	if len(choices) < 2 {
		return nil, d.refuse(s.choice.field(), fmt.Sprintf("%d choices: a question needs at least two", len(choices)), "")
	}
	if slices.Min(choices) == slices.Max(choices) {
		return nil, d.refuse(s.choice.field(), "all choices are the same", "")
	}
	return choices, nil
}

// golds reads the right choices: labels, or the choices themselves.
func (s *sources) golds(d document, v any, choices []string) ([]int, error) {
	list, many := listOf(v)
	if !many {
		list = []any{v}
	}
	var out []int
	for _, x := range list {
		g, err := s.gold(d, x, choices)
		if err != nil {
			return nil, err
		}
		out = append(out, g)
	}
	if len(out) == 0 {
		return nil, d.refuse(s.target.field(), "the list of answers is empty", "give the document an answer or remove it")
	}
	return out, nil
}

func (s *sources) gold(d document, v any, choices []string) (int, error) {
	switch x := v.(type) {
	case int64:
		return label(d, s.target.field(), x, len(choices))
	case string:
		if x == "" {
			return 0, d.refuse(s.target.field(), "the answer is empty", "give the document an answer or remove it")
		}
		if i := slices.Index(choices, x); i >= 0 {
			return i, nil
		}
		return 0, d.refuse(s.target.field(), fmt.Sprintf("the answer %q is not among the choices", x), mergesearch.UnknownWord("choice", x, choices).Hint)
	}
	return 0, d.refuse(s.target.field(), "want a label or a choice, found "+describe(v), "")
}

func label(d document, field string, n int64, choices int) (int, error) {
	if n < 0 || n >= int64(choices) {
		return 0, d.refuse(field, fmt.Sprintf("label %d is out of range: there are %d choices, counted from 0", n, choices), "")
	}
	return int(n), nil
}

func isDigits(s string) bool {
	for _, r := range s {
		if r < '0' || r > '9' {
			return false
		}
	}
	return s != ""
}

// parseIndex reads digits. Python's literals take no leading zeros but zero.
func parseIndex(digits string) (int64, bool) {
	n, err := strconv.ParseInt(digits, 10, 64)
	return n, err == nil
}
