package merge

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"

	"mergesearch"
)

// The keys of a recipe and of the block for what mergekit has no word for.
var (
	recipeKeys = []string{
		"name", "merge_method", "base_model", "models", "slices", "modules", "parameters", "dtype", "out_dtype",
		"tokenizer_source", "tokenizer", "chat_template", "mergesearch", "compat",
	}
	ownKeys = []string{"seed", "compat"}
)

// ParseRecipe reads mergekit's YAML: one recipe, or several documents that name
// each other's results, of which the last to be built becomes the recipe and the
// others its stages. Anchors, aliases and << are those of YAML 1.1. Unknown keys,
// parameters and methods are refused with line, column and the nearest known word,
// and tags are too. Errors are *mergesearch.InputError without a file.
func ParseRecipe(text []byte) (mergesearch.Recipe, error) {
	documents, err := parseDocuments(text)
	if err != nil {
		return mergesearch.Recipe{}, err
	}
	var parsed []namedRecipe
	for _, d := range documents {
		p := &recipeParser{root: d.root, before: d.before, at: map[string]ast.Node{}}
		n := p.document(d.root)
		if p.err != nil {
			return mergesearch.Recipe{}, p.err
		}
		if _, err := checkDocument(n.recipe); err != nil {
			return mergesearch.Recipe{}, p.locate(err)
		}
		parsed = append(parsed, n)
	}
	r, err := assembleStages(parsed)
	if err != nil {
		return mergesearch.Recipe{}, err
	}
	return r, nil
}

// document reads the recipe of one document.
func (p *recipeParser) document(n ast.Node) namedRecipe {
	out := namedRecipe{parser: p, at: n}
	r := &out.recipe
	for _, e := range p.mapping(n, "", recipeKeys) {
		if e.value == nil {
			continue
		}
		switch e.key {
		case "name":
			out.name, out.at = p.stageName(e), e.at
		case "merge_method":
			r.Method, _ = p.text(e.value, e.key)
		case "base_model":
			r.Base = p.model(e.value, e.key)
		case "models":
			r.Models = p.models(e.value, e.key)
		case "slices":
			r.Slices = p.slices(e.value, e.key)
		case "modules":
			r.Modules = p.modules(e.value, e.key)
		case "parameters":
			r.Parameters = p.parameters(e.value, e.key)
		case "dtype":
			r.DType = p.dtype(e)
		case "out_dtype":
			r.OutDType = p.dtype(e)
		case "tokenizer_source", "tokenizer":
			if r.Tokenizer != nil {
				p.refuse(e.at, e.key, "stands beside the other of tokenizer and tokenizer_source", "tokenizer_source: X is short for tokenizer: {source: X}")
			}
			r.Tokenizer = p.tokenizer(e)
		case "chat_template":
			r.ChatTemplate, _ = p.str(e.value, e.key, maxRecipeBytes, printableLines)
		case "compat":
			p.compat(e, e.key, r)
		case "mergesearch":
			p.own(e.value, r)
		}
	}
	return out
}

// own reads the block for what mergekit has no word for.
func (p *recipeParser) own(n ast.Node, r *mergesearch.Recipe) {
	for _, e := range p.mapping(n, "mergesearch", ownKeys) {
		switch {
		case e.key == "seed":
			r.Seed = p.seed(e, "mergesearch.seed")
		case e.value != nil:
			p.compat(e, "mergesearch.compat", r)
		}
	}
}

// compat reads whose numbers are wanted. The key may stand at the top and in the
// block.
func (p *recipeParser) compat(e entry, field string, r *mergesearch.Recipe) {
	s, ok := p.text(e.value, field)
	if err := checkCompat(s); ok && (err != nil || s == "") {
		p.refuse(e.value, field, fmt.Sprintf("%q, but mergekit is all that can be asked for", s), "leave it out for the corrected arithmetic")
	}
	r.Compat = s
}

// dtype reads the name of a type, which mergekit takes with and without torch's
// prefix.
func (p *recipeParser) dtype(e entry) string {
	s, _ := p.text(e.value, e.key)
	return strings.TrimPrefix(s, "torch.")
}

// model reads a reference to a model: its text, or a mapping of its parts.
func (p *recipeParser) model(n ast.Node, field string) string {
	if !isMapping(n) {
		s, ok := p.text(n, field)
		if _, err := ParseModelRef(s); ok && err != nil {
			p.refuseAs(n, field, err)
		}
		return s
	}
	var r ModelRef
	for _, e := range p.mapping(n, field, []string{"model", "lora", "override_architecture"}) {
		switch {
		case e.value == nil:
		case e.key == "model":
			r.Path, r.Revision = p.modelPath(e.value, field+".model")
		case e.key == "lora":
			r.Adapter, r.AdapterRevision = p.modelPath(e.value, field+".lora")
		default:
			p.refuse(e.at, field+"."+e.key, "an architecture cannot be put in place of the model's own", "set architectures in the model's config.json")
		}
	}
	if r.Path == "" {
		p.refuse(n, field, "a model without a path", "")
	}
	return r.String()
}

// modelPath reads a path and its revision, which may be in one string.
func (p *recipeParser) modelPath(n ast.Node, field string) (path, revision string) {
	if !isMapping(n) {
		s, ok := p.text(n, field)
		r, err := ParseModelRef(s)
		switch {
		case ok && err != nil:
			p.refuseAs(n, field, err)
		case r.Adapter != "":
			p.refuse(n, field, fmt.Sprintf(`%q has a "+"`, s), "the adapter stands under lora")
		}
		return r.Path, r.Revision
	}
	for _, e := range p.mapping(n, field, []string{"path", "revision"}) {
		if e.value == nil {
			continue
		}
		s, ok := p.text(e.value, field+"."+e.key)
		if ok && (s == "" || strings.ContainsAny(s, "@+")) {
			p.refuse(e.value, field+"."+e.key, fmt.Sprintf(`%q is empty, or has "@" or "+"`, s), "name a link to it that has neither")
		}
		if e.key == "path" {
			path = s
		} else {
			revision = s
		}
	}
	if path == "" {
		p.refuse(n, field, "a model without a path", "")
	}
	return path, revision
}

// models reads whole models.
func (p *recipeParser) models(n ast.Node, field string) []mergesearch.Input {
	var out []mergesearch.Input
	for i, item := range p.list(n, field, maxInputs) {
		field := fmt.Sprintf("%s[%d]", field, i)
		p.at[field] = item
		out = append(out, p.input(p.mapping(item, field, []string{"model", "parameters"}), field))
	}
	return out
}

// input reads a model and its parameters from the entries of a mapping.
func (p *recipeParser) input(entries []entry, field string) mergesearch.Input {
	var in mergesearch.Input
	for _, e := range entries {
		switch {
		case e.value == nil:
		case e.key == "model":
			in.Model = p.model(e.value, field+".model")
		case e.key == "parameters":
			in.Parameters = p.parameters(e.value, field+".parameters")
		}
	}
	return in
}
