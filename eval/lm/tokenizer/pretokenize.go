package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// preTokenizer cuts pieces of text into words, which are then encoded one by
// one. first is true when the pieces begin the text.
type preTokenizer interface {
	split(pieces []string, first bool) []string
}

func newPreTokenizer(raw json.RawMessage, field string, depth int) (preTokenizer, error) {
	kind, err := component(raw, field)
	if err != nil || kind == "" {
		return nil, err
	}
	switch kind {
	case "Sequence":
		return preTokenizerSequence(raw, field, depth)
	case "Split":
		return newSplit(raw, field)
	case "ByteLevel":
		return newByteLevel(raw, field)
	case "Metaspace":
		return newMetaspace(raw, field)
	case "Digits":
		var f struct {
			Type             string
			IndividualDigits bool `json:"individual_digits"`
		}
		err := strict(raw, field, &f)
		behaviour := contiguous
		if f.IndividualDigits {
			behaviour = isolated
		}
		return splitter{runePattern(unicode.IsNumber), behaviour, false}, err
	case "WhitespaceSplit":
		var f struct{ Type string }
		return splitter{runePattern(unicode.IsSpace), removed, false}, strict(raw, field, &f)
	}
	return nil, unknown(field, kind)
}

type sequence []preTokenizer

func (s sequence) split(pieces []string, first bool) []string {
	for _, p := range s {
		pieces = p.split(pieces, first)
	}
	return pieces
}

func preTokenizerSequence(raw json.RawMessage, field string, depth int) (preTokenizer, error) {
	var f struct {
		Type          string
		PreTokenizers []json.RawMessage `json:"pretokenizers"`
	}
	if err := strict(raw, field, &f); err != nil {
		return nil, err
	}
	if depth == maxDepth {
		return nil, tooDeep(field)
	}
	var all sequence
	for i, part := range f.PreTokenizers {
		p, err := newPreTokenizer(part, fmt.Sprintf("%s.pretokenizers[%d]", field, i), depth+1)
		if err != nil {
			return nil, err
		}
		if p != nil {
			all = append(all, p)
		}
	}
	return all, nil
}

// behaviour is what becomes of the matches of a splitter.
type behaviour string

const (
	removed            behaviour = "Removed"
	isolated           behaviour = "Isolated"
	mergedWithPrevious behaviour = "MergedWithPrevious"
	mergedWithNext     behaviour = "MergedWithNext"
	contiguous         behaviour = "Contiguous"
)

// splitter cuts at the matches of a pattern, or, inverted, between them.
type splitter struct {
	pattern   pattern
	behaviour behaviour
	invert    bool
}

func newSplit(raw json.RawMessage, field string) (preTokenizer, error) {
	var f struct {
		Type     string
		Pattern  patternFile
		Behavior behaviour
		Invert   bool
	}
	if err := strict(raw, field, &f); err != nil {
		return nil, err
	}
	switch f.Behavior {
	case removed, isolated, mergedWithPrevious, mergedWithNext, contiguous:
	default:
		return nil, problem(field+".behavior", fmt.Sprintf("%q is not known", f.Behavior))
	}
	p, err := f.Pattern.compile(field + ".pattern")
	return splitter{p, f.Behavior, f.Invert}, err
}

func (s splitter) split(pieces []string, _ bool) []string {
	words := make([]string, 0, len(pieces)*4)
	for _, piece := range pieces {
		words = s.cut(words, piece)
	}
	return words
}

// cut appends the words of one piece. What lies between matches is a segment too.
func (s splitter) cut(words []string, piece string) []string {
	from, joins := 0, false // the open word begins at from; joins: the next segment belongs to it
	matched := false        // the segment before was a match
	segment := func(a, b int, match bool) {
		if a == b {
			return
		}
		match = match != s.invert
		switch s.behaviour {
		case removed:
			if !match {
				words = append(words, piece[a:b])
			}
			from = b
			return
		case mergedWithPrevious:
			joins = match && !matched && a > 0
		case mergedWithNext:
			joins = !match && matched
		case contiguous:
			joins = match == matched && a > 0
		default:
			joins = false
		}
		if !joins && a > from {
			words = append(words, piece[from:a])
			from = a
		}
		matched = match
	}
	done := 0
	s.pattern(piece, func(a, b int) {
		segment(done, a, false)
		segment(a, b, true)
		done = b
	})
	segment(done, len(piece), false)
	if from < len(piece) && s.behaviour != removed {
		words = append(words, piece[from:])
	}
	return words
}

// runePattern matches single characters.
func runePattern(is func(rune) bool) pattern {
	return func(text string, found func(from, to int)) {
		for i, r := range text {
			if is(r) {
				found(i, i+utf8.RuneLen(r))
			}
		}
	}
}

// metaspace writes spaces as a visible character and cuts before it.
type metaspace struct {
	replacement string
	scheme      string // when one is put in front: "always", "first", "never"
	splits      bool
}

type metaspaceFile struct {
	Type           string
	Replacement    string
	AddPrefixSpace *bool   `json:"add_prefix_space"` // older files
	PrependScheme  *string `json:"prepend_scheme"`
	Split          *bool
	StrRep         *string `json:"str_rep"` // older files, the same as replacement
}

func readMetaspace(raw json.RawMessage, field string) (metaspace, error) {
	var f metaspaceFile
	if err := strict(raw, field, &f); err != nil {
		return metaspace{}, err
	}
	m := metaspace{replacement: f.Replacement, scheme: "always", splits: f.Split == nil || *f.Split}
	if utf8.RuneCountInString(m.replacement) != 1 {
		return m, problem(field+".replacement", "must be one character")
	}
	if f.AddPrefixSpace != nil && !*f.AddPrefixSpace {
		m.scheme = "never"
	}
	if f.PrependScheme != nil {
		m.scheme = *f.PrependScheme
	}
	switch m.scheme {
	case "always", "first", "never":
		return m, nil
	}
	return m, problem(field+".prepend_scheme", fmt.Sprintf("%q is not known", m.scheme))
}

func newMetaspace(raw json.RawMessage, field string) (preTokenizer, error) {
	return readMetaspace(raw, field)
}

func (m metaspace) split(pieces []string, first bool) []string {
	words := make([]string, 0, len(pieces)*4)
	for i, piece := range pieces {
		piece = strings.ReplaceAll(piece, " ", m.replacement)
		prepend := m.scheme == "always" || m.scheme == "first" && first && i == 0
		if prepend && !strings.HasPrefix(piece, m.replacement) {
			piece = m.replacement + piece
		}
		if m.splits {
			words = splitter{stringPattern(m.replacement), mergedWithNext, false}.cut(words, piece)
		} else {
			words = append(words, piece)
		}
	}
	return words
}
