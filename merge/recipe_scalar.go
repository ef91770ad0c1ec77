package merge

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"

	"mergesearch"
)

// Limits of a recipe's strings, in bytes. Chat templates have none of their own.
const (
	maxKeyBytes  = 256
	maxTextBytes = 4096
)

// parameters reads a mapping of parameter to value; null is a value not given, as
// in mergekit.
func (p *recipeParser) parameters(n ast.Node, field string) map[string]mergesearch.Setting {
	var out map[string]mergesearch.Setting
	for _, e := range p.mapping(n, field, nil) {
		if e.value == nil {
			continue
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
		p.refuse(n, field, "condition without a value", "for example {filter: mlp, value: 0.5}")
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
		p.refuse(n, field, "empty list", "a value is a number, a list of numbers, or a list of {filter, value}")
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
	if b, ok := boolean(n); ok {
		if b {
			return 1
		}
		return 0
	}
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
	case *ast.StringNode:
		if f, err := strconv.ParseFloat(v.Value, 64); err == nil && !math.IsInf(f, 0) && !math.IsNaN(f) {
			return f + 0
		}
	}
	p.refuse(n, field, "want a finite number", "a value is a number, a list of numbers, or a list of {filter, value}")
	return 0
}

// whole reads a whole number in least..most.
func (p *recipeParser) whole(n ast.Node, field string, least, most int) int {
	x := p.number(n, field)
	if x != math.Trunc(x) || x < float64(least) || x > float64(most) {
		p.refuse(n, field, fmt.Sprintf("want a whole number from %d to %d", least, most), "")
		return least
	}
	return int(x)
}

var (
	yes = regexp.MustCompile(`^(?i:yes|on)$`)
	no  = regexp.MustCompile(`^(?i:no|off)$`)
)

// boolean reads true and false. Mergekit's YAML is version 1.1, whose unquoted
// yes, no, on and off are the same.
func boolean(n ast.Node) (is, ok bool) {
	switch v := n.(type) {
	case *ast.BoolNode:
		return v.Value, true
	case *ast.StringNode:
		if v.Token != nil && v.Token.Type == token.StringType {
			return yes.MatchString(v.Value), yes.MatchString(v.Value) || no.MatchString(v.Value)
		}
	}
	return false, false
}

// flag reads true or false, also as 1 or 0.
func (p *recipeParser) flag(n ast.Node, field string) bool {
	return p.whole(n, field, 0, 1) == 1
}

// seed reads the seed of random masks.
func (p *recipeParser) seed(e entry, field string) uint64 {
	i, ok := e.value.(*ast.IntegerNode)
	if !ok {
		p.refuse(e.at, field, "want a whole number", "")
		return 0
	}
	switch v := i.Value.(type) {
	case uint64:
		return v
	case int64:
		if v < 0 {
			p.refuse(e.at, field, "want a number that is not negative", "")
		}
		return uint64(v)
	}
	p.refuse(e.at, field, "number too large", "")
	return 0
}

// text reads a string of printable characters.
func (p *recipeParser) text(n ast.Node, field string) (string, bool) {
	return p.str(n, field, maxTextBytes, printable)
}

// key reads a key: a short text.
func (p *recipeParser) key(n ast.Node, field string) (string, bool) {
	return p.str(n, field, maxKeyBytes, printable)
}

// str reads a string that is allowed.
func (p *recipeParser) str(n ast.Node, field string, most int, allowed func(string) bool) (string, bool) {
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
	switch {
	case len(s) > most:
		p.refuse(n, field, fmt.Sprintf("a string of %d bytes, the limit is %d", len(s), most), "")
		return "", false
	case !allowed(s):
		p.refuse(n, field, "unprintable character", "")
		return "", false
	}
	return s, true
}

func printable(s string) bool {
	return utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

// printableLines is printable for texts of several lines, and for tokens.
func printableLines(s string) bool {
	return printable(strings.NewReplacer("\n", "", "\t", "").Replace(s))
}
