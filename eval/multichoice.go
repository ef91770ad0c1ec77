package eval

import (
	"errors"
	"strings"

	"mergesearch/eval/jinja"
	"mergesearch/eval/metric"
	"mergesearch/eval/python"
)

// choiceExtraction is the filter multi_choice_regex: the pattern first, then the
// text of a choice anywhere in the answer, then a bare letter after a colon. What
// it finds becomes a letter in parentheses.
type choiceExtraction struct {
	extraction
	ignored metric.Normalizer // of answers and choices before they are compared
}

func multiChoiceRegex(o *filterOptions) (filterStep, error) {
	x := choiceExtraction{}
	var err error
	if x.extraction, err = readExtraction(o); err != nil {
		return filterStep{}, err
	}
	for key, to := range map[string]*bool{"ignore_case": &x.ignored.IgnoreCase, "ignore_punctuation": &x.ignored.IgnoreMarks} {
		if e, ok := o.take(key); ok {
			if *to, err = e.boolean(); err != nil {
				return filterStep{}, err
			}
		}
	}
	if e, ok := o.take("regexes_to_ignore"); ok {
		if x.ignored.Ignore, err = readRegexes(e); err != nil {
			return filterStep{}, err
		}
	}
	return each(o.name, x.letter), nil
}

// letter finds the choice that an answer names, in the document's own list of
// choices.
func (x *choiceExtraction) letter(q *question, text string) (string, error) {
	list, ok := q.fields["choices"].([]any)
	if !ok || len(list) > 26 {
		return "", errors.New("the document needs a list named choices, of at most 26")
	}
	part, found, err := x.find(x.pattern, text)
	if err != nil || found && part != "" {
		return part, err
	}
	var texts, letters []string
	named := map[string]string{}
	for i, c := range list {
		s, err := jinja.Str(c)
		if err != nil {
			return "", err
		}
		if s, err = x.ignored.Normal(python.Strip(s)); err != nil {
			return "", err
		}
		letter := string(rune('A' + i))
		texts, letters = append(texts, python.Escape(s)), append(letters, letter)
		named[s], named[letter] = "("+letter+")", "("+letter+")"
	}
	reduced, err := x.ignored.Normal(text)
	if err != nil {
		return "", err
	}
	for _, try := range []struct{ pattern, text string }{
		{strings.Join(texts, "|"), reduced},
		{`:[\s]*(` + strings.Join(letters, "|") + `)`, text},
	} {
		pattern, err := python.Compile(try.pattern)
		if err != nil {
			return "", err
		}
		if part, _, err = x.find(pattern, try.text); err != nil {
			return "", err
		}
		if part != "" {
			if letter, ok := named[part]; ok {
				return letter, nil
			}
			return part, nil
		}
	}
	return x.fallback, nil
}
