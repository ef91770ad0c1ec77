package merge

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"mergesearch"
)

// Limits of a recipe's text.
const (
	maxRecipeBytes = 1 << 20
	maxRecipeDepth = 64
)

// The keys of a recipe; laterKeys are mergekit's that this engine does not have.
var (
	recipeKeys = []string{"merge_method", "base_model", "models", "parameters", "dtype", "out_dtype", "mergesearch"}
	laterKeys  = []string{"slices", "modules", "tokenizer_source", "tokenizer", "chat_template", "name"}
)

// ParseRecipe reads mergekit's YAML. Unknown keys, parameters and methods are
// refused with line, column and the nearest known word; so are anchors, aliases
// and tags. Errors are *mergesearch.InputError without a file.
func ParseRecipe(text []byte) (r mergesearch.Recipe, err error) {
	root, err := parseYAML(text)
	if err != nil {
		return mergesearch.Recipe{}, err
	}
	p := recipeParser{at: map[string]ast.Node{}}
	p.document(root, &r)
	if p.err != nil {
		return mergesearch.Recipe{}, p.err
	}
	if _, err := checkRecipe(r); err != nil {
		return mergesearch.Recipe{}, p.locate(err)
	}
	return r, nil
}

// parseYAML returns the one document of a text.
func parseYAML(text []byte) (root ast.Node, err error) {
	if len(text) > maxRecipeBytes {
		return nil, tooLong(int64(len(text)))
	}
	if !utf8.Valid(text) {
		return nil, &mergesearch.InputError{Problem: "not valid UTF-8"}
	}
	if line := tooDeep(string(text)); line > 0 {
		return nil, &mergesearch.InputError{Line: line, Problem: fmt.Sprintf("nested deeper than %d", maxRecipeDepth)}
	}
	// The parser is third-party code that reads hostile text.
	defer func() {
		if v := recover(); v != nil {
			root, err = nil, &mergesearch.InputError{Problem: fmt.Sprintf("not readable as YAML: %v", v)}
		}
	}()
	file, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, syntaxError(err)
	}
	for _, d := range file.Docs {
		if d.Body == nil {
			continue
		}
		if root != nil {
			return nil, inputError(d.Body, "", "a second document", "one file holds one recipe")
		}
		root = d.Body
	}
	if root == nil {
		return nil, &mergesearch.InputError{Problem: "empty recipe", Hint: "it needs merge_method and models at least"}
	}
	return root, nil
}

// tooDeep returns the first line whose nesting could exhaust the parser's stack,
// or 0. It counts brackets wherever they stand, and the dashes a line begins with.
func tooDeep(text string) int {
	depth, line := 0, 0
	for l := range strings.Lines(text) {
		line++
		dashes := 0
		for _, c := range l {
			if c != ' ' && c != '-' && c != '?' && c != '\t' {
				break
			}
			if c == '-' || c == '?' {
				dashes++
			}
		}
		for _, c := range l {
			switch c {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
			if depth > maxRecipeDepth || dashes > maxRecipeDepth {
				return line
			}
		}
	}
	return 0
}

func syntaxError(err error) error {
	in := &mergesearch.InputError{Problem: "not readable as YAML"}
	var y yaml.Error
	if errors.As(err, &y) {
		in.Problem = y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			in.Line, in.Column = t.Position.Line, t.Position.Column
		}
	}
	return in
}

func inputError(n ast.Node, field, problem, hint string) *mergesearch.InputError {
	e := &mergesearch.InputError{Field: field, Problem: problem, Hint: hint}
	if n != nil {
		if t := n.GetToken(); t != nil && t.Position != nil {
			e.Line, e.Column = t.Position.Line, t.Position.Column
		}
	}
	return e
}

// recipeParser walks the document. It stops at the first error and remembers
// where each field stands for the checks that come after.
type recipeParser struct {
	err error
	at  map[string]ast.Node
}

func (p *recipeParser) refuse(n ast.Node, field, problem, hint string) {
	if p.err == nil {
		p.err = inputError(n, field, problem, hint)
	}
}

// locate adds the position of the field to an error.
func (p *recipeParser) locate(err error) error {
	var in *mergesearch.InputError
	if !errors.As(err, &in) || in.Line > 0 {
		return err
	}
	for field := in.Field; field != ""; {
		if n, ok := p.at[field]; ok {
			e := inputError(n, in.Field, in.Problem, in.Hint)
			return e
		}
		field = field[:max(0, strings.LastIndexByte(field, '.'))]
	}
	return err
}

// entry is one key of a mapping.
type entry struct {
	key   string
	at    ast.Node
	value ast.Node // nil for null
}

// mapping returns the entries of a mapping, which must have known keys only.
// known is nil where any key may stand.
func (p *recipeParser) mapping(n ast.Node, field string, known []string) []entry {
	var pairs []*ast.MappingValueNode
	switch m := n.(type) {
	case *ast.MappingNode:
		pairs = m.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{m}
	default:
		p.refuse(n, field, "want a mapping", "")
		return nil
	}
	var out []entry
	seen := map[string]bool{}
	for _, pair := range pairs {
		key, ok := p.text(pair.Key, field)
		if !ok {
			return nil
		}
		path := join(field, key)
		switch {
		case seen[key]:
			p.refuse(pair.Key, path, "key comes twice", "")
		case known != nil && !slices.Contains(known, key):
			p.unknownKey(pair.Key, key, field, known)
		}
		seen[key] = true
		p.at[path] = pair.Key
		out = append(out, entry{key: key, at: pair.Key, value: value(pair.Value)})
	}
	return out
}

func (p *recipeParser) unknownKey(n ast.Node, key, field string, known []string) {
	if field == "" && slices.Contains(laterKeys, key) {
		p.refuse(n, key, "this key of mergekit is not supported", "")
		return
	}
	e := mergesearch.UnknownWord("key", key, known)
	p.refuse(n, join(field, key), e.Problem, e.Hint)
}

// value returns nil for null.
func value(n ast.Node) ast.Node {
	if _, null := n.(*ast.NullNode); null {
		return nil
	}
	return n
}

func (p *recipeParser) document(n ast.Node, r *mergesearch.Recipe) {
	for _, e := range p.mapping(n, "", recipeKeys) {
		if e.value == nil {
			continue
		}
		switch e.key {
		case "merge_method":
			r.Method, _ = p.text(e.value, e.key)
		case "base_model":
			r.Base, _ = p.text(e.value, e.key)
		case "dtype":
			r.DType, _ = p.text(e.value, e.key)
		case "out_dtype":
			r.OutDType, _ = p.text(e.value, e.key)
		case "parameters":
			r.Parameters = p.parameters(e.value, e.key)
		case "models":
			r.Models = p.models(e.value)
		case "mergesearch":
			p.own(e.value, r)
		}
	}
}

// own reads the block for what mergekit has no word for.
func (p *recipeParser) own(n ast.Node, r *mergesearch.Recipe) {
	for _, e := range p.mapping(n, "mergesearch", []string{"seed"}) {
		i, ok := e.value.(*ast.IntegerNode)
		if !ok {
			p.refuse(e.at, "mergesearch.seed", "want a whole number", "")
			continue
		}
		switch v := i.Value.(type) {
		case uint64:
			r.Seed = v
		case int64:
			if v < 0 {
				p.refuse(e.at, "mergesearch.seed", "want a number that is not negative", "")
			}
			r.Seed = uint64(v)
		default:
			p.refuse(e.at, "mergesearch.seed", "number too large", "")
		}
	}
}

func (p *recipeParser) models(n ast.Node) []mergesearch.Input {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		p.refuse(n, "models", "want a list", "")
		return nil
	}
	var out []mergesearch.Input
	for i, item := range list.Values {
		field := fmt.Sprintf("models[%d]", i)
		p.at[field] = item
		var in mergesearch.Input
		for _, e := range p.mapping(item, field, []string{"model", "parameters"}) {
			switch {
			case e.value == nil:
			case e.key == "model":
				in.Model, _ = p.text(e.value, field+".model")
			default:
				in.Parameters = p.parameters(e.value, field+".parameters")
			}
		}
		out = append(out, in)
	}
	return out
}

func (p *recipeParser) parameters(n ast.Node, field string) map[string]mergesearch.Setting {
	var out map[string]mergesearch.Setting
	for _, e := range p.mapping(n, field, nil) {
		if e.value == nil {
			continue // as in mergekit: not given
		}
		if out == nil {
			out = map[string]mergesearch.Setting{}
		}
		out[e.key] = p.setting(e.value, join(field, e.key))
	}
	return out
}

// setting reads a number, a gradient, or a list of conditions.
func (p *recipeParser) setting(n ast.Node, field string) mergesearch.Setting {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		if isMapping(n) {
			p.refuse(n, field, "a condition stands in a list", "put a dash before it")
			return nil
		}
		return mergesearch.Setting{{Values: p.values(n, field)}}
	}
	if len(list.Values) == 0 || !isMapping(list.Values[0]) {
		return mergesearch.Setting{{Values: p.values(n, field)}}
	}
	var s mergesearch.Setting
	for i, item := range list.Values {
		s = append(s, p.condition(item, fmt.Sprintf("%s[%d]", field, i)))
	}
	return s
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

func (p *recipeParser) condition(n ast.Node, field string) mergesearch.Condition {
	var c mergesearch.Condition
	for _, e := range p.mapping(n, field, []string{"filter", "value"}) {
		switch {
		case e.value == nil:
		case e.key == "filter":
			c.Filter, _ = p.text(e.value, field+".filter")
		default:
			c.Values = p.values(e.value, field+".value")
		}
	}
	if len(c.Values) == 0 {
		p.refuse(n, field, "condition without a value", "")
	}
	return c
}

// values reads a number or a gradient.
func (p *recipeParser) values(n ast.Node, field string) []float64 {
	list, ok := n.(*ast.SequenceNode)
	if !ok {
		return []float64{p.number(n, field)}
	}
	if len(list.Values) == 0 {
		p.refuse(n, field, "empty list", "")
	}
	var out []float64
	for i, item := range list.Values {
		out = append(out, p.number(item, fmt.Sprintf("%s[%d]", field, i)))
	}
	return out
}

// number reads a number; true and false are 1 and 0, and a string that reads as
// a number is one, as in mergekit.
func (p *recipeParser) number(n ast.Node, field string) float64 {
	switch v := n.(type) {
	case *ast.IntegerNode:
		switch i := v.Value.(type) {
		case int64:
			return float64(i)
		case uint64:
			return float64(i)
		}
	case *ast.FloatNode:
		if !math.IsInf(v.Value, 0) && !math.IsNaN(v.Value) {
			return v.Value + 0 // no negative zero
		}
	case *ast.BoolNode:
		if v.Value {
			return 1
		}
		return 0
	case *ast.StringNode:
		if f, err := strconv.ParseFloat(v.Value, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f + 0
		}
	}
	p.refuse(n, field, "want a finite number", "")
	return 0
}

// text reads a string of printable characters.
func (p *recipeParser) text(n ast.Node, field string) (string, bool) {
	var s string
	switch v := n.(type) {
	case *ast.StringNode:
		s = v.Value
	case *ast.LiteralNode:
		s = v.Value.Value
	default:
		p.refuse(n, field, "want a string", "names that look like numbers or words of YAML must be quoted")
		return "", false
	}
	if !printable(s) {
		p.refuse(n, field, "unprintable character", "")
		return "", false
	}
	return s, true
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

func tooLong(n int64) *mergesearch.InputError {
	return &mergesearch.InputError{Problem: fmt.Sprintf("%d bytes, more than the limit of %d", n, maxRecipeBytes)}
}

// cause returns an error without the path that it repeats.
func cause(err error) string {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err.Error()
	}
	return err.Error()
}
