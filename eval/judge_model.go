package eval

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"mergesearch"
)

// judgeModel is the judge model of one task, as an evaluator asks it.
type judgeModel struct {
	config     *judgeConfig
	connection *connection
	all        *judgeModels
}

// judgeModels are those of an evaluator, by task. They have a client of their own:
// what is sent to judges is no request for an item. Tasks whose judges are on one
// server share what may be in flight there.
type judgeModels struct {
	client     *client
	of         map[*Task]*judgeModel
	throttles  map[string]*throttle // by URL
	limit      int                  // of requests in flight to one server
	cache      Cache                // nil: nothing is remembered
	remembered atomic.Int64
}

func newJudgeModels(o Options) *judgeModels {
	return &judgeModels{client: newClient(o.Timeout, o.Patience), of: map[*Task]*judgeModel{}, throttles: map[string]*throttle{}, limit: o.Concurrency, cache: o.Cache}
}

// add makes the judge model of a task. The key is looked up now, so that one that is
// missing is found before anything is asked.
func (m *judgeModels) add(t *Task, environment func(string) (string, bool)) error {
	if t.judge == nil {
		return nil
	}
	j := t.judge
	s := Session{BaseURL: j.url, Model: j.model}
	if j.keyName != "" {
		if environment != nil {
			s.APIKey, _ = environment(j.keyName)
		}
		if s.APIKey = strings.TrimSpace(s.APIKey); s.APIKey == "" {
			return mergesearch.InFile(j.keyAt.refuse("the environment variable "+j.keyName+" is not set, or empty", "set it to the key of the judge's server, or leave api_key_env out"), t.File)
		}
	}
	connection := m.client.connect(s)
	if m.throttles[j.url] == nil {
		m.throttles[j.url] = newThrottle(throttleStart, m.limit)
	}
	connection.throttle = m.throttles[j.url]
	m.of[t] = &judgeModel{config: j, connection: connection, all: m}
	return nil
}

// model returns the judge model of a task, nil when it has none.
func (m *judgeModels) model(t *Task) *judgeModel {
	if m == nil {
		return nil
	}
	return m.of[t]
}

// close drops idle connections.
func (m *judgeModels) close() {
	if m != nil {
		m.client.close()
	}
}

// judgement is what a judge model made of one answer.
type judgement struct {
	score    float64
	wrote    string
	ungraded bool // the score is that of no_grade
}

// score has the answers to a question judged; equal ones once.
func (m *judgeModel) score(ctx context.Context, t *Task, q *question, got *answers) error {
	for i, text := range got.texts {
		first := slices.IndexFunc(got.texts[:i], func(w written) bool { return w.text == text.text })
		if first >= 0 {
			got.judgements = append(got.judgements, got.judgements[first])
		} else {
			v, err := m.judge(ctx, t, q, text.text)
			if err != nil {
				return err
			}
			got.judgements = append(got.judgements, v)
		}
		got.scores = append(got.scores, got.judgements[i].score)
	}
	return nil
}

// judge has one answer judged. Only what is read as a judgement is remembered: where a
// run ended for want of one, the next asks again.
func (m *judgeModel) judge(ctx context.Context, t *Task, q *question, answer string) (v judgement, err error) {
	fail := func(err error) (judgement, error) {
		if ctx.Err() != nil {
			return v, context.Cause(ctx)
		}
		return v, &JudgeError{Task: t.Name, URL: m.config.url, Model: m.config.model, Item: q.id, Wrote: lastCharacters(v.wrote, 200), Err: err}
	}
	r, err := m.request(q, answer)
	if err != nil {
		return fail(err)
	}
	key, cache := m.key(&r), m.all.cache
	if cache != nil {
		value, found, err := cache.Lookup(ctx, key)
		if err != nil {
			return v, err
		}
		if parts, ok := decodeParts(value); found && ok && len(parts) == 1 {
			if err := m.read(&v, parts[0].written); err == nil {
				m.all.remembered.Add(1)
				return v, nil
			}
		}
	}
	reply, err := m.connection.send(ctx, &r)
	if err != nil {
		return fail(err)
	}
	if err := m.read(&v, reply.parts[0].written); err != nil {
		return fail(err)
	}
	if cache == nil {
		return v, nil
	}
	return v, cache.Store(context.WithoutCancel(ctx), key, encodeParts(reply.parts))
}

// request asks for the judgement: greedily, with every field of sampling written out.
func (m *judgeModel) request(q *question, answer string) (request, error) {
	prompt, err := m.config.render(q, answer)
	if err != nil {
		return request{}, fmt.Errorf("the prompt cannot be written for the answer %.200q: %w", answer, err)
	}
	var turns []turn
	if m.config.system != "" {
		turns = append(turns, turn{Role: "system", Content: m.config.system})
	}
	turns = append(turns, turn{Role: "user", Content: prompt})
	return chatRequest(turns, drawing{maxTokens: m.config.maxTokens, seed: firstSeed}, Profile{}), nil
}

// judgeFormat is part of every key, beside cacheFormat: no candidate's answer is
// found under the key of a judge.
const judgeFormat = "mergesearch judge 1"

// key names the response to a request: by server, model and the exact bytes of the
// body.
func (m *judgeModel) key(r *request) [32]byte {
	b := appendField(nil, judgeFormat)
	b = appendField(b, m.config.url)
	b = appendField(b, m.config.model)
	b = appendField(b, r.path)
	b = appendField(b, string(m.connection.head)+string(r.tail))
	return sha256.Sum256(b)
}

// read makes a judgement of what the judge model wrote. What was cut off is not read:
// half a grade looks like another one.
func (m *judgeModel) read(v *judgement, w written) error {
	v.wrote = w.text
	var err error
	switch w.finish {
	case "stop":
		v.score, err = m.config.grading.value(w.text)
	case "length":
		err = fmt.Errorf("%w: it was cut off after max_tokens: %d", errNoGrade, m.config.maxTokens)
	case "content_filter":
		err = fmt.Errorf("%w: the server's filter ended it", errNoGrade)
	default:
		return fmt.Errorf("it ended with %q", w.finish)
	}
	if errors.Is(err, errNoGrade) && m.config.noGrade != nil {
		v.score, v.ungraded, err = *m.config.noGrade, true, nil
	}
	return err
}

// lastCharacters returns the end of a text, at most n code points.
func lastCharacters(text string, n int) string {
	runes := []rune(text)
	return string(runes[max(0, len(runes)-n):])
}

// JudgeError says that a task's judge model gave no usable grade: its server failed,
// or what it wrote holds no grade of the scale. It is never a score: the run ends.
type JudgeError struct {
	Task, URL, Model string
	Item             mergesearch.ItemID
	Wrote            string // the last 200 characters that the judge model wrote; empty when there is no answer
	Err              error
}

func (e *JudgeError) Error() string {
	var endpoint *EndpointError
	where := fmt.Sprintf("judge of task %s, item %s: ", e.Task, e.Item)
	if !errors.As(e.Err, &endpoint) { // which names them too
		where += fmt.Sprintf("%s at %s: ", e.Model, e.URL)
	}
	if e.Wrote == "" {
		return where + e.Err.Error()
	}
	return fmt.Sprintf("%s%v; it wrote, at the end: %q", where, e.Err, e.Wrote)
}

func (e *JudgeError) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *JudgeError) Hint() string {
	if errors.Is(e.Err, errNoGrade) {
		return "let the judge's prompt ask for what grade: looks for, give it more max_tokens, or write no_grade: with the score of such answers"
	}
	return "look at the judge's server and prompt, then start the same command again; what was recorded is kept"
}

// Judged returns how many requests were sent to judge models since New, each attempt
// counted, and how many more the cache answered.
func (e *Evaluator) Judged() (sent, remembered int64) {
	if e.judges == nil {
		return 0, 0
	}
	return e.judges.client.sent.Load(), e.judges.remembered.Load()
}
