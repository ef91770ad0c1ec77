package python

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// translate writes a parsed pattern in the language of regexp2 (that of .NET), so
// that nothing is left to what the two languages read differently: every class is
// spelled out, every flag is worked in, groups are numbered from the left.
func translate(n *node) string {
	var b strings.Builder
	write(&b, n)
	return b.String()
}

const (
	anything = `[\s\S]`

	// The white space of re, which has U+001C to U+001F beside Unicode's.
	spaces      = "\t-\r\x1c-\x20\u0085\u00a0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
	asciiSpaces = "\t-\r\x20"
)

func write(b *strings.Builder, n *node) {
	switch n.op {
	case opSet:
		n.set.write(b, n.flags)
	case opAny:
		if n.flags&dotAll != 0 {
			b.WriteString(anything)
		} else {
			b.WriteString("[^\n]")
		}
	case opStart:
		b.WriteString(`\A`)
	case opEnd:
		b.WriteString(`\z`)
	case opBegin:
		if n.flags&multiLine != 0 {
			b.WriteString(`(?m:^)`)
		} else {
			b.WriteString(`\A`)
		}
	case opFinish:
		if n.flags&multiLine != 0 {
			b.WriteString(`(?m:$)`)
		} else {
			b.WriteString(`\Z`)
		}
	case opBoundary, opNoBoundary:
		w := "[" + class{kind: 'w'}.members(n.flags) + "]"
		if n.op == opBoundary {
			fmt.Fprintf(b, `(?:(?<=%s)(?!%s)|(?<!%s)(?=%s))`, w, w, w, w)
		} else { // never in an empty text
			fmt.Fprintf(b, `(?:(?<=%s)(?=%s)|(?<!%s)(?!%s)(?!\A\z))`, w, w, w, w)
		}
	case opSequence:
		for _, k := range n.kids {
			write(b, k)
		}
	case opBranch:
		b.WriteString("(?:")
		for i, k := range n.kids {
			if i > 0 {
				b.WriteByte('|')
			}
			write(b, k)
		}
		b.WriteByte(')')
	case opRepeat:
		writeRepeat(b, n)
	case opGroup:
		within(b, map[bool]string{true: "(", false: "(?:"}[n.n > 0], n.kids[0])
	case opAtomic:
		within(b, "(?>", n.kids[0])
	case opLook:
		open := "(?"
		if n.behind {
			open += "<"
		}
		if n.negative {
			open += "!"
		} else {
			open += "="
		}
		within(b, open, n.kids[0])
	case opReference:
		if n.flags&ignoreCase != 0 {
			fmt.Fprintf(b, `(?i:\k<%d>)`, n.n)
		} else {
			fmt.Fprintf(b, `\k<%d>`, n.n)
		}
	case opConditional:
		within(b, fmt.Sprintf("(?(%d)", n.n), n.kids[0])
		closed := b.String()
		b.Reset()
		b.WriteString(strings.TrimSuffix(closed, ")") + "|")
		write(b, n.kids[1])
		b.WriteByte(')')
	}
}

func within(b *strings.Builder, open string, n *node) {
	b.WriteString(open)
	write(b, n)
	b.WriteByte(')')
}

func writeRepeat(b *strings.Builder, n *node) {
	if n.owned {
		b.WriteString("(?>")
		defer b.WriteByte(')')
	}
	within(b, "(?:", n.kids[0])
	switch {
	case n.min == 0 && n.max == unbounded:
		b.WriteByte('*')
	case n.min == 1 && n.max == unbounded:
		b.WriteByte('+')
	case n.min == 0 && n.max == 1:
		b.WriteByte('?')
	case n.max == unbounded:
		fmt.Fprintf(b, "{%d,}", n.min)
	default:
		fmt.Fprintf(b, "{%d,%d}", n.min, n.max)
	}
	if n.lazy {
		b.WriteByte('?')
	}
}

// members returns what stands between brackets for the class, ignoring its negation.
func (k class) members(f flags) string {
	plain := f&ascii != 0
	switch {
	case k.kind == 'd' && plain:
		return "0-9"
	case k.kind == 'd':
		return `\p{Nd}`
	case k.kind == 's' && plain:
		return asciiSpaces
	case k.kind == 's':
		return spaces
	case plain:
		return "0-9A-Za-z_"
	}
	return `\p{L}\p{N}_`
}

func (s set) write(b *strings.Builder, f flags) {
	if len(s.classes) == 0 && len(s.ranges) == 2 && s.ranges[0] == s.ranges[1] && !s.negated && f&ignoreCase == 0 {
		writeLiteral(b, s.ranges[0])
		return
	}
	ranges := s.ranges
	if f&ignoreCase != 0 {
		ranges = anyCase(ranges, f)
	}
	var inside strings.Builder
	for i := 0; i < len(ranges); i += 2 {
		writeLiteral(&inside, ranges[i])
		if ranges[i+1] > ranges[i] {
			inside.WriteByte('-')
			writeLiteral(&inside, ranges[i+1])
		}
	}
	var outside []string // sets of what a negated class leaves out
	for _, k := range s.classes {
		if k.negated {
			outside = append(outside, "[^"+k.members(f)+"]")
		} else {
			inside.WriteString(k.members(f))
		}
	}
	switch {
	case len(outside) == 0 && s.negated:
		b.WriteString("[^" + inside.String() + "]")
	case len(outside) == 0:
		b.WriteString("[" + inside.String() + "]")
	case inside.Len() == 0 && len(outside) == 1 && !s.negated:
		b.WriteString(outside[0])
	case inside.Len() == 0 && len(outside) == 1:
		b.WriteString("[" + strings.TrimPrefix(outside[0], "[^"))
	default: // sets cannot be nested, so one of several sets
		if inside.Len() > 0 {
			outside = append(outside, "["+inside.String()+"]")
		}
		any := strings.Join(outside, "|")
		if s.negated {
			b.WriteString("(?:(?!" + any + ")" + anything + ")")
		} else {
			b.WriteString("(?:" + any + ")")
		}
	}
}

func writeLiteral(b *strings.Builder, r rune) {
	if r == '-' { // as the end of a range, \- would not be read as one
		b.WriteString(`\x2d`)
		return
	}
	if r < 128 && (unicode.IsPunct(r) || unicode.IsSymbol(r)) && r != '_' {
		b.WriteByte('\\')
	}
	b.WriteRune(r)
}

// sameUpper lists small letters that re takes for each other without regard to case,
// though neither is the other's lower case: their upper case is the same.
var sameUpper = strings.Fields("iı sſ µμ \u0345ι\u1fbe \u0390\u1fd3 \u03b0\u1fe3 βϐ εϵ θϑ κϰ πϖ ρϱ ςσ φϕ " +
	"в\u1c80 д\u1c81 о\u1c82 с\u1c83 т\u1c84\u1c85 ъ\u1c86 ѣ\u1c87 \u1c88\ua64b \u1e61\u1e9b \ufb05\ufb06")

// casedRunes lists every character that has another case, or shares one, in order.
var casedRunes = sync.OnceValue(func() []rune {
	var out []rune
	for _, c := range unicode.CaseRanges {
		for r := rune(c.Lo); r <= rune(c.Hi); r++ {
			out = append(out, r)
		}
	}
	for _, group := range sameUpper {
		out = append(out, []rune(group)...)
	}
	slices.Sort(out)
	return slices.Compact(out)
})

func lowerRune(r rune, f flags) rune {
	if f&ascii != 0 {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}
	return unicode.ToLower(r)
}

// anyCase returns the ranges of the characters that match ranges without regard to
// case: those whose lower case is the lower case of one of them, or shares its
// upper case.
func anyCase(ranges []rune, f flags) []rune {
	covers := func(r rune) bool {
		for i := 0; i < len(ranges); i += 2 {
			if r >= ranges[i] && r <= ranges[i+1] {
				return true
			}
		}
		return false
	}
	lower := map[rune]bool{}
	for _, r := range casedRunes() {
		if !covers(r) {
			continue
		}
		low := lowerRune(r, f)
		lower[low] = true
		if f&ascii != 0 {
			continue
		}
		for _, group := range sameUpper {
			if strings.ContainsRune(group, low) {
				for _, other := range group {
					lower[other] = true
				}
			}
		}
	}
	var out []rune
	for i := 0; i < len(ranges); i += 2 { // without the cased ones
		lo := ranges[i]
		first, _ := slices.BinarySearch(casedRunes(), lo)
		for _, r := range casedRunes()[first:] {
			if r > ranges[i+1] {
				break
			}
			if r > lo {
				out = append(out, lo, r-1)
			}
			lo = r + 1
		}
		if lo <= ranges[i+1] {
			out = append(out, lo, ranges[i+1])
		}
	}
	for _, r := range casedRunes() {
		if lower[lowerRune(r, f)] {
			if n := len(out); n > 0 && out[n-1] == r-1 {
				out[n-1] = r
			} else {
				out = append(out, r, r)
			}
		}
	}
	if len(out) == 0 { // every character of ranges lowers to another one: cannot happen
		return ranges
	}
	return out
}
