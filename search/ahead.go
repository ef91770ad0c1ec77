package search

import (
	"context"
	"fmt"

	"mergesearch"
)

// SteadyState is an Algorithm without generations: it need not know how its last
// proposals did to make the next one. The loop asks it ahead, and no worker waits
// for the slowest candidate of a cohort. With a look-ahead of L the calls are
//
//	Tell(baselines), L times Ask, then Tell of the first cohort, Ask, Tell of the
//	second cohort, Ask, ...
//
// so that what is asked depends on the trials of all cohorts but the last L,
// whatever the number of workers. A look-ahead of one is the dialogue of every
// Algorithm. There is no race, since nobody waits for rivals: with a larger one
// every candidate answers all search items at once.
type SteadyState interface {
	Algorithm

	// Lookahead returns L, at least 1. It is part of a run's configuration and does
	// not follow the number of workers.
	Lookahead() int
}

// DefaultLookahead is the look-ahead of algorithms that take one: enough to keep
// eight workers busy.
const DefaultLookahead = 8

// lookahead returns how many cohorts may be asked before the first is told.
func (l *loop) lookahead() int {
	if a, ok := l.Algorithm.(SteadyState); ok {
		return a.Lookahead()
	}
	return 1
}

// pipeline is a search that looks ahead: the cohorts in flight and what workers do
// for them. One goroutine owns it. What decides (the budgets, the tells, the
// breaker) follows the order of asking and never that of arrival.
type pipeline struct {
	*loop
	items  []mergesearch.ItemID
	open   []openCohort // asked and not closed, in ask order
	silent bool         // a cohort was not told, so none after it is

	flight context.Context
	jobs   []*job // not yet handed to workers, in ask order
	flying int
	back   chan result
	busy   map[*answers]bool
	came   map[*answers]*result // back, until the cohort's turn
}

type openCohort struct {
	attempts []*attempt
	cut      bool // by the budget, so it is not told
}

// ahead searches with so many cohorts in flight.
func (l *loop) ahead(ctx context.Context, cohorts int) error {
	flight, cancel := context.WithCancel(ctx)
	p := &pipeline{
		loop: l, items: l.rungs[len(l.rungs)-1], flight: flight,
		back: make(chan result), busy: map[*answers]bool{}, came: map[*answers]*result{},
	}
	defer cancel()
	defer func() {
		if !p.draining() {
			cancel()
		}
		for ; p.flying > 0; p.flying-- {
			p.arrive(<-p.back)
		}
	}()
	for {
		for l.stop == "" && len(p.open) < cohorts {
			if err := p.fill(ctx); err != nil {
				return err
			}
		}
		if len(p.open) == 0 {
			return nil
		}
		complete, err := p.await(ctx, p.open[0].attempts)
		if err != nil {
			return err
		}
		if !complete {
			for _, c := range p.open {
				l.suspend(c.attempts)
			}
			return nil
		}
		if err := p.close(ctx); err != nil {
			return err
		}
	}
}

// fill asks for a cohort and lists what there is to do for it.
func (p *pipeline) fill(ctx context.Context) error {
	individuals, err := p.propose(ctx)
	if err != nil || p.stop != "" {
		return err
	}
	var waiting []*attempt
	for _, c := range p.open {
		waiting = append(waiting, c.attempts...)
	}
	attempts, err := p.begin(ctx, individuals, p.items, waiting)
	if err != nil {
		return err
	}
	cut := len(attempts) < len(individuals)
	if cut && p.stop == "" {
		p.stop = StopCandidates
	}
	p.open = append(p.open, openCohort{attempts, cut})
	jobs, err := p.loop.jobs(ctx, attempts, mergesearch.SearchSplit, p.items)
	if err != nil {
		return err
	}
	for _, j := range jobs {
		if a := j.attempt.answers; !p.busy[a] && p.came[a] == nil {
			p.busy[a], j.before = true, 0 // earlier attempts are counted before its turn
			p.jobs = append(p.jobs, j)
			p.progress.BatchTotal++
		}
	}
	p.show()
	return nil
}

// await keeps the workers busy, with jobs of all open cohorts, until it is the
// attempts' turn: they have answered or failed, or no token is left for them. It
// returns false when the time ran out before.
func (p *pipeline) await(ctx context.Context, attempts []*attempt) (bool, error) {
	for {
		for len(p.jobs) > 0 && p.flying < max(1, p.Workers) && ctx.Err() == nil && !p.draining() && !p.halted() && !p.exhausted(0) {
			if err := p.ready(ctx); err != nil {
				return false, err
			}
			j := p.jobs[0]
			p.jobs = p.jobs[1:]
			p.flying++
			go func() { p.back <- p.do(p.flight, j) }()
		}
		if err := ctx.Err(); err != nil {
			return false, fmt.Errorf("interrupted: %w", err)
		}
		if p.exhausted(0) || p.answered(attempts) {
			return true, nil
		}
		if p.flying == 0 && p.draining() {
			return false, errDrained
		}
		if p.flying == 0 {
			return false, nil
		}
		r := <-p.back
		p.flying--
		if p.arrive(r); r.err != nil && ctx.Err() == nil {
			return false, r.err
		}
	}
}

// arrive takes what a worker brought back. Its candidate has answered all that it
// will be asked.
func (p *pipeline) arrive(r result) {
	a := r.job.attempt.answers
	delete(p.busy, a)
	p.came[a] = &r
	r.release()
	if !p.inTurn() {
		p.settle(r)
	}
}

// answered reports whether nothing is missing of the attempts.
func (p *pipeline) answered(attempts []*attempt) bool {
	for _, a := range attempts {
		if p.came[a.answers] == nil && !a.answers.failed(p.items) && len(a.answers.missing(p.items)) > 0 {
			return false
		}
	}
	return true
}

// close ends the oldest cohort: counts, scores, records and tells it.
func (p *pipeline) close(ctx context.Context) error {
	oldest := p.open[0]
	p.open = p.open[1:]
	var done []*attempt
	for _, a := range oldest.attempts {
		if p.exhausted(0) && !a.answers.relied(p.items) {
			p.stop = StopTokens
			continue
		}
		if err := p.count(ctx, a); err != nil {
			return err
		}
		done = append(done, a)
	}
	p.progress.ItemAnswers = p.spent[mergesearch.SearchSplit] + p.uncharged()
	if _, err := p.score(done, len(p.rungs)-1); err != nil {
		return err
	}
	if err := p.finish(ctx, done); err != nil {
		return err
	}
	if p.silent = p.silent || oldest.cut || len(done) < len(oldest.attempts); !p.silent {
		p.Algorithm.Tell(p.told(done))
	}
	return nil
}

// count lets the breaker see what came of an attempt and the budgets rely on it.
func (p *pipeline) count(ctx context.Context, a *attempt) error {
	if r := p.came[a.answers]; r != nil {
		delete(p.came, a.answers)
		counted := 0
		if err := p.account(ctx, r, &counted); err != nil {
			return err
		}
		if err := p.judgeResult(ctx, r); err != nil {
			return err
		}
	} else if a.answers.failure == nil {
		p.breaker.sound(1)
	}
	if !a.answers.failed(p.items) {
		a.trial.Fingerprint = a.answers.fingerprint
		p.charge(a.answers, mergesearch.SearchSplit, p.items)
	}
	return nil
}

// uncharged counts the answers that open cohorts have and no budget counted yet.
func (p *pipeline) uncharged() int {
	n := 0
	seen := map[*answers]bool{}
	for _, c := range p.open {
		for _, a := range c.attempts {
			if !seen[a.answers] && !a.answers.failed(p.items) {
				seen[a.answers] = true
				n += p.cost(a.trial.RecipeID, p.items) - len(a.answers.missing(p.items))
			}
		}
	}
	return n
}
