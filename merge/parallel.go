package merge

import (
	"context"
	"sync"
	"sync/atomic"

	"mergesearch/merge/kernel"
)

// each calls f(i) for every i below n on up to threads goroutines. It limits
// goroutines, not work: what f computes must go through a runner, which does. When a
// device fails in f, each fails in the same way once all goroutines have ended.
func each(threads, n int, f func(i int)) {
	threads = min(threads, n)
	if threads <= 1 {
		for i := range n {
			f(i)
		}
		return
	}
	var next atomic.Int64
	var failed atomic.Pointer[kernel.DeviceFailure]
	var wg sync.WaitGroup
	for range threads {
		wg.Go(func() {
			var err error
			defer func() {
				if err != nil {
					failed.CompareAndSwap(nil, &kernel.DeviceFailure{Err: err})
				}
			}()
			defer kernel.Caught(&err)
			for failed.Load() == nil {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				f(i)
			}
		})
	}
	wg.Wait()
	if f := failed.Load(); f != nil {
		panic(*f)
	}
}

// runner returns a kernel.Runner that works on as many tiles at once as the
// engine has slots, counted over all merges under way. After the context is done
// it skips what is left, so results must not be used before asking the context.
func (e *Engine) runner(ctx context.Context) kernel.Runner {
	return func(n int, f func(i int)) {
		each(e.threads, n, func(i int) {
			if ctx.Err() != nil {
				return
			}
			e.slots <- struct{}{}
			defer func() { <-e.slots }()
			f(i)
		})
	}
}
