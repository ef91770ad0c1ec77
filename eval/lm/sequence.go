package lm

import (
	"context"
	"math"
	"slices"
	"strings"

	"mergesearch/eval/lm/kernel"
	"mergesearch/eval/lm/tokenizer"
)

// job is what one call of Do hands in: sequences that are answered together.
type job struct {
	ctx       context.Context
	sequences []sequence
	rows      int // of all prompts
	left      int // sequences without an answer; the worker's
	err       error
	done      chan struct{} // closed with the last answer
}

// sequence is a request on its way. Its worker owns it.
type sequence struct {
	job     *job
	request *Request
	answer  *Response

	tokens []int32 // prompt and completion
	path   []int32 // their slots; the last generated token gets one only if there is a next
	scored bool    // the prompt's log-probabilities are there, or not wanted

	stream *tokenizer.Stream
	sent   int // bytes of the text that OnToken has seen
	top    []Alternative
}

// newJob prepares requests that were checked.
func newJob(ctx context.Context, m *Model, requests []Request, answers []Response) *job {
	j := &job{ctx: ctx, sequences: make([]sequence, len(requests)), left: len(requests), done: make(chan struct{})}
	room, logged := 0, 0
	for i := range requests {
		room += requests[i].room()
		if requests[i].PromptLogProbs {
			logged += len(requests[i].Prompt)
		}
	}
	lists, logs := make([]int32, 2*room), make([]TokenLogProb, logged)
	for i := range requests {
		r, s := &requests[i], &j.sequences[i]
		*s = sequence{job: j, request: r, answer: &answers[i], scored: !r.PromptLogProbs}
		n := r.room()
		s.tokens, s.path, lists = append(lists[:0:n], r.Prompt...), lists[n:n:2*n], lists[2*n:]
		if r.MaxTokens > 0 {
			s.stream = m.tokenizer.NewStream(true, true)
		}
		if r.PromptLogProbs {
			n := len(r.Prompt)
			s.answer.Prompt, logs = logs[:n:n], logs[n:]
			s.answer.Prompt[0] = TokenLogProb{Token: r.Prompt[0], LogProb: math.NaN()}
			s.top = make([]Alternative, 0, r.Top*(len(r.Prompt)-1))
		}
		j.rows += len(r.Prompt)
	}
	return j
}

// room is how many tokens are worth having room for from the beginning.
func (r *Request) room() int { return len(r.Prompt) + min(r.MaxTokens, 64) }

// reserved is how many nodes the sequence may still need.
func (s *sequence) reserved() int {
	return len(s.request.Prompt) + s.request.MaxTokens - len(s.path)
}

// record returns the entry of a token. logits may be nil when at
// most the likeliest token is asked for.
func (s *sequence) record(token int32, logProb float64, logits []float32, st kernel.LogitStats) TokenLogProb {
	t := TokenLogProb{Token: token, LogProb: logProb}
	if s.request.Top > 0 {
		from := len(s.top)
		s.top = mostLikely(s.top, logits, st, s.request.Top)
		t.Top = s.top[from:len(s.top):len(s.top)]
	}
	return t
}

// accept takes the next token of the completion and reports whether it is the last.
func (s *sequence) accept(m *Model, t TokenLogProb) (finished bool) {
	a, r := s.answer, s.request
	a.Tokens = append(a.Tokens, t.Token)
	if r.LogProbs {
		a.Generated = append(a.Generated, t)
	}
	if !r.IgnoreEOS && slices.Contains(m.config.eos, t.Token) {
		a.Finish, finished = Stop, true
	} else {
		s.stream.Add(t.Token)
	}
	if !finished && len(r.Stop) > 0 {
		finished = s.stopped()
	}
	if !finished && len(a.Tokens) == r.MaxTokens {
		a.Finish, finished = Length, true
	}
	if finished && a.StopString == "" {
		a.Text = s.stream.Text()
	}
	if r.OnToken != nil {
		s.send(t, finished)
	}
	return finished
}

// stopped looks for the earliest stop string in the text and cuts there.
func (s *sequence) stopped() bool {
	text, at := s.stream.Text(), -1
	for _, stop := range s.request.Stop {
		if stop == "" {
			continue
		}
		if i := strings.Index(text, stop); i >= 0 && (at < 0 || i < at) {
			at = i
			s.answer.StopString = stop
		}
	}
	if at < 0 {
		return false
	}
	s.answer.Text, s.answer.Finish = text[:at], Stop
	return true
}

// send hands on the text that no later token can change.
func (s *sequence) send(t TokenLogProb, finished bool) {
	text := s.answer.Text
	if !finished {
		text = s.stream.Text()
		held := 0
		if s.stream.Partial() {
			held = len("\uFFFD")
		}
		for _, stop := range s.request.Stop {
			for n := min(len(stop)-1, len(text)); n > held; n-- {
				if strings.HasSuffix(text, stop[:n]) {
					held = n
					break
				}
			}
		}
		text = text[:max(s.sent, len(text)-held)]
	}
	s.request.OnToken(t, text[s.sent:])
	s.sent = len(text)
}
