package tokenizer

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// addedToken is one entry of added_tokens.
type addedToken struct {
	ID         int32  `json:"id"`
	Content    string `json:"content"`
	SingleWord bool   `json:"single_word"` // only between characters that are not part of a word
	LStrip     bool   `json:"lstrip"`      // takes the white space before it along
	RStrip     bool   `json:"rstrip"`
	Normalized bool   `json:"normalized"` // searched for in the normalised text
	Special    bool   `json:"special"`
}

// addedTokens are searched for before anything else happens to a text: first
// those that are matched as written, then, in the normalised rest, the others.
type addedTokens struct {
	byContent       map[string]addedToken
	special         map[int32]bool
	raw, normalised matcher
}

func newAddedTokens(list []addedToken, normalize func(string) string) (addedTokens, error) {
	a := addedTokens{byContent: map[string]addedToken{}, special: map[int32]bool{}}
	for i, t := range list {
		if t.Content == "" {
			return a, problem(fmt.Sprintf("added_tokens[%d]", i), "has no content")
		}
		if t.ID < 0 || int(t.ID) >= maxVocab {
			return a, problem(fmt.Sprintf("added_tokens[%d]", i), fmt.Sprintf("id %d is not between 0 and %d", t.ID, maxVocab-1))
		}
		a.byContent[t.Content] = t
		if t.Special {
			a.special[t.ID] = true
		}
		if !t.Normalized {
			a.raw.add(t.Content, t)
		} else if normalize == nil {
			a.normalised.add(t.Content, t)
		} else {
			a.normalised.add(normalize(t.Content), t)
		}
	}
	return a, nil
}

// split calls emit for each piece of text in order: an added token with its id,
// or normalised text between them with id -1; first is true at the beginning.
func (a *addedTokens) split(text string, normalize func(string) string, emit func(piece string, id int32, first bool)) {
	a.raw.split(text, func(piece string, id int32, at int) {
		if id >= 0 {
			emit(piece, id, at == 0)
			return
		}
		if normalize != nil {
			piece = normalize(piece)
		}
		a.normalised.split(piece, func(inner string, id int32, inside int) {
			emit(inner, id, at+inside == 0)
		})
	})
}

// matcher finds words in a text, the leftmost first and of these the longest.
type matcher struct {
	words   map[string]addedToken
	lengths [256][]int // lengths of words that begin with a byte, longest first
}

func (m *matcher) add(word string, t addedToken) {
	if word == "" {
		return // the normalizer left nothing to search for
	}
	if m.words == nil {
		m.words = map[string]addedToken{}
	}
	m.words[word] = t
	l := &m.lengths[word[0]]
	if !slices.Contains(*l, len(word)) {
		*l = append(*l, len(word))
		slices.SortFunc(*l, func(x, y int) int { return y - x })
	}
}

func (m *matcher) at(text string, i int) (t addedToken, length int) {
	for _, n := range m.lengths[text[i]] {
		if n <= len(text)-i {
			if t, ok := m.words[text[i:i+n]]; ok {
				return t, n
			}
		}
	}
	return t, 0
}

func (m *matcher) split(text string, emit func(piece string, id int32, at int)) {
	done := 0
	for i := 0; m.words != nil && i < len(text); {
		t, n := m.at(text, i)
		if n == 0 {
			i++
			continue
		}
		from, to := i, i+n
		i = to
		if t.SingleWord && (endsInWord(text[:from]) || beginsWord(text[to:])) {
			continue
		}
		if t.LStrip {
			from = max(done, len(strings.TrimRightFunc(text[:from], unicode.IsSpace)))
		}
		if t.RStrip {
			to = len(text) - len(strings.TrimLeftFunc(text[to:], unicode.IsSpace))
		}
		if done < from {
			emit(text[done:from], -1, done)
		}
		emit(text[from:to], t.ID, from)
		done, i = to, to
	}
	if done < len(text) {
		emit(text[done:], -1, done)
	}
}

func endsInWord(s string) bool {
	r, n := utf8.DecodeLastRuneInString(s)
	return n > 0 && wordRune(r)
}

func beginsWord(s string) bool {
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && wordRune(r)
}

func wordRune(r rune) bool {
	return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsMark(r)
}
