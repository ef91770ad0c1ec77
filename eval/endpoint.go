package eval

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

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

	// Proved is the fingerprint of the weights where the server does not report it
	// but the endpoint proved in another way, before the session and after it, that
	// they answer. Empty where nothing was proved.
	Proved string

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

	PromptLogprobs bool // prompt_logprobs gives the log-probability and rank of each prompt token, by id (vLLM)
	LabelLogprobs  bool // logprob_token_ids gives those of chosen tokens after a prompt, by id (vLLM)
	TopLogprobs    int  // how many of the likeliest tokens after a prompt it names by id; 0: none
	Generate       bool // /generate takes input_ids and logprob_start_len (SGLang)
	Forced         bool // /completion tells the log-probability of a token that logit_bias forces (llama-server)
	Chat           bool // /v1/chat/completions answers
	ChatOnly       bool // /v1/completions does not

	Context int // most tokens of prompt and completion; 0 when unknown

	// Local says that the server is part of this process: it holds what is in
	// flight however much it is, and a request costs it about as much as a look
	// into a cache.
	Local bool

	Measured
}

// Measured is what a probe found by trying; the zero value where nobody probed.
type Measured struct {
	Server   string // what the server calls itself, with its version
	Lacking  string // why log-likelihoods cannot be asked for, as the server showed it
	Requests int    // that the probe sent

	// Noise is the largest difference in a token's log-probability between a prompt
	// alone, among others, and after its own prefix was cached.
	Noise float64

	Unsteady     bool // a greedy request was answered differently when it was repeated
	StopIncluded bool // completions end with the stop string that ended them
	AddsBegin    bool // a begin-of-sequence token is put before prompts that are text
}

// ID is a hash of all that decides how a server answers. What was only measured,
// and differs from one probe to the next, is no part of it.
func (p Profile) ID() string {
	p.Measured = Measured{Server: p.Server, StopIncluded: p.StopIncluded, AddsBegin: p.AddsBegin}
	p.Local = false
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", p))
	return hex.EncodeToString(sum[:])
}

// Likelihood reports whether log-likelihoods can be asked for, and what is
// lacking when not.
func (p Profile) Likelihood() (lacking string, ok bool) {
	switch {
	case p.route() != nil:
		return "", true
	case p.Lacking != "":
		return p.Lacking, false
	case !p.TokenPrompts:
		return "token ids as prompts", false
	}
	return "log-probabilities of prompt tokens (echo with logprobs, or prompt_logprobs)", false
}

// Route names the way in which log-likelihoods are asked for: "echo",
// "prompt_logprobs", "generate" or "forced"; empty when they cannot be.
func (p Profile) Route() string {
	switch p.route().(type) {
	case echoRoute:
		return "echo"
	case promptLogprobsRoute:
		return "prompt_logprobs"
	case inputLogprobsRoute:
		return "generate"
	case forcedRoute:
		return "forced"
	}
	return ""
}

// OneRequest reports whether a question is one request, unless several completions
// are drawn for it or its text needs more windows than a request may hold prompts.
func (p Profile) OneRequest() bool {
	return p.Route() == "" || p.ManyPrompts && (p.Route() == "echo" || p.Route() == "prompt_logprobs")
}

// route returns the best way of asking for log-likelihoods that the server has,
// nil for none: first those that keep its prefix cache, then those that name the
// tokens by id, then echo, then one request for each token.
func (p Profile) route() route {
	switch {
	case p.Generate:
		return inputLogprobsRoute{}
	case p.PromptLogprobs && p.TokenPrompts:
		return promptLogprobsRoute{}
	case p.EchoLogprobs && p.TokenPrompts:
		return echoRoute{}
	case p.Forced:
		return forcedRoute{}
	}
	return nil
}

// labels returns the way of asking for single tokens after one context, nil when
// the server has none.
func (p Profile) labels() route {
	if p.TokenPrompts && (p.LabelLogprobs || p.TopLogprobs > 0) {
		return labelsRoute{}
	}
	return nil
}
