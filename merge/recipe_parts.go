package merge

import (
	"fmt"
	"strconv"

	"github.com/goccy/go-yaml/ast"

	"mergesearch"
)

// slices reads runs of output layers.
func (p *recipeParser) slices(n ast.Node, field string) []mergesearch.Slice {
	var out []mergesearch.Slice
	for i, item := range p.list(n, field, maxSlices) {
		out = append(out, p.slice(item, fmt.Sprintf("%s[%d]", field, i)))
	}
	return out
}

func (p *recipeParser) slice(n ast.Node, field string) mergesearch.Slice {
	var s mergesearch.Slice
	p.at[field] = n
	for _, e := range p.mapping(n, field, []string{"sources", "base_model", "parameters", "residual_weight"}) {
		switch {
		case e.value == nil:
		case e.key == "sources":
			for i, item := range p.list(e.value, field+".sources", maxInputs) {
				s.Sources = append(s.Sources, p.source(item, fmt.Sprintf("%s.sources[%d]", field, i)))
			}
		case e.key == "base_model":
			s.Base = p.model(e.value, field+".base_model")
		case e.key == "parameters":
			s.Parameters = p.parameters(e.value, field+".parameters")
		default:
			p.refuse(e.at, field+".residual_weight", "mergekit takes this key and does nothing with it", "remove it: the merge is the same without")
		}
	}
	return s
}

func (p *recipeParser) source(n ast.Node, field string) mergesearch.Source {
	p.at[field] = n
	entries := p.mapping(n, field, []string{"model", "layer_range", "parameters"})
	s := mergesearch.Source{Input: p.input(entries, field)}
	given := false
	for _, e := range entries {
		if e.key == "layer_range" && e.value != nil {
			given = true
			s.First, s.End = p.layerRange(e.value, field+".layer_range")
		}
	}
	if !given {
		p.refuse(n, field+".layer_range", "missing", "layer_range: [0, 8] takes the layers 0 to 7")
	}
	return s
}

// layerRange reads the first layer and the one after the last.
func (p *recipeParser) layerRange(n ast.Node, field string) (first, end int) {
	l, ok := n.(*ast.SequenceNode)
	if !ok || len(l.Values) != 2 {
		p.refuse(n, field, "want a list of two layers", "layer_range: [0, 8] takes the layers 0 to 7")
		return 0, 0
	}
	return p.whole(l.Values[0], field, 0, maxLayers), p.whole(l.Values[1], field, 0, maxLayers)
}

// modules reads the parts of a model of several, by name.
func (p *recipeParser) modules(n ast.Node, field string) []mergesearch.Module {
	var out []mergesearch.Module
	entries := p.mapping(n, field, nil)
	if len(entries) > maxModules {
		p.refuse(n, field, fmt.Sprintf("%d modules, the limit is %d", len(entries), maxModules), "")
		return nil
	}
	for _, e := range entries {
		m := mergesearch.Module{Name: e.key}
		field := join(field, e.key)
		if e.value == nil {
			p.refuse(e.at, field, "an empty module", "it needs models or slices")
			continue
		}
		for _, e := range p.mapping(e.value, field, []string{"models", "slices", "parameters"}) {
			switch {
			case e.value == nil:
			case e.key == "models":
				m.Models = p.models(e.value, field+".models")
			case e.key == "slices":
				m.Slices = p.slices(e.value, field+".slices")
			default:
				m.Parameters = p.parameters(e.value, field+".parameters")
			}
		}
		out = append(out, m)
	}
	return out
}

// tokenizer reads tokenizer_source, or tokenizer with all that it can say.
func (p *recipeParser) tokenizer(e entry) *mergesearch.Tokenizer {
	if e.key == "tokenizer_source" {
		return &mergesearch.Tokenizer{Source: p.model(e.value, e.key)}
	}
	t := &mergesearch.Tokenizer{Source: "union"}
	for _, e := range p.mapping(e.value, "tokenizer", []string{"source", "tokens", "pad_to_multiple_of"}) {
		switch {
		case e.value == nil:
		case e.key == "source":
			t.Source = p.model(e.value, "tokenizer.source")
		case e.key == "tokens":
			t.Tokens = p.tokens(e.value)
		default:
			t.PadToMultipleOf = p.whole(e.value, "tokenizer.pad_to_multiple_of", 1, maxPadding)
		}
	}
	return t
}

// tokenField is how errors name a token, which may hold anything.
func tokenField(token string) string { return "tokenizer.tokens." + strconv.Quote(token) }

func (p *recipeParser) tokens(n ast.Node) []mergesearch.TokenRule {
	pairs := p.pairs(n, "tokenizer.tokens")
	if len(pairs) > maxTokens {
		p.refuse(n, "tokenizer.tokens", fmt.Sprintf("%d tokens, the limit is %d", len(pairs), maxTokens), "")
		return nil
	}
	var out []mergesearch.TokenRule
	for _, pair := range pairs {
		token, ok := p.str(pair.Key, "tokenizer.tokens", maxKeyBytes, printableLines)
		if !ok {
			return nil
		}
		field := tokenField(token)
		if _, twice := p.at[field]; twice {
			p.refuse(pair.Key, field, "token comes twice", "")
		}
		p.at[field] = pair.Key
		out = append(out, p.tokenRule(token, value(pair.Value), field))
	}
	return out
}

func (p *recipeParser) tokenRule(token string, n ast.Node, field string) mergesearch.TokenRule {
	r := mergesearch.TokenRule{Token: token}
	if n == nil {
		p.refuse(p.at[field], field, "says nothing of the token", "write {} for a token that is only to be in the vocabulary")
		return r
	}
	for _, e := range p.mapping(n, field, []string{"source", "force"}) {
		switch {
		case e.value == nil:
		case e.key == "source":
			r.Source = p.tokenSource(e.value, field+".source")
		default:
			r.Force = p.flag(e.value, field+".force")
		}
	}
	return r
}

// tokenSource reads a model, or a mapping of some kind.
func (p *recipeParser) tokenSource(n ast.Node, field string) mergesearch.TokenSource {
	if !isMapping(n) || !p.hasKind(n) {
		return mergesearch.TokenSource{Model: p.model(n, field)}
	}
	var s mergesearch.TokenSource
	var kind string
	given := 0
	entries := p.mapping(n, field, []string{"kind", "model", "token", "token_id"})
	for _, e := range entries {
		switch {
		case e.value == nil:
			continue
		case e.key == "kind":
			kind, _ = p.text(e.value, field+".kind")
			continue
		case e.key == "model":
			s.Model = p.model(e.value, field+".model")
		case e.key == "token":
			s.Token, _ = p.str(e.value, field+".token", maxKeyBytes, printableLines)
		default:
			id := p.whole(e.value, field+".token_id", 0, maxTokenID)
			s.ID = &id
		}
		given++
	}
	switch kind {
	case "zero":
		s.Zero = true
		if given > 0 {
			p.refuse(n, field, "a zero embedding has neither model nor token", "")
		}
	case "model_token":
		if s.Model == "" || (s.Token == "") == (s.ID == nil) {
			p.refuse(n, field, "want model, and one of token and token_id", "")
		}
	default:
		e := mergesearch.UnknownWord("kind", kind, []string{"model_token", "zero"})
		p.refuse(n, field+".kind", fmt.Sprintf("unknown kind %q", kind), e.Hint)
	}
	return s
}

// hasKind tells a mapping of some kind from one that is a reference to a model.
func (p *recipeParser) hasKind(n ast.Node) bool {
	for _, pair := range p.pairs(n, "") {
		if k, ok := ast.Node(pair.Key).(*ast.StringNode); ok && k.Value == "kind" {
			return true
		}
	}
	return false
}
