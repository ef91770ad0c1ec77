package port

import (
	"errors"

	"mergesearch/eval/jinja"
)

// literal reads what Python's ast.literal_eval reads, as far as columns of data files
// hold it: texts, numbers, None, True, False, lists, tuples (read as lists) and
// mappings whose keys are texts.
func literal(s string) (any, error) {
	v, err := jinja.Literal(s)
	if err != nil {
		return nil, err
	}
	plain, ok := jinja.Plain(v)
	if !ok {
		return nil, errors.New("a mapping with a key that is no text")
	}
	return plain, nil
}
