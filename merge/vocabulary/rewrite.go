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
	slices.SortStableFunc(edits, func(a, b edit) int { return a.at.Begin - b.at.Begin })
	var b bytes.Buffer
	last := 0
	for _, e := range edits {
		b.WriteString(text[last:e.at.Begin])
		b.WriteString(e.text)
		last = e.at.End
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
		edits = []edit{{span{Begin: f.afterKey, End: f.afterKey}, "\n  \"added_tokens\": " + list + ","}}
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
	s := scan(f.text, f.vocab)
	err := s.List('{', '}', func(int) error {
		s.Peek()
		from := s.At
		key, err := s.Text()
		if err == nil {
			err = s.Want(':')
		}
		if err == nil {
			_, err = s.id()
		}
		_, lost := gone.id(key)
		k.item(span{Begin: from, End: s.At}, !lost)
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
		k.seen, k.gap = true, k.text[k.at.Begin+1:at.Begin]
	}
	if !keep {
		return
	}
	if k.out.Len() > 0 {
		k.out.WriteByte(',')
	}
	k.out.WriteString(k.gap)
	k.out.WriteString(at.Of(k.text))
}

func (k *keeper) list(open, closing string) string {
	end := strings.TrimRight(k.text[:k.at.End-1], " \t\n\r")
	return open + k.out.String() + k.text[len(end):k.at.End-1] + closing
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
		case slices.Contains(roles, m.Key):
			if lost(o.content(m.Span)) {
				edits = append(edits, edit{m.Span, "null"})
			}
		case m.Key == "added_tokens_decoder" || slices.Contains(extras, m.Key):
			edits = append(edits, edit{o.members[i].Span, o.without(m.Span, lost)})
		}
	}
	return apply(o.text, edits)
}

// without writes a list or an object without the tokens that are lost.
func (o object) without(at span, lost func(string) bool) string {
	k := keeper{text: o.text, at: at}
	s := scan(o.text, at)
	visit := func(from int) error {
		value, err := s.Skip()
		k.item(span{Begin: from, End: s.At}, !lost(o.content(value)))
		return err
	}
	switch s.Peek() {
	case '[':
		_ = s.Array(func(int) error { s.Peek(); return visit(s.At) })
		return k.list("[", "]")
	case '{':
		_ = s.List('{', '}', func(int) error {
			s.Peek()
			from := s.At
			if _, err := s.Text(); err != nil {
				return err
			}
			if err := s.Want(':'); err != nil {
				return err
			}
			s.Peek()
			return visit(from)
		})
		return k.list("{", "}")
	}
	return at.Of(o.text)
}
