package lm

import (
	"net/http"
	"strconv"
	"sync"
	"time"
)

var answers = sync.Pool{New: func() any { return new(answerWriter) }}

// completions answers POST /v1/completions.
func (s *Server) completions(w http.ResponseWriter, r *http.Request) {
	var c completionRequest
	if err := s.readBody(w, r, &c); err != nil {
		writeError(w, asAPIError(err))
		return
	}
	m, missing := s.find(c.Model)
	if missing != nil {
		writeError(w, missing)
		return
	}
	defer m.users.Done()
	s.answer(w, r, m, &c)
}

// answer asks the engine, and writes what it says.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, m *served, c *completionRequest) {
	requests, err := c.requests(m.model)
	if err != nil {
		writeError(w, asAPIError(err))
		return
	}
	if c.Stream {
		s.stream(w, r, m, c, requests)
		return
	}
	responses, err := m.instance.Do(r.Context(), requests)
	if err != nil {
		writeError(w, asAPIError(err))
		return
	}
	s.answered.Add(1)
	a := answers.Get().(*answerWriter)
	defer answers.Put(a)
	a.whole(s, m, c, requests, responses)
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(a.b)))
	writeWhole(w, r, a.b)
}

// whole writes the answer to all prompts.
func (a *answerWriter) whole(s *Server, m *served, c *completionRequest, requests []Request, responses []Response) {
	a.b, a.vocab, a.asIDs, a.form = a.b[:0], m.model.tokenizer, c.TokensAsIDs, textForm
	if c.chat {
		a.form = messageForm
	}
	a.open(s.serial.Add(1), time.Now().Unix(), m.name, m.model.fingerprint)
	completions := 0
	for i := range responses {
		r := &responses[i]
		out := choice{index: i, text: r.Text, finish: r.Finish, stop: r.StopString, withLogs: c.LogProbs != nil, withTop: c.withTop(), logProbs: r.Generated}
		if c.Echo {
			out.text = c.echoed(m.model, i) + r.Text
			if len(r.Generated) == 0 {
				out.logProbs = r.Prompt
			} else {
				out.logProbs = append(r.Prompt, r.Generated...)
			}
		}
		a.choice(out)
		completions += len(r.Tokens)
	}
	a.close(c.promptTokens(requests), completions)
}

// promptTokens is how many tokens were read. The answers of a chat share a prompt.
func (c *completionRequest) promptTokens(requests []Request) (n int) {
	for i := range requests {
		if n += len(requests[i].Prompt); c.chat {
			break
		}
	}
	return n
}

// echoed is a prompt as text: as it was sent, or what its ids stand for.
func (c *completionRequest) echoed(m *Model, i int) string {
	if p := c.Prompt[i]; p.ids == nil {
		return p.text
	}
	return m.tokenizer.Decode(c.Prompt[i].ids, true)
}

// withTop reports whether the likeliest tokens are asked for.
func (c *completionRequest) withTop() bool { return c.LogProbs != nil && *c.LogProbs > 0 }
