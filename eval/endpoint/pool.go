package endpoint

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"mergesearch"
	"mergesearch/eval"
)

// Servers is a pool of equal inference servers, often one, as an endpoint. Each
// serves one candidate at a time; which candidate goes where makes no difference
// to what it answers.
type Servers struct {
	options  ServerOptions
	storage  string
	shelf    *shelf
	gate     *gate
	memory   *memory
	parents  [2]parent
	all      []*server
	idle     chan *server
	profile  eval.Profile
	textOnly bool // the servers give no log-probabilities
	serial   atomic.Int64

	mu     sync.Mutex
	counts Counts
	notes  []string
	doubts []string      // the last ones
	left   int           // servers that are not lost
	last   error         // why the last one was lost
	none   chan struct{} // closed when none is left
}

// parent is a known model.
type parent struct {
	candidate mergesearch.Candidate
	placed    *placed
}

// openServers starts or reaches the servers and finds out what they can do.
func openServers(ctx context.Context, o ServerOptions, newDialect func(fresh func() string) dialect) (_ *Servers, err error) {
	o.Limits = o.Limits.filled()
	if err := o.refuse(); err != nil {
		return nil, err
	}
	n := max(1, o.Servers, len(o.Devices))
	if len(o.URLs) > 0 {
		n = len(o.URLs)
	}
	p := &Servers{
		options: o, memory: &memory{known: map[string]remembered{}},
		idle: make(chan *server, n), left: n, none: make(chan struct{}),
	}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	if p.storage, err = storage(o.Storage); err != nil {
		return nil, err
	}
	sweep(p.storage)
	// One place for each server that reads what it was started with, one for its
	// next candidate, and two for the parents.
	if p.shelf, err = newShelf(p.storage, 2*n+2); err != nil {
		return nil, err
	}
	p.shelf.write, p.shelf.check, p.shelf.file = o.write, o.check, o.file
	if p.gate, err = newGate(); err != nil {
		return nil, err
	}
	for i, c := range o.Parents[:2] {
		placed, err := p.shelf.put(ctx, c)
		if err != nil {
			return nil, err
		}
		placed.own = false // kept for the whole run, whoever is started with it
		p.parents[i] = parent{c, placed}
	}
	return p, p.open(ctx, newDialect)
}

func (o *ServerOptions) refuse() error {
	in := func(field, problem, hint string) error {
		return &mergesearch.InputError{Field: field, Problem: problem, Hint: hint}
	}
	switch {
	case len(o.Parents) < 2 || o.Parents[0].Fingerprint == "" || o.Parents[0].Fingerprint == o.Parents[1].Fingerprint:
		return in("endpoint.parents", "two models with different weights are needed", "to see whether swapping works, two known models are swapped first")
	case len(o.URLs) > 0 && o.Model == "":
		return in("endpoint.model", "missing", "name the model that runs at the URL")
	case o.file != "" && o.write == nil:
		return in("endpoint", "there is nothing that writes GGUF files", "")
	case o.file != "" && len(o.URLs) > 0:
		return in("endpoint.url", "llama-server cannot be told to load another file", "leave the url out, so that it is started here")
	}
	return nil
}

// open brings up every server, all at the same time, and compares what they can do.
func (p *Servers) open(ctx context.Context, newDialect func(fresh func() string) dialect) error {
	profiles, errs := make([]eval.Profile, p.left), make([]error, p.left)
	var all sync.WaitGroup
	for i := range p.left {
		s := &server{pool: p, index: i, dialect: newDialect(p.shelf.fresh)}
		p.all = append(p.all, s)
		all.Go(func() { profiles[i], errs[i] = s.open(ctx) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return firstOf(errs)
	}
	p.profile = profiles[0]
	for _, other := range profiles[1:] {
		if p.profile.Swap != other.Swap {
			p.profile.Swap, other.Swap = eval.SwapRestart, eval.SwapRestart
		}
		if other != p.profile {
			return &mergesearch.InputError{Field: "endpoint", Problem: fmt.Sprintf("the servers differ in what they can do: %+v and %+v", p.profile, other), Hint: "all servers of a pool must run the same program with the same arguments"}
		}
	}
	for _, s := range p.all {
		p.idle <- s
	}
	return nil
}

func firstOf(errs []error) error {
	return errs[slices.IndexFunc(errs, func(err error) bool { return err != nil })]
}

// Profile implements eval.Endpoint.
func (p *Servers) Profile() eval.Profile { return p.profile }

// Notes say what the user should know of the servers.
func (p *Servers) Notes() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.notes)
}

func (p *Servers) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.notes = append(p.notes, fmt.Sprintf(format, args...))
}

// Doubts returns the last answers that were not believed, and why.
func (p *Servers) Doubts() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.doubts)
}

// doubt keeps one, and counts it.
func (p *Servers) doubt(s *server, c mergesearch.CandidateID, err error, counted func(*Counts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	counted(&p.counts)
	const kept = 50
	p.doubts = append(p.doubts[max(0, len(p.doubts)-kept+1):], fmt.Sprintf("server %d, candidate %s: %v", s.index, c, err))
}

func doubted(n *Counts) { n.Doubts++ }

// Noise is the largest difference of log-probabilities that was seen between
// answers of the same weights.
func (p *Servers) Noise() float64 {
	p.memory.mu.Lock()
	defer p.memory.mu.Unlock()
	return p.memory.noise
}

// Counts returns what has happened so far.
func (p *Servers) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := p.counts
	n.Requests = p.gate.requests.Load()
	return n
}

// Requests returns how many completions were asked for through sessions.
func (p *Servers) Requests() int64 { return p.gate.requests.Load() }

func (p *Servers) count(change func(*Counts)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(&p.counts)
}

// Close stops the servers that were started here and removes what was written for
// them. No session may be open.
func (p *Servers) Close() error {
	var all sync.WaitGroup
	for _, s := range p.all {
		all.Go(s.end)
	}
	all.Wait()
	if p.gate != nil {
		p.gate.close()
	}
	if p.shelf != nil {
		p.shelf.close()
	}
	return nil
}

// Serve implements eval.Endpoint. A server that is lost on the way gives its
// candidate to another; when none is left, the error is an *eval.EndpointError.
func (p *Servers) Serve(ctx context.Context, c mergesearch.Candidate) (eval.Session, error) {
	if err := ctx.Err(); err != nil {
		return eval.Session{}, context.Cause(ctx)
	}
	if c.Fingerprint == "" {
		return eval.Session{}, fmt.Errorf("candidate %s has no fingerprint, so nobody could tell whether it answers", c.ID)
	}
	began := time.Now()
	placed, err := p.place(ctx, c)
	if err != nil {
		return eval.Session{}, err
	}
	defer func() { // a server that holds it has taken it over
		if placed.own {
			placed.take()
		}
	}()
	for attempts := 1; ; attempts++ {
		s, err := p.next(ctx)
		if err != nil {
			return eval.Session{}, p.unfit(c, attempts, began, err)
		}
		report, err := s.load(ctx, c, placed)
		if p.options.Swapped != nil {
			p.options.Swapped(report)
		}
		var gone lost
		switch {
		case err == nil && ctx.Err() == nil:
			return p.session(s, c), nil
		case errors.As(err, &gone):
			s.giveBack(placed)
			p.lose(s, fmt.Errorf("server %d: %w", s.index, gone.error))
			continue
		}
		p.idle <- s
		if err == nil {
			err = context.Cause(ctx)
		}
		var f *mergesearch.Failure
		if errors.As(err, &f) {
			p.count(func(n *Counts) { n.NotServed++ })
		}
		return eval.Session{}, err
	}
}

// place writes the candidate, twice if the first file is not whole.
func (p *Servers) place(ctx context.Context, c mergesearch.Candidate) (*placed, error) {
	placed, err := p.shelf.put(ctx, c)
	var in *mergesearch.InputError
	if c.Dir == "" && errors.As(err, &in) && ctx.Err() == nil {
		p.count(doubted)
		placed, err = p.shelf.put(ctx, c)
	}
	return placed, err
}

// next waits for an idle server.
func (p *Servers) next(ctx context.Context) (*server, error) {
	select {
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case s := <-p.idle:
		return s, nil
	case <-p.none:
		p.mu.Lock()
		defer p.mu.Unlock()
		return nil, p.last
	}
}

// unfit turns the loss of the last server into the error that ends the run.
func (p *Servers) unfit(c mergesearch.Candidate, attempts int, began time.Time, err error) error {
	select {
	case <-p.none:
		return &eval.EndpointError{URL: p.where(), Model: string(c.ID), Attempts: attempts, Elapsed: time.Since(began), Err: err}
	default:
		return err
	}
}

func (p *Servers) where() string {
	if len(p.options.URLs) > 0 {
		return p.options.URLs[0]
	}
	return p.options.kind
}

// lose gives a server up.
func (p *Servers) lose(s *server, err error) {
	s.end()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts.Lost++
	p.notes = append(p.notes, "lost "+err.Error())
	p.left--
	if p.left == 0 {
		p.last = err
		close(p.none)
	}
}

// mostVoided is how many sessions in a row a server may spoil.
const mostVoided = 3

// session opens the way to the server that holds the candidate.
func (p *Servers) session(s *server, c mergesearch.Candidate) eval.Session {
	url, shut := p.gate.open(s.target.url, s.gone(s.process))
	p.count(func(n *Counts) { n.Served++ })
	return eval.Session{
		BaseURL: url + "/v1", Model: s.target.name, APIKey: p.options.APIKey,
		Proved: c.Fingerprint, Check: func(ctx context.Context) error { return s.check(ctx, c) },
		Close: sync.OnceFunc(func() {
			shut()
			if s.voided >= mostVoided {
				p.lose(s, fmt.Errorf("server %d: %d sessions in a row were void", s.index, s.voided))
				return
			}
			p.idle <- s
		}),
	}
}
