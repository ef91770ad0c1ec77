package jinja

import (
	"fmt"
	"strings"
)

// parser is a recursive-descent parser over the tokens of a template. Its grammar
// is Jinja's: from weak to strong a conditional, or, and, not, comparisons, + and -,
// ~, the other operators, signs, filters and tests, and what follows a value.
type parser struct {
	tokens []token
	next   int
	depth  int
	chat   bool // the template is a chat template
	loops  int  // around the statement that is parsed, which may break them
}

// maxDepth bounds how deeply expressions and statements nest.
const maxDepth = 100

func (p *parser) peek() token { return p.tokens[p.next] }

func (p *parser) ahead() token {
	return p.tokens[min(p.next+1, len(p.tokens)-1)]
}

func (p *parser) advance() token {
	t := p.tokens[p.next]
	if t.kind != endOfSource {
		p.next++
	}
	return t
}

func (p *parser) take(op string) bool {
	ok := p.peek().is(op)
	if ok {
		p.next++
	}
	return ok
}

func (p *parser) takeWord(w string) bool {
	ok := p.peek().isName(w)
	if ok {
		p.next++
	}
	return ok
}

func (p *parser) expect(op string) error {
	if !p.take(op) {
		return p.unexpected()
	}
	return nil
}

func (p *parser) enter() error {
	if p.depth++; p.depth > maxDepth {
		return fault(p.peek().at, "nested too deeply")
	}
	return nil
}

func (p *parser) leave() { p.depth-- }

// unexpected names what stands where an expression should have ended or begun.
func (p *parser) unexpected() *Error {
	switch t := p.peek(); {
	case t.kind == endPrint || t.kind == endTag:
		return fault(t.at, "an expression is missing")
	case t.kind == quoted:
		return fault(t.at, fmt.Sprintf("the text %q is not expected here", t.text))
	case t.is("**"):
		return unsupported(t.at, fmt.Sprintf("%q", t.text))
	default:
		return fault(t.at, fmt.Sprintf("%q is not expected here", t.text))
	}
}

// tuple parses an expression, or several between commas. The end is what an empty
// tuple in parentheses would end with.
func (p *parser) tuple(conditional, parentheses bool) (expression, error) {
	at := p.peek().at
	var items []expression
	comma := false
	for {
		t := p.peek()
		if t.kind == endPrint || t.kind == endTag || t.is(")") {
			break
		}
		e, err := p.expression(conditional)
		if err != nil {
			return nil, err
		}
		items = append(items, e)
		if comma = p.take(","); !comma {
			break
		}
	}
	switch {
	case len(items) == 1 && !comma:
		return items[0], nil
	case len(items) == 0 && !parentheses:
		return nil, p.unexpected()
	}
	return sequence{items: items, tuple: true, at: at}, nil
}

// expression parses one expression; without conditional, "a if b else c" is left
// to the statement around it.
func (p *parser) expression(conditional bool) (expression, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	e, err := p.or()
	for err == nil && conditional && p.peek().isName("if") {
		c := choice{then: e, at: p.advance().at}
		if c.test, err = p.or(); err != nil {
			return nil, err
		}
		if p.takeWord("else") {
			if c.otherwise, err = p.expression(true); err != nil {
				return nil, err
			}
		}
		e = c
	}
	return e, err
}

func (p *parser) or() (expression, error)  { return p.logical("or", p.and) }
func (p *parser) and() (expression, error) { return p.logical("and", p.not) }

func (p *parser) logical(word string, operand func() (expression, error)) (expression, error) {
	left, err := operand()
	for err == nil && p.peek().isName(word) {
		p.advance()
		var right expression
		if right, err = operand(); err == nil {
			left = logical{left: left, right: right, or: word == "or"}
		}
	}
	return left, err
}

func (p *parser) not() (expression, error) {
	if !p.peek().isName("not") {
		return p.comparison()
	}
	p.advance()
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	e, err := p.not()
	return negation{of: e}, err
}

func (p *parser) comparison() (expression, error) {
	first, err := p.sum()
	if err != nil {
		return nil, err
	}
	c := comparison{first: first}
	for {
		t := p.peek()
		op := ""
		switch {
		case t.kind == operator && strings.Contains(" == != < <= > >= ", " "+t.text+" "), t.isName("in"):
			op = t.text
		case t.isName("not") && p.ahead().isName("in"):
			p.advance()
			op = "not in"
		default:
			if len(c.rest) == 0 {
				return first, nil
			}
			return c, nil
		}
		p.advance()
		e, err := p.sum()
		if err != nil {
			return nil, err
		}
		c.rest = append(c.rest, operand{op: op, of: e, at: t.at})
	}
}

func (p *parser) sum() (expression, error) { return p.arithmetic([]string{"+", "-"}, p.concat) }

func (p *parser) concat() (expression, error) {
	first, err := p.product()
	if err != nil || !p.peek().is("~") {
		return first, err
	}
	c := concat{parts: []expression{first}, at: p.peek().at}
	for p.take("~") {
		e, err := p.product()
		if err != nil {
			return nil, err
		}
		c.parts = append(c.parts, e)
	}
	return c, nil
}

func (p *parser) product() (expression, error) {
	return p.arithmetic([]string{"*", "/", "//", "%"}, func() (expression, error) { return p.unary(true) })
}

func (p *parser) arithmetic(ops []string, operand func() (expression, error)) (expression, error) {
	left, err := operand()
	for err == nil {
		t := p.peek()
		known := false
		for _, op := range ops {
			known = known || t.is(op)
		}
		if !known {
			break
		}
		p.advance()
		var right expression
		if right, err = operand(); err == nil {
			left = arithmetic{op: t.text, left: left, right: right, at: t.at}
		}
	}
	return left, err
}

// unary parses a value with its signs and what follows it; a sign binds stronger
// than a filter.
func (p *parser) unary(filters bool) (expression, error) {
	var e expression
	var err error
	if t := p.peek(); t.is("-") || t.is("+") {
		p.advance()
		if err = p.enter(); err != nil {
			return nil, err
		}
		e, err = p.unary(false)
		p.leave()
		e = signed{of: e, minus: t.text == "-", at: t.at}
	} else {
		e, err = p.primary()
	}
	for err == nil {
		switch t := p.peek(); {
		case t.is("."):
			e, err = p.attribute(e)
		case t.is("["):
			e, err = p.subscript(e)
		case t.is("("):
			e, err = p.call(e)
		case filters && t.is("|"):
			e, err = p.filter(e)
			err = p.afterFilter(err)
		case filters && t.isName("is"):
			e, err = p.test(e)
			err = p.afterFilter(err)
		default:
			return e, nil
		}
	}
	return nil, err
}

// afterFilter refuses an attribute or index straight after a filter or test, which
// Jinja refuses too.
func (p *parser) afterFilter(err error) error {
	if t := p.peek(); err == nil && (t.is(".") || t.is("[")) {
		return p.unexpected()
	}
	return err
}

func (p *parser) primary() (expression, error) {
	switch t := p.peek(); {
	case t.kind == name:
		p.advance()
		switch t.text {
		case "true", "True":
			return literal{true}, nil
		case "false", "False":
			return literal{false}, nil
		case "none", "None":
			return literal{nil}, nil
		case "self", "super", "caller", "varargs", "kwargs":
			if t.text != "caller" || !p.chat {
				return nil, unsupported(t.at, t.text)
			}
		}
		return variable{name: t.text, at: t.at}, nil
	case t.kind == quoted:
		var b strings.Builder
		for p.peek().kind == quoted {
			b.WriteString(p.advance().text)
		}
		return literal{b.String()}, nil
	case t.kind == integer || t.kind == float:
		return literal{p.advance().number}, nil
	case p.take("("):
		if err := p.enter(); err != nil {
			return nil, err
		}
		defer p.leave()
		e, err := p.tuple(true, true)
		if err == nil {
			err = p.expect(")")
		}
		return e, err
	case p.take("["):
		items, err := p.items("]")
		return sequence{items: items, at: t.at}, err
	case p.take("{"):
		return p.dict(t.at)
	}
	return nil, p.unexpected()
}

// items parses expressions between commas up to the closing bracket.
func (p *parser) items(closing string) ([]expression, error) {
	items := []expression{}
	for !p.take(closing) {
		if len(items) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.take(closing) {
				break
			}
		}
		e, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		items = append(items, e)
	}
	return items, nil
}

func (p *parser) dict(at int) (expression, error) {
	d := dict{at: at}
	for !p.take("}") {
		if len(d.keys) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
			if p.take("}") {
				break
			}
		}
		key, err := p.expression(true)
		if err == nil {
			err = p.expect(":")
		}
		if err != nil {
			return nil, err
		}
		value, err := p.expression(true)
		if err != nil {
			return nil, err
		}
		d.keys, d.values = append(d.keys, key), append(d.values, value)
	}
	return d, nil
}

func (p *parser) attribute(of expression) (expression, error) {
	at := p.advance().at
	t := p.peek()
	if t.kind != integer && t.kind != name {
		return nil, p.unexpected()
	}
	p.advance()
	switch {
	case t.kind == integer:
		return index{of: of, key: literal{t.number}, at: at}, nil
	case strings.HasPrefix(t.text, "__"):
		return nil, unsupported(at, "the attribute "+t.text)
	case p.peek().is("(") && !knownMethods[t.text] && !p.chat:
		return nil, unsupported(at, "the method "+t.text)
	}
	return attribute{of: of, name: t.text, at: at}, nil
}

func (p *parser) subscript(of expression) (expression, error) {
	at := p.advance().at
	var keys []expression
	for !p.take("]") {
		if len(keys) > 0 {
			if err := p.expect(","); err != nil {
				return nil, err
			}
		}
		e, err := p.subscribed()
		if err != nil {
			return nil, err
		}
		keys = append(keys, e)
	}
	for _, k := range keys {
		s, ok := k.(slice)
		switch {
		case ok && len(keys) == 1:
			s.of, s.at = of, at
			return s, nil
		case ok:
			return nil, unsupported(at, "a slice among several indices")
		}
	}
	if len(keys) == 1 {
		return index{of: of, key: keys[0], at: at}, nil
	}
	return index{of: of, key: sequence{items: keys, tuple: true, at: at}, at: at}, nil
}

// subscribed parses an index or a slice, whose subject is filled in by subscript.
func (p *parser) subscribed() (expression, error) {
	var s slice
	ends := func() bool { t := p.peek(); return t.is("]") || t.is(",") || t.is(":") }
	if !p.peek().is(":") {
		e, err := p.expression(true)
		if err != nil || !p.peek().is(":") {
			return e, err
		}
		s.from = e
	}
	p.advance()
	var err error
	if !ends() {
		if s.to, err = p.expression(true); err != nil {
			return nil, err
		}
	}
	if p.take(":") && !ends() {
		s.step, err = p.expression(true)
	}
	return s, err
}

func (p *parser) call(of expression) (expression, error) {
	c := call{of: of, at: p.peek().at}
	var err error
	c.arguments, err = p.arguments()
	return c, err
}

func (p *parser) filter(of expression) (expression, error) {
	p.advance()
	t := p.peek()
	if t.kind != name {
		return nil, p.unexpected()
	}
	p.advance()
	f, ok := filterNamed(t.text, p.chat)
	if !ok || p.peek().is(".") {
		return nil, unsupported(t.at, fmt.Sprintf("the filter %q", t.text))
	}
	e := filtered{name: t.text, run: f, of: of, at: t.at}
	var err error
	if p.peek().is("(") {
		e.arguments, err = p.arguments()
	}
	return e, err
}

// test parses "is defined" and its like. An argument needs no parentheses.
func (p *parser) test(of expression) (expression, error) {
	p.advance()
	negated := p.takeWord("not")
	t := p.peek()
	if t.kind != name {
		return nil, p.unexpected()
	}
	p.advance()
	run, ok := testNamed(t.text, p.chat)
	if !ok || p.peek().is(".") {
		return nil, unsupported(t.at, fmt.Sprintf("the test %q", t.text))
	}
	e := tested{name: t.text, run: run, of: of, at: t.at}
	var err error
	switch n := p.peek(); {
	case n.is("("):
		e.arguments, err = p.arguments()
	case n.isName("is"):
		return nil, p.unexpected()
	case n.kind == quoted || n.kind == integer || n.kind == float || n.is("[") || n.is("{"),
		n.kind == name && !n.isWord("else", "or", "and"):
		e.arguments, err = p.bareArgument()
	}
	if err == nil && negated {
		return negation{of: e}, nil
	}
	return e, err
}

func (p *parser) bareArgument() (arguments, error) {
	e, err := p.primary()
	for err == nil {
		switch t := p.peek(); {
		case t.is("."):
			e, err = p.attribute(e)
		case t.is("["):
			e, err = p.subscript(e)
		case t.is("("):
			e, err = p.call(e)
		default:
			return arguments{positional: []expression{e}}, nil
		}
	}
	return arguments{}, err
}

// arguments parses what stands in the parentheses of a call.
func (p *parser) arguments() (arguments, error) {
	var a arguments
	at := p.advance().at
	for first := true; !p.take(")"); first = false {
		if !first {
			if err := p.expect(","); err != nil {
				return a, err
			}
			if p.take(")") {
				break
			}
		}
		if t := p.peek(); t.is("*") && p.chat && a.spread == nil {
			p.advance()
			e, err := p.expression(true)
			if err != nil {
				return a, err
			}
			a.spread = e
			continue
		} else if t.is("*") || t.is("**") {
			return a, unsupported(t.at, fmt.Sprintf("%q before an argument", t.text))
		}
		keyword := ""
		if p.peek().kind == name && p.ahead().is("=") {
			keyword = p.advance().text
			p.advance()
		} else if len(a.keywords) > 0 {
			return a, fault(at, "an argument without a name follows one with a name")
		}
		e, err := p.expression(true)
		if err != nil {
			return a, err
		}
		if keyword == "" {
			a.positional = append(a.positional, e)
		} else {
			a.keywords, a.named = append(a.keywords, keyword), append(a.named, e)
		}
	}
	return a, nil
}
