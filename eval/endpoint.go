package eval

import (
	"context"
	"errors"

	"mergesearch"
)

// Endpoint is a kind of inference server that can be made to serve candidates.
// The kinds are in mergesearch/eval/endpoint; mergesearch/eval/evaltest has the
// suite that each of them passes.
type Endpoint interface {
	// Serve makes the candidate's own weights answer and returns how to reach
	// them. It is called by several goroutines at once; an endpoint that can serve
	// one candidate at a time makes the others wait. A candidate that cannot be
	// served, such as one whose tensors do not fit its config, is a
	// *mergesearch.Failure; any other error means that the endpoint is unfit.
	Serve(ctx context.Context, c mergesearch.Candidate) (Session, error)

	// Profile says what the server can do. It was found out by asking the server,
	// or holds by construction; it does not change.
	Profile() Profile
}

// Session is a candidate being served.
type Session struct {
	BaseURL string // of the OpenAI-compatible API: "http://127.0.0.1:4000/v1"
	Model   string // the name under which the candidate answers
	APIKey  string // sent as bearer token; empty for none

	// Fingerprint is what the server must report with every answer; empty where
	// it reports none (Profile.Fingerprint).
	Fingerprint string

	// Tokenizer of the model, when the endpoint knows it. Nil: the candidate's own
	// tokenizer.json is used.
	Tokenizer Tokenizer

	// Check proves, after the last answer, that the weights of the session still
	// answer: scores count only then. An error that wraps ErrSessionLost says that
	// they do not, and that Serve may be called again. Nil: nothing to check.
	Check func(context.Context) error

	// Close ends the session after the last request in flight and frees what it
	// holds. Calling it twice is harmless.
	Close func()
}

// ErrSessionLost says that a server ended, or changed its weights, in the middle of
// a session. Nothing that it answered counts, and the candidate is not to blame.
var ErrSessionLost = errors.New("the session was lost")

// Swap says how an endpoint changes from one candidate to the next.
type Swap string

// The ways of changing candidates.
const (
	SwapMemory Swap = "memory" // takes tensors from memory; several candidates at once
	SwapDisk   Swap = "disk"   // reads a directory
	SwapNone   Swap = "none"   // serves one fixed model

	SwapInPlace Swap = "in place" // computes from a file that is written over
	SwapRestart Swap = "restart"  // is started again
)

// Profile says what a server can do. The zero value can only write text from text.
type Profile struct {
	Kind string // "embedded", "mergesearch", "openai"
	Swap Swap

	TokenPrompts  bool // prompts may be token ids
	ManyPrompts   bool // one request may hold several prompts
	EchoLogprobs  bool // echo and logprobs give the log-probabilities of the prompt's tokens
	ZeroTokens    bool // max_tokens may be 0 with echo
	ExtraSampling bool // top_k, min_p and repetition_penalty are understood
	Fingerprint   bool // system_fingerprint is that of the weights

	Context int // most tokens of prompt and completion; 0 when unknown
}

// Likelihood reports whether log-likelihoods can be asked for, and what is
// lacking when not.
func (p Profile) Likelihood() (lacking string, ok bool) {
	switch {
	case !p.TokenPrompts:
		return "token ids as prompts", false
	case !p.ManyPrompts:
		return "several prompts in one request", false
	case !p.EchoLogprobs:
		return "log-probabilities of prompt tokens (echo with logprobs)", false
	}
	return "", true
}
