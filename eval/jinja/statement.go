package jinja

import "fmt"

// statement is a piece of a template that writes text or sets a name.
type statement interface {
	run(r *rendering) error
}

type text struct {
	text string
	at   int
}

// print is {{ expression }}.
type print struct {
	of expression
	at int
}

type condition struct {
	tests     []expression
	bodies    [][]statement
	otherwise []statement
}

type loop struct {
	target          target
	over, test      expression // test may be nil
	body, otherwise []statement
	at              int
}

// assignment is {% set target = expression %}, or with a body what the body writes.
type assignment struct {
	target target
	of     expression
	body   []statement
	at     int
}

// target is what a loop or {% set %} gives a value to: a name, an attribute of a
// namespace, or a tuple of targets.
type target struct {
	name, attribute string
	parts           []target
	tuple           bool
	at              int
}

// statements parses up to the end of the source, or to the tag that begins with one
// of the words, which is left as the next token.
func (p *parser) statements(end ...string) ([]statement, error) {
	if err := p.enter(); err != nil {
		return nil, err
	}
	defer p.leave()
	var body []statement
	for {
		switch t := p.advance(); t.kind {
		case endOfSource:
			if len(end) > 0 {
				return nil, fault(t.at, fmt.Sprintf("the template ends without {%% %s %%}", end[len(end)-1]))
			}
			return body, nil
		case data:
			body = append(body, text{t.text, t.at})
		case beginPrint:
			e, err := p.tuple(true, false)
			if err != nil {
				return nil, err
			}
			if p.peek().kind != endPrint {
				return nil, p.unexpected()
			}
			p.advance()
			body = append(body, print{of: e, at: t.at})
		case beginTag:
			if p.peek().isWord(end...) {
				return body, nil
			}
			s, err := p.tag(t.at)
			if err != nil {
				return nil, err
			}
			body = append(body, s)
		}
	}
}

// tag parses a statement whose {% is taken.
func (p *parser) tag(at int) (statement, error) {
	t := p.peek()
	if t.kind != name {
		return nil, fault(at, "{% without the name of a statement")
	}
	p.advance()
	switch t.text {
	case "if":
		return p.condition()
	case "for":
		return p.loop(at)
	case "set":
		return p.assignment(at)
	}
	if p.chat {
		switch t.text {
		case "macro":
			return p.macro(at)
		case "call":
			return p.callBlock(at)
		case "generation":
			return p.generation()
		case "break", "continue":
			if p.loops == 0 {
				return nil, fault(at, "{% "+t.text+" %} outside of a loop")
			}
			return jump{again: t.text == "continue"}, p.endTag()
		}
	}
	return nil, unsupported(at, "{% "+t.text+" %}")
}

func (p *parser) endTag() error {
	if p.peek().kind != endTag {
		return p.unexpected()
	}
	p.advance()
	return nil
}

// block parses statements after the head of a tag; the word that ends them is
// taken, its %} is not.
func (p *parser) block(end ...string) (body []statement, word string, err error) {
	p.take(":")
	if err = p.endTag(); err == nil {
		body, err = p.statements(end...)
	}
	if err == nil {
		word = p.advance().text
	}
	return body, word, err
}

func (p *parser) condition() (statement, error) {
	var c condition
	for word := "elif"; ; {
		if word == "else" {
			body, _, err := p.block("endif")
			c.otherwise = body
			if err != nil {
				return nil, err
			}
			return c, p.endTag()
		}
		if word == "endif" {
			return c, p.endTag()
		}
		test, err := p.tuple(false, false)
		if err != nil {
			return nil, err
		}
		body, next, err := p.block("elif", "else", "endif")
		if err != nil {
			return nil, err
		}
		c.tests, c.bodies, word = append(c.tests, test), append(c.bodies, body), next
	}
}

func (p *parser) loop(at int) (statement, error) {
	l := loop{at: at}
	var err error
	if l.target, err = p.target(false); err != nil {
		return nil, err
	}
	if !p.takeWord("in") {
		return nil, p.unexpected()
	}
	if l.over, err = p.tuple(false, false); err != nil {
		return nil, err
	}
	if p.takeWord("if") {
		if l.test, err = p.expression(true); err != nil {
			return nil, err
		}
	}
	if t := p.peek(); t.isName("recursive") {
		return nil, unsupported(t.at, "a recursive loop")
	}
	var word string
	p.loops++
	l.body, word, err = p.block("else", "endfor")
	p.loops--
	if err != nil {
		return nil, err
	}
	if word == "else" {
		if l.otherwise, _, err = p.block("endfor"); err != nil {
			return nil, err
		}
	}
	return l, p.endTag()
}

func (p *parser) assignment(at int) (statement, error) {
	a := assignment{at: at}
	var err error
	if a.target, err = p.target(true); err != nil {
		return nil, err
	}
	if p.take("=") {
		if a.of, err = p.tuple(true, false); err != nil {
			return nil, err
		}
		return a, p.endTag()
	}
	if t := p.peek(); t.is("|") {
		return nil, unsupported(t.at, "a filter on {% set %} with a body")
	}
	if a.body, _, err = p.block("endset"); err != nil {
		return nil, err
	}
	return a, p.endTag()
}

// target parses one target, or several between commas.
func (p *parser) target(attributes bool) (target, error) {
	all := target{tuple: true, at: p.peek().at}
	for {
		t, err := p.oneTarget(attributes)
		if err != nil {
			return t, err
		}
		all.parts = append(all.parts, t)
		if !p.take(",") {
			if len(all.parts) == 1 {
				return t, nil
			}
			return all, nil
		}
		if p.peek().is(")") { // the only place where Jinja takes a comma at the end
			return all, nil
		}
	}
}

func (p *parser) oneTarget(attributes bool) (target, error) {
	t := p.peek()
	if p.take("(") {
		if err := p.enter(); err != nil {
			return target{}, err
		}
		defer p.leave()
		inner, err := p.target(false)
		if err == nil {
			err = p.expect(")")
		}
		return inner, err
	}
	switch {
	case t.kind != name:
		return target{}, p.unexpected()
	case t.isWord("true", "True", "false", "False", "none", "None", "loop", "self", "not", "in", "is", "and", "or", "if", "else"):
		return target{}, fault(t.at, fmt.Sprintf("%q cannot be given a value", t.text))
	}
	p.advance()
	out := target{name: t.text, at: t.at}
	if attributes && p.take(".") {
		n := p.peek()
		if n.kind != name {
			return out, p.unexpected()
		}
		out.attribute = p.advance().text
	}
	return out, nil
}
