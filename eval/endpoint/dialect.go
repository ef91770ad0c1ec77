package endpoint

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"mergesearch/eval"
)

// dialect is what kinds of servers differ in. There is one for each server, since
// it may know what that server has loaded.
type dialect interface {
	// command returns the program and its arguments for a server that loads path,
	// answers to name and listens on a loopback port.
	command(path, name string, port int) []string

	// ready returns nil when the server can be asked.
	ready(ctx context.Context, t target) error

	// copies reports whether servers never read what lies on the shelf.
	copies() bool

	// swap has a running server load other weights and forget every cache of the
	// old ones. No request is in flight. After an error, the weights are unknown;
	// errNoSwap says that this server cannot do it at all.
	swap(ctx context.Context, t target, path, version string) error

	// prepare is called before a start with path and returns what the server is to
	// load instead: path itself, or a copy that may be written over.
	prepare(path string) (string, error)

	// name returns under which name the weights in path answer.
	name(name, path string) string

	// ask asks one prompt of the canary. Cold keeps every cache out of it.
	ask(ctx context.Context, t target, prompt string, cold bool) (reply, error)

	// best is the least way to swap when it works.
	best() eval.Swap
}

// target is a running server.
type target struct {
	caller
	name string // that it answers to
	url  *url.URL
}

// newTarget takes a base URL with or without /v1.
func newTarget(baseURL, key, name string) (target, error) {
	t := target{caller: newCaller(baseURL, key), name: name}
	var err error
	t.url, err = url.Parse(t.caller.root)
	if err == nil && t.url.Host == "" {
		err = errors.New("no host")
	}
	return t, err
}

var errNoSwap = errors.New("this server cannot change its weights")

// unsupported marks an error of a server that has no way to swap.
func unsupported(err error) error { return fmt.Errorf("%w: %w", errNoSwap, err) }

// healthy asks for /health and for the name. The name is random, so a foreign
// server on the port is not taken for ours.
func healthy(ctx context.Context, t target) error {
	if err := t.call(ctx, "GET", "/health", nil, nil); err != nil {
		return err
	}
	return named(ctx, t)
}

// named refuses a server that does not serve under the name.
func named(ctx context.Context, t target) error {
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := t.call(ctx, "GET", "/v1/models", nil, &list); err != nil {
		return err
	}
	for _, m := range list.Data {
		if m.ID == t.name {
			return nil
		}
	}
	return &nameError{t.name}
}

// nameError says that a server answers under other names. Waiting mends it not.
type nameError struct{ want string }

func (e *nameError) Error() string { return fmt.Sprintf("it serves no model %q", e.want) }

// askOpenAI asks by way of /v1/completions. Echo returns the log-probabilities of
// the prompt too, which no server takes from a cache.
func askOpenAI(ctx context.Context, t target, prompt string, logprobs, echo bool) (reply, error) {
	in := map[string]any{"model": t.name, "prompt": prompt, "max_tokens": canaryTokens, "temperature": 0, "seed": 1}
	if logprobs {
		in["logprobs"] = canaryTops
	}
	if echo {
		in["echo"] = true
	}
	var out openAIReply
	if err := t.call(ctx, "POST", "/v1/completions", in, &out); err != nil {
		return reply{}, err
	}
	if out.Model != "" && out.Model != t.name {
		return reply{}, doubtful("the model %q answered, %q was asked", out.Model, t.name)
	}
	return out.reply(echo)
}
