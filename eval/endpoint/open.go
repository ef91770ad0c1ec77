package endpoint

import (
	"context"
	"errors"
	"fmt"
	"math"

	"mergesearch"
	"mergesearch/eval"
)

// open brings a server up with the first parent, measures how far its answers
// repeat, swaps the parents in turns, and asks what it can do.
func (s *server) open(ctx context.Context) (eval.Profile, error) {
	a := s.pool.parents[0]
	if err := s.first(ctx, a); err != nil {
		return eval.Profile{}, s.unfit(err)
	}
	doubt := s.turns(ctx)
	if cause := context.Cause(ctx); cause != nil {
		return eval.Profile{}, cause
	}
	swap := s.dialect.best()
	if doubt != nil {
		if s.attached() {
			return eval.Profile{}, s.unfit(fmt.Errorf("swapping does not work: %w", doubt))
		}
		s.restart, swap = true, eval.SwapRestart
		s.pool.note("server %d: weights are changed by restarts: %v", s.index, doubt)
		if err := s.first(ctx, a); err != nil {
			return eval.Profile{}, s.unfit(err)
		}
	}
	profile, err := s.probe(ctx)
	profile.Kind, profile.Swap, profile.Fingerprint = s.pool.options.kind, swap, false
	return profile, err
}

// unfit makes the InputError about a server that does not do.
func (s *server) unfit(err error) error {
	var in *mergesearch.InputError
	if errors.As(err, &in) {
		return err
	}
	where, hint := s.pool.options.kind, "the last lines that it printed are above"
	if s.attached() {
		where = s.pool.options.URLs[s.index]
		hint = "start it, or correct the URL; or leave the url out, so that the server is started here"
		if s.pool.options.kind == "vllm" {
			hint = "vllm needs VLLM_SERVER_DEV_MODE=1; or leave the url out, so that the server is started here"
		}
	}
	return &mergesearch.InputError{Field: "endpoint", Problem: fmt.Sprintf("%s: %v", where, err), Hint: hint}
}

// first has the server answer with a parent for the first time, and again, to see
// how far answers repeat.
func (s *server) first(ctx context.Context, a parent) error {
	var r SwapReport
	if s.attached() {
		var err error
		if s.target, err = newTarget(s.pool.options.URLs[s.index], s.pool.options.APIKey, s.pool.options.Model); err != nil {
			return err
		}
		s.run = s.target.caller.root
		if err := s.dialect.ready(ctx, s.target); err != nil {
			return err
		}
		if err := s.swap(ctx, a.placed, &r); err != nil {
			return err
		}
	} else if err := s.launch(ctx, a.placed); err != nil {
		return err
	}
	first, err := s.ask(ctx, &r)
	if err != nil {
		return s.withLog(err)
	}
	if len(first.warm[0].values) == 0 {
		if !s.pool.options.text {
			return errors.New("it gives no log-probabilities, so that a swap cannot be proved")
		}
		s.pool.silent()
	}
	for range 2 {
		next, err := s.ask(ctx, &r)
		if err != nil {
			return s.withLog(err)
		}
		d := max(first.distance(next), next.cached())
		if math.IsInf(d, 1) || d > mostNoise {
			return fmt.Errorf("the same question is answered differently: log-probabilities differ by %.2g", d)
		}
		s.pool.memory.heard(d)
	}
	if err := s.pool.memory.judgeFirst(first, !s.pool.silentOnes()); err != nil {
		return err
	}
	s.believe(a.candidate, first)
	return nil
}

// mostNoise is how far answers of equal weights may differ for swaps to be judged.
const mostNoise = 0.1

// withLog adds what a server printed that was started here.
func (s *server) withLog(err error) error {
	if s.process == nil {
		return err
	}
	if !s.process.alive() {
		return s.process.died()
	}
	if tail := s.process.log.tail(600); tail != "" {
		return fmt.Errorf("%w; it printed: %s", err, tail)
	}
	return err
}

// turns swaps the second parent in, and the first one back.
func (s *server) turns(ctx context.Context) error {
	var said [2]answer
	for _, i := range []int{1, 0} {
		var r SwapReport
		if err := s.change(ctx, s.pool.parents[i].candidate, s.pool.parents[i].placed, &r); err != nil {
			return err
		}
		var err error
		if said[i], err = s.ask(ctx, &r); err != nil {
			return err
		}
	}
	if s.pool.silentOnes() && said[0].distance(said[1]) == 0 {
		return errors.New("two models with different weights write the same, and there are no log-probabilities")
	}
	return nil
}

// probe asks what the server can do.
func (s *server) probe(ctx context.Context) (eval.Profile, error) {
	url, shut := s.pool.gate.open(s.target.url, s.gone(s.process))
	defer shut()
	return eval.Probe(ctx, eval.Session{BaseURL: url + "/v1", Model: s.target.name, APIKey: s.pool.options.APIKey})
}

// silentOnes reports whether the servers give no log-probabilities.
func (p *Servers) silentOnes() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.textOnly
}

// silent notes that the servers give no log-probabilities.
func (p *Servers) silent() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.textOnly {
		p.textOnly = true
		p.notes = append(p.notes, "the server gives no log-probabilities: that it changed its weights is seen by its texts alone")
	}
}
