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
//
// Rows behind the last token of a model are padding. A model of as many rows may
// have tokens there, as fine-tunes do that put their special tokens into the
// padding of their base; two models may not have different ones. The result has
// the tokens of the tokenizer that it gets.
func Check(models []Model) error {
	var seen []*vocabulary
	var known []owned
	for _, m := range models {
		v, err := read(m, seen...)
		if err != nil {
			return err
		}
		if v == nil {
			continue
		}
		if known, err = join(known, seen, v); err != nil {
			return err
		}
		seen = append(seen, v)
	}
	return checkSlow(models)
}

// owned is a token with the first model that has it.
type owned struct {
	token
	owner *vocabulary
}

const differ = "tokenizer: {source: union} aligns the vocabularies of the models"

// join adds the tokens of a model to the known ones, which are sorted by number
// and are those of the models seen before.
func join(known []owned, seen []*vocabulary, v *vocabulary) ([]owned, error) {
	refuse := func(format string, args ...any) ([]owned, error) {
		return nil, &mergesearch.InputError{File: v.model.Name + "/" + tokenizerFile, Field: "vocabulary", Problem: fmt.Sprintf(format, args...), Hint: differ}
	}
	var out []owned
	mine := v.tokens.byID
	for i, j := 0, 0; i < len(known) || j < len(mine); {
		switch {
		case j == len(mine) || i < len(known) && known[i].id < mine[j].id:
			if k := known[i]; !v.padding(k.id, k.owner) {
				return refuse("token %d is nothing here, but %q in %s", k.id, shown(k.text), k.owner.model.Name)
			}
			out = append(out, known[i])
			i++
		case i == len(known) || mine[j].id < known[i].id:
			for _, other := range seen {
				if !other.padding(mine[j].id, v) {
					return refuse("token %d is %q here, but nothing in %s", mine[j].id, shown(mine[j].text), other.model.Name)
				}
			}
			out = append(out, owned{mine[j], v})
			j++
		case known[i].text != mine[j].text:
			return refuse("token %d is %q here, but %q in %s", mine[j].id, shown(mine[j].text), shown(known[i].text), known[i].owner.model.Name)
		default:
			out = append(out, known[i])
			i, j = i+1, j+1
		}
	}
	return out, nil
}

// padding reports whether the row of a token of another model is padding here.
func (v *vocabulary) padding(id int32, other *vocabulary) bool {
	n := len(v.tokens.byID)
	return v.model.Rows == other.model.Rows && (n == 0 || id > v.tokens.byID[n-1].id)
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
