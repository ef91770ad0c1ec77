package main

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A clock that is set, a machine that slept and a process that was stopped are told
// apart, and a night without any of them is silent.
func TestClockWatch(t *testing.T) {
	began := clockReading{wall: time.Unix(1e9, 0), mono: time.Hour, boot: 2 * time.Hour}
	for name, test := range map[string]struct {
		wall, mono, boot time.Duration
		want             map[string]float64
	}{
		"a second":           {time.Second, time.Second, time.Second, map[string]float64{}},
		"summer time":        {time.Hour + time.Second, time.Second, time.Second, map[string]float64{eventClock: 3600}},
		"set back":           {-time.Hour, time.Second, time.Second, map[string]float64{eventClock: -3601}},
		"suspended":          {8 * time.Hour, time.Second, 8 * time.Hour, map[string]float64{eventSuspended: 8*3600 - 1}},
		"suspended and set":  {9 * time.Hour, time.Second, 8 * time.Hour, map[string]float64{eventSuspended: 8*3600 - 1, eventClock: 3600}},
		"stopped by SIGSTOP": {time.Minute, time.Minute, time.Minute, map[string]float64{eventStopped: 60}},
	} {
		w := &clockWatch{}
		if first := w.tick(began); len(first) != 0 {
			t.Errorf("%s: the first reading is %v", name, first)
		}
		got := w.tick(clockReading{wall: began.wall.Add(test.wall), mono: began.mono + test.mono, boot: began.boot + test.boot})
		if d := cmp.Diff(test.want, got); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	w := &clockWatch{}
	w.tick(clockNow())
	if got := w.tick(clockNow()); len(got) != 0 {
		t.Errorf("two readings of this machine: %v", got)
	}
}
