package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// bpe is byte-pair encoding: characters are joined pair by pair, the pair that
// was learnt first before the others, of equals the leftmost.
type bpe struct {
	vocab        map[string]int32
	merges       map[uint64]merge // by both ids
	ascii        [128]int32       // vocab of single characters, -1 for none
	unk          int32            // -1 for none
	fuseUnk      bool             // neighbouring unknown characters become one token
	bytes        [256]int32       // tokens <0x00> to <0xFF>; -1 for none
	byteFallback bool
	ignoreMerges bool // a word that is in the vocabulary is taken whole
}

type merge struct{ rank, id int32 }

func pair(a, b int32) uint64 { return uint64(uint32(a))<<32 | uint64(uint32(b)) }

// modelFile is the "model" object of the file.
type modelFile struct {
	Type                    *string          `json:"type"`
	Dropout                 *float64         `json:"dropout"`
	UnkToken                *string          `json:"unk_token"`
	ContinuingSubwordPrefix *string          `json:"continuing_subword_prefix"`
	EndOfWordSuffix         *string          `json:"end_of_word_suffix"`
	FuseUnk                 bool             `json:"fuse_unk"`
	ByteFallback            bool             `json:"byte_fallback"`
	IgnoreMerges            bool             `json:"ignore_merges"`
	Vocab                   map[string]int32 `json:"vocab"`
	Merges                  json.RawMessage  `json:"merges"`
}

func newBPE(raw json.RawMessage) (*bpe, error) {
	var kind struct {
		Type *string `json:"type"`
	}
	if json.Unmarshal(raw, &kind) == nil && kind.Type != nil && *kind.Type != "BPE" {
		return nil, unknown("model", *kind.Type)
	}
	var f modelFile
	if err := strict(raw, "model", &f); err != nil {
		return nil, err
	}
	switch {
	case len(f.Vocab) == 0:
		return nil, problem("model.vocab", "missing or empty")
	case f.Dropout != nil && *f.Dropout != 0:
		return nil, problem("model.dropout", "random merges are not supported")
	case f.ContinuingSubwordPrefix != nil && *f.ContinuingSubwordPrefix != "":
		return nil, problem("model.continuing_subword_prefix", "not supported")
	case f.EndOfWordSuffix != nil && *f.EndOfWordSuffix != "":
		return nil, problem("model.end_of_word_suffix", "not supported")
	}
	m := &bpe{vocab: f.Vocab, unk: -1, fuseUnk: f.FuseUnk, byteFallback: f.ByteFallback, ignoreMerges: f.IgnoreMerges}
	for token, id := range f.Vocab {
		if id < 0 || int(id) >= maxVocab {
			return nil, problem("model.vocab", fmt.Sprintf("token %q has id %d, not between 0 and %d", token, id, maxVocab-1))
		}
	}
	if f.UnkToken != nil {
		id, ok := f.Vocab[*f.UnkToken]
		if !ok {
			return nil, problem("model.unk_token", fmt.Sprintf("%q is not in the vocabulary", *f.UnkToken))
		}
		m.unk = id
	}
	for b := range m.bytes {
		m.bytes[b] = m.lookup(fmt.Sprintf("<0x%02X>", b))
	}
	for c := range m.ascii {
		m.ascii[c] = m.lookup(string(rune(c)))
	}
	return m, m.readMerges(f.Merges)
}

func (m *bpe) lookup(token string) int32 {
	if id, ok := m.vocab[token]; ok {
		return id
	}
	return -1
}

// readMerges takes "a b" strings, as files had them first, or ["a", "b"] pairs.
func (m *bpe) readMerges(raw json.RawMessage) error {
	var lines []string
	var pairs [][2]string
	if len(raw) > 0 && json.Unmarshal(raw, &lines) != nil {
		lines = nil // which the attempt may have begun to fill
		var lists [][]string
		if err := json.Unmarshal(raw, &lists); err != nil {
			return problem("model.merges", "is neither a list of strings nor of pairs")
		}
		for i, l := range lists {
			if len(l) != 2 {
				return problem(fmt.Sprintf("model.merges[%d]", i), "is not a pair")
			}
			pairs = append(pairs, [2]string(l))
		}
	}
	for i, l := range lines {
		a, b, ok := strings.Cut(l, " ")
		if !ok || strings.Contains(b, " ") {
			return problem(fmt.Sprintf("model.merges[%d]", i), fmt.Sprintf("%q is not two tokens with a space between", l))
		}
		pairs = append(pairs, [2]string{a, b})
	}
	m.merges = make(map[uint64]merge, len(pairs))
	for i, p := range pairs {
		a, b, joined := m.lookup(p[0]), m.lookup(p[1]), m.lookup(p[0]+p[1])
		if a < 0 || b < 0 || joined < 0 {
			return problem(fmt.Sprintf("model.merges[%d]", i), fmt.Sprintf("%q and %q, or what they join to, are not in the vocabulary", p[0], p[1]))
		}
		m.merges[pair(a, b)] = merge{int32(i), joined}
	}
	return nil
}

// encode appends the tokens of one word.
func (m *bpe) encode(ids []int32, word string, s *merger) []int32 {
	if m.ignoreMerges {
		if id, ok := m.vocab[word]; ok {
			return append(ids, id)
		}
	}
	s.symbols = s.symbols[:0]
	m.characters(word, s)
	if len(m.merges) > 0 && len(s.symbols) > 1 {
		s.mergeAll(m.merges)
	}
	for i := range s.symbols {
		if s.symbols[i].id >= 0 {
			ids = append(ids, s.symbols[i].id)
		}
	}
	return ids
}

// characters sets the symbols of a word before any merge. An unknown character
// becomes its bytes, else the unknown token, else nothing.
func (m *bpe) characters(word string, s *merger) {
	pending := false // an unknown token that has yet to be written
	for len(word) > 0 {
		var id int32
		n := 1
		if c := word[0]; c < utf8.RuneSelf {
			id = m.ascii[c]
		} else {
			_, n = utf8.DecodeRuneInString(word)
			id = m.lookup(word[:n])
		}
		c := word[:n]
		word = word[n:]
		if id < 0 && m.byteFallback && m.allBytes(c) {
			for i := range len(c) {
				s.push(m.bytes[c[i]])
			}
			continue
		}
		if id < 0 {
			if m.unk >= 0 {
				if pending && !m.fuseUnk {
					s.push(m.unk)
				}
				pending = true
			}
			continue
		}
		if pending {
			s.push(m.unk)
			pending = false
		}
		s.push(id)
	}
	if pending {
		s.push(m.unk)
	}
}

func (m *bpe) allBytes(c string) bool {
	for i := range len(c) {
		if m.bytes[c[i]] < 0 {
			return false
		}
	}
	return true
}
