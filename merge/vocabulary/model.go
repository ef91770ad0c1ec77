package vocabulary

import (
	"cmp"
	"fmt"
	"path"
	"slices"

	"mergesearch"
)

// Model is the tokenizer side of a model that takes part in a merge.
type Model struct {
	Name  string
	Files map[string][]byte // of its directory, by name; others than those of a tokenizer are ignored
	Rows  int               // of its embedding matrix: vocab_size in its configuration
}

// vocabulary is a model's tokenizer: its file and the tokens that have a row.
type vocabulary struct {
	model  Model
	file   *file   // nil: the model has no tokenizer and its tokens are another's
	tokens table   // with numbers below Rows
	added  []added // of them those that stand in added_tokens, or will, by number
	extra  int     // how many of added the files beside tokenizer.json name
	lost   table   // the rest: tokens without a row
}

func damagedFile(name, field string, err error) error {
	return &mergesearch.InputError{
		File: name, Field: field, Problem: err.Error(), Hint: "the file is damaged; copy or download it again",
	}
}

// read reads the tokenizer of a model. It is nil when the model has none. Files
// that are equal, as those of a family often are, are read once: earlier has what
// was read before.
func read(m Model, earlier ...*vocabulary) (*vocabulary, error) {
	data, ok := m.Files[tokenizerFile]
	if !ok {
		return nil, nil
	}
	var f *file
	for _, v := range earlier {
		if v != nil && v.file != nil && v.file.text == string(data) {
			f = v.file
		}
	}
	if f == nil {
		var err error
		if f, err = parseFile(data); err != nil {
			return nil, mergesearch.InDir(mergesearch.InFile(err, tokenizerFile), m.Name)
		}
	}
	v := &vocabulary{model: m, file: f}
	if err := v.collect(); err != nil {
		return nil, mergesearch.InDir(err, m.Name)
	}
	return v, nil
}

// collect joins the tokens of the model, those added in tokenizer.json and those
// that the files beside it name, and splits them into those with and without row.
func (v *vocabulary) collect() error {
	all := slices.Clone(v.file.tokens.byID)
	known := map[string]bool{}
	last := int32(-1)
	put := func(a added, model bool) {
		known[a.text] = true
		last = max(last, a.id)
		if !model {
			all = append(all, a.token)
		}
		if int(a.id) < v.model.Rows {
			v.added = append(v.added, a)
		}
	}
	for _, a := range v.file.added {
		_, model := v.file.tokens.id(a.text)
		put(a, model)
	}
	more, err := named(v.model.Files)
	if err != nil {
		return err
	}
	for _, a := range more {
		if known[a.text] {
			continue
		}
		if id, model := v.file.tokens.id(a.text); model {
			put(newAdded(token{a.text, id}, a.settings), true)
			continue
		}
		id := nextID(len(v.file.tokens.byID), last)
		if id > maxID {
			return damagedFile(configFile, "", (&scanner{}).Fail("more than %d tokens", maxID))
		}
		before := len(v.added)
		put(newAdded(token{a.text, id}, a.settings), false)
		v.extra += len(v.added) - before
	}
	slices.SortStableFunc(v.added, func(a, b added) int { return cmp.Compare(a.id, b.id) })
	return v.split(all)
}

func (v *vocabulary) split(all []token) error {
	t, twice := v.file.tokens, []token(nil)
	if len(all) > len(t.byID) {
		t, twice = newTable(all)
	}
	if twice != nil { // a model that leaves out numbers, where an added token lands on one that is taken
		return damagedFile(tokenizerFile, "model.vocab", fmt.Errorf("leaves out numbers, so that %q and %q have the same", shown(twice[0].text), shown(twice[1].text)))
	}
	n, _ := slices.BinarySearchFunc(t.byID, v.model.Rows, func(a token, rows int) int { return cmp.Compare(int(a.id), rows) })
	if n == len(all) {
		v.tokens = t
		return nil
	}
	v.tokens, _ = newTable(slices.Clone(all[:n]))
	v.lost, _ = newTable(slices.Clone(all[n:]))
	return nil
}

// id returns the row of a token, -1 when there is none.
func (v *vocabulary) id(text string) int32 {
	if id, ok := v.tokens.id(text); ok {
		return id
	}
	return -1
}

// ordered puts the base first and the others in the order of their names, as the
// engine orders models: by the last element of a path. Recipes that list models
// in another order have the same result.
func ordered(base string, models []Model) []Model {
	models = slices.Clone(models)
	slices.SortStableFunc(models, func(a, b Model) int {
		if base != "" && (a.Name == base) != (b.Name == base) {
			if a.Name == base {
				return -1
			}
			return 1
		}
		return cmp.Or(cmp.Compare(path.Base(path.Clean(a.Name)), path.Base(path.Clean(b.Name))), cmp.Compare(a.Name, b.Name))
	})
	return models
}

// readAll reads the tokenizers of models. A model without any is taken to have
// the first one's, if its matrix has as many rows.
func readAll(models []Model) ([]*vocabulary, error) {
	var out []*vocabulary
	for i, m := range models {
		v, err := read(m, out...)
		switch {
		case err != nil:
			return nil, err
		case v != nil:
		case slow(m) != "":
			return nil, notFast(m)
		case i == 0:
			return nil, &mergesearch.InputError{
				File: m.Name, Field: tokenizerFile, Problem: "missing",
				Hint: "aligning vocabularies starts from the tokenizer of the base model; copy one into its directory",
			}
		case m.Rows != models[0].Rows:
			return nil, &mergesearch.InputError{
				File: m.Name, Field: tokenizerFile,
				Problem: fmt.Sprintf("missing, and %d rows are not the %d of %s, whose tokenizer could be meant", m.Rows, models[0].Rows, models[0].Name),
				Hint:    "copy the model's tokenizer into its directory",
			}
		default:
			v = &vocabulary{model: m, tokens: out[0].tokens, lost: out[0].lost, added: out[0].added}
		}
		out = append(out, v)
	}
	return out, nil
}

// slow returns the name of a vocabulary file in another format, "" for none.
func slow(m Model) string {
	for _, name := range slowFiles {
		if _, ok := m.Files[name]; ok {
			return name
		}
	}
	return ""
}

func notFast(m Model) error {
	return &mergesearch.InputError{
		File: m.Name, Field: tokenizerFile, Problem: "missing; " + slow(m) + " is not read",
		Hint: "convert it: AutoTokenizer.from_pretrained(dir).save_pretrained(dir) in transformers writes tokenizer.json",
	}
}
