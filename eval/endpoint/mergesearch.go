package endpoint

import (
	"context"
	"errors"
	"fmt"
	"strings"
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

	// Write puts a candidate that is only in memory into a new directory that the
	// server can read. Nil: candidates must have a directory.
	Write func(ctx context.Context, c mergesearch.Candidate, dir string) error

	// Storage is the directory below which candidates are written. Empty:
	// memory-backed storage where there is some.
	Storage string
}

// Mergesearch returns the endpoint for `mergesearch serve` in another process. A
// server that is not there, or is another program, is a *mergesearch.InputError.
// What runs that were killed left behind, candidates on disk and in the server, is
// removed.
func Mergesearch(ctx context.Context, o MergesearchOptions) (*Remote, error) {
	e := &Remote{options: o, caller: newCaller(o.BaseURL, o.APIKey)}
	probe, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	if _, err := e.requests(probe); err != nil {
		return nil, &mergesearch.InputError{
			Field: "endpoint", Problem: fmt.Sprintf("no mergesearch server answers at %s: %v", o.BaseURL, withoutURL(err)),
			Hint: "start it with: mergesearch serve MODEL --addr ADDRESS",
		}
	}
	dir, err := storage(o.Storage)
	if err != nil {
		return nil, err
	}
	sweep(dir)
	if e.shelf, err = newShelf(dir, remotePlaces); err != nil {
		return nil, err
	}
	e.shelf.write = o.Write
	e.unloadAbandoned(probe)
	return e, nil
}

// Remote is a `mergesearch serve` in another process.
type Remote struct {
	options MergesearchOptions
	caller  caller
	shelf   *shelf
	serial  atomic.Int64

	mu   sync.Mutex
	left []string // models that the server may still hold, since it could not be asked
}

// remotePlaces bounds the candidates that are on disk for a server at one time.
const remotePlaces = 64

// Close removes the candidates that were written. Sessions must have ended.
func (e *Remote) Close() error {
	e.shelf.close()
	return nil
}

// ownerSeparator stands in the names of models between the candidate's and that of
// the process that loaded it.
const ownerSeparator = "~"

// unloadAbandoned takes out of the server the models of processes of this machine
// that are gone. What cannot be asked or unloaded stays, as it did so far.
func (e *Remote) unloadAbandoned(ctx context.Context) {
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if e.caller.call(ctx, "GET", "/v1/models", nil, &list) != nil {
		return
	}
	for _, m := range list.Data {
		if _, owner, found := strings.Cut(m.ID, ownerSeparator); found && abandoned(owner) {
			e.unload(m.ID)
		}
	}
}

// embeddedProfile is what the engine of eval/lm does, in this process or another.
var embeddedProfile = eval.Profile{
	TokenPrompts: true, ManyPrompts: true, EchoLogprobs: true, ZeroTokens: true, Fingerprint: true,
}

// Profile is that of eval.Endpoint.
func (e *Remote) Profile() eval.Profile {
	p := embeddedProfile
	p.Kind, p.Swap = "mergesearch", eval.SwapDisk
	return p
}

// requests returns how many requests the server has answered.
func (e *Remote) requests(ctx context.Context) (int64, error) {
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

// Serve is that of eval.Endpoint.
func (e *Remote) Serve(ctx context.Context, c mergesearch.Candidate) (eval.Session, error) {
	p, err := e.shelf.put(ctx, c)
	if err != nil {
		return eval.Session{}, err
	}
	// Names differ between sessions, and between the runs that share a server.
	name := fmt.Sprintf("%s-%.12s-%d%s%s", c.ID, c.Fingerprint, e.serial.Add(1), ownerSeparator, owner())
	if err := e.load(ctx, name, p.path, c.Fingerprint); err != nil {
		p.take()
		return eval.Session{}, err
	}
	return eval.Session{
		BaseURL: e.caller.root + "/v1", Model: name, APIKey: e.options.APIKey, Fingerprint: c.Fingerprint,
		Close: sync.OnceFunc(func() { e.unload(name); p.take() }),
	}, nil
}

// load has the server read a directory and checks which weights it found there.
func (e *Remote) load(ctx context.Context, name, dir, fingerprint string) error {
	var loaded struct {
		Name        string `json:"name"`
		Fingerprint string `json:"fingerprint"`
	}
	e.mu.Lock()
	left := e.left
	e.left = nil
	e.mu.Unlock()
	for i, name := range left {
		if !e.unload(name) { // a server that is away would take its time for each
			e.leave(left[i+1:]...)
			break
		}
	}
	err := e.caller.call(ctx, "POST", "/v1/mergesearch/load", map[string]string{"name": name, "dir": dir}, &loaded)
	if err != nil {
		e.leave(name) // the answer may have been lost on its way
		return &eval.EndpointError{URL: e.caller.root, Model: name, Attempts: 1, Err: fmt.Errorf("load %s: %w", dir, err)}
	}
	if loaded.Fingerprint != fingerprint {
		e.unload(name)
		return fmt.Errorf("load %s into %s: the server read weights with fingerprint %q, want %q", dir, e.caller.root, loaded.Fingerprint, fingerprint)
	}
	return nil
}

// unload takes a model out of the server, even when the run was cancelled. A
// server that does not answer is asked again before the next model is loaded; one
// that is gone has unloaded it already. It reports whether the model is out.
func (e *Remote) unload(name string) bool {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	if err := e.caller.call(ctx, "POST", "/v1/mergesearch/unload", map[string]string{"name": name}, nil); err != nil && !missing(err) {
		e.leave(name)
		return false
	}
	return true
}

func (e *Remote) leave(names ...string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.left = append(e.left, names...)
}
