package eval

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/zeebo/xxh3"

	"mergesearch"
)

// plan holds the requests for all items under one tokenizer. All candidates of a
// run share a tokenizer, so prompts are encoded and written once.
type plan struct {
	encoder *encoder // nil: the model's tokenizer is unknown, prompts are text
	context int      // most tokens of prompt and completion; 0 when unknown
	profile Profile
	ready   []prepared // by place in Evaluator.questions
}

// prepared is the request of one item, made when it is first asked.
type prepared struct {
	once sync.Once
	err  error
	tail []byte    // of the request's body
	ids  [][]int32 // of each prompt; nil for a prompt sent as text
	ctx  []int     // how many of ids are context
}

// planFor returns the plan for a candidate's tokenizer.
func (e *Evaluator) planFor(files map[string][]byte, s Session) (*plan, error) {
	tokenizer := files["tokenizer.json"]
	context := e.options.Endpoint.Profile().Context
	if own := contextOf(files["config.json"]); own > 0 && (context == 0 || own < context) {
		context = own
	}
	key := planKey{xxh3.Hash128(tokenizer), context, s.Tokenizer}
	e.mu.Lock()
	defer e.mu.Unlock()
	if p, ok := e.plans[key]; ok {
		return p, nil
	}
	p := &plan{context: context, profile: e.options.Endpoint.Profile(), ready: make([]prepared, len(e.questions))}
	t := s.Tokenizer
	if t == nil && tokenizer != nil {
		var err error
		if t, err = e.options.Tokenizer(tokenizer); err != nil {
			return nil, mergesearch.InFile(err, "tokenizer.json")
		}
	}
	if t != nil && p.profile.TokenPrompts {
		enc := newEncoder(t)
		p.encoder = &enc
	}
	e.plans[key] = p
	return p, nil
}

// planKey tells plans apart.
type planKey struct {
	tokenizer xxh3.Uint128
	context   int
	of        Tokenizer // of the session; compared by identity
}

// contextOf reads the longest sequence that a model was made for.
func contextOf(config []byte) int {
	var c struct {
		N int `json:"max_position_embeddings"`
	}
	if json.Unmarshal(config, &c) != nil {
		return 0
	}
	return max(0, c.N)
}

// item returns the request of a question. An item that cannot be asked, because
// its prompt is longer than the model reads, is an *InputError.
func (p *plan) item(i int, q *question, t *Task) (*prepared, error) {
	r := &p.ready[i]
	r.once.Do(func() {
		if t.Output == GenerateUntil {
			r.err = p.generate(r, q, t)
		} else {
			r.err = p.score(r, q, t.needsGreedy())
		}
		if err := p.encoder.err(); err != nil {
			r.err = err
		}
	})
	return r, r.err
}

func (p *plan) generate(r *prepared, q *question, t *Task) error {
	room := t.maxTokens
	if p.encoder == nil {
		r.tail = generateTail(nil, q.prompt, t.until, room, p.profile)
		return nil
	}
	ids := p.encoder.prompt(q.prompt)
	if len(ids) == 0 {
		return q.refuse("the question has no tokens")
	}
	if p.context > 0 {
		if len(ids) >= p.context {
			return q.refuse(fmt.Sprintf("the prompt has %d tokens, the model reads %d", len(ids), p.context))
		}
		room = min(room, p.context-len(ids))
	}
	r.ids = [][]int32{ids}
	r.tail = generateTail(ids, "", t.until, room, p.profile)
	return nil
}

func (p *plan) score(r *prepared, q *question, greedy bool) error {
	if p.encoder == nil {
		return &mergesearch.InputError{Field: "tokenizer.json", Problem: "missing: log-likelihood needs the model's tokenizer", Hint: "give the directory of the model that the endpoint serves"}
	}
	r.ids, r.ctx = nil, nil
	for _, a := range q.pairs {
		ids, ctx, err := p.encoder.pair(a.context, a.continuation)
		if err != nil {
			return q.refuse(err.Error())
		}
		longest := len(ids)
		if !p.profile.ZeroTokens {
			longest++
		}
		if p.context > 0 && longest > p.context {
			return q.refuse(fmt.Sprintf("prompt and answer have %d tokens, the model reads %d", len(ids), p.context))
		}
		r.ids, r.ctx = append(r.ids, ids), append(r.ctx, ctx)
	}
	top := 0
	if greedy {
		top = 1
	}
	r.tail = scoreTail(r.ids, top, p.profile)
	return nil
}

// refuse makes the InputError about a question.
func (q *question) refuse(problem string) error {
	return &mergesearch.InputError{File: q.file, Line: q.line, Field: string(q.id), Problem: problem}
}

// tokens returns how many tokens the server must count in the prompts, or -1 when
// they were sent as text.
func (r *prepared) tokens() int {
	if r.ids == nil {
		return -1
	}
	n := 0
	for _, ids := range r.ids {
		n += len(ids)
	}
	return n
}

// read takes the answers out of a completion; greedy says whether the likeliest
// tokens were asked for. It refuses a server that counts other tokens than were
// sent.
func (r *prepared) read(c *completion, p Profile, greedy bool) (answers, error) {
	var a answers
	if want := r.tokens(); want >= 0 && c.promptTokens >= 0 && c.promptTokens != want {
		return a, unusable("the server counts %d prompt tokens, %d were sent: it adds or drops some", c.promptTokens, want)
	}
	for i := range c.choices {
		if r.ctx == nil {
			a.texts = append(a.texts, written{c.choices[i].text, c.choices[i].finish})
			continue
		}
		l, err := c.choices[i].continuation(r.ctx[i], len(r.ids[i]), p.ZeroTokens, greedy)
		if err != nil {
			return a, err
		}
		a.likelihoods = append(a.likelihoods, l)
	}
	return a, nil
}

// answers is what came back for one question.
type answers struct {
	likelihoods []likelihood // one for each of the question's pairs
	texts       []written    // completions of generate_until
}

// written is a completion.
type written struct{ text, finish string }

// needsGreedy reports whether a metric asks if greedy decoding gives the answer.
func (t *Task) needsGreedy() bool { return t.Output == LogLikelihood }
