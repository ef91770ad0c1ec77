package eval

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mergesearch"
)

// Options configure an Evaluator.
type Options struct {
	Tasks    []*Task
	Endpoint Endpoint

	// Tokenizer reads a tokenizer.json. Nil takes that of the embedded engine.
	Tokenizer func(json []byte) (Tokenizer, error)

	// Concurrency bounds the requests in flight: to a server elsewhere, where they
	// start with fewer and follow what the server bears; per candidate where the
	// server is part of this process. 0: 64.
	Concurrency int

	// Cache remembers answers from one call to the next. Nil: every item is asked.
	Cache Cache

	Timeout  time.Duration // of one attempt at one request; 0: 2 minutes
	Patience time.Duration // how long a request is tried again after faults; 0: 1 minute

	// Outage is how long an endpoint that gives no usable answers is waited for, with the
	// candidate served anew after each wait; 0: not at all. OnOutage is told of the
	// beginning and the end, by several goroutines.
	Outage   time.Duration
	OnOutage func(Outage)

	// Chat says which template tasks read with Reading.Chat are put into.
	Chat ChatTemplate

	// Environment gives the value of an environment variable, for the keys of judge
	// models. Nil: no variable is set.
	Environment func(name string) (value string, ok bool)
}

// Evaluator scores candidates on items. It is safe for concurrent use: several
// candidates may be scored at once as far as the endpoint allows.
type Evaluator struct {
	options   Options
	client    *client
	questions []question
	taskOf    []*Task // of each question
	place     map[mergesearch.ItemID]int

	mu    sync.Mutex
	plans map[planKey]*plan

	ranked sync.Once
	rank   []int32 // of each question; see ranks

	scorers map[*Task]*scorers // of the tasks that have one
	judges  *judgeModels       // the same; nil: none

	talks bool // there are conversations

	remembered atomic.Int64
	throttle   *throttle // of requests to a server elsewhere, by all calls together
}

// New makes an evaluator. It refuses, as *mergesearch.InputError, tasks of the
// same name, tasks that the endpoint cannot answer, and judges whose key is not set.
func New(o Options) (*Evaluator, error) {
	if o.Concurrency == 0 {
		o.Concurrency = 64
	}
	if o.Tokenizer == nil {
		o.Tokenizer = parseTokenizer
	}
	e := &Evaluator{options: o, client: newClient(o.Timeout, o.Patience), place: map[mergesearch.ItemID]int{}, plans: map[planKey]*plan{}, scorers: map[*Task]*scorers{}}
	e.judges = newJudgeModels(o)
	if !o.Endpoint.Profile().Local {
		e.throttle = newThrottle(throttleStart, o.Concurrency)
	}
	files := map[string]string{}
	for _, t := range o.Tasks {
		if other, twice := files[t.Name]; twice {
			return nil, &mergesearch.InputError{File: t.File, Field: "task", Problem: fmt.Sprintf("%q is also the name of the task in %s", t.Name, other), Hint: "give each task its own name"}
		}
		files[t.Name] = t.File
		if lacking, ok := o.Endpoint.Profile().Likelihood(); !ok && t.Output != GenerateUntil {
			return nil, &mergesearch.InputError{
				File: t.File, Field: "output_type",
				Problem: fmt.Sprintf("%s needs an endpoint that gives log-likelihoods; this one lacks %s", t.Output, lacking),
				Hint:    "use the embedded endpoint, vllm or sglang, or a task of output_type: generate_until",
			}
		}
		if t.scorer != nil {
			e.scorers[t] = newScorers(*t.scorer)
		}
		if err := e.judges.add(t, o.Environment); err != nil {
			return nil, err
		}
		for _, q := range t.questions {
			e.talks = e.talks || q.talk != nil
			e.place[q.id] = len(e.questions)
			e.questions = append(e.questions, q)
			e.taskOf = append(e.taskOf, t)
		}
	}
	return e, nil
}

// Items lists a split's items, task by task, in the order of the data files.
func (e *Evaluator) Items(split mergesearch.Split) []mergesearch.Item {
	var out []mergesearch.Item
	for _, t := range e.options.Tasks {
		out = append(out, t.Items(split)...)
	}
	return out
}

// CheckSplits refuses tasks that a search cannot use: each must have search,
// validation and held-out items.
func (e *Evaluator) CheckSplits() error {
	for _, t := range e.options.Tasks {
		for _, split := range []mergesearch.Split{mergesearch.SearchSplit, mergesearch.ValidationSplit, mergesearch.HeldOutSplit} {
			if len(t.Items(split)) == 0 {
				return &mergesearch.InputError{File: t.File, Field: "test_split", Problem: fmt.Sprintf("no %s items", split), Hint: "a search needs training_split, validation_split and test_split, or more documents to divide"}
			}
		}
	}
	return nil
}

// Prepare encodes every item with a model's tokenizer.json and checks it against
// the context of its config.json, so that a prompt that is too long is found
// before anything is scored. Calling it is optional.
func (e *Evaluator) Prepare(files map[string][]byte) error {
	p, err := e.planFor(files, Session{})
	if err != nil {
		return err
	}
	for i := range e.questions {
		if _, err := p.item(i, &e.questions[i], e.taskOf[i], false); err != nil {
			return err
		}
	}
	return nil
}

// Requests returns how many requests were sent for items since New, each attempt
// counted. Where an item is one request (Profile.OneRequest), the number less
// Retries is that of the items asked, but for those that the cache answered.
func (e *Evaluator) Requests() int64 { return e.client.sent.Load() }

// Retries returns how many of the requests were sent again after a fault.
func (e *Evaluator) Retries() int64 { return e.client.retried.Load() }

// Close drops idle connections and ends the programs that score answers.
func (e *Evaluator) Close() {
	e.client.close()
	e.judges.close()
	for _, s := range e.scorers {
		s.close()
	}
	clear(e.scorers)
}

// Score makes the endpoint serve the candidate, asks every item exactly once and
// returns the outcomes in the order of items. A candidate whose answers carry no
// information is a *mergesearch.Failure; faults of the endpoint that outlast the
// retries are any other error.
func (e *Evaluator) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	outcomes := make([]mergesearch.Outcome, len(items))
	err := e.ask(ctx, c, items, false, func(i int, g graded) { outcomes[i] = g.outcome })
	if err != nil {
		return nil, err
	}
	return outcomes, nil
}

// ScoreDetailed is Score with everything that was asked and answered. It asks for
// the likeliest tokens too, to tell which choices greedy decoding would give.
func (e *Evaluator) ScoreDetailed(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) (*Report, error) {
	r := &Report{Fingerprint: c.Fingerprint, Outcomes: make([]mergesearch.Outcome, len(items)), Samples: make([]Sample, len(items))}
	marks := make([][]mark, len(items))
	err := e.ask(ctx, c, items, true, func(i int, g graded) { r.Outcomes[i], r.Samples[i], marks[i] = g.outcome, g.sample, g.marks })
	if err != nil {
		return nil, err
	}
	if err := r.fold(e.options.Tasks, marks); err != nil {
		return nil, err
	}
	r.sanity()
	return r, nil
}

// ask scores items with bounded concurrency and hands each answer to done, which
// is called once per item, by several goroutines at once. The first fault ends
// it: requests in flight are cancelled.
func (e *Evaluator) ask(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID, detail bool, done func(int, graded)) error {
	places, err := e.places(items)
	if err != nil || len(items) == 0 {
		return err
	}
	var away outage
	for sessions := 1; ; {
		err := e.askOnce(ctx, c, places, detail, done)
		if !errors.Is(err, ErrSessionLost) {
			if err == nil {
				away.end(e)
				return nil
			}
			if err := away.over(ctx, e, err); err != nil {
				return err
			}
			continue
		}
		if sessions++; sessions > mostSessions {
			return fmt.Errorf("score candidate %s: %d sessions in a row: %w", c.ID, mostSessions, err)
		}
	}
}

// mostSessions is how often a candidate is served anew when its session is lost.
const mostSessions = 4

// askOnce asks everything in one session. The weights are proved once more before
// an answer counts, and before a fault is blamed on anyone.
func (e *Evaluator) askOnce(ctx context.Context, c mergesearch.Candidate, places []int, detail bool, done func(int, graded)) error {
	mergesearch.Failpoint("swap/before")
	session, err := e.options.Endpoint.Serve(ctx, c)
	if err != nil {
		return fmt.Errorf("serve candidate %s: %w", c.ID, err)
	}
	defer session.Close()
	mergesearch.Failpoint("swap/after")
	p, err := e.planFor(c.Files, session)
	if err != nil {
		return err
	}
	a := e.asking(p, session, places)
	a.detail, a.done = detail, done
	if isAfresh(ctx) {
		a.memory = nil
	}
	err = a.all(ctx)
	if session.Check != nil && ctx.Err() == nil {
		if lost := session.Check(ctx); lost != nil {
			return fmt.Errorf("score candidate %s: %w", c.ID, lost)
		}
	}
	if err != nil {
		return blame(err, c, session)
	}
	return a.memory.proved(ctx)
}

// places finds the questions of items; an unknown or repeated item is a broken
// call and an error.
func (e *Evaluator) places(items []mergesearch.ItemID) ([]int, error) {
	places := make([]int, len(items))
	seen := make(map[mergesearch.ItemID]bool, len(items))
	for i, id := range items {
		at, ok := e.place[id]
		if !ok {
			return nil, fmt.Errorf("item %s: no task has it", id)
		}
		if seen[id] {
			return nil, fmt.Errorf("item %s is asked twice in one call", id)
		}
		seen[id], places[i] = true, at
	}
	return places, nil
}

// blame decides whose fault it is that choices cannot be told apart. Where the
// server proves which weights answer, it is the candidate's; elsewhere it may be
// a server that does not compute log-probabilities at all.
func blame(err error, c mergesearch.Candidate, s Session) error {
	var d *degenerate
	if errors.As(err, &d) && s.Fingerprint != "" {
		return &mergesearch.Failure{Reason: mergesearch.Reason{Code: "degenerate", Text: err.Error()}}
	}
	var f *mergesearch.Failure
	if errors.As(err, &f) {
		return err
	}
	var m *malformed
	var e *EndpointError
	if (errors.As(err, &m) || errors.As(err, &d)) && !errors.As(err, &e) {
		err = &EndpointError{URL: s.BaseURL, Model: s.Model, Attempts: 1, Err: err}
	}
	return fmt.Errorf("score candidate %s: %w", c.ID, err)
}

// asking is one call of Score under way.
type asking struct {
	*Evaluator
	plan       *plan
	connection *connection
	memory     *memory // nil: nothing is remembered
	places     []int   // of the questions, in the order of the call
	order      []int   // in which they are asked: those that begin alike together
	detail     bool
	done       func(int, graded)
	next       atomic.Int64
}

func (a *asking) all(ctx context.Context) error { return a.each(ctx, a.one) }

// each calls do for the places of the call in the order of asking.
func (a *asking) each(ctx context.Context, do func(context.Context, int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var workers sync.WaitGroup
	for range min(a.options.Concurrency, len(a.order)) {
		workers.Go(func() {
			for {
				i := int(a.next.Add(1) - 1)
				if i >= len(a.order) || ctx.Err() != nil {
					return
				}
				if err := do(ctx, a.order[i]); err != nil {
					cancel(err) // the first cause stays
					return
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// one asks item i of the call.
func (a *asking) one(ctx context.Context, i int) error {
	at := a.places[i]
	q, t := &a.questions[at], a.taskOf[at]
	p, err := a.plan.item(at, q, t, a.detail)
	if err != nil {
		return err
	}
	got, err := a.answers(ctx, p)
	if err != nil {
		return fmt.Errorf("item %s: %w", q.id, err)
	}
	if s := a.scorers[t]; s != nil {
		if got.scores, err = s.score(ctx, t, q, got.texts); err != nil {
			return err
		}
	}
	if j := a.judges.model(t); j != nil {
		if err := j.score(ctx, t, q, &got); err != nil {
			return err
		}
	}
	g, err := t.grade(q, got)
	if err != nil {
		return err
	}
	g.sample.Sanity = got.sanity()
	if p.prompt != "" {
		g.sample.Prompt = p.prompt
	}
	a.done(i, g)
	return nil
}

// answers sends what asks for one item, one request after the other.
func (a *asking) answers(ctx context.Context, p *prepared) (answers, error) {
	got, err := a.through(ctx, p, p.requests)
	var missing *unlisted
	if errors.As(err, &missing) && p.second != nil {
		got, err = a.through(ctx, p, p.second)
	}
	return got, err
}

func (a *asking) through(ctx context.Context, p *prepared, requests []request) (answers, error) {
	got := newAnswers(p.pairs)
	for i := range requests {
		r := &requests[i]
		parts, err := a.ask(ctx, r)
		if err != nil {
			return got, err
		}
		got.take(r, parts)
	}
	return got, nil
}
