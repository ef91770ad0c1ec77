package adapter

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strings"

	"mergesearch"
	"mergesearch/merge/jsonscan"
)

// Limits of what is read.
const (
	maxConfigBytes = 4 << 20
	maxPatterns    = 1000
	maxRank        = 1 << 16
)

// config is what adapter_config.json says.
type config struct {
	rank        int
	alpha       float64
	stabilised  bool // alpha / sqrt(rank) in place of alpha / rank
	transposed  bool // square layers are stored [in][out]
	dora        bool
	ranks       patterns
	alphas      patterns
	targetNames []string       // module names; nil: not checked
	targetWhole *regexp.Regexp // matches whole module names; nil: not checked
}

// ignored are settings that have done their work before the adapter was saved,
// or that say nothing about the weights.
var ignored = map[string]bool{
	"auto_mapping": true, "base_model_name_or_path": true, "bias": true, "corda_config": true, "ensure_weight_tying": true, "eva_config": true,
	"exclude_modules": true, "inference_mode": true, "layers_pattern": true, "layers_to_transform": true, "loftq_config": true,
	"lora_bias": true, "lora_dropout": true, "lora_ga_config": true, "megatron_core": true, "modules_to_save": true, "peft_version": true,
	"qalora_group_size": true, "revision": true, "runtime_config": true, "task_type": true,
}

// harmless are the initialisations that leave the model as it was.
var harmless = map[string]bool{"true": true, "false": true, "null": true, `"gaussian"`: true, `"eva"`: true, `"orthogonal"`: true}

// parseConfig reads adapter_config.json. Errors are *mergesearch.InputError
// without a file.
func parseConfig(text []byte) (*config, error) {
	if len(text) > maxConfigBytes {
		return nil, problem("", "%d bytes, at most %d are read", len(text), maxConfigBytes)
	}
	spans, err := jsonscan.Document(string(text))
	if err != nil {
		return nil, problem("", "not a JSON object: %v", err)
	}
	c := &config{rank: 8, alpha: 8}
	kind := ""
	for _, s := range spans {
		if err := c.read(s.Key, text[s.Begin:s.End], &kind); err != nil {
			return nil, err
		}
	}
	if kind != "LORA" {
		return nil, problem("peft_type", "%.40q is not LORA", kind)
	}
	return c, nil
}

func (c *config) read(key string, value []byte, kind *string) error {
	if string(value) == "null" {
		return nil
	}
	var err error
	switch key {
	case "peft_type":
		err = decode(key, value, kind)
	case "r":
		if err = decode(key, value, &c.rank); err == nil && (c.rank < 1 || c.rank > maxRank) {
			err = problem(key, "%d is not between 1 and %d", c.rank, maxRank)
		}
	case "lora_alpha":
		if err = decode(key, value, &c.alpha); err == nil && math.Abs(c.alpha) > math.MaxFloat32 {
			err = problem(key, "%v is too large", c.alpha)
		}
	case "use_rslora":
		err = decode(key, value, &c.stabilised)
	case "fan_in_fan_out":
		err = decode(key, value, &c.transposed)
	case "use_dora":
		err = decode(key, value, &c.dora)
	case "rank_pattern":
		c.ranks, err = readPatterns(key, value)
	case "alpha_pattern":
		c.alphas, err = readPatterns(key, value)
	case "target_modules":
		err = c.readTargets(value)
	case "init_lora_weights":
		if !harmless[string(value)] {
			err = problem(key, "%.40s changes the model that the adapter is for", value)
			err.(*mergesearch.InputError).Hint = "convert the adapter to an ordinary one with PEFT (path_initial_model_for_weight_conversion), or merge it there"
		}
	default:
		if !ignored[key] && !empty(value) {
			err = problem(key, "%.60s is not supported", value)
			err.(*mergesearch.InputError).Hint = "merge the adapter into its model with PEFT and use the result"
		}
	}
	return err
}

// readTargets reads a list of module names, or a regular expression over whole
// names. One that only Python understands is not checked: the tensors tell too.
func (c *config) readTargets(value []byte) error {
	const key = "target_modules"
	if value[0] != '"' {
		return decode(key, value, &c.targetNames)
	}
	var text string
	if err := decode(key, value, &text); err != nil {
		return err
	}
	if text != "all-linear" && len(text) <= 4096 {
		c.targetWhole, _ = regexp.Compile("^(?:" + text + ")$")
	}
	return nil
}

// targets reports whether target_modules names a module.
func (c *config) targets(module string) bool {
	if c.targetWhole != nil {
		return c.targetWhole.MatchString(module)
	}
	if c.targetNames == nil {
		return true
	}
	for _, t := range c.targetNames {
		if module == t || strings.HasSuffix(module, "."+t) {
			return true
		}
	}
	return false
}

// scale returns rank and scaling of a module.
func (c *config) scale(module string) (rank int, scale float32, err error) {
	rank, alpha := c.rank, c.alpha
	if x, ok := c.ranks.find(module); ok {
		if x != math.Trunc(x) || x < 1 || x > maxRank {
			return 0, 0, problem("rank_pattern", "%v for %.80s is not between 1 and %d", x, module, maxRank)
		}
		rank = int(x)
	}
	if x, ok := c.alphas.find(module); ok {
		alpha = x
	}
	if c.stabilised {
		return rank, float32(alpha / math.Sqrt(float64(rank))), nil
	}
	return rank, float32(alpha / float64(rank)), nil
}

// patterns are values for modules, in the order of the file: the first that
// matches counts.
type patterns []pattern

type pattern struct {
	text  string
	plain bool // no more than a name
	match *regexp.Regexp
	value float64
}

func readPatterns(key string, value []byte) (patterns, error) {
	spans, err := jsonscan.Document(string(value))
	if err != nil {
		return nil, problem(key, "is not an object: %v", err)
	}
	if len(spans) > maxPatterns {
		return nil, problem(key, "%d patterns, at most %d are read", len(spans), maxPatterns)
	}
	var out patterns
	for _, s := range spans {
		p := pattern{text: s.Key, plain: regexp.QuoteMeta(strings.ReplaceAll(s.Key, ".", "")) == strings.ReplaceAll(s.Key, ".", "")}
		if err := decode(key+"."+s.Key, value[s.Begin:s.End], &p.value); err != nil {
			return nil, err
		}
		if !p.plain {
			if len(s.Key) > 1024 {
				return nil, problem(key, "a pattern of %d bytes", len(s.Key))
			}
			if p.match, err = regexp.Compile(`^(?:.*\.)?(?:` + s.Key + `)$`); err != nil {
				return nil, problem(key, "pattern %.80q: %v", s.Key, err)
			}
		}
		out = append(out, p)
	}
	return out, nil
}

// find returns the value of the first pattern that matches the end of a module's
// name, from a dot on.
func (p patterns) find(module string) (float64, bool) {
	for _, x := range p {
		if x.match != nil && x.match.MatchString(module) || x.plain && (module == x.text || strings.HasSuffix(module, "."+x.text)) {
			return x.value, true
		}
	}
	return 0, false
}

func empty(value []byte) bool {
	switch strings.Join(strings.Fields(string(value)), "") {
	case "null", "false", "{}", "[]", `""`:
		return true
	}
	return false
}

func decode(key string, value []byte, into any) error {
	if err := json.Unmarshal(value, into); err != nil {
		return problem(key, "has the wrong type: %.60s", value)
	}
	return nil
}

func problem(field, format string, args ...any) error {
	return &mergesearch.InputError{Field: field, Problem: fmt.Sprintf(format, args...)}
}
