package main

import "time"

// Deadlines and durations of a run are those of the monotonic clock, which nobody
// sets and which stands still while the machine sleeps. The clock watch compares it
// with the other clocks, so that a gap in the times of a night is explained.

// clockReading is one moment on three clocks.
type clockReading struct {
	wall time.Time     // that of the world, which may be set; without its monotonic part
	mono time.Duration // since the machine started, its sleep left out
	boot time.Duration // the same with its sleep
}

// Bounds of what is noticed between two ticks.
const (
	clockSlack = 2 * time.Second  // of two clocks against each other
	tickSlack  = 30 * time.Second // of a tick that comes late: the process was stopped
)

// clockWatch notices what happened to the clocks from one reading to the next.
type clockWatch struct{ last clockReading }

// tick returns the events since the last reading, the kind of each with its seconds.
func (w *clockWatch) tick(now clockReading) map[string]float64 {
	last := w.last
	w.last = now
	if last.wall.IsZero() {
		return nil
	}
	found := map[string]float64{}
	mono, boot := now.mono-last.mono, now.boot-last.boot
	if asleep := boot - mono; asleep > clockSlack {
		found[eventSuspended] = asleep.Seconds()
	}
	if jump := now.wall.Sub(last.wall) - boot; jump.Abs() > clockSlack {
		found[eventClock] = jump.Seconds()
	}
	if mono > tickSlack {
		found[eventStopped] = mono.Seconds()
	}
	return found
}
