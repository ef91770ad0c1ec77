package eval

import (
	"container/heap"
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// queueing is a server in made-up time: so many requests are worked on at once,
// each for so long, and the others wait.
type queueing struct {
	now     time.Time
	slots   int
	service time.Duration
	busy    events // when each slot is done
}

type event struct {
	at    time.Time
	begun time.Time
}

type events []event

func (e events) Len() int           { return len(e) }
func (e events) Less(i, j int) bool { return e[i].at.Before(e[j].at) }
func (e events) Swap(i, j int)      { e[i], e[j] = e[j], e[i] }
func (e *events) Push(x any)        { *e = append(*e, x.(event)) }
func (e *events) Pop() any {
	last := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return last
}

// run lets an endless queue of requests through the throttle for some time and
// returns the answers a second in the second half of it.
func (q *queueing) run(t *throttle, length time.Duration, refuse func(inFlight int) bool) float64 {
	free := make(events, q.slots) // when each slot is free
	for i := range free {
		free[i].at = q.now
	}
	heap.Init(&free)
	begin, half := q.now, 0
	for q.now.Sub(begin) < length {
		for t.inFlight < t.most {
			if err := t.enter(context.Background()); err != nil {
				panic(err)
			}
			slot := heap.Pop(&free).(event)
			start := slot.at
			if start.Before(q.now) {
				start = q.now
			}
			heap.Push(&free, event{at: start.Add(q.service)})
			heap.Push(&q.busy, event{at: start.Add(q.service), begun: q.now})
		}
		t.full = true // the queue never ends
		done := heap.Pop(&q.busy).(event)
		if done.at.After(q.now) {
			q.now = done.at
		}
		if refuse != nil && refuse(t.inFlight) {
			t.refused(0)
		} else {
			t.answered(q.now.Sub(done.begun))
			if q.now.Sub(begin) > length/2 {
				half++
			}
		}
		t.leave()
	}
	return float64(half) / (length / 2).Seconds()
}

func simulated(slots int, service time.Duration, limit int) (*queueing, *throttle) {
	q := &queueing{now: time.Unix(1000, 0), slots: slots, service: service}
	t := newThrottle(throttleStart, limit)
	t.now = func() time.Time { return q.now }
	return q, t
}

// Within half a minute the rate is within five in a hundred of the best that any
// fixed number in flight gives, and no more are in flight than twice as many as the
// server works on.
func TestThrottleFindsTheRate(t *testing.T) {
	for _, slots := range []int{1, 5, 16, 33, 100, 140} {
		for _, service := range []time.Duration{60 * time.Millisecond, 300 * time.Millisecond} {
			q, th := simulated(slots, service, 512)
			got := q.run(th, 30*time.Second, nil)
			best := float64(slots) / service.Seconds()
			if got < 0.95*best {
				t.Errorf("%d slots of %v: %.0f answers a second, %.0f are possible (%d in flight)", slots, service, got, best, th.most)
			}
			if th.most > max(2*throttleStart, 4*slots) {
				t.Errorf("%d slots of %v: %d in flight", slots, service, th.most)
			}
		}
	}
}

// A server that refuses more than it bears is asked less, once for each episode,
// never less than the floor, and never more than the limit.
func TestThrottleYields(t *testing.T) {
	q, th := simulated(1000, 50*time.Millisecond, 512)
	q.run(th, 2*time.Minute, func(inFlight int) bool { return inFlight > 40 })
	if th.most > 50 || th.most < 20 {
		t.Errorf("%d in flight at a server that bears 40", th.most)
	}
	q, th = simulated(10, 50*time.Millisecond, 64)
	q.run(th, 2*time.Second, nil)
	before := th.most
	for range 50 {
		th.refused(0)
	}
	if th.most != before*4/5 {
		t.Errorf("%d, then %d in flight after one episode", before, th.most)
	}
	for range 50 {
		q.now = q.now.Add(throttleEpisode)
		th.refused(0)
	}
	if th.most != throttleFloor {
		t.Errorf("%d in flight, the floor is %d", th.most, throttleFloor)
	}
	th.refused(time.Hour)
	q.run(th, 5*time.Minute, nil)
	if th.most != throttleFloor {
		t.Errorf("grown to %d within the hour that the server asked for", th.most)
	}
	if th := newThrottle(throttleStart, 1); th.most != 1 {
		t.Errorf("%d in flight, 1 is the limit", th.most)
	}
}

// Waits end with their context, places are never lost, and never too many given.
func TestThrottlePlaces(t *testing.T) {
	th := newThrottle(3, 3)
	var mu sync.Mutex
	inside, most := 0, 0
	var wait sync.WaitGroup
	for i := range 200 {
		wait.Go(func() {
			ctx, cancel := context.WithCancelCause(context.Background())
			defer cancel(nil)
			if i%3 == 0 {
				go cancel(errors.New("given up"))
			}
			if th.enter(ctx) != nil {
				return
			}
			mu.Lock()
			inside++
			most = max(most, inside)
			mu.Unlock()
			mu.Lock()
			inside--
			mu.Unlock()
			th.answered(time.Microsecond)
			th.leave()
		})
	}
	wait.Wait()
	if most > 3 || th.inFlight != 0 || len(th.waiting) != 0 {
		t.Errorf("%d at once, %d in flight and %d waiting in the end", most, th.inFlight, len(th.waiting))
	}
	var none *throttle
	none.answered(0)
	none.refused(0)
	none.faulted()
}
