package main

import (
	"context"
	"errors"
	"sync"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
)

// guards is what looks after a run while it goes on: clocks, retries, servers and
// backups. It only ever writes events.
type guards struct {
	journal  *journal
	watch    *watcher
	traffic  func() (sent, retried int64)
	storm    stormWatch
	clock    clockWatch
	swaps    *swapLog
	backup   func(context.Context) error
	every    time.Duration // between two backups; 0: none
	backedUp time.Time
}

// run looks after the run until the context ends.
func (g *guards) run(ctx context.Context) {
	g.backedUp = time.Now()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			g.servers()
			return
		case <-tick.C:
			g.tick(ctx)
		}
	}
}

func (g *guards) tick(ctx context.Context) {
	g.watch.tick()
	for kind, seconds := range g.clock.tick(clockNow()) {
		g.journal.aside(kind, map[string]any{"seconds": seconds})
	}
	g.servers()
	sent, retried := g.traffic()
	if kind, attrs := g.storm.tick(time.Now(), sent, retried); kind != "" {
		g.journal.aside(kind, attrs)
	}
	if g.every > 0 && time.Since(g.backedUp) >= g.every {
		g.backedUp = time.Now()
		if err := g.backup(ctx); err != nil && ctx.Err() == nil {
			g.journal.aside(eventFault, map[string]any{"what": "backup", "text": err.Error()})
		}
	}
}

// servers writes what happened to inference servers.
func (g *guards) servers() {
	for _, r := range g.swaps.take() {
		if kind, why := swapEvent(r); kind != "" {
			g.journal.aside(kind, map[string]any{"server": r.Server, "candidate": r.Candidate, "why": why, "seconds": r.Total.Seconds()})
		}
	}
}

// swapEvent tells what of a change of weights people should know: a server that was in
// doubt and was started again, and one that could not be brought to serve.
func swapEvent(r endpoint.SwapReport) (kind, why string) {
	var candidate *mergesearch.Failure
	switch {
	case r.Err != nil && (errors.Is(r.Err, context.Canceled) || errors.As(r.Err, &candidate)):
		return "", ""
	case r.Err != nil:
		return eventLost, r.Err.Error()
	case r.Doubt != nil && r.How == eval.SwapRestart:
		return eventRestarted, r.Doubt.Error()
	}
	return "", ""
}

// swapLog keeps what servers report until somebody looks. A nil log keeps nothing.
type swapLog struct {
	mu   sync.Mutex
	list []endpoint.SwapReport
}

func (s *swapLog) add(r endpoint.SwapReport) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r.Doubt != nil || r.Err != nil {
		s.list = append(s.list, r)
	}
}

func (s *swapLog) take() []endpoint.SwapReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := s.list
	s.list = nil
	return out
}

// stormWatch notices when many requests have to be sent again: a fifth of those of a
// minute, and twenty at least.
type stormWatch struct {
	since         time.Time
	sent, retried int64
	on            bool
}

const (
	stormWindow = time.Minute
	stormLeast  = 20
	stormShare  = 5 // one in so many
)

// tick returns the event that a reading of the counters makes, if any.
func (s *stormWatch) tick(now time.Time, sent, retried int64) (kind string, attrs map[string]any) {
	if s.since.IsZero() {
		s.since, s.sent, s.retried = now, sent, retried
		return "", nil
	}
	n, again := sent-s.sent, retried-s.retried
	heavy := again >= stormLeast && again*stormShare >= n
	if heavy && !s.on {
		s.on, s.since, s.sent, s.retried = true, now, sent, retried
		return eventStorm, map[string]any{"sent": n, "retried": again}
	}
	if now.Sub(s.since) < stormWindow {
		return "", nil
	}
	over := s.on && !heavy && n > again
	s.since, s.sent, s.retried = now, sent, retried
	if over {
		s.on = false
		return eventCalm, map[string]any{"sent": n, "retried": again}
	}
	return "", nil
}
