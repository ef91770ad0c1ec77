package fp8

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/merge/jsonscan"
)

// methods are the values of quant_method whose weights are 8-bit floats.
var methods = []string{"fp8", "fbgemm_fp8", "compressed-tensors"}

// maxBlock bounds a side of a block.
const maxBlock = 1 << 20

// ReadConfig reads quantization_config of a config.json: the rows and columns of
// a block, or zeros where it names none. It refuses methods that cannot be read.
// Errors are *mergesearch.InputError without a file.
func ReadConfig(config []byte) (block [2]int, err error) {
	var c struct {
		Q *struct {
			Method string `json:"quant_method"`
			Block  []int  `json:"weight_block_size"`
			Groups map[string]struct {
				Weights *struct {
					Type  string `json:"type"`
					Bits  int    `json:"num_bits"`
					Block []int  `json:"block_structure"`
				} `json:"weights"`
			} `json:"config_groups"`
		} `json:"quantization_config"`
	}
	const field = "quantization_config"
	if err := json.Unmarshal(config, &c); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) && wrong.Field == "" {
			return block, &mergesearch.InputError{Problem: "want a JSON object, have " + wrong.Value, Hint: "config.json comes with the model; fetch it again"}
		} else if errors.As(err, &wrong) {
			return block, refused(wrong.Field, "cannot be read: it is a %s", wrong.Value)
		}
		return block, refused(field, "cannot be read: %v", err)
	}
	if c.Q == nil {
		return block, nil
	}
	if !slices.Contains(methods, c.Q.Method) {
		return block, refused(field+".quant_method", "weights quantised by %.40q cannot be read; known: %s", c.Q.Method, strings.Join(methods, ", "))
	}
	sizes := [][]int{c.Q.Block}
	for _, g := range c.Q.Groups {
		if g.Weights == nil {
			continue
		}
		if g.Weights.Type != "float" || g.Weights.Bits != 8 {
			return block, refused(field+".config_groups", "weights of type %.20q with %d bits cannot be read, only floats of 8", g.Weights.Type, g.Weights.Bits)
		}
		sizes = append(sizes, g.Weights.Block)
	}
	for _, s := range sizes {
		if s == nil {
			continue
		}
		if len(s) != 2 || min(s[0], s[1]) < 1 || max(s[0], s[1]) > maxBlock || block != [2]int{} && block != [2]int(s) {
			return block, refused(field, "blocks of %v; want one size, of rows and columns", s)
		}
		block = [2]int(s)
	}
	return block, nil
}

// WithoutQuantisation returns a config.json without its quantization_config and
// with nothing else changed. A text that is no JSON object comes back as it is.
func WithoutQuantisation(config []byte) []byte {
	spans, err := jsonscan.Document(string(config))
	at := slices.IndexFunc(spans, func(s jsonscan.Member) bool { return s.Key == "quantization_config" })
	if err != nil || at < 0 {
		return config
	}
	// The key goes with the comma before it, or with the one after it if it is the first.
	from, to := 0, spans[at].End
	if at > 0 {
		from = spans[at-1].End
	} else {
		from = slices.Index(config, '{') + 1
		if len(spans) > 1 {
			to += slices.Index(config[to:], ',') + 1
		}
	}
	return slices.Concat(config[:from], config[to:])
}
