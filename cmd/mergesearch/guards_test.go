package main

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"mergesearch"
	"mergesearch/eval"
	"mergesearch/eval/endpoint"
)

// A storm of retries is one event, and its end another; some retries are none.
func TestStormWatch(t *testing.T) {
	var s stormWatch
	now := time.Unix(1e9, 0)
	var got []string
	sent, retried := int64(0), int64(0)
	read := func(minutes int, more, again int64) {
		for range minutes {
			for range 60 {
				now = now.Add(time.Second)
				sent, retried = sent+more, retried+again
				if kind, _ := s.tick(now, sent, retried); kind != "" {
					got = append(got, kind)
				}
			}
		}
	}
	read(3, 100, 5)
	if len(got) > 0 {
		t.Errorf("one retry in twenty: %v", got)
	}
	read(3, 10, 9)
	read(2, 0, 0) // nothing is sent: nobody knows
	read(3, 100, 0)
	if want := []string{eventStorm, eventCalm}; !slices.Equal(got, want) {
		t.Errorf("events %v, want %v", got, want)
	}
}

func TestSwapEvents(t *testing.T) {
	doubt := errors.New("stale weights")
	for _, test := range []struct {
		report endpoint.SwapReport
		want   string
	}{
		{endpoint.SwapReport{How: eval.SwapDisk}, ""},
		{endpoint.SwapReport{How: eval.SwapRestart}, ""},
		{endpoint.SwapReport{How: eval.SwapRestart, Doubt: doubt}, eventRestarted},
		{endpoint.SwapReport{How: eval.SwapRestart, Err: doubt}, eventLost},
		{endpoint.SwapReport{How: eval.SwapRestart, Doubt: doubt, Err: context.Canceled}, ""},
		{endpoint.SwapReport{Err: &mergesearch.Failure{}}, ""},
	} {
		if kind, _ := swapEvent(test.report); kind != test.want {
			t.Errorf("%+v: %q, want %q", test.report, kind, test.want)
		}
	}
}
