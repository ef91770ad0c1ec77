package endpoint

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"mergesearch"
	"mergesearch/eval"
)

// server is one server of a pool. It is used by one goroutine at a time.
type server struct {
	pool    *Servers
	index   int
	dialect dialect

	process *process // nil: it runs elsewhere, or not at all
	target  target
	current *placed // what it holds, kept until it holds another: some servers read it again
	run     string  // names its present process

	holds   string // fingerprint of the weights that are proved to answer; empty: none
	restart bool   // its weights are only ever changed by a restart
	dirty   bool   // what it holds is unknown: start it again before anything else
	voided  int    // sessions voided in a row
	why     error  // the last session was voided; nil: it was not
}

// lost says that a server is of no more use.
type lost struct{ error }

func (l lost) Unwrap() error { return l.error }

// attached reports whether the server runs elsewhere.
func (s *server) attached() bool { return len(s.pool.options.URLs) > 0 }

// up reports whether there is a server to talk to.
func (s *server) up() bool { return s.attached() || s.process != nil && s.process.alive() }

// gone says why the server answers no more.
func (s *server) gone(p *process) func() error {
	return func() error {
		if p != nil && !p.alive() {
			return p.died()
		}
		return nil
	}
}

// load brings a candidate into the server and proves that it answers. The error is
// a *mergesearch.Failure where that is the candidate's own fault, a lost when the
// server is of no more use, and the context's when that ended.
func (s *server) load(ctx context.Context, c mergesearch.Candidate, p *placed) (report SwapReport, err error) {
	report = SwapReport{Candidate: c.ID, Server: s.index, Bytes: p.bytes}
	began := time.Now()
	defer func() {
		if err != nil {
			s.holds, s.dirty = "", true
		} else if r := report.How; r != eval.SwapNone {
			s.keep(p)
		}
		report.Total, report.Err = time.Since(began), err
	}()
	if s.up() && !s.dirty && (!s.restart || s.holds == c.Fingerprint) {
		report.Doubt = s.change(ctx, c, p, &report)
		if report.Doubt == nil || ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		s.pool.doubt(s, c.ID, report.Doubt, doubted)
	}
	report.Doubt = errorOr(report.Doubt, s.why)
	if s.why = nil; report.Doubt == nil && s.process != nil {
		report.Doubt = s.gone(s.process)()
	}
	if s.attached() {
		return report, s.again(ctx, c, p, &report)
	}
	return report, s.replace(ctx, c, p, &report)
}

// change swaps in the running server. Any error is a reason to start it again.
func (s *server) change(ctx context.Context, c mergesearch.Candidate, p *placed, r *SwapReport) error {
	if s.holds == c.Fingerprint {
		r.How = eval.SwapNone
		_, err := s.prove(ctx, c, r)
		return err
	}
	known := s.pool.memory.knows(c.Fingerprint)
	if err := s.swap(ctx, p, r); err != nil {
		return err
	}
	if known || s.pool.options.LoadOnce {
		_, err := s.prove(ctx, c, r)
		return err
	}
	// One load cannot prove itself: an unknown candidate may answer anything.
	first, err := s.ask(ctx, r)
	if err == nil {
		err = s.judge(c, first)
	}
	if err != nil {
		return err
	}
	if err := s.swap(ctx, p, r); err != nil {
		return err
	}
	second, err := s.ask(ctx, r)
	if err != nil {
		return err
	}
	if d, most := first.distance(second), s.pool.memory.agreement(); d > most {
		return doubtful("loaded twice, the candidate answered in two ways: log-probabilities differ by %.2g, at most %.2g is noise", d, most)
	}
	_, err = s.accept(c, second)
	return err
}

// errorOr returns the first error there is.
func errorOr(err, other error) error {
	if err != nil {
		return err
	}
	return other
}

func (s *server) swap(ctx context.Context, p *placed, r *SwapReport) error {
	limited, cancel := context.WithTimeout(ctx, s.pool.options.Limits.Swap)
	defer cancel()
	began := time.Now()
	s.holds = ""
	r.Version = fmt.Sprintf("%s-%d", strings.ToLower(rand.Text()[:8]), s.pool.serial.Add(1))
	err := s.dialect.swap(limited, s.target, p.path, r.Version)
	r.How, r.Apply = s.dialect.best(), time.Since(began)
	s.pool.count(func(n *Counts) { n.Swaps++ })
	if err != nil {
		return fmt.Errorf("swap: %w", err)
	}
	s.target.name = s.dialect.name(s.target.name, p.path)
	return nil
}

// prove asks the canary and judges the answer.
func (s *server) prove(ctx context.Context, c mergesearch.Candidate, r *SwapReport) (answer, error) {
	a, err := s.ask(ctx, r)
	if err != nil {
		return a, err
	}
	return s.accept(c, a)
}

func (s *server) accept(c mergesearch.Candidate, a answer) (answer, error) {
	if err := s.judge(c, a); err != nil {
		return a, err
	}
	s.believe(c, a)
	return a, nil
}

func (s *server) judge(c mergesearch.Candidate, a answer) error {
	return s.pool.memory.judge(c.Fingerprint, a, s.run, !s.pool.silentOnes())
}

func (s *server) believe(c mergesearch.Candidate, a answer) {
	s.pool.memory.remember(c.Fingerprint, a, s.run)
	s.holds, s.dirty = c.Fingerprint, false
}

func (s *server) ask(ctx context.Context, r *SwapReport) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.pool.options.Limits.Canary)
	defer cancel()
	began := time.Now()
	a, err := canary(ctx, func(ctx context.Context, prompt string, cold bool) (reply, error) {
		return s.dialect.ask(ctx, s.target, prompt, cold)
	})
	r.Canary += time.Since(began)
	return a, err
}

// again is the last resort with a server that cannot be started here: the same
// change once more.
func (s *server) again(ctx context.Context, c mergesearch.Candidate, p *placed, r *SwapReport) error {
	err := s.change(ctx, c, p, r)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		return cause
	}
	if err != nil {
		s.pool.doubt(s, c.ID, err, doubted)
		if f := failureOf(err); f != nil {
			return f
		}
		return lost{err}
	}
	return nil
}

// failureOf returns the candidate's own fault in err: answers that are no numbers.
func failureOf(err error) error {
	if d, ok := isDoubt(err); ok && d.numbers {
		return &mergesearch.Failure{Reason: mergesearch.Reason{Code: "not_finite", Text: err.Error()}}
	}
	return nil
}

// replace starts the server anew with the candidate. A fresh process has nothing
// of other candidates, so answers like those of another one are believed now.
func (s *server) replace(ctx context.Context, c mergesearch.Candidate, p *placed, r *SwapReport) error {
	r.How = eval.SwapRestart
	var last error
	for range 2 {
		began := time.Now()
		err := s.launch(ctx, p)
		if err == nil {
			r.Apply = time.Since(began)
			err = s.proveFresh(ctx, c, r)
		}
		if err == nil {
			return nil
		}
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		s.pool.doubt(s, c.ID, err, doubted)
		last = err
	}
	if f := failureOf(last); f != nil {
		return f
	}
	if _, judged := isDoubt(last); judged || c.Fingerprint == s.pool.parents[0].candidate.Fingerprint {
		return lost{last}
	}
	return s.whose(ctx, last)
}

func (s *server) proveFresh(ctx context.Context, c mergesearch.Candidate, r *SwapReport) error {
	a, err := s.ask(ctx, r)
	if err != nil {
		return err
	}
	r.Version = a.version
	_, err = s.accept(c, a)
	if d, judged := isDoubt(err); judged && d.alike {
		s.believe(c, a)
		return nil
	}
	return err
}

// whose decides whose fault it is that the server does not start with a candidate:
// the candidate's, if it starts with a parent.
func (s *server) whose(ctx context.Context, err error) error {
	var r SwapReport
	parent := s.pool.parents[0]
	if e := s.launch(ctx, parent.placed); e != nil {
		return lost{fmt.Errorf("%w; it does not start with a parent either: %w", err, e)}
	}
	if e := s.proveFresh(ctx, parent.candidate, &r); e != nil {
		return lost{fmt.Errorf("%w; with a parent: %w", err, e)}
	}
	return &mergesearch.Failure{Reason: mergesearch.Reason{Code: "not_served", Text: err.Error()}}
}

// launch ends the server and starts it with what is placed. It tries another port
// when a foreign server answers on the first.
func (s *server) launch(ctx context.Context, p *placed) error {
	o := &s.pool.options
	if s.run != "" {
		s.pool.count(func(n *Counts) { n.Restarts++ })
	}
	s.giveBack(p)
	s.end()
	ctx, cancel := context.WithTimeoutCause(ctx, o.Limits.Start, fmt.Errorf("no answer within %s", o.Limits.Start))
	defer cancel()
	var err error
	for range 3 {
		if err = s.launchOnce(ctx, p); err == nil {
			return nil
		}
		s.end()
		var wrong *nameError
		if !errors.As(err, &wrong) || ctx.Err() != nil {
			break
		}
	}
	return err
}

// giveBack makes a candidate's place its own again, where the server holds it.
func (s *server) giveBack(p *placed) {
	if s.current == p {
		s.current, p.own = nil, true
	}
}

// keep holds the place of what was loaded, and lets go of the one before.
func (s *server) keep(p *placed) {
	s.letGo()
	if p.own && !s.dialect.copies() {
		s.current, p.own = p, false
	}
}

func (s *server) letGo() {
	if s.current != nil {
		s.current.take()
		s.current = nil
	}
}

func (s *server) launchOnce(ctx context.Context, p *placed) error {
	o := &s.pool.options
	path, err := s.dialect.prepare(p.path)
	if err != nil {
		return err
	}
	port, err := freePort()
	if err != nil {
		return err
	}
	name := "mergesearch-" + strings.ToLower(rand.Text()[:12])
	if s.target, err = newTarget(fmt.Sprintf("http://127.0.0.1:%d", port), "", name); err != nil {
		return err
	}
	env := append(environment(o.Environment, o.Pass), o.env...)
	if len(o.Devices) > 0 {
		env = append(env, "CUDA_VISIBLE_DEVICES="+o.Devices[s.index%len(o.Devices)])
	}
	s.run = name
	if s.process, err = start(launch{command: s.dialect.command(path, name, port), env: env, notes: s.pool.storage}); err != nil {
		return err
	}
	var final *nameError
	err = until(ctx, s.process, func(ctx context.Context) error {
		err := s.dialect.ready(ctx, s.target)
		if errors.As(err, &final) {
			return nil
		}
		return err
	})
	if err == nil && final != nil {
		err = final
	}
	return err
}

// end stops a server that was started here.
func (s *server) end() {
	if s.process != nil {
		s.process.end(s.pool.options.Limits.Grace)
		s.process = nil
	}
	s.target.idle()
	s.holds = ""
	s.letGo()
}

// check proves, after the last answer, that the weights are still the same.
func (s *server) check(ctx context.Context, c mergesearch.Candidate) error {
	err := s.gone(s.process)()
	if err == nil {
		var r SwapReport
		var a answer
		if a, err = s.ask(ctx, &r); err == nil {
			err = s.judge(c, a)
		}
	}
	if err == nil {
		s.voided = 0
		return nil
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	s.dirty, s.holds, s.why = true, "", err
	s.voided++
	s.pool.doubt(s, c.ID, err, func(n *Counts) { n.Voided++ })
	return fmt.Errorf("%w: %w", eval.ErrSessionLost, err)
}
