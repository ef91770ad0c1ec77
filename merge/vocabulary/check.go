package vocabulary

import (
	"bytes"
	"fmt"

	"mergesearch"
)

// Check compares the tokenizers of models that are merged without a word about
// tokenizers. It returns nil when all have the same tokens with the same numbers,
// as far as the matrices have rows for them; else a *mergesearch.InputError that
// names the first token that differs. Models without tokenizer are not compared;
// where one has no tokenizer.json, vocabularies in other formats must be equal
// byte for byte.
func Check(models []Model) error {
	var first *vocabulary
	for _, m := range models {
		v, err := read(m, first)
		if err != nil {
			return err
		}
		if v == nil {
			continue
		}
		if first != nil {
			if err := same(first, v); err != nil {
				return err
			}
		} else {
			first = v
		}
	}
	return checkSlow(models)
}

const differ = "tokenizer: {source: union} aligns the vocabularies of the models"

func same(a, b *vocabulary) error {
	refuse := func(format string, args ...any) error {
		return &mergesearch.InputError{File: b.model.Name + "/" + tokenizerFile, Field: "vocabulary", Problem: fmt.Sprintf(format, args...), Hint: differ}
	}
	x, y := a.tokens.byID, b.tokens.byID
	for i := range max(len(x), len(y)) {
		switch {
		case i < len(x) && i < len(y) && x[i] == y[i]:
		case i >= len(y) || i < len(x) && x[i].id < y[i].id:
			return refuse("token %d is nothing here, but %q in %s", x[i].id, shown(x[i].text), a.model.Name)
		case i >= len(x) || y[i].id < x[i].id:
			return refuse("token %d is %q here, but nothing in %s", y[i].id, shown(y[i].text), a.model.Name)
		default:
			return refuse("token %d is %q here, but %q in %s", y[i].id, shown(y[i].text), shown(x[i].text), a.model.Name)
		}
	}
	return nil
}

// checkSlow compares the older formats among models of which one has no other.
func checkSlow(models []Model) error {
	for _, m := range models {
		if _, fast := m.Files[tokenizerFile]; fast {
			continue
		}
		for _, name := range slowFiles {
			data, ok := m.Files[name]
			if !ok {
				continue
			}
			for _, other := range models {
				if theirs, ok := other.Files[name]; ok && !bytes.Equal(data, theirs) {
					return &mergesearch.InputError{
						File: m.Name + "/" + name, Problem: "differs from that of " + other.Name, Hint: differ + "; they need a tokenizer.json for it",
					}
				}
			}
		}
	}
	return nil
}
