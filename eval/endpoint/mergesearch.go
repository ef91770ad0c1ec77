package endpoint

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mergesearch"
	"mergesearch/eval"
)

// MergesearchOptions name a `mergesearch serve` in another process.
type MergesearchOptions struct {
	BaseURL string // "http://127.0.0.1:4000", with or without /v1
	APIKey  string // empty for none

	// Write puts a candidate that is only in memory into a directory that the
	// server can read, and returns it with a function that removes it. Nil:
	// candidates must have a directory.
	Write func(ctx context.Context, c mergesearch.Candidate) (dir string, remove func(), err error)
}

// Mergesearch returns the endpoint for `mergesearch serve` in another process. A
// server that is not there, or is another program, is a *mergesearch.InputError.
func Mergesearch(ctx context.Context, o MergesearchOptions) (eval.Endpoint, error) {
	e := &remote{options: o, caller: newCaller(o.BaseURL, o.APIKey)}
	probe, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := e.requests(probe); err != nil {
		return nil, &mergesearch.InputError{
			Field: "endpoint", Problem: fmt.Sprintf("no mergesearch server answers at %s: %v", o.BaseURL, withoutURL(err)),
			Hint: "start it with: mergesearch serve MODEL --addr ADDRESS",
		}
	}
	return e, nil
}

type remote struct {
	options MergesearchOptions
	caller  caller
	serial  atomic.Int64
}

// embeddedProfile is what the engine of eval/lm does, in this process or another.
var embeddedProfile = eval.Profile{
	TokenPrompts: true, ManyPrompts: true, EchoLogprobs: true, ZeroTokens: true, Fingerprint: true,
}

func (e *remote) Profile() eval.Profile {
	p := embeddedProfile
	p.Kind, p.Swap = "mergesearch", eval.SwapDisk
	return p
}

// requests returns how many requests the server has answered.
func (e *remote) requests(ctx context.Context) (int64, error) {
	var stats struct {
		Requests *int64 `json:"requests"`
	}
	if err := e.caller.call(ctx, "GET", "/v1/mergesearch/stats", nil, &stats); err != nil {
		return 0, err
	}
	if stats.Requests == nil {
		return 0, errors.New("GET /v1/mergesearch/stats: the count of requests is missing")
	}
	return *stats.Requests, nil
}

func (e *remote) Serve(ctx context.Context, c mergesearch.Candidate) (eval.Session, error) {
	dir, remove := c.Dir, func() {}
	if dir == "" {
		if e.options.Write == nil {
			return eval.Session{}, fmt.Errorf("candidate %s has no directory that %s could load", c.ID, e.caller.root)
		}
		var err error
		if dir, remove, err = e.options.Write(ctx, c); err != nil {
			return eval.Session{}, err
		}
	}
	// Names differ between sessions, and between the runs that share a server.
	name := fmt.Sprintf("%s-%.12s-%d", c.ID, c.Fingerprint, e.serial.Add(1))
	if err := e.load(ctx, name, dir, c.Fingerprint); err != nil {
		remove()
		return eval.Session{}, err
	}
	return eval.Session{
		BaseURL: e.caller.root + "/v1", Model: name, APIKey: e.options.APIKey, Fingerprint: c.Fingerprint,
		Close: sync.OnceFunc(func() { e.unload(name); remove() }),
	}, nil
}

// load has the server read a directory and checks which weights it found there.
func (e *remote) load(ctx context.Context, name, dir, fingerprint string) error {
	var loaded struct {
		Name        string `json:"name"`
		Fingerprint string `json:"fingerprint"`
	}
	err := e.caller.call(ctx, "POST", "/v1/mergesearch/load", map[string]string{"name": name, "dir": dir}, &loaded)
	if err != nil {
		return &eval.EndpointError{URL: e.caller.root, Model: name, Attempts: 1, Err: fmt.Errorf("load %s: %w", dir, err)}
	}
	if loaded.Fingerprint != fingerprint {
		e.unload(name)
		return fmt.Errorf("load %s into %s: the server read weights with fingerprint %q, want %q", dir, e.caller.root, loaded.Fingerprint, fingerprint)
	}
	return nil
}

// unload takes a model out of the server, even when the run was cancelled. A
// server that is gone has unloaded it already.
func (e *remote) unload(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	_ = e.caller.call(ctx, "POST", "/v1/mergesearch/unload", map[string]string{"name": name}, nil)
}
