package lm

import (
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

// stream answers a completion or chat with server-sent events: one chunk for
// each token, the finish in the last of each choice, then [DONE].
func (s *Server) stream(w http.ResponseWriter, r *http.Request, m *served, c *completionRequest, requests []Request) {
	if c.Echo && c.LogProbs != nil {
		writeError(w, badRequest("stream", "log-probabilities of the prompt cannot be streamed"))
		return
	}
	for i := range requests {
		if err := requests[i].check(m.model); err != nil {
			writeError(w, asAPIError(err))
			return
		}
	}
	events := newEventQueue()
	for i := range requests {
		requests[i].OnToken = func(t TokenLogProb, text string) {
			events.push(event{index: i, token: t, text: text})
		}
	}
	var responses []Response
	var failure error
	go func() {
		responses, failure = m.instance.Do(r.Context(), requests)
		events.close()
	}()
	e := &eventWriter{w: w, m: m, c: c, id: s.serial.Add(1), created: time.Now().Unix(), offsets: make([]int, len(requests))}
	e.start()
	for batch := events.take(); batch != nil; batch = events.take() {
		for _, v := range batch {
			e.token(v)
		}
		e.flush()
	}
	if failure != nil { // the status is sent already
		e.failure(asAPIError(failure))
		return
	}
	s.answered.Add(1)
	e.finish(requests, responses)
}

// event is a token of one choice.
type event struct {
	index int
	token TokenLogProb
	text  string
}

// eventQueue takes events from an engine thread without ever blocking it.
type eventQueue struct {
	mu     sync.Mutex
	more   sync.Cond
	events []event
	closed bool
}

func newEventQueue() *eventQueue {
	q := &eventQueue{}
	q.more.L = &q.mu
	return q
}

func (q *eventQueue) push(e event) {
	q.mu.Lock()
	q.events = append(q.events, e)
	q.mu.Unlock()
	q.more.Signal()
}

func (q *eventQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.more.Signal()
}

// take waits for events and returns all there are, nil after the last.
func (q *eventQueue) take() []event {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.events) == 0 && !q.closed {
		q.more.Wait()
	}
	out := q.events
	q.events = nil
	return out
}

// eventWriter writes chunks.
type eventWriter struct {
	w       http.ResponseWriter
	m       *served
	c       *completionRequest
	id      int64
	created int64
	offsets []int // characters of each choice's tokens so far
	a       answerWriter
}

func (e *eventWriter) start() {
	e.w.Header().Set("Content-Type", "text/event-stream")
	e.w.Header().Set("Cache-Control", "no-cache")
	e.a.vocab, e.a.asIDs = e.m.model.tokenizer, e.c.TokensAsIDs
	if e.c.chat {
		e.a.form = deltaForm
		for i := range e.c.Prompt {
			e.chunk(choice{index: i, first: true})
		}
		e.flush()
	}
	if e.c.Echo {
		for i := range e.c.Prompt {
			e.chunk(choice{index: i, text: e.c.echoed(e.m.model, i)})
		}
		e.flush()
	}
}

func (e *eventWriter) flush() {
	_, _ = e.w.Write(e.a.b)
	e.a.b = e.a.b[:0]
	_ = http.NewResponseController(e.w).Flush() // a client that went away cancels the context
}

func (e *eventWriter) chunk(c choice) {
	e.a.raw("data: ")
	e.a.open(e.id, e.created, e.m.name, e.m.model.fingerprint)
	e.a.choice(c)
	e.a.close(-1, 0)
	e.a.raw("\n\n")
}

func (e *eventWriter) token(v event) {
	c := choice{index: v.index, text: v.text, offset: e.offsets[v.index], withLogs: e.c.LogProbs != nil, withTop: e.c.withTop()}
	c.logProbs = []TokenLogProb{v.token}
	e.offsets[v.index] += e.m.model.tokenizer.text(v.token.Token).characters
	e.chunk(c)
}

func (e *eventWriter) finish(requests []Request, responses []Response) {
	completions := 0
	for i := range responses {
		e.chunk(choice{index: i, finish: responses[i].Finish, stop: responses[i].StopString})
		completions += len(responses[i].Tokens)
	}
	if e.c.StreamOpts.IncludeUsage {
		e.a.raw("data: ")
		e.a.open(e.id, e.created, e.m.name, e.m.model.fingerprint)
		e.a.close(e.c.promptTokens(requests), completions)
		e.a.raw("\n\n")
	}
	e.a.raw("data: [DONE]\n\n")
	e.flush()
}

func (e *eventWriter) failure(err *apiError) {
	body, marshal := json.Marshal(map[string]*apiError{"error": err})
	if marshal != nil {
		panic("lm: " + marshal.Error())
	}
	e.a.raw("data: ")
	e.a.b = append(e.a.b, body...)
	e.a.raw("\n\n")
	e.flush()
}
