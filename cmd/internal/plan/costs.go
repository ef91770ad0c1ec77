package plan

import (
	"context"
	"math"
	"slices"
	"sync"
	"time"

	"mergesearch"
	"mergesearch/search"
)

// Costs is what a search's parts take on one machine, with so many candidates in
// flight.
type Costs struct {
	Source  string `json:"source"`
	Workers int    `json:"workers"`

	Build Spread `json:"build"` // of a merge, in seconds
	Eval  Spread `json:"eval"`  // of a call, in seconds

	// A call takes Call seconds, to put the model before the endpoint, and Token
	// seconds for each token of its answers.
	Call  float64 `json:"call_seconds"`
	Token float64 `json:"token_seconds"`

	Record  float64 `json:"record_seconds"` // of a trial's records, during which nothing else goes on
	Overlap float64 `json:"overlap"`        // seconds of builds and calls for each second that passes
	Start   float64 `json:"start_seconds"`  // before the first candidate

	Tokens map[string]Tokens `json:"tokens"` // of an answer, by task

	MemoryBytes int64 `json:"memory_bytes,omitempty"` // most that the process held

	// Discordance is the share of items that two models answer differently; 0: unknown.
	Discordance float64 `json:"discordance,omitempty"`
}

func (c *Costs) overlap() float64 { return max(0.1, c.Overlap) }

// Spread is a distribution of seconds.
type Spread struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	N    int     `json:"n"`
}

// Tokens is what an answer takes.
type Tokens struct{ Prompt, Completion float64 }

// Sample is one build or one call.
type Sample struct {
	Build   bool
	Merge   bool // of a build: more than a parent taken as it is
	Seconds float64
	Answers map[string]int // of a call
	Tokens  map[string]Tokens
}

func (s Sample) tokens() float64 {
	sum := 0.0
	for _, t := range s.Tokens {
		sum += t.Prompt + t.Completion
	}
	return sum
}

// Meter takes samples of a builder and a scorer, and passes on what they do.
type Meter struct {
	search.Builder
	search.Scorer
	Workers int

	mu       sync.Mutex
	samples  []Sample
	busy     float64
	inFlight int
	since    time.Time
	active   time.Duration // during which something was in flight
}

// enter and leave follow how long something is in flight.
func (m *Meter) enter() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.inFlight++; m.inFlight == 1 {
		m.since = time.Now()
	}
}

func (m *Meter) leave(s Sample, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.busy += s.Seconds
	if m.inFlight--; m.inFlight == 0 {
		m.active += time.Since(m.since)
	}
	if ok {
		m.samples = append(m.samples, s)
	}
}

// Build is that of the builder.
func (m *Meter) Build(ctx context.Context, id mergesearch.CandidateID, r mergesearch.Recipe) (mergesearch.Candidate, error) {
	m.enter()
	began := time.Now()
	c, err := m.Builder.Build(ctx, id, r)
	m.leave(Sample{Build: true, Merge: r.Method != "passthrough" || len(r.Models) != 1, Seconds: time.Since(began).Seconds()}, err == nil)
	return c, err
}

// Score is that of the scorer.
func (m *Meter) Score(ctx context.Context, c mergesearch.Candidate, items []mergesearch.ItemID) ([]mergesearch.Outcome, error) {
	m.enter()
	began := time.Now()
	out, err := m.Scorer.Score(ctx, c, items)
	s := Sample{Seconds: time.Since(began).Seconds(), Answers: map[string]int{}, Tokens: map[string]Tokens{}}
	for _, o := range out {
		task := o.Item.Task()
		t := s.Tokens[task]
		t.Prompt += float64(o.PromptTokens)
		t.Completion += float64(o.CompletionTokens)
		s.Tokens[task] = t
		s.Answers[task]++
	}
	m.leave(s, err == nil && len(out) > 0)
	return out, err
}

// Costs fits what was sampled so far; false when no call was.
func (m *Meter) Costs(source string) (Costs, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c, ok := Fit(m.samples)
	c.Source, c.Workers, c.Overlap = source, m.Workers, 1
	active := m.active
	if m.inFlight > 0 {
		active += time.Since(m.since)
	}
	if active > 0 {
		c.Overlap = min(float64(max(1, m.Workers)), max(0.5, m.busy/active.Seconds()))
	}
	return c, ok
}

// Fit returns the costs behind samples, all but those that one sample cannot show:
// workers, overlap, records and start. False when there is no call among them.
//
// Calls are fitted by least squares of relative errors, with neither part negative:
// small calls then decide about what is the same for all, and large ones about tokens.
func Fit(samples []Sample) (Costs, bool) {
	c := Costs{Overlap: 1, Tokens: map[string]Tokens{}}
	var builds, calls []float64
	answers := map[string]int{}
	var points [][2]float64 // tokens, seconds
	for _, s := range samples {
		switch {
		case s.Build && s.Merge:
			builds = append(builds, s.Seconds)
		case !s.Build:
			calls = append(calls, s.Seconds)
			points = append(points, [2]float64{s.tokens(), s.Seconds})
			for task, n := range s.Answers {
				t := c.Tokens[task]
				t.Prompt += s.Tokens[task].Prompt
				t.Completion += s.Tokens[task].Completion
				c.Tokens[task] = t
				answers[task] += n
			}
		}
	}
	for task, t := range c.Tokens {
		n := float64(answers[task])
		c.Tokens[task] = Tokens{t.Prompt / n, t.Completion / n}
	}
	c.Build, c.Eval = spread(builds), spread(calls)
	c.Call, c.Token = line(points)
	return c, len(calls) > 0
}

// line fits seconds = call + token * tokens with weights 1/seconds^2, then scales it so
// that the sum of seconds is right.
func line(points [][2]float64) (call, token float64) {
	var w, wx, wy, wxx, wxy float64
	for _, p := range points {
		k := 1 / (p[1]*p[1] + 1e-12)
		w, wx, wy = w+k, wx+k*p[0], wy+k*p[1]
		wxx, wxy = wxx+k*p[0]*p[0], wxy+k*p[0]*p[1]
	}
	if w == 0 {
		return 0, 0
	}
	spreadOfX := wxx*w - wx*wx
	switch {
	case spreadOfX <= 1e-6*wxx*w: // all of one size: what is fixed cannot be told from what is not
		token = wy / max(1e-300, wx)
	default:
		token = (wxy*w - wx*wy) / spreadOfX
		call = (wy - token*wx) / w
	}
	if token < 0 {
		call, token = wy/w, 0
	} else if call < 0 {
		call, token = 0, wxy/max(1e-300, wxx)
	}
	var have, want float64
	for _, p := range points {
		have += call + token*p[0]
		want += p[1]
	}
	if have > 0 {
		call, token = call*want/have, token*want/have
	}
	return call, token
}

func spread(x []float64) Spread {
	if len(x) == 0 {
		return Spread{}
	}
	x = slices.Clone(x)
	slices.Sort(x)
	s := Spread{P50: quantile(x, 0.5), P90: quantile(x, 0.9), N: len(x)}
	for _, v := range x {
		s.Mean += v / float64(len(x))
	}
	return s
}

// quantile of sorted numbers, between neighbours.
func quantile(x []float64, q float64) float64 {
	at := q * float64(len(x)-1)
	k := int(math.Floor(at))
	if k+1 >= len(x) {
		return x[len(x)-1]
	}
	return x[k] + (at-float64(k))*(x[k+1]-x[k])
}
