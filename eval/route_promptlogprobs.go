package eval

import "math"

// promptLogprobsRoute asks vLLM for the log-probabilities of the prompt's tokens, each
// an object keyed by token id with value and rank. Against echo it saves the text,
// and tokens that decode to the same text cannot be mixed up.
type promptLogprobsRoute struct{}

func (v promptLogprobsRoute) requests(seqs []sequence, greedy bool, p Profile) (out []request) {
	batches(seqs, p, func(some []sequence) {
		b := appendPrompts([]byte(`"prompt":`), some)
		// With 1 the likeliest token is there too: a rank alone cannot tell a tie.
		b = append(b, `,"max_tokens":1,"prompt_logprobs":`...)
		b = append(b, "01"[bit(greedy)])
		b = append(b, `,"add_special_tokens":false`...)
		b = appendSampling(b, greedily, p)
		out = append(out, request{via: v, path: "/completions", tail: b, seqs: some, greedy: greedy, prompt: total(some)})
	})
	return out
}

// errUnknownField is what a server gets that passes over the field.
var errUnknownField = unusable("no prompt_logprobs in it")

func (promptLogprobsRoute) read(s *scanner, r *request, out *reply) error {
	return s.completion(r, out, func(key []byte, i int) (bool, error) {
		if string(key) != "prompt_logprobs" {
			return false, nil
		}
		if s.null() {
			return true, nil
		}
		return true, s.promptLogprobs(&r.seqs[i], r, &out.parts[i])
	}, func(i int) error {
		if !out.parts[i].taken {
			return errUnknownField
		}
		return nil
	})
}

func (s *scanner) promptLogprobs(q *sequence, r *request, to *part) error {
	i, n := 0, len(q.ids)
	t := tally{keep: r.probe}
	err := s.array(func() error {
		place := i
		i++
		switch {
		case place == 0 || place >= n:
			return s.skip()
		case s.next() != '{':
			if s.null() {
				return probable(place, nan)
			}
			return s.unexpected("an object of prompt_logprobs")
		case place < q.ctx:
			return s.skip()
		}
		x, best, err := s.named(place, q.ids[place])
		if err != nil {
			return err
		}
		return t.add(place, x, best)
	})
	switch {
	case err != nil:
		return err
	case i != n:
		return unusable("%d entries of prompt_logprobs for a prompt of %d tokens", i, n)
	}
	t.into(to, r)
	return nil
}

// named reads the object of one token: its log-probability, and that of the
// likeliest token as far as it can be told.
func (s *scanner) named(place int, id int32) (x, best float64, err error) {
	x, best = nan, nan
	found, rank, count := false, nan, 0
	err = s.object(func(key []byte) error {
		this, ok := tokenID(key)
		if !ok {
			return unusable("an entry of prompt_logprobs is keyed %q, not by a token id", short(key, 40))
		}
		value := nan
		count++
		err := s.object(func(key []byte) (err error) {
			switch string(key) {
			case "logprob":
				value, err = s.number()
			case "rank":
				var r float64
				if r, err = s.number(); this == id {
					rank = r
				}
			default:
				err = s.skip()
			}
			return err
		})
		if this == id {
			x, found = value, true
		}
		if best != best || value > best {
			best = value
		}
		return err
	})
	switch {
	case err != nil:
		return x, best, err
	case !found:
		return x, best, unusable("entry %d of prompt_logprobs does not name token %d, which was sent", place, id)
	case count == 1 && rank > 1:
		best = math.Inf(1) // of a token that was not named
	}
	return x, best, nil
}

func short(b []byte, n int) string { return string(b[:min(len(b), n)]) }
