package eval

import (
	"slices"

	"mergesearch"
)

// generation holds the harness's generation_kwargs.
type generation struct {
	until       []string
	maxTokens   int
	given       bool // until was written
	temperature float64
	topP        float64 // 0: not given
	sample      bool
	sampleAt    entry
}

func (c *config) readGeneration(e entry) error {
	parts, err := e.mapping()
	if err != nil {
		return err
	}
	g := &c.generation
	known := []string{"until", "max_gen_toks", "max_new_tokens", "temperature", "do_sample", "top_p"}
	for _, p := range parts {
		if isNull(p) {
			continue
		}
		switch p.key {
		case "until":
			g.given = true
			g.until, err = p.texts()
			if err == nil && slices.Contains(g.until, "") {
				err = p.refuse("an empty stop string would end every answer at once", "")
			}
		case "max_gen_toks", "max_new_tokens":
			g.maxTokens, err = p.integer(1)
		case "temperature":
			g.temperature, err = p.number()
			if err == nil && !(g.temperature >= 0 && g.temperature <= 100) {
				err = p.refuse("out of range", "0 is greedy, 1 the model's own distribution")
			}
		case "top_p":
			g.topP, err = p.number()
			if err == nil && !(g.topP > 0 && g.topP <= 1) {
				err = p.refuse("out of range", "a share above 0 and up to 1")
			}
		case "do_sample":
			g.sampleAt = p
			g.sample, err = p.boolean()
		default:
			err = p.refuseKey("unknown or unsupported key", mergesearch.UnknownWord("key", p.key, known).Hint)
		}
		if err != nil {
			return err
		}
	}
	return g.check()
}

// check settles whether answers are sampled. The harness sends the temperature
// and drops do_sample; the two are to agree here.
func (g *generation) check() error {
	if g.sampleAt.value != nil && g.sample && g.temperature == 0 {
		return g.sampleAt.refuse("answers at temperature 0 are greedy", "give a temperature, or write do_sample: false")
	}
	if g.sampleAt.value != nil && !g.sample {
		g.temperature = 0
	}
	return nil
}
