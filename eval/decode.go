package eval

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// completion is the response to one request.
type completion struct {
	fingerprint  string
	model        string // that answered; empty when the server does not say
	promptTokens int    // -1 when the server does not say
	choices      []choice
}

// choice is the answer to one prompt of a request.
type choice struct {
	text   string
	finish string

	// logprobs of the tokens, those of the prompt first when echo was asked for.
	// NaN stands for null, which is right for the first token of a prompt only.
	logprobs []float64

	// best is the largest log-probability of any token at each position, where
	// the server was asked for top_logprobs. NaN for null.
	best []float64
}

// malformed is a response that is well-formed JSON and not what was asked for: no
// retry will mend it.
type malformed struct{ problem string }

func (m *malformed) Error() string { return "unusable response: " + m.problem }

func unusable(format string, args ...any) error { return &malformed{fmt.Sprintf(format, args...)} }

// decodeCompletion reads the response to a request of n prompts; top says whether
// top_logprobs were asked for. A text that is not JSON, or is cut off, gives an
// ordinary error, which is worth a retry; a *malformed is not.
func decodeCompletion(text []byte, n int, top bool) (*completion, error) {
	s := &scanner{text: text}
	c := &completion{promptTokens: -1, choices: make([]choice, n)}
	filled := 0
	err := s.object(func(key []byte) error {
		var err error
		switch string(key) {
		case "choices":
			err = s.array(func() error {
				filled++
				return s.choice(c.choices, top)
			})
		case "usage":
			c.promptTokens, err = s.usage()
		case "system_fingerprint":
			c.fingerprint, err = s.str()
		case "model":
			c.model, err = s.str()
		default:
			err = s.skip()
		}
		return err
	})
	if err == nil && s.next() != 0 {
		err = errors.New("something follows the JSON object")
	}
	switch {
	case err != nil:
		return nil, err
	case filled != n:
		return nil, unusable("%d choices for %d prompts", filled, n)
	}
	return c, nil
}

// choice reads one element of choices into its place; servers may send them in
// any order.
func (s *scanner) choice(all []choice, top bool) error {
	var c choice
	index := -1.0
	err := s.object(func(key []byte) (err error) {
		switch string(key) {
		case "index":
			index, err = s.number()
		case "text":
			c.text, err = s.str()
		case "finish_reason":
			c.finish, err = s.str()
		case "logprobs":
			err = s.logprobs(&c, top)
		case "message":
			return unusable("it is a chat completion")
		default:
			err = s.skip()
		}
		return err
	})
	if err != nil {
		return err
	}
	i := int(index)
	switch {
	case i < 0 || i >= len(all) || float64(i) != index:
		return unusable("a choice with index %v among %d", index, len(all))
	case c.finish == "":
		return unusable("choice %d has no finish_reason", i)
	case all[i].finish != "":
		return unusable("choice %d comes twice", i)
	}
	all[i] = c
	return nil
}

func (s *scanner) logprobs(c *choice, top bool) error {
	if s.null() {
		return nil
	}
	return s.object(func(key []byte) error {
		switch {
		case string(key) == "content":
			return unusable("log-probabilities in the shape of chat completions (logprobs.content)")
		case string(key) == "token_logprobs":
			return s.tokenLogprobs(c)
		case top && string(key) == "top_logprobs":
			return s.topLogprobs(c)
		}
		return s.skip()
	})
}

func (s *scanner) tokenLogprobs(c *choice) error {
	if s.null() {
		return nil
	}
	c.logprobs = make([]float64, 0, 32)
	return s.array(func() error {
		x, err := s.number()
		c.logprobs = append(c.logprobs, x)
		return err
	})
}

// topLogprobs keeps the largest value of each position.
func (s *scanner) topLogprobs(c *choice) error {
	if s.null() {
		return nil
	}
	c.best = make([]float64, 0, 32)
	return s.array(func() error {
		best := math.NaN()
		if !s.null() {
			if err := s.object(func([]byte) error {
				x, err := s.number()
				if math.IsNaN(best) || x > best {
					best = x
				}
				return err
			}); err != nil {
				return err
			}
		}
		c.best = append(c.best, best)
		return nil
	})
}

func (s *scanner) usage() (promptTokens int, err error) {
	promptTokens = -1
	if s.null() {
		return promptTokens, nil
	}
	err = s.object(func(key []byte) error {
		if string(key) != "prompt_tokens" {
			return s.skip()
		}
		x, err := s.number()
		if err == nil && x >= 0 {
			promptTokens = int(x)
		}
		return err
	})
	return promptTokens, err
}

// likelihood is what the server says about one continuation.
type likelihood struct {
	logprob float64 // sum over the continuation's tokens
	greedy  bool    // each of its tokens is the likeliest; false when not asked for
}

// positive is how far above zero a log-probability may lie from rounding.
const positive = 1e-3

// floor is what servers send instead of minus infinity.
const floor = -9999

// continuation sums up the tokens ids[ctx:n] of a prompt of n tokens. It refuses
// everything that would turn into a plausible but wrong score: another number of
// entries than tokens, null or NaN, probabilities above one.
func (c *choice) continuation(ctx, n int, zeroTokens, greedy bool) (likelihood, error) {
	entries := len(c.logprobs)
	switch {
	case c.logprobs == nil:
		return likelihood{}, unusable("no log-probabilities (token_logprobs) in it")
	case entries != n && (zeroTokens || entries != n+1):
		return likelihood{}, unusable("%d log-probabilities for a prompt of %d tokens", entries, n)
	case greedy && len(c.best) != entries:
		return likelihood{}, unusable("%d entries of top_logprobs for %d tokens", len(c.best), entries)
	}
	out := likelihood{greedy: greedy}
	for i := 1; i < n; i++ {
		x := c.logprobs[i]
		if math.IsNaN(x) || x > positive {
			return likelihood{}, unusable("log-probability %v of token %d of the prompt", strings.ToLower(fmt.Sprint(x)), i)
		}
		if i < ctx {
			continue
		}
		out.logprob += max(x, floor)
		if greedy && x < c.best[i] {
			out.greedy = false
		}
	}
	return out, nil
}
