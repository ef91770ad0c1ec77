package eval

import "strconv"

// inputLogprobsRoute asks SGLang's own /generate for the log-probabilities of the input
// from the last token of the context on. What stands before logprob_start_len is
// taken from the prefix cache; the server's echo starts at 0 and never is. Entry 0
// belongs to the token at the start and is null.
type inputLogprobsRoute struct{}

func (g inputLogprobsRoute) requests(seqs []sequence, greedy bool, _ Profile) (out []request) {
	for i := range seqs {
		q := &seqs[i]
		b := appendIDs([]byte(`"input_ids":`), q.ids)
		b = append(b, `,"sampling_params":{"max_new_tokens":1,"temperature":0,"top_p":1,"top_k":-1,"min_p":0,"repetition_penalty":1,"presence_penalty":0,"frequency_penalty":0},"return_logprob":true,"logprob_start_len":`...)
		b = strconv.AppendInt(b, int64(q.ctx-1), 10)
		b = append(b, `,"top_logprobs_num":`...)
		b = append(b, "01"[bit(greedy)])
		b = append(b, `,"stream":false}`...)
		out = append(out, request{via: g, path: "/generate", root: true, tail: b, seqs: seqs[i : i+1], greedy: greedy, prompt: len(q.ids)})
	}
	return out
}

func (inputLogprobsRoute) read(s *scanner, r *request, out *reply) error {
	q := &r.seqs[0]
	entries, tops := -1, -1
	s.values, s.best = s.values[:0], s.best[:0]
	err := s.object(func(key []byte) error {
		if string(key) != "meta_info" {
			return s.skip()
		}
		return s.object(func(key []byte) (err error) {
			switch {
			case string(key) == "prompt_tokens":
				err = s.count(&out.promptTokens)
			case string(key) == "completion_tokens":
				err = s.count(&out.completionTokens)
			case string(key) == "weight_version" && s.next() == '"':
				out.fingerprint, err = s.str()
			case string(key) == "input_token_logprobs" && !s.null():
				entries, err = s.triples(q)
			case r.greedy && string(key) == "input_top_logprobs" && !s.null():
				tops, err = s.topTriples()
			default:
				err = s.skip()
			}
			return err
		})
	})
	want := len(q.ids) - q.ctx + 1
	switch {
	case err != nil:
		return err
	case entries < 0:
		return unusable("no input_token_logprobs in it")
	case entries != want:
		return unusable("%d entries of input_token_logprobs for %d tokens from %d on", entries, want, q.ctx-1)
	case r.greedy && tops != entries:
		return unusable("%d entries of input_top_logprobs for %d tokens", max(tops, 0), entries)
	}
	t := tally{keep: r.probe}
	for i, x := range s.values {
		best := x
		if r.greedy {
			best = s.best[i+1]
		}
		if err := t.add(q.ctx+i, x, best); err != nil {
			return err
		}
	}
	t.into(&out.parts[0], r)
	return nil
}

// triples reads [logprob, id, text] for each token from the start on, and checks
// that they are the tokens that were sent.
func (s *scanner) triples(q *sequence) (entries int, err error) {
	err = s.array(func() error {
		place := q.ctx - 1 + entries
		first := entries == 0
		entries++
		return s.triple(func(x float64, id int) error {
			// SGLang itself reports the last id of the vocabulary as 0.
			if place < len(q.ids) && id != int(q.ids[place]) && id != 0 {
				return unusable("token %d of the prompt is said to be %d, %d was sent", place, id, q.ids[place])
			}
			if !first {
				s.values = append(s.values, x)
			}
			return nil
		})
	})
	return entries, err
}

// triple reads one [logprob, id, text].
func (s *scanner) triple(each func(x float64, id int) error) error {
	i, x, id := 0, nan, -1.0
	err := s.array(func() (err error) {
		switch i {
		case 0:
			x, err = s.number()
		case 1:
			id, err = s.number()
		default:
			err = s.skip()
		}
		i++
		return err
	})
	if err == nil && i < 2 {
		err = unusable("%d values for a token, want its log-probability and its id", i)
	}
	if err != nil {
		return err
	}
	return each(x, int(id))
}

// topTriples keeps the largest value of each place.
func (s *scanner) topTriples() (entries int, err error) {
	err = s.array(func() error {
		entries++
		best := nan
		if s.next() == '[' {
			if err := s.array(func() error {
				return s.triple(func(x float64, _ int) error {
					if best != best || x > best {
						best = x
					}
					return nil
				})
			}); err != nil {
				return err
			}
		} else if err := s.skip(); err != nil {
			return err
		}
		s.best = append(s.best, best)
		return nil
	})
	return entries, err
}
