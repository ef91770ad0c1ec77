package vocabulary

import (
	"cmp"
	"fmt"
	"slices"

	"mergesearch"
)

// result is the vocabulary under construction: the source's tokens keep their
// numbers, new ones are appended.
type result struct {
	from    *vocabulary
	known   map[string]int32
	isAdded map[string]bool
	added   []added
	size    int
	changed bool
}

func newResult(from *vocabulary) (*result, error) {
	if hole := from.tokens.contiguous(); hole >= 0 || len(from.tokens.byID) == 0 {
		return nil, &mergesearch.InputError{
			File: from.model.Name + "/" + tokenizerFile, Problem: fmt.Sprintf("no token has number %d, but later ones exist", max(hole, 0)),
			Hint: "the vocabulary of another model can be the result's: tokenizer: {source: MODEL}",
		}
	}
	r := &result{
		from: from, known: make(map[string]int32, len(from.tokens.byID)), isAdded: map[string]bool{},
		added: slices.Clone(from.added), size: len(from.tokens.byID),
	}
	for _, t := range from.tokens.byID {
		r.known[t.text] = t.id
	}
	for _, t := range from.added {
		r.isAdded[t.text] = true
	}
	r.changed = len(from.lost.byID) > 0 || from.extra > 0
	return r, nil
}

// union adds what the other models have: first the tokens of their models, in the
// order of their numbers, then added tokens with the settings of the first model
// that adds them. A plain token that another model adds becomes an added one and
// keeps its number.
func (r *result) union(models []*vocabulary) error {
	adds := map[string]bool{}
	for _, v := range models {
		for _, t := range v.added {
			adds[t.text] = true
		}
	}
	for _, v := range models {
		for _, t := range v.tokens.byID {
			if adds[t.text] {
				continue
			}
			if err := r.add(t.text, plain); err != nil {
				return err
			}
		}
	}
	for _, v := range models {
		for _, t := range v.added {
			if id, ok := r.known[t.text]; ok && !r.isAdded[t.text] {
				r.append(newAdded(token{t.text, id}, t.settings))
			} else if err := r.add(t.text, t.settings); err != nil {
				return err
			}
		}
	}
	return nil
}

// add appends a token that is not there yet.
func (r *result) add(text, settings string) error {
	if _, ok := r.known[text]; ok {
		return nil
	}
	if r.size >= maxTokens {
		return &mergesearch.InputError{Field: "tokenizer", Problem: fmt.Sprintf("the vocabulary has more than %d tokens", maxTokens)}
	}
	r.append(newAdded(token{text, int32(r.size)}, settings))
	r.known[text] = int32(r.size)
	r.size++
	return nil
}

func (r *result) append(a added) {
	r.added = append(r.added, a)
	r.isAdded[a.text] = true
	r.changed = true
}

// texts returns the tokens by number.
func (r *result) texts() []string {
	out := make([]string, r.size)
	for text, id := range r.known {
		out[id] = text
	}
	return out
}

// files returns the tokenizer files of the result.
func (r *result) files() (map[string][]byte, error) {
	out := map[string][]byte{}
	for _, name := range []string{tokenizerFile, configFile, specialFile, addedFile, templateFile, templatesFile} {
		if data, ok := r.from.model.Files[name]; ok {
			out[name] = data
		}
	}
	if !r.changed {
		for _, name := range slowFiles {
			if data, ok := r.from.model.Files[name]; ok {
				out[name] = data
			}
		}
		return out, nil
	}
	slices.SortStableFunc(r.added, func(a, b added) int { return cmp.Compare(a.id, b.id) })
	text, err := r.from.file.rewrite(r.from.lost, r.added)
	if err != nil {
		return nil, mergesearch.InDir(mergesearch.InFile(err, tokenizerFile), r.from.model.Name)
	}
	out[tokenizerFile] = text
	delete(out, addedFile) // tokenizer.json has them
	for _, name := range []string{configFile, specialFile} {
		if data, ok := out[name]; ok {
			out[name] = forget(data, r.from.lost, r.known)
		}
	}
	return out, nil
}
