package gguf

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// space is how vocabularies with scores write a space (U+2581).
const space = "\u2581"

// readScored reads BPE with byte fallback, which SentencePiece made and GGUF
// calls "llama". It knows no merges: llama.cpp joins the neighbours whose joint
// token has the highest score, of equals the leftmost. So scores are the ranks
// of the merges, negated, and two things must hold: all merges into one token
// stand together, and every way to put a token together from two is a merge.
func (v *vocabulary) readScored(f *tokenizerFile, merges [][2]string) error {
	v.kind = "llama"
	if err := v.readSpaces(f); err != nil {
		return err
	}
	if f.Model.Unk != nil {
		if id, ok := f.Model.Vocab[*f.Model.Unk]; ok {
			v.types[id], v.special["unknown"] = unknownToken, id
		}
	}
	for b := range 256 {
		token := fmt.Sprintf("<0x%02X>", b)
		id, ok := f.Model.Vocab[token]
		if !ok {
			return problem("model.vocab", "byte_fallback without the token %s", token)
		}
		v.types[id] = byteToken
	}
	rank, ranks, err := ranksOf(merges)
	if err != nil {
		return err
	}
	if err := v.checkSplits(f, merges); err != nil {
		return err
	}
	v.scores = make([]float32, len(v.tokens))
	for id, token := range v.tokens {
		r, ok := rank[token]
		if !ok {
			r = ranks
		}
		v.scores[id] = float32(-r) // of integers: no negative zero
	}
	return nil
}

// readSpaces finds out whether a space is put in front of a text.
func (v *vocabulary) readSpaces(f *tokenizerFile) error {
	normalizers, err := components(f.Normalizer, "normalizer", "normalizers")
	if err != nil {
		return err
	}
	replaced := false
	for _, n := range normalizers {
		pattern := n.Pattern.String
		switch {
		case n.Type == "Prepend" && n.Prepend == space:
			v.spacePrefix = true
		case n.Type == "Replace" && pattern != nil && *pattern == " " && n.Content == space:
			replaced = true
		default:
			return problem("normalizer", "%.40q cannot be written as GGUF with byte fallback", n.Type)
		}
	}
	steps, err := components(f.PreTokenizer, "pre_tokenizer", "pretokenizers")
	if err != nil {
		return err
	}
	for _, s := range steps {
		if s.Type != "Metaspace" || s.Replacement != space {
			return problem("pre_tokenizer", "%.40q cannot be written as GGUF with byte fallback", s.Type)
		}
		replaced = true
		if s.PrependScheme != nil && *s.PrependScheme != "never" || s.PrependScheme == nil && (s.AddPrefixSpace == nil || *s.AddPrefixSpace) {
			v.spacePrefix = true
		}
		if s.Split == nil || *s.Split {
			if err := v.checkWords(); err != nil {
				return err
			}
		}
	}
	if !replaced {
		return problem("normalizer", "spaces are not written as %q", space)
	}
	return nil
}

// checkWords: where words are cut before every space, no token may have one
// further in.
func (v *vocabulary) checkWords() error {
	for id, token := range v.tokens {
		if v.types[id] == normalToken && strings.LastIndex(token, space) > 0 {
			return problem("pre_tokenizer", "words are split, but the token %.40q has a space inside", token)
		}
	}
	return nil
}

// ranksOf numbers the tokens that merges make, in their order.
func ranksOf(merges [][2]string) (rank map[string]int, ranks int, err error) {
	rank = map[string]int{}
	last := ""
	for i, m := range merges {
		joined := m[0] + m[1]
		if joined == last {
			continue
		}
		if _, again := rank[joined]; again {
			return nil, 0, problem(fmt.Sprintf("model.merges[%d]", i), "merges into %.40q do not stand together, so that scores cannot say them", joined)
		}
		rank[joined], last = ranks, joined
		ranks++
	}
	return rank, ranks, nil
}

// checkSplits demands that every way to make a token from two others is a merge.
func (v *vocabulary) checkSplits(f *tokenizerFile, merges [][2]string) error {
	have := make(map[[2]string]bool, len(merges))
	for _, m := range merges {
		have[m] = true
	}
	normal := func(token string) bool {
		id, ok := f.Model.Vocab[token]
		return ok && v.types[id] == normalToken
	}
	for id, token := range v.tokens {
		if v.types[id] != normalToken {
			continue
		}
		for at := range token {
			if at == 0 || utf8.RuneCountInString(token) < 2 {
				continue
			}
			if pair := [2]string{token[:at], token[at:]}; !have[pair] && normal(pair[0]) && normal(pair[1]) {
				return problem("model.merges", "%.40q and %.40q make a token, but no merge: scores cannot say that", pair[0], pair[1])
			}
		}
	}
	return nil
}
