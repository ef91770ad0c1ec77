package lm

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
)

// Options of an Engine. The zero value is good.
type Options struct {
	// Threads bounds how many forward passes run at once; 0 for GOMAXPROCS. Each
	// runs whole batches by itself, so answers do not depend on it.
	Threads int

	// Rows bounds the tokens of one forward pass; 0 for 128.
	Rows int

	// CacheBytes bounds the key-value caches of one model, over all threads; 0 for
	// 32 MB. Where the longest sequence of the model needs more, that much is taken.
	CacheBytes int

	// NoPrefixReuse computes every prompt from its first token. It is slower and
	// changes no answer.
	NoPrefixReuse bool
}

func (o Options) withDefaults() Options {
	if o.Threads <= 0 {
		o.Threads = runtime.GOMAXPROCS(0)
	}
	if o.Rows <= 0 {
		o.Rows = 128
	}
	if o.CacheBytes <= 0 {
		o.CacheBytes = 32 << 20
	}
	return o
}

// Engine runs forward passes of any number of models. It has nothing to close.
type Engine struct {
	options Options
	passes  chan *scratch // one for each pass that may run

	computed atomic.Int64 // tokens
}

// Computed returns how many tokens went through forward passes: those of prompts
// that no cache held, and those of completions but the last.
func (e *Engine) Computed() int64 { return e.computed.Load() }

// NewEngine returns an engine that serves nothing yet.
func NewEngine(o Options) *Engine {
	e := &Engine{options: o.withDefaults()}
	e.passes = make(chan *scratch, e.options.Threads)
	for range e.options.Threads {
		e.passes <- &scratch{}
	}
	return e
}

// Serve starts answering requests to a model. The instance uses the model until
// Instance.Close returns; closing the model is the caller's.
func (e *Engine) Serve(m *Model) *Instance {
	i := &Instance{engine: e, model: m}
	i.wake.L = &i.mu
	for range e.options.Threads {
		w := newWorker(i)
		i.running.Go(w.run)
	}
	return i
}

// Instance is a model being served: a queue and the threads that work it off.
type Instance struct {
	engine  *Engine
	model   *Model
	running sync.WaitGroup

	mu     sync.Mutex
	wake   sync.Cond // a job came, or the end
	queue  []*job
	rows   int // of the queue
	idle   int // workers that wait
	closed bool
}

// Model returns the model that is served.
func (i *Instance) Model() *Model { return i.model }

// Do answers requests, all of them or none. They may be batched with others and
// are computed together, so that a common beginning is computed once. A request
// that cannot be answered is a *RequestError, a model that produces something
// that is not a number a *NumericError, and a cancelled context gives its cause.
// It is safe for concurrent use; after Close it is a panic.
func (i *Instance) Do(ctx context.Context, requests []Request) ([]Response, error) {
	for k := range requests {
		if err := requests[k].check(i.model); err != nil {
			return nil, err
		}
	}
	if len(requests) == 0 || ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	answers := make([]Response, len(requests))
	j := newJob(ctx, i.model, requests, answers)
	i.submit(j)
	<-j.done // a cancelled job is given up between two passes, so this does not take long
	if j.err != nil {
		return nil, j.err
	}
	return answers, nil
}

func (i *Instance) submit(j *job) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.closed {
		panic("lm: request to an instance that is closed")
	}
	i.queue = append(i.queue, j)
	i.rows += j.rows
	i.wake.Signal()
}

// Close answers what was asked and ends the threads. Nobody may call Do any more.
func (i *Instance) Close() {
	i.mu.Lock()
	i.closed = true
	i.mu.Unlock()
	i.wake.Broadcast()
	i.running.Wait()
}

// fetch returns jobs for a worker: about as many rows as it has room for, and no
// more than its share when others are waiting for work. With block it waits for
// the first and returns nil only at the end.
func (i *Instance) fetch(room int, block bool) []*job {
	i.mu.Lock()
	defer i.mu.Unlock()
	for len(i.queue) == 0 {
		if !block || i.closed {
			return nil
		}
		i.idle++
		i.wake.Wait()
		i.idle--
	}
	room = min(room, (i.rows+i.idle)/(i.idle+1))
	n := 0
	for n < len(i.queue) && room > 0 {
		room -= i.queue[n].rows
		i.rows -= i.queue[n].rows
		n++
	}
	jobs := append([]*job(nil), i.queue[:n]...)
	i.queue = append(i.queue[:0], i.queue[n:]...)
	if len(i.queue) > 0 && i.idle > 0 {
		i.wake.Signal()
	}
	return jobs
}
