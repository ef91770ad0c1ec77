package eval

import "strconv"

// forcedRoute asks llama-server, which has no log-probabilities of prompts, for one
// token of the continuation at a time: logit_bias makes it the one that is
// sampled, and the log-probability that comes with it is from before sampling, a
// softmax over the whole vocabulary. That this is so is checked by the probe on
// the server at hand (Profile.Forced). The prompt before it is cached.
type forcedRoute struct{}

func (f forcedRoute) requests(seqs []sequence, greedy bool, _ Profile) (out []request) {
	for _, q := range seqs {
		for i := q.ctx; i < len(q.ids); i++ {
			out = append(out, forcedRequest(f, sequence{q.ids[:i+1], i, q.pair}, greedy, 1, true))
		}
	}
	return out
}

// forcedRequest asks for the token after the sequence's context; top is how many
// of the likeliest tokens are named. Without force the server chooses.
func forcedRequest(f forcedRoute, q sequence, greedy bool, top int, force bool) request {
	b := appendIDs([]byte(`"prompt":`), q.ids[:q.ctx])
	b = append(b, `,"n_predict":1,"n_probs":`...)
	b = strconv.AppendInt(b, int64(top), 10)
	if force {
		b = append(b, `,"logit_bias":[[`...)
		b = strconv.AppendInt(b, int64(q.ids[q.ctx]), 10)
		b = append(b, `,10000]]`...)
	}
	b = append(b, `,"post_sampling_probs":false,"cache_prompt":true,"temperature":0,"top_k":0,"top_p":1,"min_p":0,"repeat_penalty":1,"presence_penalty":0,"frequency_penalty":0,"seed":1234,"stream":false}`...)
	return request{via: f, path: "/completion", root: true, tail: b, seqs: []sequence{q}, greedy: greedy, prompt: q.ctx}
}

func (forcedRoute) read(s *scanner, r *request, out *reply) error {
	q := &r.seqs[0]
	want := q.ids[q.ctx]
	x, best, id, steps := nan, nan, -1, 0
	err := s.forcedResponse(out, func() error {
		steps++
		return s.object(func(key []byte) (err error) {
			switch string(key) {
			case "id":
				err = s.count(&id)
			case "logprob":
				x, err = s.number()
			case "top_logprobs":
				err = s.array(func() error {
					return s.object(func(key []byte) error {
						if string(key) != "logprob" {
							return s.skip()
						}
						y, err := s.number()
						if best != best || y > best {
							best = y
						}
						return err
					})
				})
			default:
				err = s.skip()
			}
			return err
		})
	})
	switch {
	case err != nil:
		return err
	case steps != 1:
		return unusable("%d entries of completion_probabilities for one token", steps)
	case id != int(want):
		return unusable("the server sampled token %d, %d was forced", id, want)
	}
	t := tally{keep: r.probe}
	if err := t.add(q.ctx, x, best); err != nil {
		return err
	}
	t.into(&out.parts[0], r)
	return nil
}

// forcedResponse reads a response of /completion; each reads an element of
// completion_probabilities.
func (s *scanner) forcedResponse(out *reply, each func() error) error {
	return s.object(func(key []byte) (err error) {
		switch string(key) {
		case "completion_probabilities":
			return s.array(each)
		case "tokens_evaluated":
			return s.count(&out.promptTokens)
		case "truncated":
			if s.word("true") {
				return unusable("the server cut the prompt")
			}
		}
		return s.skip()
	})
}

// listed reads the likeliest tokens of an unforced step: for the probe.
type listed struct {
	forcedRoute
	to *[]candidateToken
}

// candidateToken is a token with what a server says of it.
type candidateToken struct {
	id      int
	logprob float64
}

func (l listed) read(s *scanner, r *request, out *reply) error {
	*l.to = nil
	return s.forcedResponse(out, func() error {
		return s.object(func(key []byte) error {
			if string(key) != "top_logprobs" {
				return s.skip()
			}
			return s.array(func() error {
				t := candidateToken{-1, nan}
				err := s.object(func(key []byte) (err error) {
					switch string(key) {
					case "id":
						err = s.count(&t.id)
					case "logprob":
						t.logprob, err = s.number()
					default:
						err = s.skip()
					}
					return err
				})
				*l.to = append(*l.to, t)
				return err
			})
		})
	})
}
