package python

import (
	"strconv"
	"strings"
	"unicode"
)

// part is a piece of a template: text, or the number of a group.
type part struct {
	text  string
	group int // -1: text
}

// parseTemplate reads the replacement of re.sub.
func (r *Regex) parseTemplate(template string) (parts []part, err error) {
	defer func() {
		if v := recover(); v != nil {
			bad, ok := v.(*PatternError)
			if !ok {
				panic(v)
			}
			parts, err = nil, bad
		}
	}()
	p := &parser{text: []rune(template)}
	var text strings.Builder
	group := func(n, at int) {
		if n > r.groups {
			p.fail(at, "invalid group reference %d", n)
		}
		if text.Len() > 0 {
			parts = append(parts, part{text: text.String(), group: -1})
			text.Reset()
		}
		parts = append(parts, part{group: n})
	}
	for p.more() {
		start := p.at
		c := p.text[p.at]
		if p.at++; c != '\\' {
			text.WriteRune(c)
			continue
		}
		if !p.more() {
			p.fail(start, "bad escape (end of pattern)")
		}
		c = p.text[p.at]
		p.at++
		switch {
		case c == 'g':
			if !p.accept('<') {
				p.fail(p.at, "missing <")
			}
			at := p.at
			group(r.groupNamed(p, p.until('>', "group name"), at), at)
		case c == '0':
			v, _ := strconv.ParseInt("0"+p.while(2, octalDigits), 8, 32)
			text.WriteRune(rune(v))
		case c >= '1' && c <= '9':
			n, octal := p.templateNumber(c, start)
			if octal {
				text.WriteRune(rune(n))
			} else {
				group(n, start+1)
			}
		case escapes[c] != 0:
			text.WriteRune(escapes[c])
		case c < 128 && unicode.IsLetter(c):
			p.fail(start, "bad escape \\%c", c)
		default:
			text.WriteRune('\\')
			text.WriteRune(c)
		}
	}
	if text.Len() > 0 {
		parts = append(parts, part{text: text.String(), group: -1})
	}
	return parts, nil
}

func (r *Regex) groupNamed(p *parser, name string, at int) int {
	if identifier(name) {
		n, ok := r.names[name]
		if !ok {
			p.fail(at, "unknown group name '%s'", name)
		}
		return n
	}
	v, err := Int(name)
	if err != nil || v.Sign() < 0 {
		p.fail(at, "bad character in group name '%s'", name)
	}
	if !v.IsInt64() || v.Int64() > int64(r.groups) {
		p.fail(at, "invalid group reference %s", v)
	}
	return int(v.Int64())
}

// templateNumber reads \1 to \99, or a character by three octal digits.
func (p *parser) templateNumber(c rune, start int) (n int, octal bool) {
	n = int(c - '0')
	d := p.peek()
	if d < '0' || d > '9' {
		return n, false
	}
	p.at++
	if e := p.peek(); n < 8 && d < '8' && e >= '0' && e < '8' {
		p.at++
		if n = n*64 + int(d-'0')*8 + int(e-'0'); n > 0o377 {
			p.fail(start, "octal escape value %s outside of range 0-0o377", string(p.text[start:p.at]))
		}
		return n, true
	}
	return n*10 + int(d-'0'), false
}
