package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"mergesearch"
	"mergesearch/eval/metric"
	"mergesearch/eval/port"
	"mergesearch/eval/python"
)

// plainPipeline is the harness's name for the pipeline of a task without filters.
const plainPipeline = "none"

// pipeline is a named list of steps between answers and metrics. Every metric is
// computed once for each pipeline of its task.
type pipeline struct {
	name  string
	steps []filterStep
	at    entry
}

// filterStep changes the answers to one question.
type filterStep struct {
	name  string
	apply func(q *question, a filtered) (filtered, error)
	needs int // answers to a question

	ported    function       // instead of apply, until it is resolved
	arguments map[string]any // of ported
}

// filtered is what is left of the answers to a question: a list, or one text.
type filtered struct {
	texts []string
	one   bool
}

// run applies the steps.
func (p *pipeline) run(q *question, texts []string) (filtered, error) {
	a := filtered{texts: texts}
	for _, s := range p.steps {
		var err error
		if a, err = s.apply(q, a); err != nil {
			return a, fmt.Errorf("filter %s: %w", s.name, err)
		}
	}
	return a, nil
}

// plain reports whether the pipeline only takes the first answer.
func (p *pipeline) plain() bool {
	return !slices.ContainsFunc(p.steps, func(s filterStep) bool { return s.name != takeFirst.name })
}

func (p *pipeline) needs() int {
	n := 1
	for _, s := range p.steps {
		n = max(n, s.needs)
	}
	return n
}

// each is a step that changes every answer by itself.
func each(name string, f func(q *question, text string) (string, error)) filterStep {
	return filterStep{name: name, apply: func(q *question, a filtered) (filtered, error) {
		out := filtered{texts: make([]string, len(a.texts)), one: a.one}
		for i, text := range a.texts {
			var err error
			if out.texts[i], err = f(q, text); err != nil {
				return out, err
			}
		}
		return out, nil
	}}
}

func eachText(name string, f func(string) string) filterStep {
	return each(name, func(_ *question, text string) (string, error) { return f(text), nil })
}

var takeFirst = filterStep{name: "take_first", apply: func(_ *question, a filtered) (filtered, error) {
	return filtered{a.texts[:1], true}, nil
}}

// majority keeps the most frequent answer, the one seen first among equals.
var majority = filterStep{name: "majority_vote", apply: func(_ *question, a filtered) (filtered, error) {
	return filtered{texts: []string{metric.MajorityVote(a.texts)}}, nil
}}

// readFilters takes filter_list.
func (c *config) readFilters(e entry) error {
	list, err := e.sequence()
	if err != nil {
		return err
	}
	for _, item := range list {
		p := pipeline{at: item}
		parts, err := item.mapping()
		if err != nil {
			return err
		}
		for _, part := range parts {
			switch part.key {
			case "name":
				p.name, err = part.text()
			case "filter":
				p.steps, err = readSteps(part)
			default:
				err = part.refuseKey("unknown key", mergesearch.UnknownWord("key", part.key, []string{"name", "filter"}).Hint)
			}
			if err != nil {
				return err
			}
		}
		twice := slices.ContainsFunc(c.pipelines, func(o pipeline) bool { return o.name == p.name })
		switch {
		case p.name == "" || strings.ContainsAny(p.name, ",\n"):
			return item.refuse("a pipeline needs a name without commas", "")
		case twice:
			return item.refuse(fmt.Sprintf("two pipelines are named %q", p.name), "")
		case len(p.steps) == 0:
			return item.refuse("the pipeline has no filter", "write filter: [{function: take_first}]")
		}
		c.pipelines = append(c.pipelines, p)
	}
	return nil
}

func readSteps(e entry) ([]filterStep, error) {
	list, err := e.sequence()
	if err != nil {
		return nil, err
	}
	var steps []filterStep
	for _, item := range list {
		step, err := readStep(item)
		if err != nil {
			return nil, err
		}
		steps = append(steps, step)
	}
	return steps, nil
}

// filterMakers make the steps by the harness's names, from the options beside
// function.
var filterMakers = map[string]func(*filterOptions) (filterStep, error){
	"take_first":         func(*filterOptions) (filterStep, error) { return takeFirst, nil },
	"majority_vote":      func(*filterOptions) (filterStep, error) { return majority, nil },
	"remove_whitespace":  func(*filterOptions) (filterStep, error) { return eachText("remove_whitespace", python.Strip), nil },
	"lowercase":          func(*filterOptions) (filterStep, error) { return eachText("lowercase", python.Lower), nil },
	"uppercase":          func(*filterOptions) (filterStep, error) { return eachText("uppercase", python.Upper), nil },
	"take_first_k":       takeFirstK,
	"map":                mapFilter,
	"regex":              regexFilter,
	"multi_choice_regex": multiChoiceRegex,
}

func readStep(item entry) (filterStep, error) {
	parts, err := item.mapping()
	if err != nil {
		return filterStep{}, err
	}
	o := filterOptions{at: item, options: map[string]entry{}}
	var names []string
	for name := range filterMakers {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, p := range parts {
		if p.key != "function" {
			o.options[p.key] = p
			continue
		}
		if _, ok := p.function(); ok {
			return portedStep(p, parts)
		}
		if o.name, err = p.oneOf("filter", names...); err != nil {
			return filterStep{}, err
		}
	}
	if o.name == "" {
		return filterStep{}, item.refuse("the key function: is missing", "name a filter: "+strings.Join(names, ", "))
	}
	step, err := filterMakers[o.name](&o)
	if err == nil {
		for _, e := range o.options {
			return step, e.refuseKey("the filter "+o.name+" has no such option", "")
		}
	}
	return step, err
}

// portedStep is a step whose function is Python's.
func portedStep(at entry, parts []entry) (filterStep, error) {
	s := filterStep{ported: function{at: at}, arguments: map[string]any{}}
	for _, p := range parts {
		if p.key == at.key {
			continue
		}
		v, err := p.argument()
		if err != nil {
			return s, err
		}
		s.arguments[p.key] = v
	}
	return s, nil
}

// argument reads a value for a ported function, which wants mappings in their
// order.
func (e entry) argument() (any, error) {
	if _, ok := e.value.(*ast.MappingNode); !ok {
		return e.any()
	}
	parts, err := e.mapping()
	if err != nil {
		return nil, err
	}
	var out []port.Pair
	for _, p := range parts {
		v, err := p.any()
		if err != nil {
			return nil, err
		}
		out = append(out, port.Pair{Key: p.key, Value: v})
	}
	return out, nil
}

// resolve finds the port of the step's function.
func (s *filterStep) resolve(c *config) error {
	if !s.ported.given() {
		return nil
	}
	if err := s.ported.resolve(c); err != nil {
		return err
	}
	p := s.ported.port
	if p.Filter == nil {
		return s.ported.at.refuse(p.Name+" is no filter", "")
	}
	run, err := p.Filter(s.arguments)
	if err != nil {
		return s.ported.at.refuse(p.Name+": "+err.Error(), "")
	}
	s.name = p.Name
	s.apply = func(q *question, a filtered) (filtered, error) {
		texts, err := run(plainFields(q.fields), a.texts)
		return filtered{texts, a.one}, err
	}
	return nil
}

// filterOptions are what stands beside function: in a step. Reading an option
// takes it out.
type filterOptions struct {
	at      entry
	name    string
	options map[string]entry
}

func (o *filterOptions) take(key string) (entry, bool) {
	e, ok := o.options[key]
	delete(o.options, key)
	return e, ok && !isNull(e)
}

func takeFirstK(o *filterOptions) (filterStep, error) {
	e, ok := o.take("k")
	if !ok {
		return filterStep{}, o.at.refuse("take_first_k needs k", "")
	}
	k, err := e.integer(1)
	return filterStep{name: o.name, needs: k, apply: func(_ *question, a filtered) (filtered, error) {
		return filtered{texts: a.texts[:min(k, len(a.texts))]}, nil
	}}, err
}

func mapFilter(o *filterOptions) (filterStep, error) {
	words := map[string]string{}
	if e, ok := o.take("mapping_dict"); ok {
		parts, err := e.mapping()
		if err != nil {
			return filterStep{}, err
		}
		for _, p := range parts {
			if words[p.key], err = p.printed(); err != nil {
				return filterStep{}, err
			}
		}
	}
	other := "None"
	if e, ok := o.take("default_value"); ok {
		var err error
		if other, err = e.printed(); err != nil {
			return filterStep{}, err
		}
	}
	return eachText(o.name, func(text string) string {
		if to, ok := words[text]; ok {
			return to
		}
		return other
	}), nil
}

// extraction finds a part of an answer by a regular expression, as re.findall
// does.
type extraction struct {
	pattern  *python.Regex
	group    int // which match; negative counts from the end
	fallback string
}

const answerPattern = `#### (\-?[0-9\.\,]+)` // the harness's default

func readExtraction(o *filterOptions) (x extraction, err error) {
	x.fallback = "[invalid]"
	pattern, at := answerPattern, o.at
	if e, ok := o.take("regex_pattern"); ok {
		at = e
		if pattern, err = e.text(); err != nil {
			return x, err
		}
	}
	if x.pattern, err = python.Compile(pattern); err != nil {
		return x, at.refuse("not a regular expression of Python: "+err.Error(), "")
	}
	if e, ok := o.take("group_select"); ok {
		if x.group, err = e.signed(); err != nil {
			return x, err
		}
	}
	if e, ok := o.take("fallback"); ok {
		x.fallback, err = e.text()
	}
	return x, err
}

// find returns the part of the text: of the chosen match the first group that is
// not empty. found is false where nothing matches; a match whose groups are all
// empty is found and empty.
func (x *extraction) find(pattern *python.Regex, text string) (part string, found bool, err error) {
	all, err := pattern.FindAll(text)
	if err != nil {
		return "", false, err
	}
	at := x.group
	if at < 0 {
		at += len(all)
	}
	if at < 0 || at >= len(all) {
		return "", false, nil
	}
	for _, group := range all[at] {
		if group != "" {
			return python.Strip(group), true, nil
		}
	}
	return "", true, nil
}

func regexFilter(o *filterOptions) (filterStep, error) {
	x, err := readExtraction(o)
	return each(o.name, func(_ *question, text string) (string, error) {
		part, found, err := x.find(x.pattern, text)
		if !found || part == "" && x.pattern.Groups() > 1 {
			part = x.fallback
		}
		return part, err
	}), err
}
