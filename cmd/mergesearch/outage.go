package main

import (
	"sync"
	"time"

	"mergesearch/eval"
)

// outagePatience is how long a run waits for a server at a URL that gives no usable
// answers: long enough to start it again, short enough that a night is not lost on one
// that is gone. The same command goes on later.
const outagePatience = 10 * time.Minute

// outages passes on when the endpoint went away and came back, once for all candidates
// in flight.
type outages struct {
	mu     sync.Mutex
	away   int // candidates that wait
	record func(kind string, attrs map[string]any)
}

func (o *outages) tell(of eval.Outage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if of.Err == nil {
		if o.away--; o.away == 0 && o.record != nil {
			o.record(eventBack, map[string]any{"seconds": of.Since.Seconds()})
		}
		return
	}
	if o.away++; o.away == 1 && o.record != nil {
		o.record(eventAway, map[string]any{"text": of.Err.Error()})
	}
}
