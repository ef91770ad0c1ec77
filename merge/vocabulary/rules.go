package vocabulary

import (
	"fmt"

	"mergesearch"
)

// resolve finds models and rows of the rules for single tokens.
func (a *Alignment) resolve(rules []mergesearch.TokenRule) error {
	a.rules = map[int32]rule{}
	ids := make(map[string]int32, len(rules))
	for _, r := range rules {
		ids[r.Token] = -1
	}
	for i, text := range a.tokens {
		if _, ok := ids[text]; ok {
			ids[text] = int32(i)
		}
	}
	for _, r := range rules {
		id := ids[r.Token]
		if _, twice := a.rules[id]; twice {
			return ruleError(r, "two rules for one token", "join them")
		}
		found, err := a.rule(r, id)
		if err != nil {
			return err
		}
		a.rules[id] = found
	}
	return nil
}

func ruleError(r mergesearch.TokenRule, problem, hint string) error {
	return &mergesearch.InputError{Field: fmt.Sprintf("tokenizer.tokens.%q", shown(r.Token)), Problem: problem, Hint: hint}
}

func (a *Alignment) rule(r mergesearch.TokenRule, id int32) (rule, error) {
	out := rule{model: -1, force: r.Force}
	s := r.Source
	switch {
	case s.Zero && s.Model == "":
		out.zero = true
		return out, nil
	case s.Zero || s.Token != "" && s.ID != nil || s.Model == "" && (s.Token != "" || s.ID != nil):
		return out, ruleError(r, "the source is not clear", "give kind: zero, a model, or a model with token or token_id")
	case s.Model == "":
		for _, own := range a.own {
			if own[id] >= 0 {
				return out, nil
			}
		}
		return out, ruleError(r, "no model has this token and no source is named", "name a source, or kind: zero for zeros")
	}
	if out.model = a.index(s.Model); out.model < 0 {
		var names []string
		for _, v := range a.models {
			names = append(names, v.model.Name)
		}
		return out, unknownModel(fmt.Sprintf("tokenizer.tokens.%q.source", shown(r.Token)), s.Model, names)
	}
	v := a.models[out.model]
	switch {
	case s.ID != nil:
		if *s.ID < 0 || *s.ID >= v.model.Rows {
			return out, ruleError(r, fmt.Sprintf("token_id %d, but %s has %d rows", *s.ID, v.model.Name, v.model.Rows), "rows are counted from 0")
		}
		out.row = int32(*s.ID)
		return out, nil
	case s.Token != "":
		out.row = v.id(s.Token)
	default:
		out.row = a.own[out.model][id]
	}
	if out.row < 0 {
		name := s.Token
		if name == "" {
			name = r.Token
		}
		return out, ruleError(r, fmt.Sprintf("%s has no row for token %q", v.model.Name, shown(name)),
			"name a model that has it, or a token of this one with kind: model_token")
	}
	return out, nil
}
