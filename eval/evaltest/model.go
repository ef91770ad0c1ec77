package evaltest

import (
	"errors"
	"math"
	"strings"

	"github.com/zeebo/xxh3"
)

// The tokens beside the 256 bytes.
const (
	Begin      = 256
	End        = 257
	Vocabulary = 258
)

// TokenizerJSON stands in for a tokenizer.json; Parse accepts it alone.
var TokenizerJSON = []byte(`{"model":"bytes"}`)

// Tokenizer makes one token of each byte and puts Begin in front where special
// tokens are asked for.
type Tokenizer struct{}

// Encode implements eval.Tokenizer.
func (Tokenizer) Encode(text string, addSpecial bool) []int32 {
	var ids []int32
	if addSpecial {
		ids = append(ids, Begin)
	}
	for i := range len(text) {
		ids = append(ids, int32(text[i]))
	}
	return ids
}

// Parse returns the Tokenizer for TokenizerJSON.
func Parse(json []byte) (Tokenizer, error) {
	if string(json) != string(TokenizerJSON) {
		return Tokenizer{}, errors.New("not the tokenizer of the test server")
	}
	return Tokenizer{}, nil
}

// decode drops special tokens.
func decode(ids []int32) string {
	var b strings.Builder
	for _, id := range ids {
		if id >= 0 && id < 256 {
			b.WriteByte(byte(id))
		}
	}
	return b.String()
}

// Model is a tiny language model.
type Model struct {
	Answers     map[string]string // what it writes after a prompt, with probability 0.9 a token
	Endings     map[string]string // the same, after any prompt that ends so
	Seed        uint64            // of its other probabilities
	Fingerprint string            // that it reports
	Flat        bool              // every token equally likely: a degenerate model
}

// next returns the log-probabilities of the token after ids.
func (m Model) next(ids []int32) [Vocabulary]float64 {
	var out [Vocabulary]float64
	if m.Flat {
		for i := range out {
			out[i] = -math.Log(Vocabulary)
		}
		return out
	}
	text := decode(ids)
	total := 0.0
	state := xxh3.HashStringSeed(text, m.Seed)
	for i := range out {
		state = state*6364136223846793005 + 1442695040888963407
		out[i] = float64(1 + state>>48)
		total += out[i]
	}
	known := m.known(text)
	for i := range out {
		p := out[i] / total
		if known >= 0 {
			p *= 0.1
			if i == known {
				p += 0.9
			}
		}
		out[i] = math.Log(p)
	}
	return out
}

// known returns the token that the model knows to come next, or -1: that of the
// longest prompt, or of the ending that stands last, after which the text goes on
// as the answer does.
func (m Model) known(text string) int {
	for i := len(text); i >= 0 && len(m.Answers) > 0; i-- {
		if answer, ok := m.Answers[text[:i]]; ok && strings.HasPrefix(answer, text[i:]) {
			return after(answer, text[i:])
		}
	}
	last, next := -1, -1
	for ending, answer := range m.Endings { // none is the end of another
		i := strings.LastIndex(text, ending) + len(ending)
		if i >= len(ending) && i > last && strings.HasPrefix(answer, text[i:]) {
			last, next = i, after(answer, text[i:])
		}
	}
	return next
}

// after is the token of an answer after what was written of it.
func after(answer, written string) int {
	if rest := answer[len(written):]; rest != "" {
		return int(rest[0])
	}
	return End
}

// likeliest returns the greedy token, the first on ties.
func likeliest(logprobs [Vocabulary]float64) int32 {
	best := 0
	for i, x := range logprobs {
		if x > logprobs[best] {
			best = i
		}
	}
	return int32(best)
}
