package eval

import (
	"bytes"
	"strconv"
)

// labelsRoute asks for the log-probabilities of chosen tokens after a context: one
// request for all choices of a question whose choices are single tokens, such as
// letters. The context is read once, and from the prefix cache, which vLLM does
// not use for log-probabilities of prompts.
type labelsRoute struct{}

// apply reports whether the sequences are single tokens after one context, no
// token twice.
func (labelsRoute) apply(seqs []sequence) bool {
	if len(seqs) < 2 {
		return false
	}
	seen := map[int32]bool{}
	first := seqs[0]
	for _, q := range seqs {
		if len(q.ids) != q.ctx+1 || q.ctx != first.ctx || !equalIDs(q.ids[:q.ctx], first.ids[:q.ctx]) || seen[q.ids[q.ctx]] {
			return false
		}
		seen[q.ids[q.ctx]] = true
	}
	return true
}

func equalIDs(a, b []int32) bool {
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return len(a) == len(b)
}

func (l labelsRoute) requests(seqs []sequence, greedy bool, p Profile) []request {
	ctx := seqs[0].ctx
	b := appendIDs([]byte(`"prompt":`), seqs[0].ids[:ctx])
	b = append(b, `,"max_tokens":1,"logprobs":`...)
	if p.LabelLogprobs {
		b = append(b, `1,"logprob_token_ids":[`...)
		for i, q := range seqs {
			if i > 0 {
				b = append(b, ',')
			}
			b = strconv.AppendInt(b, int64(q.ids[ctx]), 10)
		}
		b = append(b, ']')
	} else {
		b = strconv.AppendInt(b, int64(p.TopLogprobs), 10)
	}
	b = append(b, `,"return_tokens_as_token_ids":true,"add_special_tokens":false`...)
	b = appendSampling(b, greedily, p)
	return []request{{via: l, path: "/completions", tail: b, seqs: seqs, greedy: greedy, prompt: ctx}}
}

// unlisted is the error of a response that does not name every label; the question
// is then asked by another route.
type unlisted struct{ id int32 }

func (u *unlisted) Error() string {
	return "unusable response: top_logprobs does not name the token " + strconv.Itoa(int(u.id))
}

// Unwrap makes it a *malformed, which is not retried.
func (u *unlisted) Unwrap() error { return &malformed{u.Error()} }

func (labelsRoute) read(s *scanner, r *request, out *reply) error {
	parts := out.parts
	out.parts = make([]part, 1)
	err := s.completion(r, out, func(key []byte, _ int) (bool, error) {
		if string(key) != "logprobs" {
			return false, nil
		}
		if s.null() {
			return true, nil
		}
		return true, s.object(func(key []byte) error {
			switch {
			case string(key) == "content":
				return unusable("log-probabilities in the shape of chat completions (logprobs.content)")
			case string(key) == "top_logprobs" && !s.null():
				return s.labelled(r, parts, out)
			}
			return s.skip()
		})
	}, func(int) error {
		if !out.parts[0].taken {
			return unusable("no top_logprobs in it")
		}
		return nil
	})
	out.parts = parts
	return err
}

// labelled reads the first entry of top_logprobs.
func (s *scanner) labelled(r *request, parts []part, out *reply) error {
	best, entries := nan, 0
	err := s.array(func() error {
		entries++
		if entries > 1 || s.next() != '{' {
			return s.skip()
		}
		return s.object(func(key []byte) error {
			x, err := s.number()
			if best != best || x > best {
				best = x
			}
			id, ok := tokenID(key)
			if !ok || !bytes.HasPrefix(key, []byte("token_id:")) {
				return err // token texts are ambiguous
			}
			for i, q := range r.seqs {
				if q.ids[q.ctx] == id {
					parts[i].logprob, parts[i].taken = x, true
				}
			}
			return err
		})
	})
	if err != nil {
		return err
	}
	if entries != 1 {
		return unusable("%d entries of top_logprobs for one token", entries)
	}
	out.parts[0].taken = true
	for i, q := range r.seqs {
		if !parts[i].taken {
			return &unlisted{q.ids[q.ctx]}
		}
		t := tally{keep: r.probe}
		if err := t.add(q.ctx, parts[i].logprob, best); err != nil {
			return err
		}
		t.into(&parts[i], r)
	}
	return nil
}

// namedTop reads the likeliest tokens that a response names by id: for the probe.
type namedTop struct {
	labelsRoute
	to *[]candidateToken
}

func (l namedTop) read(s *scanner, r *request, out *reply) error {
	*l.to = nil
	return s.completion(r, out, func(key []byte, _ int) (bool, error) {
		if string(key) != "logprobs" || s.next() != '{' {
			return false, nil
		}
		return true, s.object(func(key []byte) error {
			if string(key) != "top_logprobs" || s.next() != '[' {
				return s.skip()
			}
			return s.array(func() error {
				if s.next() != '{' {
					return s.skip()
				}
				return s.object(func(key []byte) error {
					x, err := s.number()
					if id, ok := tokenID(key); ok && bytes.HasPrefix(key, []byte("token_id:")) {
						*l.to = append(*l.to, candidateToken{int(id), x})
					}
					return err
				})
			})
		})
	}, func(int) error { return nil })
}
