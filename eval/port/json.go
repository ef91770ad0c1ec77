package port

import "strings"

// jsonDepth is how deep values may stand in each other: where Python's parser gives
// up, by an exception that ends the harness.
const jsonDepth = 990

// isJSON reports whether Python's json.loads reads s: RFC 8259, and NaN, Infinity and
// -Infinity. Integers of more than 4,300 digits are refused, as Python refuses them.
func isJSON(s string) bool {
	p := jsonParser{rest: s}
	p.skip()
	if !p.value(0) {
		return false
	}
	p.skip()
	return p.rest == ""
}

type jsonParser struct{ rest string }

func (p *jsonParser) skip() { p.rest = strings.TrimLeft(p.rest, " \t\r\n") }

func (p *jsonParser) take(what string) bool {
	after, ok := strings.CutPrefix(p.rest, what)
	p.rest = after
	return ok
}

func (p *jsonParser) value(depth int) bool {
	if depth > jsonDepth {
		return false
	}
	switch {
	case p.take("{"):
		return p.members("}", func() bool {
			if !p.take(`"`) || !p.text() {
				return false
			}
			p.skip()
			if !p.take(":") {
				return false
			}
			p.skip()
			return p.value(depth + 1)
		})
	case p.take("["):
		return p.members("]", func() bool { return p.value(depth + 1) })
	case p.take(`"`):
		return p.text()
	}
	for _, word := range []string{"null", "true", "false", "NaN", "Infinity", "-Infinity"} {
		if p.take(word) {
			return true
		}
	}
	return p.number()
}

// members reads what stands between brackets, separated by commas.
func (p *jsonParser) members(closing string, member func() bool) bool {
	p.skip()
	if p.take(closing) {
		return true
	}
	for member() {
		p.skip()
		if p.take(closing) {
			return true
		}
		if !p.take(",") {
			return false
		}
		p.skip()
	}
	return false
}

// text reads what follows the opening quote.
func (p *jsonParser) text() bool {
	for i := 0; i < len(p.rest); i++ {
		switch c := p.rest[i]; {
		case c == '"':
			p.rest = p.rest[i+1:]
			return true
		case c < 0x20:
			return false
		case c == '\\':
			i++
			if i == len(p.rest) || strings.IndexByte(`"\/bfnrtu`, p.rest[i]) < 0 {
				return false
			}
			if p.rest[i] == 'u' {
				if len(p.rest) < i+5 || strings.Trim(p.rest[i+1:i+5], "0123456789abcdefABCDEF") != "" {
					return false
				}
				i += 4
			}
		}
	}
	return false
}

// digits takes decimal digits and returns how many there were.
func (p *jsonParser) digits() int {
	after := strings.TrimLeft(p.rest, "0123456789")
	n := len(p.rest) - len(after)
	p.rest = after
	return n
}

// number reads the longest number. A dot or an e that no digit follows is no part of
// it, and then ends the value where none can follow.
func (p *jsonParser) number() bool {
	p.take("-")
	whole := 1
	if !p.take("0") {
		whole = p.digits()
	}
	if whole == 0 {
		return false
	}
	isFloat := false
	before := p.rest
	if p.take(".") && p.digits() > 0 {
		isFloat, before = true, p.rest
	}
	p.rest = before
	if p.take("e") || p.take("E") {
		if !p.take("+") {
			p.take("-")
		}
		if p.digits() > 0 {
			isFloat, before = true, p.rest
		}
	}
	p.rest = before
	return isFloat || whole <= 4300
}
