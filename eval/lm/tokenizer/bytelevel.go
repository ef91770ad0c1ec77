package tokenizer

import (
	"encoding/json"
	"strings"

	"github.com/dlclark/regexp2"
)

// byteRunes is GPT-2's alphabet: every byte as a printable character. Bytes that
// are printable in Latin-1 stand for themselves, the others for U+0100 and on.
var byteRunes, runeBytes = func() (runes [256]rune, back map[rune]byte) {
	back = make(map[rune]byte, 256)
	next := rune(256)
	for b := range runes {
		r := rune(b)
		if !(b >= '!' && b <= '~' || b >= 0xa1 && b <= 0xac || b >= 0xae) {
			r = next
			next++
		}
		runes[b], back[r] = r, byte(b)
	}
	return runes, back
}()

// byteWords is the expression by which GPT-2 cut text into words.
var byteWords = regexPattern(regexp2.MustCompile(
	`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`, regexp2.Unicode))

// byteLevel writes each byte as its character.
type byteLevel struct {
	prefixSpace bool
	words       bool // cuts into words first
}

type byteLevelFile struct {
	Type           string
	AddPrefixSpace *bool `json:"add_prefix_space"`
	TrimOffsets    *bool `json:"trim_offsets"` // of offsets into the text, which nobody here asks for
	UseRegex       *bool `json:"use_regex"`
}

func newByteLevel(raw json.RawMessage, field string) (preTokenizer, error) {
	var f byteLevelFile
	err := strict(raw, field, &f)
	return byteLevel{
		prefixSpace: f.AddPrefixSpace == nil || *f.AddPrefixSpace,
		words:       f.UseRegex == nil || *f.UseRegex,
	}, err
}

func (l byteLevel) split(pieces []string, _ bool) []string {
	words := make([]string, 0, len(pieces)*4)
	for _, piece := range pieces {
		if l.prefixSpace && !strings.HasPrefix(piece, " ") {
			piece = " " + piece
		}
		if l.words {
			words = splitter{byteWords, isolated, false}.cut(words, piece)
		} else {
			words = append(words, piece)
		}
	}
	var b strings.Builder
	for i, w := range words {
		b.Reset()
		b.Grow(len(w) * 2)
		for j := range len(w) {
			b.WriteRune(byteRunes[w[j]])
		}
		words[i] = b.String()
	}
	return words
}

// bytesOf is the way back. A token with a character outside the alphabet, which
// an added token may have, stands for its own bytes.
func bytesOf(token string) []byte {
	b := make([]byte, 0, len(token))
	for _, r := range token {
		c, ok := runeBytes[r]
		if !ok {
			return []byte(token)
		}
		b = append(b, c)
	}
	return b
}
