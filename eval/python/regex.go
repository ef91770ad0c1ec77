package python

import (
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/dlclark/regexp2"
)

// ErrTimeout says that a regular expression did not come to an end in time: it
// backtracks, and a text can be made to keep it busy for ever.
var ErrTimeout = errors.New("the regular expression takes too long on this text")

// Timeout is how long one search may take: far more than an honest pattern needs for
// an answer of thousands of tokens.
const Timeout = 5 * time.Second

// Regex is a compiled regular expression of Python's re, for str patterns: syntax,
// Unicode classes, matching and replacing are CPython 3.11's. It is safe for
// concurrent use.
//
// Positions count code points. Bytes of a text that are not UTF-8 are taken for
// U+FFFD. Every operation may return ErrTimeout and no other error, but for
// templates that Sub refuses.
type Regex struct {
	source string
	names  map[string]int
	groups int

	search func() *regexp2.Regexp // anywhere
	longer func() *regexp2.Regexp // anywhere, but not empty where the search begins
	match  func() *regexp2.Regexp // at the start
	full   func() *regexp2.Regexp // the whole text
}

// Compile returns re.compile(pattern). What Python refuses is refused, with a
// *PatternError; and so is \N{...}, a character by name.
func Compile(pattern string) (*Regex, error) {
	p, err := parsePattern(pattern)
	if err != nil {
		return nil, err
	}
	return compileTranslated(pattern, p, translate(p.root))
}

func compileTranslated(source string, p *pattern, text string) (*Regex, error) {
	compiled, err := regexp2.Compile(text, regexp2.None)
	if err != nil {
		return nil, &PatternError{Problem: "not supported: " + err.Error()}
	}
	r := &Regex{source: source, names: p.names, groups: p.groups}
	compiled.MatchTimeout = Timeout
	r.search = func() *regexp2.Regexp { return compiled }
	variant := func(before, after string) func() *regexp2.Regexp {
		return sync.OnceValue(func() *regexp2.Regexp {
			v := regexp2.MustCompile(before+"(?:"+text+")"+after, regexp2.None)
			v.MatchTimeout = compiled.MatchTimeout
			return v
		})
	}
	r.longer, r.match, r.full = variant("", `(?!\G)`), variant(`\A`, ""), variant(`\A`, `\z`)
	return r, nil
}

// SetTimeout changes how long one search may take; call it before any search.
func (r *Regex) SetTimeout(d time.Duration) { r.search().MatchTimeout = d }

// MustCompile is Compile for patterns that are known to be right.
func MustCompile(pattern string) *Regex {
	r, err := Compile(pattern)
	if err != nil {
		panic("python: " + pattern + ": " + err.Error())
	}
	return r
}

// String returns the pattern.
func (r *Regex) String() string { return r.source }

// Groups returns the number of groups.
func (r *Regex) Groups() int { return r.groups }

// Match is one match of a pattern in a text.
type Match struct {
	names map[string]int
	m     *regexp2.Match
}

// Group returns what group n took (0: the whole match), and whether it took part.
func (m *Match) Group(n int) (string, bool) {
	g := m.m.GroupByNumber(n)
	if g == nil || len(g.Captures) == 0 {
		return "", false
	}
	return g.String(), true
}

// Named returns what the group of that name took, and whether it took part.
func (m *Match) Named(name string) (string, bool) {
	n, ok := m.names[name]
	if !ok {
		return "", false
	}
	return m.Group(n)
}

// Span returns where group n starts and ends, in code points; -1 and -1 if it took
// no part.
func (m *Match) Span(n int) (start, end int) {
	g := m.m.GroupByNumber(n)
	if g == nil || len(g.Captures) == 0 {
		return -1, -1
	}
	return g.Index, g.Index + g.Length
}

func (r *Regex) find(with *regexp2.Regexp, text []rune, at int) (*Match, error) {
	m, err := with.FindRunesMatchStartingAt(text, at)
	if err != nil {
		return nil, ErrTimeout
	}
	if m == nil {
		return nil, nil
	}
	return &Match{names: r.names, m: m}, nil
}

// Search returns the first match, as re.search; nil if there is none.
func (r *Regex) Search(s string) (*Match, error) { return r.find(r.search(), []rune(s), 0) }

// Match returns the match at the start of s, as re.match; nil if there is none.
func (r *Regex) Match(s string) (*Match, error) { return r.find(r.match(), []rune(s), 0) }

// FullMatch returns the match of all of s, as re.fullmatch; nil if there is none.
func (r *Regex) FullMatch(s string) (*Match, error) { return r.find(r.full(), []rune(s), 0) }

// each calls visit with every match, as re.finditer: a match may be empty where the
// last one ended, but not where an empty one was found already.
func (r *Regex) each(text []rune, visit func(m *Match)) error {
	with, at := r.search(), 0
	for {
		m, err := r.find(with, text, at)
		if m == nil || err != nil {
			return err
		}
		visit(m)
		start, end := m.Span(0)
		if at, with = end, r.search(); start == end {
			with = r.longer()
		}
	}
}

// FindIter returns every match, as re.finditer.
func (r *Regex) FindIter(s string) ([]*Match, error) {
	var out []*Match
	err := r.each([]rune(s), func(m *Match) { out = append(out, m) })
	return out, err
}

// FindAll returns what re.findall does. An element of length 1 stands for a str: the
// whole match, or the only group; a longer one for a tuple of all groups. A group
// that took no part is empty.
func (r *Regex) FindAll(s string) ([][]string, error) {
	var out [][]string
	err := r.each([]rune(s), func(m *Match) {
		if r.groups == 0 {
			text, _ := m.Group(0)
			out = append(out, []string{text})
			return
		}
		tuple := make([]string, r.groups)
		for i := range tuple {
			tuple[i], _ = m.Group(i + 1)
		}
		out = append(out, tuple)
	})
	return out, err
}

// Sub returns re.sub(pattern, template, s). The template may name groups (\1,
// \g<name>) and holds Python's escapes; a *PatternError says what is wrong in it.
func (r *Regex) Sub(template, s string) (string, error) {
	parts, err := r.parseTemplate(template)
	if err != nil {
		return "", err
	}
	text := []rune(s)
	var b strings.Builder
	last := 0
	err = r.each(text, func(m *Match) {
		start, end := m.Span(0)
		b.WriteString(string(text[last:start]))
		for _, p := range parts {
			if p.group < 0 {
				b.WriteString(p.text)
				continue
			}
			taken, _ := m.Group(p.group)
			b.WriteString(taken)
		}
		last = end
	})
	if err != nil {
		return "", err
	}
	b.WriteString(string(text[last:]))
	return b.String(), nil
}

// Split returns re.split(pattern, s): the pieces between matches and, if the pattern
// has groups, what each took in between; nil stands for None.
func (r *Regex) Split(s string) ([]any, error) {
	text := []rune(s)
	var out []any
	last := 0
	err := r.each(text, func(m *Match) {
		start, end := m.Span(0)
		out = append(out, string(text[last:start]))
		for i := 1; i <= r.groups; i++ {
			if taken, ok := m.Group(i); ok {
				out = append(out, taken)
			} else {
				out = append(out, nil)
			}
		}
		last = end
	})
	if err != nil {
		return nil, err
	}
	return append(out, string(text[last:])), nil
}

// Escape returns re.escape(s): a pattern that matches s alone.
func Escape(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("()[]{}?*+-|^$\\.&~# \t\n\r\v\f", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
