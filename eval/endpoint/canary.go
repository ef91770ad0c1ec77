package endpoint

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
)

// canaryPrompts are asked after every change of weights. They are longer than a
// block of any server's prefix cache and shorter than the context of a toy.
var canaryPrompts = []string{
	"The river rose for 9 days. On day 10 the old bridge, built in 1847, was gone; the town had to",
	"def area(w, h): return w * h # then 12 * 7 = 84, 3 + 4 = 7, so that f(x) = 2 * x + 1 gives",
}

// canaryTokens are written for each.
const canaryTokens = 8

// answer is what a server said to all prompts of the canary, each asked in two
// ways: warm, as items are asked, when a prefix may come out of the cache; and
// cold, in the way that computes every token anew.
type answer struct {
	warm, cold []reply
	version    string // of the weights, where the server says so
}

// doubt says why the weights that answer may be the wrong ones.
type doubt struct {
	problem string
	numbers bool // the answers are no numbers, which may be the candidate's own fault
	alike   bool // they are those of another candidate
}

func (d *doubt) Error() string { return d.problem }

func doubtful(format string, args ...any) error { return &doubt{problem: fmt.Sprintf(format, args...)} }

// questioner asks one prompt.
type questioner func(ctx context.Context, prompt string, cold bool) (reply, error)

// canary asks all prompts. Warm comes first: asking cold could mend a cache.
func canary(ctx context.Context, ask questioner) (answer, error) {
	var a answer
	for _, prompt := range canaryPrompts {
		for _, cold := range []bool{false, true} {
			r, err := ask(ctx, prompt, cold)
			if err != nil {
				return a, fmt.Errorf("canary: %w", err)
			}
			if cold {
				a.cold = append(a.cold, r)
			} else {
				a.warm = append(a.warm, r)
			}
			if a.version != "" && r.version != a.version {
				return a, doubtful("the version of the weights was %q and became %q while it was asked", a.version, r.version)
			}
			a.version = r.version
		}
	}
	return a, nil
}

// sound reports an answer that no weights of a language model give: no numbers, or
// all the same.
func (a answer) sound(wantValues bool) error {
	var all []float64
	for _, r := range append(a.warm[:len(a.warm):len(a.warm)], a.cold...) {
		if wantValues && len(r.values) == 0 {
			return doubtful("the canary wrote no token with a log-probability")
		}
		all = append(append(all, r.prompt...), r.values...)
	}
	for _, v := range all {
		if math.IsNaN(v) || math.IsInf(v, 0) || v > 1e-3 {
			return &doubt{problem: fmt.Sprintf("the canary has the log-probability %v", v), numbers: true}
		}
	}
	for _, v := range all {
		if v != all[0] {
			return nil
		}
	}
	if wantValues {
		return &doubt{problem: fmt.Sprintf("all log-probabilities of the canary are %v", all[0]), numbers: true}
	}
	return nil
}

// cached returns how far warm answers are from cold ones: what a prefix cache adds.
func (a answer) cached() float64 {
	d := 0.0
	for i, r := range a.warm {
		r.prompt = a.cold[i].prompt
		d = max(d, r.distance(a.cold[i]))
	}
	return d
}

// distance returns how far two answers are from each other.
func (a answer) distance(b answer) float64 {
	d := 0.0
	for i := range a.cold {
		if d = max(d, a.cold[i].distance(b.cold[i])); math.IsInf(d, 1) {
			break
		}
	}
	return d
}

// distance returns the largest difference of log-probabilities. Tokens that were
// written are compared up to the first that differs: after it the two continue
// different texts. At it, both were the likeliest, so that they are near each other
// in the lists of both answers if the weights are the same.
func (r reply) distance(o reply) float64 {
	if len(r.prompt) != len(o.prompt) || len(r.values) == 0 && r.text != o.text {
		return math.Inf(1)
	}
	d := 0.0
	for i, v := range r.prompt {
		d = max(d, gap(v, o.prompt[i]))
	}
	for i := range min(len(r.values), len(o.values)) {
		d = max(d, gap(r.values[i], o.values[i]))
		if i < len(r.tops) && i < len(o.tops) {
			d = max(d, r.tops[i].distance(o.tops[i]))
		}
		if i >= len(r.tokens) || i >= len(o.tokens) || r.tokens[i] != o.tokens[i] {
			break
		}
	}
	return d
}

func gap(a, b float64) float64 {
	if d := math.Abs(a - b); !math.IsNaN(d) {
		return d
	}
	return math.Inf(1)
}

// Limits of distances, as log-probabilities.
const (
	leastAgreement = 1e-4 // what rounding may make of equal weights
	afterRestart   = 0.02 // and another process, which may choose other kernels
	leastNovelty   = 1e-6 // nearer than that, and it is the same answer
)

// memory knows what every candidate answered. It is shared by the servers of a
// pool and safe for concurrent use.
type memory struct {
	mu    sync.Mutex
	noise float64 // largest distance seen between answers of the same weights in the same process
	known map[string]remembered
}

type remembered struct {
	answer  answer
	process string // that gave it
}

// agreement is the distance up to which two answers are those of the same weights.
func (m *memory) agreement() float64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return max(leastAgreement, 4*m.noise)
}

// heard widens the noise by the distance of two answers of the same weights.
func (m *memory) heard(distance float64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.noise = max(m.noise, distance)
}

// judge says what is doubtful about an answer for a candidate, given what it and
// all others have answered before.
func (m *memory) judge(fingerprint string, a answer, process string, wantValues bool) error {
	if err := a.sound(wantValues); err != nil {
		return err
	}
	agreement := m.agreement()
	if d := a.cached(); d > agreement {
		return doubtful("asked through the cache, the canary's log-probabilities differ by %.2g: a cache of other weights was kept", d)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if was, ok := m.known[fingerprint]; ok {
		if was.process != process {
			agreement = max(agreement, afterRestart)
		}
		if d := a.distance(was.answer); d > agreement {
			return doubtful("the candidate answered otherwise before: log-probabilities differ by %.2g, at most %.2g is noise", d, agreement)
		}
		return nil
	}
	if !wantValues {
		return nil // equal texts prove nothing
	}
	novelty := max(leastNovelty, 2*m.noise)
	for other, was := range m.known {
		if a.distance(was.answer) <= novelty {
			return &doubt{problem: fmt.Sprintf("it answers as the weights %.12s do, which it should have given up", other), alike: true}
		}
	}
	return nil
}

// judgeFirst judges the answer of the first parent, before which there is none.
func (m *memory) judgeFirst(a answer, wantValues bool) error {
	if err := a.sound(wantValues); err != nil {
		return err
	}
	if d := a.cached(); d > m.agreement() {
		return doubtful("asked through the cache, the canary's log-probabilities differ by %.2g", d)
	}
	return nil
}

// remember keeps what a candidate answered.
func (m *memory) remember(fingerprint string, a answer, process string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	a.warm = nil
	m.known[fingerprint] = remembered{a, process}
}

// knows reports whether a candidate has answered before.
func (m *memory) knows(fingerprint string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, ok := m.known[fingerprint]
	return ok
}

// isDoubt reports whether err came from judging, rather than from the server.
func isDoubt(err error) (*doubt, bool) {
	var d *doubt
	return d, errors.As(err, &d)
}
