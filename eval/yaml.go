package eval

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"mergesearch"
	"mergesearch/eval/jinja"
)

// entry is one key of a YAML mapping. Its path names it in errors:
// "metric_list.ignore_case".
type entry struct {
	key   string
	path  string
	file  string   // that it stands in; empty for the text handed to parseYAML
	at    ast.Node // of the key
	value ast.Node
}

// refuse makes the InputError about the entry's value.
func (e entry) refuse(problem, hint string) *mergesearch.InputError {
	in := refuse(e.value, e.path, problem, hint)
	in.File = e.file
	return in
}

// refuseKey makes the InputError about the entry's key.
func (e entry) refuseKey(problem, hint string) *mergesearch.InputError {
	in := refuse(e.at, e.path, problem, hint)
	in.File = e.file
	return in
}

// refuse makes the InputError for a node; the file name is filled in by the
// caller with mergesearch.InFile.
func refuse(at ast.Node, field, problem, hint string) *mergesearch.InputError {
	e := &mergesearch.InputError{Field: field, Problem: problem, Hint: hint}
	if at != nil {
		if tk := at.GetToken(); tk != nil && tk.Position != nil {
			e.Line, e.Column = tk.Position.Line, tk.Position.Column
		}
	}
	return e
}

// parseYAML reads one YAML document that is a mapping and returns its keys in
// the order of the file, which entries then name.
func parseYAML(text []byte, file string) (entries []entry, err error) {
	defer func() { // the parser is not ours, and a task file must never end the program
		if p := recover(); p != nil {
			err = &mergesearch.InputError{Problem: fmt.Sprintf("not valid YAML: %v", p)}
		}
	}()
	parsed, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, syntaxError(err)
	}
	var bodies []ast.Node
	for _, d := range parsed.Docs {
		if d.Body != nil {
			bodies = append(bodies, d.Body)
		}
	}
	switch {
	case len(bodies) == 0:
		return nil, &mergesearch.InputError{Problem: "the file is empty", Hint: "a task file starts with task: and dataset_path:"}
	case len(bodies) > 1:
		return nil, refuse(bodies[1], "", "a second YAML document in one task file", "put each task into a file of its own")
	}
	return entry{value: bodies[0], file: file}.mapping()
}

func syntaxError(err error) error {
	in := &mergesearch.InputError{Problem: "not valid YAML: " + err.Error()}
	var located yaml.Error
	if errors.As(err, &located) {
		in.Problem = "not valid YAML: " + located.GetMessage()
		if tk := located.GetToken(); tk != nil && tk.Position != nil {
			in.Line, in.Column = tk.Position.Line, tk.Position.Column
		}
	}
	return in
}

// mapping returns the entries of a mapping.
func (e entry) mapping() ([]entry, error) {
	m, ok := e.value.(*ast.MappingNode)
	if !ok {
		return nil, e.refuse("want keys and values, found "+kindOf(e.value), "")
	}
	var out []entry
	for _, v := range m.Values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok {
			in := refuse(v.Key, e.path, fmt.Sprintf("a key must be a plain word, found %s", kindOf(v.Key)), "")
			in.File = e.file
			return nil, in
		}
		part := entry{key: key.Value, path: key.Value, file: e.file, at: key, value: v.Value}
		if e.path != "" {
			part.path = e.path + "." + key.Value
		}
		if err := plainValue(part); err != nil {
			return nil, err
		}
		out = append(out, part)
	}
	return out, nil
}

// functionTag marks a Python function in the harness's task files.
const functionTag = "!function"

// plainValue refuses anchors, aliases and tags. The tag !function stays, for the
// keys that may name a function; read as text it would be the function's name.
func plainValue(e entry) error {
	switch v := e.value.(type) {
	case *ast.TagNode:
		if tag := v.GetToken().Value; tag != functionTag {
			return e.refuse("YAML tag "+tag+" is not supported", "")
		}
	case *ast.AnchorNode, *ast.AliasNode:
		return e.refuse("YAML anchors and aliases are not supported", "write the value out")
	}
	return nil
}

// function returns the name in "!function name".
func (e entry) function() (name string, ok bool) {
	tag, ok := e.value.(*ast.TagNode)
	if !ok {
		return "", false
	}
	return nodeText(tag.Value), true
}

// sequence returns the elements of a list.
func (e entry) sequence() ([]entry, error) {
	s, ok := e.value.(*ast.SequenceNode)
	if !ok {
		return nil, e.refuse("want a list, found "+kindOf(e.value), "")
	}
	var out []entry
	for i, v := range s.Values {
		item := entry{key: strconv.Itoa(i), path: fmt.Sprintf("%s[%d]", e.path, i), file: e.file, at: v, value: v}
		if err := plainValue(item); err != nil {
			return nil, err
		}
		out = append(out, item)
	}
	return out, nil
}

// words11 are what YAML 1.1, and so the harness, reads as booleans when they
// stand without quotes. YAML 1.2 parsers read all but true and false as text.
var words11 = map[string]bool{"y": true, "yes": true, "on": true, "n": false, "no": false, "off": false}

// text reads a string.
func (e entry) text() (string, error) {
	switch v := e.value.(type) {
	case *ast.StringNode:
		if _, boolean := words11[strings.ToLower(v.Value)]; boolean && v.Token.Type == token.StringType && len(v.Value) > 1 {
			return "", e.refuse(fmt.Sprintf("%s without quotes is a boolean to lm-evaluation-harness (YAML 1.1)", v.Value), fmt.Sprintf("write %q in quotes", v.Value))
		}
		return v.Value, nil
	case *ast.LiteralNode:
		return v.Value.Value, nil
	}
	return "", e.refuse("want text, found "+kindOf(e.value), "put the value in quotes")
}

// integer reads a whole number of at least low.
func (e entry) integer(low int) (int, error) {
	v, ok := e.value.(*ast.IntegerNode)
	if !ok {
		return 0, e.refuse("want a whole number, found "+kindOf(e.value), "")
	}
	n, ok := asInt(v.Value)
	if !ok || n < low || n > math.MaxInt32 {
		return 0, e.refuse(fmt.Sprintf("%v is out of range", v.Value), fmt.Sprintf("the least value is %d", low))
	}
	return n, nil
}

func asInt(v any) (int, bool) {
	switch n := v.(type) {
	case int64:
		return int(n), true
	case uint64:
		return int(n), n <= math.MaxInt32
	}
	return 0, false
}

// signed reads a whole number, negative ones too.
func (e entry) signed() (int, error) {
	if v, ok := e.value.(*ast.IntegerNode); ok {
		switch n := v.Value.(type) {
		case int64:
			if n >= math.MinInt32 && n <= math.MaxInt32 {
				return int(n), nil
			}
		case uint64:
			if n <= math.MaxInt32 {
				return int(n), nil
			}
		}
	}
	return 0, e.refuse("want a whole number, found "+kindOf(e.value), "")
}

// any reads a value of any kind into what documents hold.
func (e entry) any() (any, error) {
	switch v := e.value.(type) {
	case *ast.NullNode:
		return nil, nil
	case *ast.BoolNode:
		return v.Value, nil
	case *ast.IntegerNode:
		n, err := e.signed()
		return int64(n), err
	case *ast.FloatNode:
		return v.Value, nil
	case *ast.SequenceNode:
		items, err := e.sequence()
		if err != nil {
			return nil, err
		}
		list := make([]any, len(items))
		for i, item := range items {
			if list[i], err = item.any(); err != nil {
				return nil, err
			}
		}
		return list, nil
	case *ast.MappingNode:
		parts, err := e.mapping()
		if err != nil {
			return nil, err
		}
		fields := map[string]any{}
		for _, p := range parts {
			if fields[p.key], err = p.any(); err != nil {
				return nil, err
			}
		}
		return fields, nil
	}
	return e.text()
}

// printed reads a scalar as text.
func (e entry) printed() (string, error) {
	v, err := e.any()
	if err != nil {
		return "", err
	}
	text, err := jinja.Str(v)
	if err != nil {
		return "", e.refuse("want text or a number, found "+kindOf(e.value), "")
	}
	return text, nil
}

func isNull(e entry) bool {
	_, null := e.value.(*ast.NullNode)
	return null
}

// number reads any number.
func (e entry) number() (float64, error) {
	switch v := e.value.(type) {
	case *ast.IntegerNode:
		if n, ok := asInt(v.Value); ok {
			return float64(n), nil
		}
	case *ast.FloatNode:
		return v.Value, nil
	}
	return 0, e.refuse("want a number, found "+kindOf(e.value), "")
}

// boolean reads true or false, in the spellings of YAML 1.1 too.
func (e entry) boolean() (bool, error) {
	switch v := e.value.(type) {
	case *ast.BoolNode:
		return v.Value, nil
	case *ast.StringNode:
		if b, ok := words11[strings.ToLower(v.Value)]; ok && v.Token.Type == token.StringType {
			return b, nil
		}
	}
	return false, e.refuse("want true or false, found "+kindOf(e.value), "")
}

// oneOf reads a word from a fixed list.
func (e entry) oneOf(kind string, known ...string) (string, error) {
	word, err := e.text()
	if err != nil {
		return "", err
	}
	if !slices.Contains(known, word) {
		in := mergesearch.UnknownWord(kind, word, known)
		return "", e.refuse(fmt.Sprintf("unknown %s %q", kind, word), in.Hint)
	}
	return word, nil
}

// texts reads a string or a list of strings.
func (e entry) texts() ([]string, error) {
	if _, list := e.value.(*ast.SequenceNode); !list {
		s, err := e.text()
		return []string{s}, err
	}
	items, err := e.sequence()
	if err != nil {
		return nil, err
	}
	out := make([]string, len(items))
	for i, item := range items {
		if out[i], err = item.text(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func kindOf(n ast.Node) string {
	switch v := n.(type) {
	case nil, *ast.NullNode:
		return "nothing"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "a mapping"
	case *ast.SequenceNode:
		return "a list"
	case *ast.BoolNode:
		return fmt.Sprintf("the boolean %v", v.Value)
	case *ast.IntegerNode, *ast.FloatNode:
		return "the number " + nodeText(n)
	case *ast.StringNode:
		return fmt.Sprintf("the text %.40q", v.Value)
	case *ast.TagNode:
		return functionTag + " " + nodeText(v.Value)
	}
	return "something else"
}

func nodeText(n ast.Node) string {
	if n == nil || n.GetToken() == nil {
		return ""
	}
	return n.GetToken().Value
}
