package eval

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"mergesearch"
)

// plan holds the requests for all items under one tokenizer. All candidates of a
// run share a tokenizer, so prompts are encoded and written once, as far as there
// is room to keep them.
type plan struct {
	encoder *encoder // nil: the model's tokenizer is unknown, prompts are text
	literal *encoder // the same, which puts nothing in front: templates write all tokens
	chat    *prompter
	context int // most tokens of prompt and completion; 0 when unknown
	profile Profile

	ready [2][]atomic.Pointer[prepared] // by place in Evaluator.questions; [1]: with everything for a report
	room  atomic.Int64                  // bytes that may still be kept
}

// keptBytes bounds the prepared requests of one plan.
const keptBytes = 96 << 20

// prepared holds the requests of one item.
type prepared struct {
	requests []request
	second   []request // to be sent when the first do not name every label
	pairs    int       // that are scored; 0 for completions
	prompt   string    // as a chat template rendered it; kept with detail alone
	bytes    int
}

// planFor returns the plan for a candidate's tokenizer.
func (e *Evaluator) planFor(files map[string][]byte, s Session) (*plan, error) {
	tokenizer := files["tokenizer.json"]
	context := e.options.Endpoint.Profile().Context
	if own := contextOf(files["config.json"]); own > 0 && (context == 0 || own < context) {
		context = own
	}
	around := endsOf(files)
	key := planKey{tokenizer: xxh3.Hash128(tokenizer), around: around, context: context, of: s.Tokenizer}
	if e.talks {
		key.chat = xxh3.Hash128(chatFiles(files))
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if p, ok := e.plans[key]; ok {
		return p, nil
	}
	t := s.Tokenizer
	if t == nil && tokenizer != nil {
		var err error
		if t, err = e.options.Tokenizer(tokenizer); err != nil {
			return nil, mergesearch.InFile(err, "tokenizer.json")
		}
	}
	p := newPlan(t, around, context, e.options.Endpoint.Profile(), len(e.questions))
	if e.talks {
		var err error
		if p.chat, err = newPrompter(e.options.Chat, files, p.profile); err != nil {
			return nil, err
		}
	}
	e.plans[key] = p
	return p, nil
}

// newPlan makes an empty plan. A tokenizer is of no use where every prompt must be
// text.
func newPlan(t Tokenizer, around ends, context int, profile Profile, questions int) *plan {
	p := &plan{context: context, profile: profile}
	p.room.Store(keptBytes)
	for i := range p.ready {
		p.ready[i] = make([]atomic.Pointer[prepared], questions)
	}
	if t != nil && (profile.TokenPrompts || profile.route() != nil) {
		enc := newEncoder(t)
		enc.usePrefix(around)
		literal := enc
		literal.begin = nil
		p.encoder, p.literal = &enc, &literal
	}
	return p
}

// planKey tells plans apart.
type planKey struct {
	tokenizer xxh3.Uint128
	chat      xxh3.Uint128
	around    ends
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

// item returns the requests of a question. An item that cannot be asked, because
// its prompt is longer than the model reads, is an *InputError: nothing is ever cut
// off in silence. With detail the likeliest tokens of choices are asked for too.
func (p *plan) item(i int, q *question, t *Task, detail bool) (*prepared, error) {
	slot := &p.ready[bit(detail)][i]
	if r := slot.Load(); r != nil {
		return r, nil
	}
	r := &prepared{}
	var err error
	if t.Output == GenerateUntil {
		err = p.generate(r, q, t)
	} else {
		err = p.score(r, q, t.needsGreedy() || detail && t.Output == MultipleChoice)
	}
	if fault := p.encoder.err(); fault != nil {
		err = fault
	}
	if err != nil {
		return nil, err
	}
	if !detail {
		r.prompt = ""
	}
	r.weigh()
	if p.room.Add(-int64(r.bytes)) >= 0 {
		slot.CompareAndSwap(nil, r)
	} else {
		p.room.Add(int64(r.bytes))
	}
	return r, nil
}

// generate writes one request for each completion.
func (p *plan) generate(r *prepared, q *question, t *Task) error {
	d := drawing{until: t.until, maxTokens: t.maxTokens, temperature: t.temperature, topP: t.topP}
	if q.talk != nil {
		return p.ask(r, q, d, max(1, t.repeats))
	}
	if p.profile.ChatOnly {
		return q.refuse("it is plain text, and the endpoint has chat completions alone")
	}
	var ids []int32
	if p.encoder != nil && p.profile.TokenPrompts {
		var err error
		if ids, err = p.ids(p.encoder, q.prompt, q, &d); err != nil {
			return err
		}
	}
	for i := range max(1, t.repeats) {
		d.seed = firstSeed + i
		r.requests = append(r.requests, textRequest(ids, q.prompt, d, p.profile))
	}
	return nil
}

// score writes the requests for the log-likelihoods of a question's pairs.
func (p *plan) score(r *prepared, q *question, greedy bool) error {
	if p.encoder == nil {
		return &mergesearch.InputError{Field: "tokenizer.json", Problem: "missing: log-likelihood needs the model's tokenizer", Hint: "give the directory of the model that the endpoint serves"}
	}
	var seqs []sequence
	encoder, contexts := p.encoder, []string(nil)
	if q.talk != nil {
		var err error
		if contexts, err = p.chat.contexts(q); err != nil {
			return err
		}
		encoder, r.prompt = p.literal, contexts[max(0, q.context)]
	}
	for i, a := range q.pairs {
		if contexts != nil {
			a.context = contexts[i]
		}
		some, err := p.sequences(q, encoder, a)
		if err != nil {
			return q.refuse(err.Error())
		}
		for _, s := range some {
			s.pair = i
			seqs = append(seqs, s)
		}
	}
	r.pairs = len(q.pairs)
	main := p.profile.route()
	if main != nil {
		r.requests = main.requests(seqs, greedy, p.profile)
	}
	if single := p.profile.labels(); single != nil && (labelsRoute{}).apply(seqs) {
		r.requests, r.second = single.requests(seqs, greedy, p.profile), r.requests
	}
	return nil
}

// sequences returns what is scored for one pair, within the context of the model.
func (p *plan) sequences(q *question, e *encoder, a pair) ([]sequence, error) {
	if q.rolling {
		return e.rolling(a.continuation, p.context)
	}
	ids, ctx, err := e.pair(a.context, a.continuation)
	if err != nil {
		return nil, err
	}
	longest := len(ids)
	if !p.profile.ZeroTokens {
		longest++
	}
	if p.context > 0 && longest > p.context {
		return nil, tooLong("prompt and answer have", len(ids), p.context)
	}
	return []sequence{{ids: ids, ctx: ctx}}, nil
}

// weigh estimates the memory of the requests.
func (r *prepared) weigh() {
	r.bytes += len(r.prompt)
	for _, list := range [][]request{r.requests, r.second} {
		for _, q := range list {
			r.bytes += 256 + len(q.tail)
			for _, s := range q.seqs {
				r.bytes += 48 + 4*len(s.ids)
			}
		}
	}
}

// refuse makes the InputError about a question.
func (q *question) refuse(problem string) error {
	return &mergesearch.InputError{File: q.file, Line: q.line, Field: string(q.id), Problem: problem, Hint: "the task file says how an item becomes a prompt: doc_to_text, doc_to_target, doc_to_choice"}
}

func tooLong(what string, tokens, most int) error {
	return fmt.Errorf("%s %d tokens, the model reads %d: fewer examples (num_fewshot) make it shorter", what, tokens, most)
}

// take adds the parts of a response to the answers. Sums go in the order of the
// tokens.
func (a *answers) take(r *request, parts []part) {
	a.prompt += r.prompt
	if r.seqs == nil {
		if r.prompt == 0 {
			a.prompt += max(0, parts[0].prompt)
		}
		a.completion += max(0, parts[0].tokens)
		a.texts = append(a.texts, parts[0].written)
		return
	}
	for i, q := range r.seqs {
		l := &a.likelihoods[q.pair]
		l.logprob += parts[i].logprob
		l.greedy = l.greedy && parts[i].greedy
	}
}

// newAnswers makes room for the answers to a question.
func newAnswers(pairs int) answers {
	a := answers{}
	for range pairs {
		a.likelihoods = append(a.likelihoods, likelihood{greedy: true})
	}
	return a
}

// needsGreedy reports whether a metric asks if greedy decoding gives the answer.
func (t *Task) needsGreedy() bool {
	return t.Output == LogLikelihood || t.Output == MultipleChoice && slices.ContainsFunc(t.Metrics, func(m Metric) bool { return m.Name == ExactMatch })
}
