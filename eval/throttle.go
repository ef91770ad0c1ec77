package eval

import (
	"context"
	"sync"
	"time"
)

// throttle decides how many requests to one server are in flight. It starts low
// and doubles while that brings more answers a second; it stops growing when
// twice as many in flight only make each wait longer. A refusal for load takes a
// fifth away, once in a while and not once for each of the requests that were
// refused together; a fault stops growth for a time. A nil throttle lets
// everything pass.
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
	since   time.Time
	full    bool // somebody waited: the bound was what limited the rate

	doubling bool
	best     float64   // answers a second, of the rounds before
	before   int       // most, when best was measured
	calm     int       // rounds since the last change, when not doubling
	still    time.Time // no growth before
}

// The constants of the throttle. Refusals within one episode count as one.
const (
	throttleStart   = 16
	throttleFloor   = 2
	throttleEpisode = 15 * time.Second
	throttlePause   = 2 * time.Second // after a fault
	worthwhile      = 1.1             // how many times as many answers justify growing
	calmRounds      = 16              // until growth is tried again
)

// newThrottle lets at most limit requests pass, start of them at first.
func newThrottle(start, limit int) *throttle {
	limit = max(1, limit)
	t := &throttle{now: time.Now, floor: min(throttleFloor, limit), limit: limit, doubling: true}
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
	if t.answers == 0 {
		t.since = t.now().Add(-took)
	}
	t.answers++
	if t.answers < 2*t.most {
		return
	}
	if t.full && !t.now().Before(t.still) {
		t.round(float64(t.answers) / max(1e-9, t.now().Sub(t.since).Seconds()))
	}
	t.answers, t.full = 0, len(t.waiting) > 0
	t.admit()
}

// round judges a round by its answers a second.
func (t *throttle) round(rate float64) {
	switch {
	case !t.doubling:
		t.calm++
		if t.calm >= calmRounds { // the server may have become faster
			t.doubling, t.best, t.before = true, rate, t.most
			t.most = min(t.limit, 2*t.most)
		}
		return
	case t.best > 0 && rate < worthwhile*t.best:
		t.doubling, t.calm = false, 0
		t.most = t.before
		return
	}
	t.best, t.before = rate, t.most
	if t.most = min(t.limit, 2*t.most); t.most == t.before {
		t.doubling, t.calm = false, 0
	}
}

// refused notes a refusal for load; after is what the server asks to wait.
func (t *throttle) refused(after time.Duration) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.now().Before(t.still) {
		return
	}
	t.most = max(t.floor, t.most*4/5)
	t.doubling, t.calm, t.answers, t.best = false, 0, 0, 0
	t.still = t.now().Add(max(throttleEpisode, after))
}

// faulted notes a fault, which is no reason to send less but one not to send more.
func (t *throttle) faulted() {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.answers = 0
	if pause := t.now().Add(throttlePause); pause.After(t.still) {
		t.still = pause
	}
}
