package endpoint

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/lm"
)

// Embedded is the engine of this program as an endpoint: an HTTP server on
// loopback in this process, which runs candidates straight from their tensors.
// Swapping one in copies nothing to disk, and several are served at once.
type Embedded struct {
	server *lm.Server
	url    string
	serial atomic.Int64
}

// NewEmbedded starts the server on a free loopback port. Close it in the end.
func NewEmbedded(o lm.ServerOptions) (*Embedded, error) {
	s := lm.NewServer(o)
	url, err := s.Listen("127.0.0.1:0")
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("start the embedded endpoint: %w", err)
	}
	return &Embedded{server: s, url: url + "/v1"}, nil
}

// Profile implements eval.Endpoint.
func (e *Embedded) Profile() eval.Profile {
	p := embeddedProfile
	p.Kind, p.Swap, p.Local = "embedded", eval.SwapMemory, true
	return p
}

// Requests returns how many completion requests the server has answered.
func (e *Embedded) Requests() int64 { return e.server.Requests() }

// Computed returns how many tokens the engine computed; see lm.Engine.Computed.
func (e *Embedded) Computed() int64 { return e.server.Computed() }

// Close stops the server and cancels the requests in flight.
func (e *Embedded) Close() error { return e.server.Close() }

// borrowed is a candidate's tensors without their Release: whoever built the
// candidate gives them back, after the last session on it.
type borrowed struct{ mergesearch.Tensors }

func (borrowed) Release() {}

// Serve loads the candidate's tensors into the engine. The candidate must not be
// released before the session is closed.
func (e *Embedded) Serve(ctx context.Context, c mergesearch.Candidate) (eval.Session, error) {
	if err := ctx.Err(); err != nil {
		return eval.Session{}, err
	}
	if c.Tensors == nil {
		return eval.Session{}, fmt.Errorf("candidate %s has no tensors in memory", c.ID)
	}
	m, err := lm.Load(c.Files, borrowed{c.Tensors})
	if err != nil {
		return eval.Session{}, err
	}
	if m.Fingerprint() != c.Fingerprint {
		m.Close()
		return eval.Session{}, fmt.Errorf("candidate %s: its tensors have fingerprint %q, it says %q", c.ID, m.Fingerprint(), c.Fingerprint)
	}
	// A candidate may be served twice at once, so its ID alone is no name.
	name := fmt.Sprintf("%s-%d", c.ID, e.serial.Add(1))
	if err := e.server.Add(name, m); err != nil {
		m.Close()
		return eval.Session{}, err
	}
	return eval.Session{
		BaseURL: e.url, Model: name, Fingerprint: c.Fingerprint,
		Close: sync.OnceFunc(func() { e.server.Remove(name) }),
	}, nil
}
