package eval

import "strconv"

// echoRoute asks for the prompt back, with the log-probabilities of its tokens: the
// completions protocol as OpenAI wrote it. Token i of the prompt has entry i; the
// first is null; one more follows where a token was generated. Offsets and token
// texts in the response are of no use, as they are lengths and keys in decoded
// text, so the ids that were sent say where the continuation begins.
type echoRoute struct{}

func (e echoRoute) requests(seqs []sequence, greedy bool, p Profile) (out []request) {
	batches(seqs, p, func(some []sequence) {
		b := appendPrompts([]byte(`"prompt":`), some)
		b = append(b, `,"max_tokens":`...)
		b = strconv.AppendInt(b, int64(1-bit(p.ZeroTokens)), 10)
		b = append(b, `,"echo":true,"logprobs":`...)
		b = strconv.AppendInt(b, int64(bit(greedy)), 10)
		b = appendSampling(b, greedily, p)
		out = append(out, request{via: e, path: "/completions", tail: b, seqs: some, greedy: greedy, zero: p.ZeroTokens, prompt: total(some)})
	})
	return out
}

// total counts the tokens of sequences.
func total(seqs []sequence) int {
	n := 0
	for _, q := range seqs {
		n += len(q.ids)
	}
	return n
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func (echoRoute) read(s *scanner, r *request, out *reply) error {
	return s.completion(r, out, func(key []byte, i int) (bool, error) {
		if string(key) != "logprobs" {
			return false, nil
		}
		return true, s.echoed(&r.seqs[i], r, &out.parts[i])
	}, func(i int) error {
		if !out.parts[i].taken {
			return unusable("no log-probabilities (token_logprobs) in it")
		}
		return nil
	})
}

// echoed reads the logprobs of one choice.
func (s *scanner) echoed(q *sequence, r *request, to *part) error {
	if s.null() {
		return nil
	}
	entries, tops := -1, -1
	s.values, s.best = s.values[:0], s.best[:0]
	err := s.object(func(key []byte) (err error) {
		switch {
		case string(key) == "content":
			return unusable("log-probabilities in the shape of chat completions (logprobs.content)")
		case string(key) == "token_logprobs" && !s.null():
			entries, err = s.tokenLogprobs(q.ctx, len(q.ids))
		case r.greedy && string(key) == "top_logprobs" && !s.null():
			tops, err = s.topLogprobs(q.ctx, len(q.ids))
		case r.probe && string(key) == "tokens":
			err = s.tokenNames(q)
		default:
			err = s.skip()
		}
		return err
	})
	n := len(q.ids)
	switch {
	case err != nil:
		return err
	case entries < 0:
		return nil
	case entries != n && (r.zero || entries != n+1):
		return unusable("%d log-probabilities for a prompt of %d tokens", entries, n)
	case r.greedy && tops != entries:
		return unusable("%d entries of top_logprobs for %d tokens", max(tops, 0), entries)
	}
	t := tally{keep: r.probe}
	for i, x := range s.values {
		best := x
		if r.greedy {
			best = s.best[i]
		}
		if err := t.add(q.ctx+i, x, best); err != nil {
			return err
		}
	}
	t.into(to, r)
	return nil
}

// tokenLogprobs reads the entries [ctx, n) into values and counts all of them.
// Those of the context are looked at, not read: they must be there, and be numbers
// below zero.
func (s *scanner) tokenLogprobs(ctx, n int) (entries int, err error) {
	err = s.array(func() error {
		i := entries
		entries++
		if i == 0 || i < ctx && s.skipNegative() {
			if i == 0 {
				return s.skip()
			}
			return nil
		}
		x, err := s.number()
		switch {
		case err != nil || i >= n:
		case i < ctx:
			return probable(i, x)
		default:
			s.values = append(s.values, x)
		}
		return err
	})
	return entries, err
}

// topLogprobs keeps the largest value of each place in [ctx, n).
func (s *scanner) topLogprobs(ctx, n int) (entries int, err error) {
	err = s.array(func() error {
		i := entries
		entries++
		if i < ctx || i >= n || s.next() != '{' {
			if i >= ctx && i < n {
				s.best = append(s.best, nan)
			}
			return s.skip()
		}
		best := nan
		err := s.object(func([]byte) error {
			x, err := s.number()
			if best != best || x > best {
				best = x
			}
			return err
		})
		s.best = append(s.best, best)
		return err
	})
	return entries, err
}
