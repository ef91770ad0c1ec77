package merge

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"

	"mergesearch"
)

// Limits of a recipe's text. The YAML parser takes 3 to 5 microseconds and up to a
// kilobyte for a value of two bytes, 75 nanoseconds for a byte of a string, and time
// that grows with the square of a block's lines. What exhausts one of these limits
// costs less than a twentieth of a second; 3,000 lines or 8,000 numbers fit.
const (
	maxRecipeBytes = 1 << 18
	maxRecipeDepth = 64
	maxRecipeMarks = 1 << 13 // lines and characters that may begin a value
	maxBlockLines  = 3 << 8  // lines of the same indentation without one of less between them
	maxDocuments   = 64
)

const shortText = "a recipe is a short text in YAML; is this one?"

// document is one YAML document of a file. Lines of its nodes are counted from
// the document's first one.
type document struct {
	root   ast.Node
	before int // lines of the file before it
}

// parseDocuments returns the documents of a text that are not empty; there is at
// least one.
func parseDocuments(text []byte) ([]document, error) {
	if len(text) > maxRecipeBytes {
		return nil, tooLong(int64(len(text)))
	}
	if !utf8.Valid(text) {
		return nil, &mergesearch.InputError{Problem: "not valid UTF-8", Hint: "save the file as UTF-8"}
	}
	if err := tooMuch(string(text)); err != nil {
		return nil, err
	}
	var out []document
	for _, part := range splitDocuments(string(text)) {
		root, err := parseDocument(part)
		if err != nil {
			return nil, err
		}
		if root == nil {
			continue
		}
		if len(out) == maxDocuments {
			return nil, &mergesearch.InputError{Line: part.before + 1, Column: 1, Problem: fmt.Sprintf("more than %d documents", maxDocuments), Hint: shortText}
		}
		out = append(out, document{root: root, before: part.before})
	}
	if len(out) == 0 {
		return nil, &mergesearch.InputError{Problem: "empty recipe", Hint: "it needs merge_method and models at least"}
	}
	return out, nil
}

// documentText is the text of one document, with the --- that it may begin with.
type documentText struct {
	text   string
	before int // lines of the file before it
}

// splitDocuments cuts a text at its document markers, which no scalar can hold at
// the beginning of a line. The YAML library is not left to do it: after a document
// that is empty it forgets the rest of the file.
func splitDocuments(text string) []documentText {
	var out []documentText
	part := documentText{}
	begin, at, line := 0, 0, 0
	end := func(next int) {
		part.text = text[begin:at]
		out = append(out, part)
		begin, part = next, documentText{before: line}
	}
	for l := range strings.Lines(text) {
		if isMarker(l, "---") && at > begin {
			end(at)
		}
		line++
		if isMarker(l, "...") {
			end(at + len(l))
		}
		at += len(l)
	}
	end(at)
	return out
}

// isMarker reports whether a line begins with a marker and nothing or space behind.
func isMarker(line, marker string) bool {
	rest, ok := strings.CutPrefix(line, marker)
	return ok && (rest == "" || strings.ContainsRune(" \t\r\n", rune(rest[0])))
}

// parseDocument returns nil for a document that holds nothing.
func parseDocument(d documentText) (root ast.Node, err error) {
	// The parser is third-party code that reads hostile text.
	defer func() {
		if v := recover(); v != nil {
			root, err = nil, &mergesearch.InputError{Line: d.before + 1, Column: 1, Problem: fmt.Sprintf("not readable as YAML: %v", v)}
		}
	}()
	if isBlank(d.text) {
		return nil, nil
	}
	file, err := parser.ParseBytes([]byte(d.text), 0)
	if err != nil {
		return nil, syntaxError(err, d.before)
	}
	if len(file.Docs) != 1 || file.Docs[0].Body == nil {
		return nil, &mergesearch.InputError{Line: d.before + 1, Column: 1, Problem: "not readable as YAML"}
	}
	return withoutAliases(file.Docs[0].Body, d.before)
}

// isBlank reports whether a document holds comments alone.
func isBlank(text string) bool {
	for l := range strings.Lines(text) {
		if isMarker(l, "---") {
			l = l[3:]
		}
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			return false
		}
	}
	return true
}

// tooMuch refuses a text that could exhaust the parser's stack, memory or time.
// It looks at characters, whether or not they stand in a string.
func tooMuch(text string) error {
	depth, marks, line := 0, 0, 0
	var blocks blockLines
	for l := range strings.Lines(text) {
		line++
		d, m := nesting(l, depth)
		depth, marks = d.end, marks+m
		problem := ""
		if isMarker(l, "---") {
			blocks = nil
		}
		lines := blocks.add(l)
		switch {
		case d.most > maxRecipeDepth, len(blocks) > maxRecipeDepth:
			problem = fmt.Sprintf("nested deeper than %d", maxRecipeDepth)
		case marks > maxRecipeMarks:
			problem = fmt.Sprintf("more than %d values", maxRecipeMarks)
		case lines > maxBlockLines:
			problem = fmt.Sprintf("a mapping, list or text of more than %d lines", maxBlockLines)
		case strings.Contains(strings.TrimRight(l, "\r\n"), "\r"):
			problem = "a carriage return within a line"
		}
		if problem != "" {
			return &mergesearch.InputError{Line: line, Column: 1, Problem: problem, Hint: shortText}
		}
	}
	return nil
}

// depths are brackets open at the end of a line, and the most that are open or
// dashes that begin it.
type depths struct{ end, most int }

// nesting counts the brackets of a line and what may begin a value in it.
func nesting(line string, open int) (d depths, marks int) {
	start := line[:len(line)-len(strings.TrimLeft(line, " -?\t"))]
	dashes := strings.Count(start, "-") + strings.Count(start, "?")
	d, marks = depths{open, max(open, dashes)}, 1+dashes
	for i := range len(line) {
		switch line[i] {
		case '[', '{':
			d.end++
			marks++
		case ']', '}':
			d.end = max(0, d.end-1)
		case ',', ':', '#', '&', '*', '!', '\'', '"':
			marks++
		}
		d.most = max(d.most, d.end)
	}
	return d, marks
}

// blockLines holds the blocks that are open, outermost first, each deeper indented
// than the one before.
type blockLines []struct{ indent, lines int }

// add returns the lines of the block that a line belongs to: those of its
// indentation since one of less.
func (b *blockLines) add(line string) int {
	rest := strings.TrimLeft(line, " ")
	if strings.TrimSpace(rest) == "" {
		return 0
	}
	indent := len(line) - len(rest)
	n := len(*b)
	for n > 0 && (*b)[n-1].indent > indent {
		n--
	}
	*b = (*b)[:n]
	if n == 0 || (*b)[n-1].indent < indent {
		*b = append(*b, struct{ indent, lines int }{indent, 0})
		n++
	}
	(*b)[n-1].lines++
	return (*b)[n-1].lines
}

func syntaxError(err error, before int) error {
	in := &mergesearch.InputError{Problem: "not readable as YAML"}
	var y yaml.Error
	if errors.As(err, &y) {
		in.Problem = y.GetMessage()
		if t := y.GetToken(); t != nil && t.Position != nil {
			in.Line, in.Column = before+t.Position.Line, t.Position.Column
		}
	}
	return in
}

// recipeParser walks one document. It stops at the first error and remembers
// where each field stands for the checks that come after.
type recipeParser struct {
	root   ast.Node
	before int // lines of the file before the document
	err    error
	at     map[string]ast.Node
}

// inputError returns an error at a node, which may be nil.
func (p *recipeParser) inputError(n ast.Node, field, problem, hint string) *mergesearch.InputError {
	e := &mergesearch.InputError{Field: field, Problem: problem, Hint: hint}
	if n != nil {
		if t := firstToken(n); t != nil && t.Position != nil {
			e.Line, e.Column = p.before+t.Position.Line, t.Position.Column
		}
	}
	return e
}

// firstToken returns where a node begins. The library says of a mapping in block
// style that it begins at its first colon.
func firstToken(n ast.Node) *token.Token {
	switch m := n.(type) {
	case *ast.MappingNode:
		if !m.IsFlowStyle && len(m.Values) > 0 {
			return m.Values[0].Key.GetToken()
		}
	case *ast.MappingValueNode:
		return m.Key.GetToken()
	}
	return n.GetToken()
}

func (p *recipeParser) refuse(n ast.Node, field, problem, hint string) {
	if p.err == nil {
		p.err = p.inputError(n, field, problem, hint)
	}
}

// refuseAs refuses a node for the cause that an error without a field gives.
func (p *recipeParser) refuseAs(n ast.Node, field string, err error) {
	var in *mergesearch.InputError
	if errors.As(err, &in) {
		p.refuse(n, field, in.Problem, in.Hint)
	}
}

// locate adds the position of the field to an error, or that of the document when
// the field is not there.
func (p *recipeParser) locate(err error) error {
	var in *mergesearch.InputError
	if !errors.As(err, &in) || in.Line > 0 {
		return err
	}
	for field := in.Field; field != ""; {
		if n, ok := p.at[field]; ok {
			return p.inputError(n, in.Field, in.Problem, in.Hint)
		}
		field = field[:max(0, strings.LastIndexAny(field, ".["))]
	}
	return p.inputError(p.root, in.Field, in.Problem, in.Hint)
}

// entry is one key of a mapping.
type entry struct {
	key   string
	at    ast.Node
	value ast.Node // nil for null
}

// pairs returns the keys and values of a mapping.
func (p *recipeParser) pairs(n ast.Node, field string) []*ast.MappingValueNode {
	switch m := n.(type) {
	case *ast.MappingNode:
		return m.Values
	case *ast.MappingValueNode:
		return []*ast.MappingValueNode{m}
	}
	p.refuse(n, field, "want a mapping", "keys with values: merge_method: linear, or {model: PATH}")
	return nil
}

// mapping returns the entries of a mapping, which must have known keys only.
// known is nil where any key may stand.
func (p *recipeParser) mapping(n ast.Node, field string, known []string) []entry {
	var out []entry
	seen := map[string]bool{}
	for _, pair := range p.pairs(n, field) {
		key, ok := p.key(pair.Key, field)
		if !ok {
			return nil
		}
		path := join(field, key)
		switch {
		case seen[key]:
			p.refuse(pair.Key, path, "key comes twice", "")
		case known != nil && !slices.Contains(known, key):
			e := mergesearch.UnknownWord("key", key, known)
			p.refuse(pair.Key, path, e.Problem, e.Hint)
		}
		seen[key] = true
		p.at[path] = pair.Key
		out = append(out, entry{key: key, at: pair.Key, value: value(pair.Value)})
	}
	return out
}

// list returns the items of a list, no more than most.
func (p *recipeParser) list(n ast.Node, field string, most int) []ast.Node {
	l, ok := n.(*ast.SequenceNode)
	if !ok {
		p.refuse(n, field, "want a list", "put a dash before each entry, or brackets around all")
		return nil
	}
	if len(l.Values) > most {
		p.refuse(n, field, fmt.Sprintf("%d entries, the limit is %d", len(l.Values), most), "")
		return nil
	}
	return l.Values
}

// value returns nil for null.
func value(n ast.Node) ast.Node {
	if _, null := n.(*ast.NullNode); null {
		return nil
	}
	return n
}

func isMapping(n ast.Node) bool {
	switch n.(type) {
	case *ast.MappingNode, *ast.MappingValueNode:
		return true
	}
	return false
}

func join(field, key string) string {
	if field == "" {
		return key
	}
	return field + "." + key
}

func tooLong(n int64) *mergesearch.InputError {
	return &mergesearch.InputError{Problem: fmt.Sprintf("%d bytes, more than the limit of %d", n, maxRecipeBytes), Hint: shortText}
}
