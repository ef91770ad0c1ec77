package lm

import (
	"fmt"
	"math"
)

// Request is one token sequence to continue, to score, or both.
type Request struct {
	// Prompt holds the token ids, at least one. Nothing is put in front of it:
	// the caller's tokenizer adds the beginning-of-sequence token.
	Prompt []int32

	// MaxTokens bounds the completion; 0 generates nothing. Prompt and MaxTokens
	// together must fit the model's positions.
	MaxTokens int

	// Temperature 0 is greedy: the most likely token, of equals the lowest id.
	Temperature float64

	// TopP keeps the most likely tokens that together reach this probability. 0
	// and 1 keep all. It has no effect on a greedy request.
	TopP float64

	// Seed of the draws of a request with a temperature. Draw i depends on
	// (Seed, i) alone.
	Seed uint64

	// Stop ends the completion as soon as its text contains one of these; the text
	// is cut before it. Empty strings are ignored.
	Stop []string

	// IgnoreEOS goes on after an end-of-sequence token.
	IgnoreEOS bool

	// PromptLogProbs asks for the log-probabilities of the prompt's own tokens,
	// LogProbs for those of generated tokens.
	PromptLogProbs, LogProbs bool

	// Top is how many most likely tokens come with each log-probability, at most
	// MaxTop.
	Top int

	// OnToken, if set, is called after each generated token with the text that is
	// now certain: it contains no beginning of a stop string and no half of a
	// character, except in the last call. It runs on an engine thread and must not block.
	OnToken func(t TokenLogProb, text string)
}

// MaxTop bounds Request.Top.
const MaxTop = 100

// Finish tells why a completion ended.
type Finish string

// The reasons. A request that generates nothing ends by Length.
const (
	Stop   Finish = "stop"   // an end-of-sequence token or a stop string
	Length Finish = "length" // MaxTokens reached
)

// TokenLogProb is a token with its log-probability, given everything before it.
type TokenLogProb struct {
	Token   int32
	LogProb float64       // natural logarithm, float64; NaN for the first token of a prompt
	Top     []Alternative // by falling log-probability, of equals the lower id first
}

// Alternative is a token that could have stood there.
type Alternative struct {
	Token   int32
	LogProb float64
}

// Response is the answer to one Request.
type Response struct {
	// Tokens are the generated ids, the end-of-sequence token included.
	Tokens []int32

	// Text is the completion, without special tokens, cut before a stop string.
	Text string

	Finish Finish

	// StopString is the stop string that ended the completion, or empty.
	StopString string

	Prompt    []TokenLogProb // one per prompt token, if asked for
	Generated []TokenLogProb // one per generated token, if asked for
}

// RequestError says what is wrong with a request. A server answers it with 400.
type RequestError struct {
	Param   string // field of the request, may be empty
	Problem string
}

func (e *RequestError) Error() string {
	if e.Param == "" {
		return e.Problem
	}
	return e.Param + ": " + e.Problem
}

// NumericError says that the model produced something that is not a number, so
// that no answer exists. Asking again is useless.
type NumericError struct{ Position int }

func (e *NumericError) Error() string {
	return fmt.Sprintf("the model's output at position %d is not a number", e.Position)
}

// check returns a *RequestError when the model cannot answer the request.
func (r *Request) check(m *Model) error {
	switch limit := m.MaxPositions(); {
	case len(r.Prompt) == 0:
		return &RequestError{"prompt", "has no tokens"}
	case r.MaxTokens < 0:
		return &RequestError{"max_tokens", "must not be negative"}
	case len(r.Prompt) > limit || r.MaxTokens > limit-len(r.Prompt):
		return &RequestError{"max_tokens", fmt.Sprintf("prompt of %d tokens and %d to generate exceed the model's %d positions",
			len(r.Prompt), r.MaxTokens, limit)}
	case !(r.Temperature >= 0) || math.IsInf(r.Temperature, 0):
		return &RequestError{"temperature", "must be a number of at least 0"}
	case !(r.TopP >= 0 && r.TopP <= 1):
		return &RequestError{"top_p", "must be between 0 and 1"}
	case r.Top < 0 || r.Top > MaxTop:
		return &RequestError{"logprobs", fmt.Sprintf("must be between 0 and %d", MaxTop)}
	}
	for _, t := range r.Prompt {
		if t < 0 || int(t) >= m.config.vocab {
			return &RequestError{"prompt", fmt.Sprintf("token id %d is not in the vocabulary of %d", t, m.config.vocab)}
		}
	}
	return nil
}
