package endpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"mergesearch"
	"mergesearch/eval"
)

// OpenAIOptions name a server and the model that it serves.
type OpenAIOptions struct {
	BaseURL string // "http://host:8000/v1"
	Model   string
	APIKey  string // empty for none

	// Tokenizer of the model. Nil: the server is asked to tokenize, where it can;
	// otherwise prompts are sent as text and only completions can be scored.
	Tokenizer eval.Tokenizer

	// The rest is for Commanded alone. LoadCommand makes the server load a
	// candidate; Limits.Swap bounds it, Environment is what it gets. The others are
	// as in ServerOptions.
	LoadCommand []string
	Environment []string
	Parents     []mergesearch.Candidate
	Write       func(ctx context.Context, c mergesearch.Candidate, dir string) error
	Storage     string
	Swapped     func(SwapReport)
	Limits      Limits
}

// OpenAI returns the endpoint for a server that serves one fixed model. The server
// is probed; a server that is not there, or has no such model, is a
// *mergesearch.InputError.
func OpenAI(ctx context.Context, o OpenAIOptions) (eval.Endpoint, error) {
	s := eval.Session{
		BaseURL: strings.TrimRight(o.BaseURL, "/"), Model: o.Model, APIKey: o.APIKey,
		Tokenizer: o.Tokenizer, Close: func() {},
	}
	p, err := eval.Probe(ctx, s)
	if err != nil {
		return nil, err
	}
	p.Kind, p.Swap = "openai", eval.SwapNone
	if s.Tokenizer == nil && p.TokenPrompts {
		t := &remoteTokenizer{ctx: context.WithoutCancel(ctx), caller: newCaller(o.BaseURL, o.APIKey), model: o.Model}
		if ids := t.Encode("a", false); t.Err() == nil && len(ids) > 0 {
			s.Tokenizer = t
		} else {
			p.TokenPrompts = false // nothing here can turn text into ids
		}
	}
	return &openAI{s, p}, nil
}

type openAI struct {
	session eval.Session
	profile eval.Profile
}

func (e *openAI) Profile() eval.Profile { return e.profile }

// Serve refuses candidates with weights of their own: the server would answer
// with its own model, and nobody would notice.
func (e *openAI) Serve(ctx context.Context, c mergesearch.Candidate) (eval.Session, error) {
	if err := ctx.Err(); err != nil {
		return eval.Session{}, err
	}
	if c.Tensors != nil || c.Dir != "" || c.Fingerprint != "" {
		return eval.Session{}, fmt.Errorf("endpoint %s serves the fixed model %s and cannot load candidate %s", e.session.BaseURL, e.session.Model, c.ID)
	}
	return e.session, nil
}

// remoteTokenizer asks the server to tokenize, as vLLM, SGLang and mergesearch
// serve understand it: POST /tokenize {model, prompt, add_special_tokens} gives
// {tokens}.
type remoteTokenizer struct {
	ctx    context.Context
	caller caller
	model  string

	mu  sync.Mutex
	err error
}

// Encode implements eval.Tokenizer.
func (t *remoteTokenizer) Encode(text string, addSpecial bool) []int32 {
	var reply struct {
		Tokens []int32 `json:"tokens"`
	}
	ctx, cancel := context.WithTimeout(t.ctx, 30*time.Second)
	defer cancel()
	err := t.caller.call(ctx, "POST", "/tokenize", map[string]any{"model": t.model, "prompt": text, "add_special_tokens": addSpecial}, &reply)
	if err == nil && len(reply.Tokens) == 0 && text != "" {
		err = errors.New("POST /tokenize: no tokens")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.err == nil {
		t.err = err
	}
	return reply.Tokens
}

// Err returns the first fault.
func (t *remoteTokenizer) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}
