package eval

import (
	"slices"

	"mergesearch"
)

// generation holds the harness's generation_kwargs.
type generation struct {
	until     []string
	maxTokens int
	given     bool // until was written
}

func (c *config) readGeneration(e entry) error {
	parts, err := mapping(e.value, e.path)
	if err != nil {
		return err
	}
	known := []string{"until", "max_gen_toks", "temperature", "do_sample"}
	for _, p := range parts {
		switch p.key {
		case "until":
			c.generation.given = true
			c.generation.until, err = p.texts()
			if err == nil && slices.Contains(c.generation.until, "") {
				err = refuse(p.value, p.path, "an empty stop string would end every answer at once", "")
			}
		case "max_gen_toks":
			c.generation.maxTokens, err = p.integer(1)
		case "temperature":
			var x float64
			if x, err = p.number(); err == nil && x != 0 {
				err = refuse(p.value, p.path, "only greedy answers (temperature 0) are supported: others do not repeat", "")
			}
		case "do_sample":
			var b bool
			if b, err = p.boolean(); err == nil && b {
				err = refuse(p.value, p.path, "only greedy answers (do_sample: false) are supported: others do not repeat", "")
			}
		default:
			err = refuse(p.at, p.path, "unknown or unsupported key", mergesearch.UnknownWord("key", p.key, known).Hint)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
