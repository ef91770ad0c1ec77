package vocabulary

import (
	"fmt"
	"slices"

	"mergesearch"
)

// maxPadding limits pad_to_multiple_of. Hardware asks for 64 to 512.
const maxPadding = 1 << 16

// Alignment is a plan: the vocabulary of the result and, for each model, where
// its rows come from. It is safe for concurrent use.
type Alignment struct {
	models []*vocabulary // the base first, then by name
	named  bool          // the caller named a base
	tokens []string      // of the result; the place is the number
	rows   int
	own    [][]int32 // for models[i]: the old row of each token, -1 where it has none
	rules  map[int32]rule
	files  map[string][]byte
}

// rule is a TokenRule with its model and row found.
type rule struct {
	zero  bool
	model int // index of models, -1: no source is named
	row   int32
	force bool
}

// Align plans the common vocabulary of a merge: spec.Source is "union" (also
// when empty), "base" or the name of a model. base is the name of the base model,
// or empty; then the first by name takes its part in choosing the vocabulary.
// Tokens whose number is not below their model's Rows do not exist. Errors are
// *mergesearch.InputError.
func Align(spec mergesearch.Tokenizer, base string, models []Model) (*Alignment, error) {
	if err := checkSpec(spec, base, models); err != nil {
		return nil, err
	}
	a := &Alignment{named: base != ""}
	var err error
	if a.models, err = readAll(ordered(base, models)); err != nil {
		return nil, err
	}
	r, err := a.result(spec)
	if err != nil {
		return nil, err
	}
	for _, v := range a.models {
		a.own = append(a.own, v.rowsOf(a.tokens))
	}
	if err := a.resolve(spec.Tokens); err != nil {
		return nil, err
	}
	a.rows = len(a.tokens)
	if p := spec.PadToMultipleOf; p > 0 {
		a.rows = (a.rows + p - 1) / p * p
	}
	a.files, err = r.files()
	return a, err
}

func checkSpec(spec mergesearch.Tokenizer, base string, models []Model) error {
	var names []string
	for _, m := range models {
		if m.Rows < 1 {
			return &mergesearch.InputError{
				File: m.Name, Field: "vocab_size", Problem: fmt.Sprintf("%d rows of embeddings", m.Rows),
				Hint: "vocabularies can be aligned for models with an embedding of tokens only",
			}
		}
		if slices.Contains(names, m.Name) {
			panic("vocabulary: model twice: " + m.Name)
		}
		names = append(names, m.Name)
	}
	switch {
	case len(models) == 0:
		panic("vocabulary: no models")
	case base != "" && !slices.Contains(names, base):
		return unknownModel("base_model", base, names)
	case spec.PadToMultipleOf < 0 || spec.PadToMultipleOf > maxPadding:
		return &mergesearch.InputError{
			Field: "tokenizer.pad_to_multiple_of", Problem: fmt.Sprintf("%d is not between 0 and %d", spec.PadToMultipleOf, maxPadding),
			Hint: "64 suits most hardware; 0 pads nothing",
		}
	case spec.Source != "" && spec.Source != "union" && spec.Source != "base" && !slices.Contains(names, spec.Source):
		return unknownModel("tokenizer.source", spec.Source, append([]string{"union", "base"}, names...))
	}
	return nil
}

func unknownModel(field, name string, known []string) error {
	e := mergesearch.UnknownWord("model", name, known)
	e.Field, e.Problem = field, fmt.Sprintf("%q is no model of the merge", shown(name))
	return e
}

// rowsOf returns, for each token of the result, its row in the model, -1 for none.
func (v *vocabulary) rowsOf(tokens []string) []int32 {
	out := make([]int32, len(tokens))
	for i, text := range tokens {
		out[i] = v.id(text)
	}
	return out
}

// result chooses the vocabulary.
func (a *Alignment) result(spec mergesearch.Tokenizer) (*result, error) {
	from := a.models[0]
	if i := a.index(spec.Source); i >= 0 && spec.Source != "union" && spec.Source != "base" {
		from = a.models[i]
	}
	if from.file == nil { // its tokens are the first one's
		from = a.models[0]
	}
	r, err := newResult(from)
	if err != nil {
		return nil, err
	}
	if spec.Source == "union" || spec.Source == "" {
		err = r.union(a.models)
	}
	for i := 0; i < len(spec.Tokens) && err == nil; i++ {
		text := spec.Tokens[i].Token
		if text == "" || len(text) > maxToken {
			return nil, &mergesearch.InputError{
				Field: "tokenizer.tokens", Problem: fmt.Sprintf("a token of %d bytes", len(text)), Hint: "name a token of the vocabulary, or a new one",
			}
		}
		err = r.add(text, plain)
	}
	if err == nil {
		a.tokens = r.texts()
	}
	return r, err
}

func (a *Alignment) index(name string) int {
	return slices.IndexFunc(a.models, func(v *vocabulary) bool { return v.model.Name == name })
}

// Rows returns the rows of every aligned matrix, padding included.
func (a *Alignment) Rows() int { return a.rows }

// VocabSize returns the number of tokens, without padding.
func (a *Alignment) VocabSize() int { return len(a.tokens) }

// Files returns the tokenizer files of the result by name, to be written instead
// of those of the donor. They are the source model's, byte for byte, as long as
// its vocabulary is the result's. Otherwise tokenizer.json has other tokens, the
// files beside it name no token that is gone, and vocabularies in older formats,
// which would contradict it, are left out. The caller must not change them.
func (a *Alignment) Files() map[string][]byte { return a.files }
