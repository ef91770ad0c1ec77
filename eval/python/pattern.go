package python

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// PatternError says what Python, or this package, refuses in a regular expression.
type PatternError struct {
	Problem  string
	Position int // in code points from the start of the pattern
}

// Error returns the problem and its place.
func (e *PatternError) Error() string { return fmt.Sprintf("%s at position %d", e.Problem, e.Position) }

// flags are the inline flags of a pattern.
type flags uint8

const (
	ignoreCase flags = 1 << iota
	multiLine
	dotAll
	verbose
	ascii
	unicodeFlag
)

var flagOf = map[rune]flags{'i': ignoreCase, 'm': multiLine, 's': dotAll, 'x': verbose, 'a': ascii, 'u': unicodeFlag}

const (
	typeFlags = ascii | unicodeFlag
	unbounded = math.MaxUint32 // Python's MAXREPEAT
)

type op uint8

const (
	opEmpty       op = iota
	opSet            // one character of set
	opStart          // \A
	opEnd            // \Z: the very end
	opBegin          // ^
	opFinish         // $
	opBoundary       // \b
	opNoBoundary     // \B
	opAny            // .
	opSequence       // kids in order
	opBranch         // one of kids
	opRepeat         // kids[0], min to max times
	opGroup          // kids[0], captured as group n; n is 0 for none
	opAtomic         // kids[0], never entered again
	opLook           // kids[0] stands here: ahead or, with behind, before
	opReference      // what group n holds
	opConditional    // kids[0] if group n has taken part, else kids[1]
)

// node is one part of a parsed pattern, with the flags that hold there.
type node struct {
	op       op
	flags    flags
	set      set
	kids     []*node
	n        int
	min, max int64
	lazy     bool
	owned    bool // possessive
	behind   bool
	negative bool
}

// pattern is a parsed regular expression.
type pattern struct {
	root   *node
	groups int
	names  map[string]int
}

// parser reads a pattern as CPython 3.11's re does. Its reader sees one unit at a
// time: a character, or a backslash and what follows it.
type parser struct {
	text   []rune
	at     int
	global flags

	names  map[string]int
	widths []*[2]int64 // of each group; nil while it is open
	behind int         // groups known where the outermost lookbehind began; -1 outside
	refs   map[int]int // where each group number of a conditional was first named
	depth  int
}

// maxDepth bounds the nesting of groups.
const maxDepth = 200

func (p *parser) fail(at int, format string, args ...any) {
	panic(&PatternError{Problem: fmt.Sprintf(format, args...), Position: at})
}

func parsePattern(text string) (out *pattern, err error) {
	defer func() {
		if r := recover(); r != nil {
			bad, ok := r.(*PatternError)
			if !ok {
				panic(r)
			}
			out, err = nil, bad
		}
	}()
	p := &parser{text: []rune(text), names: map[string]int{}, widths: []*[2]int64{nil}, behind: -1, refs: map[int]int{}}
	root := p.alternatives(0, true)
	if p.at < len(p.text) {
		p.fail(p.at, "unbalanced parenthesis")
	}
	for n, at := range p.refs {
		if n >= len(p.widths) {
			p.fail(at, "invalid group reference %d", n)
		}
	}
	return &pattern{root: root, groups: len(p.widths) - 1, names: p.names}, nil
}

func (p *parser) more() bool { return p.at < len(p.text) }

// peek returns the next character, or -1 at the end.
func (p *parser) peek() rune {
	if p.more() {
		return p.text[p.at]
	}
	return -1
}

func (p *parser) accept(r rune) bool {
	if p.peek() == r {
		p.at++
		return true
	}
	return false
}

// until reads a name that ends with the terminator.
func (p *parser) until(end rune, what string) string {
	start := p.at
	for p.more() && p.text[p.at] != end {
		p.at++
	}
	switch {
	case p.at == start:
		p.fail(start, "missing %s", what)
	case !p.more():
		p.fail(start, "missing %c, unterminated name", end)
	}
	p.at++
	return string(p.text[start : p.at-1])
}

// while reads up to n characters of the set.
func (p *parser) while(n int, of string) string {
	start := p.at
	for p.at-start < n && p.more() && strings.ContainsRune(of, p.text[p.at]) {
		p.at++
	}
	return string(p.text[start:p.at])
}

func (p *parser) alternatives(f flags, first bool) *node {
	if p.depth++; p.depth > maxDepth {
		p.fail(p.at, "more than %d groups inside each other", maxDepth)
	}
	defer func() { p.depth-- }()
	top := p.depth == 1
	kids := []*node{p.sequence(&f, first)}
	for p.accept('|') {
		kids = append(kids, p.sequence(&f, false))
	}
	if len(kids) == 1 {
		return kids[0]
	}
	if top { // flags at the start hold for all
		f = p.global
	}
	return &node{op: opBranch, flags: f, kids: kids}
}

// sequence reads one alternative. Flags for the whole pattern, which may stand only
// where first, change f.
func (p *parser) sequence(f *flags, first bool) *node {
	out := &node{op: opSequence}
	for p.more() {
		start := p.at
		c := p.text[p.at]
		if c == '|' || c == ')' {
			break
		}
		p.at++
		if *f&verbose != 0 {
			if strings.ContainsRune(" \t\n\r\v\f", c) {
				continue
			}
			if c == '#' {
				for p.more() && !p.accept('\n') {
					p.unit()
				}
				continue
			}
		}
		switch c {
		case '\\':
			out.kids = append(out.kids, p.escape(*f))
		case '[':
			out.kids = append(out.kids, &node{op: opSet, flags: *f, set: p.set(start)})
		case '.':
			out.kids = append(out.kids, &node{op: opAny, flags: *f})
		case '^':
			out.kids = append(out.kids, &node{op: opBegin, flags: *f})
		case '$':
			out.kids = append(out.kids, &node{op: opFinish, flags: *f})
		case '*', '+', '?', '{':
			p.repeat(c, start, *f, out)
		case '(':
			if n := p.group(start, f, first && len(out.kids) == 0); n != nil {
				out.kids = append(out.kids, n)
			}
		default:
			out.kids = append(out.kids, literal(c, *f))
		}
	}
	return out
}

// unit skips a character, or a backslash with what follows.
func (p *parser) unit() {
	if p.text[p.at] == '\\' {
		if p.at+1 == len(p.text) {
			p.fail(p.at, "bad escape (end of pattern)")
		}
		p.at++
	}
	p.at++
}

func literal(c rune, f flags) *node {
	return &node{op: opSet, flags: f, set: set{ranges: []rune{c, c}}}
}

func (p *parser) repeat(c rune, start int, f flags, into *node) {
	least, most := int64(0), int64(unbounded)
	switch c {
	case '?':
		most = 1
	case '+':
		least = 1
	case '{':
		lo, hi, ok := p.bounds()
		if !ok {
			p.at = start + 1
			into.kids = append(into.kids, literal('{', f))
			return
		}
		for _, b := range []struct {
			text string
			to   *int64
		}{{lo, &least}, {hi, &most}} {
			if b.text == "" {
				continue
			}
			n, err := strconv.ParseInt(b.text, 10, 64)
			if err != nil || n >= unbounded {
				p.fail(start, "the repetition number is too large")
			}
			*b.to = n
		}
		if most < least {
			p.fail(start+1, "min repeat greater than max repeat")
		}
	}
	if len(into.kids) == 0 {
		p.fail(start, "nothing to repeat")
	}
	item := into.kids[len(into.kids)-1]
	switch item.op {
	case opStart, opEnd, opBegin, opFinish, opBoundary, opNoBoundary:
		p.fail(start, "nothing to repeat")
	case opRepeat:
		p.fail(start, "multiple repeat")
	}
	r := &node{op: opRepeat, flags: f, kids: []*node{item}, min: least, max: most}
	if r.lazy = p.accept('?'); !r.lazy {
		r.owned = p.accept('+')
	}
	into.kids[len(into.kids)-1] = r
}

// bounds reads what follows an opening brace, if it is a quantifier.
func (p *parser) bounds() (lo, hi string, ok bool) {
	if p.peek() == '}' {
		return "", "", false
	}
	lo = p.while(len(p.text), digits)
	if p.accept(',') {
		hi = p.while(len(p.text), digits)
	} else {
		hi = lo
	}
	return lo, hi, p.accept('}')
}

// group reads what follows an opening parenthesis; nil for flags and comments.
func (p *parser) group(start int, f *flags, first bool) *node {
	inner := *f
	name, capture, atomic := "", true, false
	if p.accept('?') {
		if !p.more() {
			p.fail(p.at, "unexpected end of pattern")
		}
		c := p.text[p.at]
		p.at++
		switch {
		case c == 'P' && p.accept('<'):
			name = p.name('>')
		case c == 'P' && p.accept('='):
			at := p.at
			name := p.name(')')
			n, ok := p.names[name]
			if !ok {
				p.fail(at, "unknown group name '%s'", name)
			}
			return p.reference(n, at, *f)
		case c == 'P':
			if !p.more() {
				p.fail(p.at, "unexpected end of pattern")
			}
			p.fail(start+1, "unknown extension ?P%c", p.text[p.at])
		case c == ':':
			capture = false
		case c == '#':
			for !p.accept(')') {
				if !p.more() {
					p.fail(start, "missing ), unterminated comment")
				}
				p.unit()
			}
			return nil
		case c == '=' || c == '!' || c == '<':
			return p.look(c, start, *f)
		case c == '(':
			return p.conditional(start, *f)
		case c == '>':
			capture, atomic = false, true
		case flagOf[c] != 0 || c == '-' || c == 'L':
			add, del, whole := p.inlineFlags(c)
			if whole {
				if !first {
					p.fail(start, "global flags not at the start of the expression")
				}
				p.global |= add
				if p.global&typeFlags == typeFlags {
					p.fail(start, "ASCII and UNICODE flags are incompatible")
				}
				*f |= add
				return nil
			}
			if add&typeFlags != 0 {
				inner &^= typeFlags
			}
			inner = (inner | add) &^ del
			capture = false
		default:
			p.fail(start+1, "unknown extension ?%c", c)
		}
	}
	n := 0
	if capture {
		n = p.open(name, start)
	}
	body := p.alternatives(inner, false)
	p.closing(start)
	if n > 0 {
		lo, hi := p.width(body)
		p.widths[n] = &[2]int64{lo, hi}
	}
	if atomic {
		return &node{op: opAtomic, flags: *f, kids: []*node{body}}
	}
	return &node{op: opGroup, flags: *f, kids: []*node{body}, n: n}
}

func (p *parser) closing(start int) {
	if !p.accept(')') {
		p.fail(start, "missing ), unterminated subpattern")
	}
}

func (p *parser) name(end rune) string {
	at := p.at
	name := p.until(end, "group name")
	if !identifier(name) {
		p.fail(at, "bad character in group name '%s'", name)
	}
	return name
}

func identifier(s string) bool {
	for i, r := range s {
		if !(r == '_' || unicode.IsLetter(r) || unicode.Is(unicode.Nl, r) || i > 0 && unicode.In(r, unicode.Nd, unicode.Mn, unicode.Mc, unicode.Pc)) {
			return false
		}
	}
	return s != ""
}

func (p *parser) open(name string, start int) int {
	n := len(p.widths)
	if name != "" {
		if old, ok := p.names[name]; ok {
			p.fail(start+4, "redefinition of group name '%s' as group %d; was group %d", name, n, old)
		}
		p.names[name] = n
	}
	p.widths = append(p.widths, nil)
	return n
}

func (p *parser) reference(n, at int, f flags) *node {
	if p.widths[n] == nil {
		p.fail(at, "cannot refer to an open group")
	}
	p.outsideLook(n, at)
	return &node{op: opReference, flags: f, n: n}
}

// outsideLook refuses references to groups of the same lookbehind.
func (p *parser) outsideLook(n, at int) {
	if p.behind < 0 {
		return
	}
	if n >= len(p.widths) || p.widths[n] == nil {
		p.fail(at, "cannot refer to an open group")
	}
	if n >= p.behind {
		p.fail(at, "cannot refer to group defined in the same lookbehind subpattern")
	}
}

func (p *parser) look(c rune, start int, f flags) *node {
	n := &node{op: opLook, flags: f}
	outer := p.behind
	if c == '<' {
		if c = p.peek(); c < 0 {
			p.fail(p.at, "unexpected end of pattern")
		}
		if c != '=' && c != '!' {
			p.fail(start+1, "unknown extension ?<%c", c)
		}
		p.at++
		n.behind = true
		if outer < 0 {
			p.behind = len(p.widths)
		}
	}
	n.negative = c == '!'
	n.kids = []*node{p.alternatives(f, false)}
	p.behind = outer
	p.closing(start)
	if n.behind {
		if lo, hi := p.width(n.kids[0]); lo != hi {
			p.fail(start, "look-behind requires fixed-width pattern")
		}
	}
	return n
}

func (p *parser) conditional(start int, f flags) *node {
	at := p.at
	name := p.until(')', "group name")
	n := 0
	if identifier(name) {
		var ok bool
		if n, ok = p.names[name]; !ok {
			p.fail(at, "unknown group name '%s'", name)
		}
	} else {
		v, err := Int(name)
		switch {
		case err != nil || v.Sign() < 0:
			p.fail(at, "bad character in group name '%s'", name)
		case v.Sign() == 0:
			p.fail(at, "bad group number")
		case !v.IsInt64() || v.Int64() > 1<<30:
			p.fail(at, "invalid group reference %s", v)
		}
		n = int(v.Int64())
		if _, ok := p.refs[n]; !ok {
			p.refs[n] = at
		}
	}
	p.outsideLook(n, at)
	if p.depth++; p.depth > maxDepth {
		p.fail(p.at, "more than %d groups inside each other", maxDepth)
	}
	defer func() { p.depth-- }()
	yes, no := p.sequence(&f, false), &node{op: opEmpty}
	if p.accept('|') {
		no = p.sequence(&f, false)
		if p.peek() == '|' {
			p.fail(p.at, "conditional backref with more than two branches")
		}
	}
	p.closing(start)
	return &node{op: opConditional, flags: f, n: n, kids: []*node{yes, no}}
}

// inlineFlags reads flags, of which c is the first character. whole says that they
// stand alone in their parentheses.
func (p *parser) inlineFlags(c rune) (add, del flags, whole bool) {
	next := func(missing string) rune {
		if !p.more() {
			p.fail(p.at, "%s", missing)
		}
		r := p.text[p.at]
		p.at++
		return r
	}
	one := func(c rune, missing string) flags {
		if c == 'L' {
			p.fail(p.at, "bad inline flags: cannot use 'L' flag with a str pattern")
		}
		if flagOf[c] == 0 && unicode.IsLetter(c) {
			p.fail(p.at-1, "unknown flag")
		}
		if flagOf[c] == 0 {
			p.fail(p.at-1, "%s", missing)
		}
		return flagOf[c]
	}
	for ; c != '-' && c != ':' && c != ')'; c = next("missing -, : or )") {
		add |= one(c, "missing -, : or )")
		if add&typeFlags == typeFlags {
			p.fail(p.at, "bad inline flags: flags 'a', 'u' and 'L' are incompatible")
		}
	}
	if c == ')' {
		return add, 0, true
	}
	if c == '-' {
		for c = next("missing flag"); c != ':' || del == 0; c = next("missing :") {
			missing := "missing :"
			if del == 0 {
				missing = "missing flag"
			}
			del |= one(c, missing)
			if del&typeFlags != 0 {
				p.fail(p.at, "bad inline flags: cannot turn off flags 'a', 'u' and 'L'")
			}
		}
	}
	if add&del != 0 {
		p.fail(p.at-1, "bad inline flags: flag turned on and off")
	}
	return add, del, false
}

const (
	digits      = "0123456789"
	octalDigits = "01234567"
	hexDigits   = "0123456789abcdefABCDEF"
)

var escapes = map[rune]rune{'a': 7, 'b': 8, 'f': 12, 'n': 10, 'r': 13, 't': 9, 'v': 11, '\\': '\\'}

// escape reads what follows a backslash outside a set.
func (p *parser) escape(f flags) *node {
	start := p.at - 1
	if !p.more() {
		p.fail(start, "bad escape (end of pattern)")
	}
	c := p.text[p.at]
	switch {
	case c == 'A':
		p.at++
		return &node{op: opStart, flags: f}
	case c == 'Z':
		p.at++
		return &node{op: opEnd, flags: f}
	case c == 'b':
		p.at++
		return &node{op: opBoundary, flags: f}
	case c == 'B':
		p.at++
		return &node{op: opNoBoundary, flags: f}
	case c >= '1' && c <= '9':
		return p.number(start, f)
	}
	if k, ok := p.classEscape(); ok {
		return &node{op: opSet, flags: f, set: set{classes: []class{k}}}
	}
	return literal(p.characterEscape(start), f)
}

// number reads a reference to a group, or a character by three octal digits.
func (p *parser) number(start int, f flags) *node {
	n := int(p.text[p.at] - '0')
	p.at++
	if c := p.peek(); c >= '0' && c <= '9' {
		p.at++
		octal := n < 8 && c < '8'
		if d := p.peek(); octal && d >= '0' && d < '8' {
			p.at++
			if n = n*64 + int(c-'0')*8 + int(d-'0'); n > 0o377 {
				p.fail(start, "octal escape value %s outside of range 0-0o377", string(p.text[start:p.at]))
			}
			return literal(rune(n), f)
		}
		n = n*10 + int(c-'0')
	}
	if n >= len(p.widths) {
		p.fail(start+1, "invalid group reference %d", n)
	}
	return p.reference(n, start, f)
}

// classEscape reads one of the letters d, s and w, small or capital.
func (p *parser) classEscape() (class, bool) {
	c := p.peek()
	k := class{kind: unicode.ToLower(c), negated: unicode.IsUpper(c)}
	if k.kind == 'd' || k.kind == 's' || k.kind == 'w' {
		p.at++
		return k, true
	}
	return class{}, false
}

// characterEscape reads the escape of one character.
func (p *parser) characterEscape(start int) rune {
	c := p.text[p.at]
	p.at++
	if r, ok := escapes[c]; ok {
		return r
	}
	switch {
	case c == 'x' || c == 'u' || c == 'U':
		n := map[rune]int{'x': 2, 'u': 4, 'U': 8}[c]
		text := p.while(n, hexDigits)
		v, err := strconv.ParseUint(text, 16, 32)
		switch {
		case len(text) != n || err != nil:
			p.fail(start, "incomplete escape %s", string(p.text[start:p.at]))
		case v > unicode.MaxRune:
			p.fail(start, "bad escape %s", string(p.text[start:p.at]))
		case v >= 0xd800 && v < 0xe000:
			p.fail(start, "a surrogate is no character: %s", string(p.text[start:p.at]))
		}
		return rune(v)
	case c == 'N':
		p.fail(start, `characters by name (\N{...}) are not supported, write \uXXXX`)
	case c >= '0' && c <= '7':
		text := string(c) + p.while(2, octalDigits)
		v, _ := strconv.ParseInt(text, 8, 32)
		if v > 0o377 {
			p.fail(start, "octal escape value \\%s outside of range 0-0o377", text)
		}
		return rune(v)
	case c < 128 && (unicode.IsLetter(c) || unicode.IsDigit(c)):
		p.fail(start, "bad escape \\%c", c)
	}
	return c
}

// set reads a character set after its opening bracket.
func (p *parser) set(start int) set {
	var s set
	s.negated = p.accept('^')
	element := func() (rune, class, bool) {
		at := p.at
		if !p.more() {
			p.fail(start, "unterminated character set")
		}
		p.at++
		if p.text[at] != '\\' {
			return p.text[at], class{}, false
		}
		if !p.more() {
			p.fail(at, "bad escape (end of pattern)")
		}
		if k, ok := p.classEscape(); ok {
			return 0, k, true
		}
		return p.characterEscape(at), class{}, false
	}
	for first := true; ; first = false {
		if !first && p.accept(']') {
			return s
		}
		at := p.at
		lo, k, isClass := element()
		hi := lo
		if p.accept('-') {
			if !p.more() {
				p.fail(start, "unterminated character set")
			}
			if p.peek() == ']' {
				s.add(lo, lo, k, isClass)
				s.add('-', '-', class{}, false)
				p.at++
				return s
			}
			var second bool
			hi, _, second = element()
			if isClass || second || hi < lo {
				p.fail(at, "bad character range %s", string(p.text[at:p.at]))
			}
		}
		s.add(lo, hi, k, isClass)
	}
}

// width returns the least and the greatest number of characters that n matches.
func (p *parser) width(n *node) (lo, hi int64) {
	switch n.op {
	case opSet, opAny:
		return 1, 1
	case opSequence:
		for _, k := range n.kids {
			a, b := p.width(k)
			lo, hi = lo+a, hi+b
		}
	case opBranch, opConditional:
		lo = math.MaxInt64
		for _, k := range n.kids {
			a, b := p.width(k)
			lo, hi = min(lo, a), max(hi, b)
		}
	case opRepeat:
		a, b := p.width(n.kids[0])
		lo, hi = times(a, n.min), times(b, n.max)
	case opGroup, opAtomic:
		return p.width(n.kids[0])
	case opReference:
		return p.widths[n.n][0], p.widths[n.n][1]
	}
	return min(lo, unbounded), min(hi, unbounded)
}

func times(a, n int64) int64 {
	if a > 0 && n > unbounded/a {
		return unbounded
	}
	return a * n
}

// set is a character set: ranges (low and high in turn) and classes.
type set struct {
	ranges  []rune
	classes []class
	negated bool
}

// class is one of \d, \s and \w, or what it leaves out.
type class struct {
	kind    rune
	negated bool
}

func (s *set) add(lo, hi rune, k class, isClass bool) {
	switch {
	case !isClass:
		s.ranges = append(s.ranges, lo, hi)
	case !slices.Contains(s.classes, k):
		s.classes = append(s.classes, k)
	}
}
