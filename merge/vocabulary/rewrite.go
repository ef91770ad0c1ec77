package vocabulary

import (
	"bytes"
	"slices"
	"strings"
)

// edit replaces a part of a text.
type edit struct {
	at   span
	text string
}

// apply makes edits that do not overlap.
func apply(text string, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.at.begin - b.at.begin })
	var b bytes.Buffer
	last := 0
	for _, e := range edits {
		b.WriteString(text[last:e.at.begin])
		b.WriteString(e.text)
		last = e.at.end
	}
	b.WriteString(text[last:])
	return b.Bytes()
}

// rewrite returns the file without the tokens that are gone and with other added
// tokens. Everything else keeps its bytes. Merges of a BPE model are kept unless
// they have a part, or a product, that is gone; none are made for new tokens.
func (f *file) rewrite(gone table, tokens []added) ([]byte, error) {
	var raw []string
	for _, a := range tokens {
		raw = append(raw, a.raw)
	}
	list := "[]"
	if len(raw) > 0 {
		list = "[\n    " + strings.Join(raw, ",\n    ") + "\n  ]"
	}
	edits := []edit{{f.addedAt, list}}
	if f.addedAt == (span{}) {
		edits = []edit{{span{f.afterKey, f.afterKey}, "\n  \"added_tokens\": " + list + ","}}
	}
	if len(gone.byID) == 0 {
		return apply(f.text, edits), nil
	}
	if f.unknown >= 0 {
		if _, lost := gone.at(f.unknown); lost {
			return nil, damaged("model.unk_id", "the unknown token %d has no row", f.unknown)
		}
	}
	kept, err := f.keptVocab(gone)
	if err != nil {
		return nil, err
	}
	edits = append(edits, edit{f.vocab, kept})
	if f.merges != (span{}) {
		kept, err := f.keptMerges(gone)
		if err != nil {
			return nil, err
		}
		edits = append(edits, edit{f.merges, kept})
	}
	return apply(f.text, edits), nil
}

// keptVocab writes the vocabulary of the model anew, its entries as they stand.
func (f *file) keptVocab(gone table) (string, error) {
	k := keeper{text: f.text, at: f.vocab}
	if f.kind == unigram {
		err := f.eachScore(func(text string, at span) error {
			_, lost := gone.id(text)
			k.item(at, !lost)
			return nil
		})
		return k.list("[", "]"), err
	}
	s := &scanner{text: f.text[:f.vocab.end], at: f.vocab.begin}
	err := s.list('{', '}', func(int) error {
		s.peek()
		from := s.at
		key, err := s.string()
		if err == nil {
			err = s.want(':')
		}
		if err == nil {
			_, err = s.id()
		}
		_, lost := gone.id(key)
		k.item(span{from, s.at}, !lost)
		return err
	})
	return k.list("{", "}"), err
}

func (f *file) keptMerges(gone table) (string, error) {
	k := keeper{text: f.text, at: f.merges}
	prefix := f.prefix()
	err := f.eachMerge(func(left, right string, at span) error {
		_, a := gone.id(left)
		_, b := gone.id(right)
		_, c := gone.id(left + strings.TrimPrefix(right, prefix))
		k.item(at, !a && !b && !c)
		return nil
	})
	return k.list("[", "]"), err
}

// prefix is what begins tokens inside a word; a merge drops it from its right part.
func (f *file) prefix() string {
	at, ok := find(f.model, "continuing_subword_prefix")
	if !ok {
		return ""
	}
	return object{text: f.text}.content(at)
}

// keeper copies items of a list with the space that stood before the first.
type keeper struct {
	text string
	at   span
	out  strings.Builder
	gap  string
	seen bool
}

func (k *keeper) item(at span, keep bool) {
	if !k.seen {
		k.seen, k.gap = true, k.text[k.at.begin+1:at.begin]
	}
	if !keep {
		return
	}
	if k.out.Len() > 0 {
		k.out.WriteByte(',')
	}
	k.out.WriteString(k.gap)
	k.out.WriteString(at.of(k.text))
}

func (k *keeper) list(open, closing string) string {
	end := strings.TrimRight(k.text[:k.at.end-1], " \t\n\r")
	return open + k.out.String() + k.text[len(end):k.at.end-1] + closing
}

// forget removes from a file beside tokenizer.json what names a token that is
// gone: roles, entries of lists and of the decoder.
func forget(data []byte, gone table, known map[string]int32) []byte {
	o, err := readObject(map[string][]byte{configFile: data}, configFile)
	if err != nil || len(gone.byID) == 0 {
		return data
	}
	lost := func(text string) bool {
		_, was := gone.id(text)
		_, is := known[text]
		return was && !is
	}
	var edits []edit
	for i, m := range o.members {
		switch {
		case slices.Contains(roles, m.key):
			if lost(o.content(m.value)) {
				edits = append(edits, edit{m.value, "null"})
			}
		case m.key == "added_tokens_decoder" || slices.Contains(extras, m.key):
			edits = append(edits, edit{o.members[i].value, o.without(m.value, lost)})
		}
	}
	return apply(o.text, edits)
}

// without writes a list or an object without the tokens that are lost.
func (o object) without(at span, lost func(string) bool) string {
	k := keeper{text: o.text, at: at}
	s := &scanner{text: o.text[:at.end], at: at.begin}
	visit := func(from int) error {
		value, err := s.skip()
		k.item(span{from, s.at}, !lost(o.content(value)))
		return err
	}
	switch s.peek() {
	case '[':
		_ = s.array(func(int) error { s.peek(); return visit(s.at) })
		return k.list("[", "]")
	case '{':
		_ = s.list('{', '}', func(int) error {
			s.peek()
			from := s.at
			if _, err := s.string(); err != nil {
				return err
			}
			if err := s.want(':'); err != nil {
				return err
			}
			s.peek()
			return visit(from)
		})
		return k.list("{", "}")
	}
	return at.of(o.text)
}
