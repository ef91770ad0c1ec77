package vocabulary

import (
	"errors"
	"fmt"
	"strings"

	"mergesearch"
)

// flags are the settings of an added token besides id and content, in the order
// in which the library writes them.
var flags = [...]string{"single_word", "lstrip", "rstrip", "normalized", "special"}

// plain is how the library adds a token of which only the text is known: it is
// looked for in the text after normalization.
const plain = `"single_word":false,"lstrip":false,"rstrip":false,"normalized":true,"special":false`

// special is how the library adds a token that a role (pad, end) is given to.
const special = `"single_word":false,"lstrip":false,"rstrip":false,"normalized":false,"special":true`

// newAdded returns the entry for a token that is new in a file.
func newAdded(t token, settings string) added {
	return added{token: t, settings: settings, raw: fmt.Sprintf(`{"id":%d,"content":%s,%s}`, t.id, quote(t.text), settings)}
}

// readAdded reads added_tokens. The library gives every entry that is no token of
// the model the next free number, whatever the file says; a file that says
// otherwise would be understood in two ways and is refused.
func (f *file) readAdded() error {
	var ok bool
	if f.addedAt, ok = find(f.top, "added_tokens"); !ok {
		return nil
	}
	s := scan(f.text, f.addedAt)
	seen, last := map[string]struct{}{}, int32(-1)
	err := s.Array(func(i int) error {
		field := fmt.Sprintf("added_tokens[%d]", i)
		if i >= maxTokens {
			return damaged("added_tokens", "more than %d tokens", maxTokens)
		}
		a, err := s.added()
		if err != nil {
			return damaged(field, "%v", err)
		}
		if _, twice := seen[a.text]; twice || a.text == "" {
			return damaged(field, "token %q comes twice or is empty", shown(a.text))
		}
		seen[a.text] = struct{}{}
		id, known := f.tokens.id(a.text)
		if !known {
			id = nextID(len(f.tokens.byID), last)
		}
		if id != a.id {
			return damaged(field, "token %q has id %d, but it is number %d of the vocabulary", shown(a.text), a.id, id)
		}
		if !known {
			if at, taken := f.tokens.at(id); taken {
				return damaged(field, "token %q has id %d, which is that of %q", shown(a.text), id, shown(at))
			}
		}
		last = max(last, id)
		f.added = append(f.added, a)
		return nil
	})
	var in *mergesearch.InputError
	if err != nil && !errors.As(err, &in) {
		return damaged("added_tokens", "%v", err)
	}
	return err
}

// nextID is the number that the library gives to a token that is new, where the
// model has n tokens and the largest number of an added token is last.
func nextID(n int, last int32) int32 { return max(int32(n), last+1) }

// added reads one entry.
func (s *scanner) added() (added, error) {
	var a added
	s.Peek()
	from := s.At
	var settings [len(flags)]string
	fields := 0
	err := s.Object(func(key string) (err error) {
		switch key {
		case "id":
			a.id, err = s.id()
			fields++
		case "content":
			s.Peek()
			a.text, err = s.Text()
			fields++
			if len(a.text) > maxToken {
				err = s.Fail("a token of %d bytes, more than the limit of %d", len(a.text), maxToken)
			}
		default:
			err = s.flag(key, &settings)
		}
		return err
	})
	if err != nil {
		return a, err
	}
	if fields != 2 {
		return a, s.Fail("want id and content, once each")
	}
	a.raw = s.Source[from:s.At]
	a.settings, err = s.settings(settings)
	return a, err
}

// flag reads one setting; keys that the library does not know are passed over.
func (s *scanner) flag(key string, into *[len(flags)]string) error {
	at, err := s.Skip()
	for i, name := range flags {
		if key != name || err != nil {
			continue
		}
		word := at.Of(s.Source)
		if word != "true" && word != "false" || into[i] != "" {
			return s.Fail("%s: want true or false, once", name)
		}
		into[i] = word
	}
	return err
}

// settings returns the flags as JSON members.
func (s *scanner) settings(words [len(flags)]string) (string, error) {
	n := 0
	for i, name := range flags {
		switch words[i] {
		case "":
			return "", s.Fail("%s is missing", name)
		case "true":
			n |= 1 << i
		}
	}
	return allSettings[n], nil
}

// allSettings are shared, because files have many tokens with the same.
var allSettings = func() (out [1 << len(flags)]string) {
	for n := range out {
		var b strings.Builder
		for i, name := range flags {
			if i > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "%q:%t", name, n>>i&1 == 1)
		}
		out[n] = b.String()
	}
	return out
}()
