package vocabulary

import (
	"fmt"
	"strings"
	"unicode"

	"mergesearch"
	"mergesearch/merge/jsonscan"
)

// Limits of a tokenizer file. Real ones stay far below.
const (
	maxFile   = 256 << 20 // bytes
	maxTokens = 1 << 22
	maxMerges = 1 << 23
	maxToken  = 1 << 16 // bytes
	maxID     = 1<<24 - 1
)

// The ways in which a tokenizer.json writes its vocabulary.
const (
	bpe       = "BPE"
	wordLevel = "WordLevel"
	wordPiece = "WordPiece"
	unigram   = "Unigram"
)

// file is a checked tokenizer.json: what it says of tokens, and where.
type file struct {
	text     string
	kind     string
	top      []member // of the document
	model    []member // of the value of "model"
	vocab    span
	merges   span  // empty: there are none
	unknown  int32 // unk_id of a Unigram model, -1: none
	tokens   table // of the model
	added    []added
	addedAt  span // empty: the key is absent
	afterKey int  // where a first key can be written
}

// added is an entry of added_tokens.
type added struct {
	token
	settings string // single_word to special as JSON members
	raw      string // the entry as JSON, with its id
}

// parseFile reads a tokenizer.json. Errors are *mergesearch.InputError without a
// file.
func parseFile(data []byte) (*file, error) {
	if len(data) > maxFile {
		return nil, damaged("", "%d bytes, more than the limit of %d", len(data), maxFile)
	}
	f := &file{text: string(data), unknown: -1}
	var err error
	if f.top, err = jsonscan.Document(f.text); err != nil {
		return nil, damaged("", "not a tokenizer file: %v", err)
	}
	f.afterKey = strings.IndexByte(f.text, '{') + 1
	if err := f.readModel(); err != nil {
		return nil, err
	}
	return f, f.readAdded()
}

func damaged(field, format string, args ...any) error {
	return &mergesearch.InputError{
		Field: field, Problem: fmt.Sprintf(format, args...),
		Hint: "the file is damaged or was not written by the tokenizers library; copy or download it again",
	}
}

// shown cuts a token to what fits an error line.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, text)
	if len(text) > 80 {
		text = strings.ToValidUTF8(text[:80], "") + "..."
	}
	return text
}

func find(in []member, key string) (span, bool) {
	for _, m := range in {
		if m.Key == key {
			return m.Span, true
		}
	}
	return span{}, false
}

func (f *file) readModel() error {
	at, ok := find(f.top, "model")
	if !ok {
		return damaged("model", "missing")
	}
	s := scan(f.text, at)
	var err error
	if f.model, err = s.Members(); err != nil {
		return damaged("model", "%v", err)
	}
	if f.vocab, ok = find(f.model, "vocab"); !ok {
		return damaged("model.vocab", "missing")
	}
	array := f.text[f.vocab.Begin] == '['
	if f.kind, err = f.modelType(array); err != nil {
		return err
	}
	if array {
		err = f.readScores()
	} else {
		err = f.readVocab()
	}
	if err == nil && f.kind == unigram {
		err = f.readUnknown()
	}
	if at, ok := find(f.model, "merges"); ok && err == nil && f.kind == bpe {
		f.merges = at
		err = f.eachMerge(func(_, _ string, _ span) error { return nil })
	}
	return err
}

// modelType reads the type, which old files leave out.
func (f *file) modelType(array bool) (string, error) {
	kind := ""
	if at, ok := find(f.model, "type"); ok {
		s := scan(f.text, span{Begin: at.Begin, End: len(f.text)})
		var err error
		if kind, err = s.Text(); err != nil {
			return "", damaged("model.type", "%v", err)
		}
	}
	_, merges := find(f.model, "merges")
	_, subwords := find(f.model, "continuing_subword_prefix")
	switch {
	case kind == unigram && array, (kind == bpe || kind == wordLevel || kind == wordPiece) && !array:
		return kind, nil
	case kind == bpe, kind == wordLevel, kind == wordPiece, kind == unigram:
		return "", damaged("model.vocab", "is not what a %s model has", kind)
	case kind != "":
		e := damaged("model.type", "%q is not known", shown(kind)).(*mergesearch.InputError)
		e.Hint = "known: BPE, WordLevel, WordPiece, Unigram"
		return "", e
	case array:
		return unigram, nil
	case merges:
		return bpe, nil
	case subwords:
		return wordPiece, nil
	}
	return wordLevel, nil
}

// readVocab reads {"token": id, ...}, twice: once to count.
func (f *file) readVocab() error {
	n := 0
	s := scan(f.text, f.vocab)
	err := s.Object(func(key string) error {
		if n++; n > maxTokens {
			return s.Fail("more than %d tokens", maxTokens)
		}
		if len(key) > maxToken {
			return s.Fail("a token of %d bytes, more than the limit of %d", len(key), maxToken)
		}
		_, err := s.id()
		return err
	})
	if err != nil {
		return damaged("model.vocab", "%v", err)
	}
	tokens := make([]token, 0, n)
	s = scan(f.text, f.vocab)
	_ = s.Object(func(key string) error {
		id, err := s.id()
		tokens = append(tokens, token{key, id})
		return err
	})
	return f.take(tokens)
}

// readScores reads [["token", score], ...], where the place is the id.
func (f *file) readScores() error {
	n := 0
	err := f.eachScore(func(string, span) error {
		if n++; n > maxTokens {
			return fmt.Errorf("more than %d tokens", maxTokens)
		}
		return nil
	})
	if err != nil {
		return damaged("model.vocab", "%v", err)
	}
	tokens := make([]token, 0, n)
	_ = f.eachScore(func(text string, _ span) error {
		tokens = append(tokens, token{text, int32(len(tokens))})
		return nil
	})
	return f.take(tokens)
}

func (f *file) take(tokens []token) error {
	t, twice := newTable(tokens)
	switch {
	case twice == nil:
		f.tokens = t
		return nil
	case twice[0].id == twice[1].id:
		return damaged("model.vocab", "%q and %q have the same id %d", shown(twice[0].text), shown(twice[1].text), twice[0].id)
	}
	return damaged("model.vocab", "token %q comes twice", shown(twice[0].text))
}

// eachScore visits the entries of a Unigram vocabulary.
func (f *file) eachScore(visit func(text string, at span) error) error {
	s := scan(f.text, f.vocab)
	return s.Array(func(int) error {
		s.Peek()
		at, text := span{Begin: s.At}, ""
		err := s.Array(func(i int) (err error) {
			switch i {
			case 0:
				text, err = s.Text()
			case 1:
				if c := s.Peek(); c != '-' && (c < '0' || c > '9') {
					return s.Fail("want a number")
				}
				_, err = s.Skip()
				at.End = -1
			default:
				err = s.Fail("want a token and a number")
			}
			return err
		})
		if err == nil && at.End == 0 {
			err = s.Fail("want a token and a number")
		}
		if err == nil && len(text) > maxToken {
			err = s.Fail("a token of %d bytes, more than the limit of %d", len(text), maxToken)
		}
		if err != nil {
			return err
		}
		at.End = s.At
		return visit(text, at)
	})
}

func (f *file) readUnknown() error {
	at, ok := find(f.model, "unk_id")
	if !ok || at.Of(f.text) == "null" {
		return nil
	}
	s := scan(f.text, at)
	id, err := s.id()
	if err != nil {
		return damaged("model.unk_id", "%v", err)
	}
	if int(id) >= len(f.tokens.byID) {
		return damaged("model.unk_id", "%d, but the vocabulary has %d tokens", id, len(f.tokens.byID))
	}
	f.unknown = id
	return nil
}

// eachMerge visits the merges of a BPE model. New files write ["left", "right"],
// old ones "left right".
func (f *file) eachMerge(visit func(left, right string, at span) error) error {
	s := scan(f.text, f.merges)
	err := s.Array(func(i int) error {
		if i >= maxMerges {
			return s.Fail("more than %d merges", maxMerges)
		}
		if s.Peek() == '"' {
			from := s.At
			pair, err := s.Text()
			left, right, ok := strings.Cut(pair, " ")
			if err == nil && (!ok || strings.Contains(right, " ")) {
				err = s.Fail("want two tokens with a space between, have %.40q", shown(pair))
			}
			if err != nil {
				return err
			}
			return visit(left, right, span{Begin: from, End: s.At})
		}
		return s.pair(visit)
	})
	if err != nil {
		return damaged("model.merges", "%v", err)
	}
	return nil
}

func (s *scanner) pair(visit func(left, right string, at span) error) error {
	from, n, pair := s.At, 0, [2]string{}
	err := s.Array(func(i int) (err error) {
		if i >= 2 {
			return s.Fail("want two tokens")
		}
		n++
		s.Peek()
		pair[i], err = s.Text()
		return err
	})
	if err == nil && n != 2 {
		err = s.Fail("want two tokens")
	}
	if err != nil {
		return err
	}
	return visit(pair[0], pair[1], span{Begin: from, End: s.At})
}
