package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"
)

// drainTime is how long what is in flight may take to its end after the first
// Ctrl-C.
const drainTime = 30 * time.Second

// interruption turns signals into the end of a command, in stages. The first SIGINT,
// SIGTERM or SIGHUP cancels it, the second ends the process at once. A run has one
// stage more: first it begins nothing new, then it is cancelled, then it ends at once.
// What the store has reported done is safe in every case.
type interruption struct {
	stderr io.Writer
	cancel context.CancelFunc
	exit   func(code int)

	mu     sync.Mutex
	drain  chan struct{} // closed by the first signal; nil: the command has no such stage
	grace  time.Duration // from then to the cancellation
	count  int
	last   func() // before the process ends at once
	signal os.Signal
}

type interruptionKey struct{}

// interruptible returns a context that signals cancel.
func interruptible(stderr io.Writer) (context.Context, func()) {
	ctx, cancel := context.WithCancel(context.Background())
	in := &interruption{stderr: stderr, cancel: cancel, exit: os.Exit}
	watched := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // nohup
		watched = append(watched, syscall.SIGHUP)
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, watched...)
	go func() {
		for s := range signals {
			in.take(s)
		}
	}()
	return context.WithValue(ctx, interruptionKey{}, in), func() {
		signal.Stop(signals)
		close(signals)
		cancel()
	}
}

// drainFrom makes the first signal close the channel that it returns, and cancel the
// context only after the grace. Last is called before a signal ends the process. A
// terminal that is gone no longer ends the process either.
func drainFrom(ctx context.Context, grace time.Duration, last func()) <-chan struct{} {
	in, ok := ctx.Value(interruptionKey{}).(*interruption)
	if !ok {
		return nil
	}
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	in.mu.Lock()
	defer in.mu.Unlock()
	in.drain, in.grace, in.last = make(chan struct{}), grace, last
	return in.drain
}

// interruptedBy returns the first signal, nil when there was none.
func interruptedBy(ctx context.Context) os.Signal {
	in, ok := ctx.Value(interruptionKey{}).(*interruption)
	if !ok {
		return nil
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.signal
}

func (in *interruption) take(s os.Signal) {
	in.mu.Lock()
	defer in.mu.Unlock()
	stage := in.count
	if in.count++; in.signal == nil {
		in.signal = s
	}
	if in.drain == nil {
		stage++
	}
	switch {
	case stage == 0:
		fmt.Fprintf(in.stderr, "\nstopping: what is in flight may take %s to its end; press Ctrl-C again to cancel it\n", in.grace)
		close(in.drain)
		time.AfterFunc(in.grace, in.cancel)
	case stage == 1 && in.drain == nil:
		fmt.Fprintln(in.stderr, "\nstopping; press Ctrl-C again to stop at once")
		in.cancel()
	case stage == 1:
		fmt.Fprintln(in.stderr, "\ncancelling; press Ctrl-C again to leave at once")
		in.cancel()
	default:
		if in.last != nil {
			in.last()
		}
		in.exit(exitInterrupted)
	}
}
