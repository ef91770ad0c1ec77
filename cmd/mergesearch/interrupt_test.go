package main

import (
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A run that is interrupted begins nothing more, then is cancelled, then ends at once.
func TestInterruptionStages(t *testing.T) {
	var stderr strings.Builder
	ctx, cancel := context.WithCancel(context.Background())
	left := 0
	in := &interruption{stderr: &stderr, cancel: cancel, exit: func(code int) { left = code }}
	ctx = context.WithValue(ctx, interruptionKey{}, in)
	last := 0
	drain := drainFrom(ctx, time.Hour, func() { last++ })
	in.take(syscall.SIGHUP)
	select {
	case <-drain:
	default:
		t.Error("the first signal did not stop new work")
	}
	if ctx.Err() != nil || interruptedBy(ctx) != os.Signal(syscall.SIGHUP) {
		t.Errorf("after the first signal: %v, by %v", ctx.Err(), interruptedBy(ctx))
	}
	in.take(os.Interrupt)
	if ctx.Err() == nil || left != 0 {
		t.Error("the second signal did not cancel")
	}
	in.take(os.Interrupt)
	if left != exitInterrupted || last != 1 {
		t.Errorf("the third signal left with %d", left)
	}
	if n := strings.Count(stderr.String(), "\n"); n != 4 {
		t.Errorf("said %q", stderr.String())
	}
}

// The grace of the first signal is bounded; other commands have no such stage.
func TestInterruptionIsBounded(t *testing.T) {
	for _, drains := range []bool{true, false} {
		ctx, cancel := context.WithCancel(context.Background())
		in := &interruption{stderr: &strings.Builder{}, cancel: cancel, exit: func(int) {}}
		ctx = context.WithValue(ctx, interruptionKey{}, in)
		if drains {
			drainFrom(ctx, time.Microsecond, nil)
		}
		in.take(syscall.SIGTERM)
		<-ctx.Done()
	}
}
