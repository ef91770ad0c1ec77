package eval

import (
	"context"
	"sync"
	"time"
)

// throttle decides how many requests to one server are in flight. It starts low
// and doubles while that brings more answers a second; when more in flight only
// make each wait longer it goes back, and tries a quarter more from time to time,
// as the server may have become faster. A refusal for load takes a fifth away, once
// in a while and not once for each of the requests that were refused together; a
// fault stops growth for a time. A nil throttle lets everything pass.
type throttle struct {
	now          func() time.Time
	floor, limit int // bounds of most

	mu       sync.Mutex
	most     int // in flight
	inFlight int
	waiting  []chan struct{} // first come, first served

	// Of the round under way: about as many answers as may be in flight, or twice
	// as many, all of them while the server had as much to do as it may.
	answers int
	since   time.Time // the end of the round before
	full    bool      // somebody waited: the bound was what limited the rate

	trying bool      // most was raised, and is kept if best is beaten by enough
	gain   float64   // how much is enough
	best   float64   // answers a second before
	before int       // most before
	calm   int       // rounds in a row without a try
	still  time.Time // no growth before

	refusing bool // still is the end of an episode of refusals
}

// The constants of the throttle. Refusals within one episode count as one.
const (
	throttleStart   = 16
	throttleFloor   = 2
	throttleEpisode = 15 * time.Second
	throttlePause   = 2 * time.Second // after a fault
	calmRounds      = 16              // until growth is tried again
)

// newThrottle lets at most limit requests pass, start of them at first.
func newThrottle(start, limit int) *throttle {
	limit = max(1, limit)
	t := &throttle{now: time.Now, floor: min(throttleFloor, limit), limit: limit}
	t.most = max(t.floor, min(start, limit))
	return t
}

// enter waits for a place. Every enter that returns nil is followed by one leave.
func (t *throttle) enter(ctx context.Context) error {
	t.mu.Lock()
	if t.inFlight < t.most && len(t.waiting) == 0 {
		t.inFlight++
		t.mu.Unlock()
		return nil
	}
	t.full = true
	turn := make(chan struct{})
	t.waiting = append(t.waiting, turn)
	t.mu.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, w := range t.waiting {
		if w == turn {
			t.waiting = append(t.waiting[:i], t.waiting[i+1:]...)
			return context.Cause(ctx)
		}
	}
	t.inFlight-- // the place came with the end of the wait
	t.admit()
	return context.Cause(ctx)
}

// leave gives a place back.
func (t *throttle) leave() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.inFlight--
	t.admit()
}

// admit gives free places to those who wait.
func (t *throttle) admit() {
	for t.inFlight < t.most && len(t.waiting) > 0 {
		close(t.waiting[0])
		t.waiting = t.waiting[1:]
		t.inFlight++
	}
}

// answered notes a good answer and how long it took.
func (t *throttle) answered(took time.Duration) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.since.IsZero() {
		t.since = t.now().Add(-took)
	}
	if t.answers++; t.answers < 2*t.most {
		return
	}
	now := t.now()
	if t.full && !now.Before(t.still) {
		t.refusing = false
		t.round(float64(t.answers) / max(1e-9, now.Sub(t.since).Seconds()))
	}
	t.answers, t.since, t.full = 0, now, len(t.waiting) > 0
	t.admit()
}

// round judges a round by its answers a second.
func (t *throttle) round(rate float64) {
	switch {
	case t.trying && rate < t.gain*t.best:
		t.most, t.trying, t.calm = t.before, false, 0
	case t.trying && t.gain < doubleGain:
		t.try(rate, t.most+(t.most+3)/4, quarterGain)
	case t.trying || t.best == 0:
		t.try(rate, 2*t.most, doubleGain)
	default:
		if t.calm++; t.calm >= calmRounds {
			t.try(rate, t.most+(t.most+3)/4, quarterGain)
		}
	}
}

// How many times as many answers justify twice as many in flight, or a quarter more.
const (
	doubleGain  = 1.1
	quarterGain = 1.05
)

// try raises the bound for a round.
func (t *throttle) try(rate float64, most int, gain float64) {
	t.best, t.before, t.gain = rate, t.most, gain
	t.most = min(t.limit, most)
	t.trying, t.calm = t.most > t.before, 0
}

// refused notes a refusal for load; after is what the server asks to wait.
func (t *throttle) refused(after time.Duration) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	if !now.Before(t.still) || !t.refusing {
		t.most = max(t.floor, t.most*4/5)
		t.trying, t.calm, t.best, t.refusing = false, 0, 1, true
		after = max(throttleEpisode, after)
	}
	if until := now.Add(after); until.After(t.still) {
		t.still = until
	}
}

// faulted notes a fault, which is no reason to send less but one not to send more.
func (t *throttle) faulted() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if pause := t.now().Add(throttlePause); pause.After(t.still) {
		t.still = pause
	}
}
