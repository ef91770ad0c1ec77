package port

import (
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"mergesearch"
	"mergesearch/eval/python"
)

// ifeval: IFEval (Zhou et al. 2023, arXiv:2311.07911), tasks ifeval and
// leaderboard_ifeval. A prompt holds instructions that a program can check. The strict
// metrics take the response as it is; the loose ones are content if one of eight
// variants follows: with or without its first line, its last line and its asterisks.
// Prompt level counts a prompt if all its instructions are followed, instruction level
// counts each.
//
// Twenty of the twenty-five instructions are exact. The others need a language detector
// (which draws at random in the original) or the Punkt tokenizer's trained model, and are
// refused by name; utils.decidable_docs, which the harness does not have, keeps the
// documents without them. Arguments that a document does not give are drawn at random
// by the original, and are refused too.
var ifeval = family{
	name:  "ifeval",
	tasks: named("ifeval|leaderboard_ifeval"),
	functions: []Function{
		{Name: "utils.process_results", Results: scored(ifevalScore)},
		{Name: "utils.agg_inst_level_acc", Aggregation: meanOfParts},
		{Name: "utils.decidable_docs", Docs: filtered(func(r *row) bool {
			_, err := instructions(r)
			return err == nil
		})},
	},
}

// meanOfParts is the mean of the values of all marks.
func meanOfParts(marks []Mark) float64 {
	sum, n := 0.0, 0
	for _, m := range marks {
		for _, v := range m.Values {
			sum += v
			n++
		}
	}
	if n == 0 {
		return math.NaN()
	}
	return sum / float64(n)
}

func ifevalScore(r *row, a Answers) map[string]Mark {
	checks, err := instructions(r)
	if err != nil {
		r.err = err
		return nil
	}
	response := r.generated(a)
	marks := map[string]Mark{}
	for _, metric := range []struct {
		name     string
		variants []string
	}{{"strict", []string{response}}, {"loose", loosened(response)}} {
		all, parts := 1.0, Mark{Values: make([]float64, len(checks))}
		for i, c := range checks {
			ok, err := c.anyFollows(metric.variants)
			if err != nil {
				r.fail("instruction_id_list", "%s: %v", c.id, err)
				return nil
			}
			if ok {
				parts.Values[i] = 1
				parts.Value++
			} else {
				all = 0
			}
		}
		parts.Value /= float64(max(1, len(checks)))
		marks["prompt_level_"+metric.name+"_acc"] = Mark{Value: all}
		marks["inst_level_"+metric.name+"_acc"] = parts
	}
	return marks
}

// loosened returns the variants of a response, itself first.
func loosened(response string) []string {
	lines := strings.Split(response, "\n")
	n := len(lines)
	join := func(lines []string) string { return python.Strip(strings.Join(lines, "\n")) }
	out := []string{response, "", join(lines[1:]), join(lines[:n-1]), join(lines[1:max(1, n-1)])}
	out[1] = strings.ReplaceAll(response, "*", "")
	for _, variant := range out[2:5] {
		out = append(out, strings.ReplaceAll(variant, "*", ""))
	}
	return out
}

// check is one instruction of a document, with its arguments.
type check struct {
	id      string
	follows func(response string) (bool, error)
}

// anyFollows reports whether a response that is not blank follows the instruction.
func (c check) anyFollows(responses []string) (bool, error) {
	for _, response := range responses {
		if python.Strip(response) == "" {
			continue
		}
		if ok, err := c.follows(response); ok || err != nil {
			return ok, err
		}
	}
	return false, nil
}

// instructions returns the checks of a document.
func instructions(r *row) ([]check, error) {
	ids, given := r.texts("instruction_id_list"), r.list("kwargs")
	if r.err == nil && len(given) < len(ids) {
		r.fail("kwargs", "%d entries for %d instructions", len(given), len(ids))
	}
	if r.err != nil {
		return nil, r.err
	}
	checks := make([]check, len(ids))
	for i, id := range ids {
		arguments, ok := given[i].(map[string]any)
		if !ok {
			r.fail("kwargs", "holds %s, want mappings", kind(given[i]))
			return nil, r.err
		}
		follows, err := instruction(id, arguments)
		if err != nil {
			return nil, &mergesearch.InputError{
				Field: "instruction_id_list", Problem: id + ": " + err.Error(),
				Hint: "process_docs: !function utils.decidable_docs leaves such documents out",
			}
		}
		checks[i] = check{id, follows}
	}
	return checks, nil
}

// undecidable are the instructions that are refused, and what each would need.
var undecidable = map[string]string{
	"language:response_language":          "needs to tell the language of a text",
	"change_case:english_capital":         "needs to tell the language of a text",
	"change_case:english_lowercase":       "needs to tell the language of a text",
	"length_constraints:number_sentences": "needs a sentence tokenizer with a trained model",
	"change_case:capital_word_frequency":  "needs a sentence tokenizer with a trained model",
}

// instruction returns the check of an instruction. Empty, zero and null arguments count
// as not given.
func instruction(id string, given map[string]any) (func(string) (bool, error), error) {
	if why, ok := undecidable[id]; ok {
		return nil, fmt.Errorf("%s, which is not built in", why)
	}
	build, ok := checkers[id]
	if !ok {
		known := slices.Sorted(maps.Keys(checkers))
		return nil, mergesearch.UnknownWord("instruction", id, known)
	}
	o := &options{given: given, asked: map[string]bool{}}
	follows := build(o)
	for name, v := range given {
		if !o.asked[name] && truthy(v) {
			return nil, fmt.Errorf("has no argument %q", name)
		}
	}
	return follows, o.err
}

// truthy is Python's truth of a value.
func truthy(v any) bool {
	switch v := v.(type) {
	case nil:
		return false
	case bool:
		return v
	case int64:
		return v != 0
	case float64:
		return v != 0
	case string:
		return v != ""
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// options reads the arguments of one instruction. The first thing that is wrong is
// kept.
type options struct {
	given map[string]any
	asked map[string]bool
	err   error
}

func (o *options) fail(format string, args ...any) {
	if o.err == nil {
		o.err = fmt.Errorf(format, args...)
	}
}

// argument returns an argument that must be given.
func (o *options) argument(name string) any {
	o.asked[name] = true
	v := o.given[name]
	if !truthy(v) {
		o.fail("argument %s is not given, and would be drawn at random", name)
	}
	return v
}

func (o *options) number(name string) float64 {
	switch v := o.argument(name).(type) {
	case int64:
		return o.notNegative(name, float64(v))
	case float64:
		return o.notNegative(name, v)
	default:
		o.fail("argument %s is %s, want a number", name, kind(v))
		return 0
	}
}

func (o *options) notNegative(name string, x float64) float64 {
	if x < 0 {
		o.fail("argument %s is %v, and would be drawn at random", name, x)
	}
	return x
}

func (o *options) text(name string) string {
	v := o.argument(name)
	s, ok := v.(string)
	if !ok {
		o.fail("argument %s is %s, want text", name, kind(v))
	}
	return s
}

// texts returns the texts of a list, sorted by code point as Python sorts.
func (o *options) texts(name string) []string {
	v := o.argument(name)
	list, ok := v.([]any)
	if !ok {
		o.fail("argument %s is %s, want a list", name, kind(v))
	}
	var out []string
	for _, v := range list {
		s, ok := v.(string)
		if !ok {
			o.fail("argument %s holds %s, want texts", name, kind(v))
		}
		out = append(out, s)
	}
	slices.Sort(out)
	return out
}

// relation returns how a count is compared with a limit.
func (o *options) relation(name string) func(count, limit float64) bool {
	switch relation := o.text(name); relation {
	case "less than":
		return func(count, limit float64) bool { return count < limit }
	case "at least":
		return func(count, limit float64) bool { return count >= limit }
	default:
		o.fail("argument %s is %q, want \"less than\" or \"at least\"", name, relation)
		return nil
	}
}

// regex compiles a pattern that holds an argument.
func (o *options) regex(pattern string) *python.Regex {
	if o.err != nil {
		return nil
	}
	r, err := python.Compile(pattern)
	if err != nil {
		o.fail("no regular expression: %v", err)
	}
	return r
}
