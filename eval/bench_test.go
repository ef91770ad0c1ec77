package eval

import (
	"context"
	"errors"
	"testing"
	"time"
)

// The benchmark measures something, on every machine.
func TestBench(t *testing.T) {
	got, err := Bench(context.Background(), BenchOptions{Queue: 2000, Concurrency: 4, Time: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	if got.Responses <= 0 || got.Bare <= 0 || got.RatioToBare <= 0 || got.ResponseBytes < 10_000 || got.Queue != 2000 {
		t.Errorf("%+v", got)
	}
	t.Logf("%+v", got)
	ctx, cancel := context.WithCancelCause(context.Background())
	stopped := errors.New("stopped")
	cancel(stopped)
	if _, err := Bench(ctx, BenchOptions{Queue: 10, Time: time.Millisecond}); err == nil {
		t.Error("a cancelled call measured something")
	}
}
