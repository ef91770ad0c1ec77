package jinja

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dlclark/regexp2"
)

// Python's classes of characters in the words of regexp2.
const (
	wordChars  = `\p{L}\p{N}_`
	spaceChars = `\s\x1c-\x1f`
)

// regexReplace is the harness's filter over Python's re.sub.
func regexReplace(r *rendering, of any, a values) (any, error) {
	args, err := a.bind(2, "pattern", "repl", "count")
	if err != nil {
		return nil, err
	}
	var texts [3]string
	for i, v := range []any{of, args[0], args[1]} {
		if texts[i], err = textOr(v, ""); err != nil {
			return nil, err
		}
	}
	count, err := wholeOr(args[2], 0)
	if err != nil {
		return nil, err
	}
	pattern, err := translate(texts[1])
	if err != nil {
		return nil, err
	}
	re, err := regexp2.Compile(pattern, regexp2.None)
	if err != nil {
		return nil, fmt.Errorf("the pattern %q: %w", texts[1], err)
	}
	re.MatchTimeout = max(r.match, time.Millisecond)
	parts, err := replacement(texts[2], re)
	if err != nil {
		return nil, err
	}
	start := time.Now()
	v, err := r.substitute(re, texts[0], parts, count)
	r.match -= time.Since(start)
	return v, err
}

// substitute writes the parts for each match; count 0 means all.
func (r *rendering) substitute(re *regexp2.Regexp, s string, parts []replacementPart, count int64) (any, error) {
	runes := []rune(s)
	var b strings.Builder
	from := 0
	m, err := re.FindRunesMatch(runes)
	for n := int64(1); m != nil && err == nil && (count <= 0 || n <= count); n++ {
		before := b.Len()
		b.WriteString(string(runes[from:m.Index]))
		for _, p := range parts {
			if p.group < 0 {
				b.WriteString(p.text)
			} else if g := m.GroupByNumber(p.group); g != nil {
				b.WriteString(g.String())
			}
		}
		from = m.Index + m.Length
		if err := r.charge(stepCost + b.Len() - before); err != nil {
			return nil, err
		}
		m, err = re.FindNextMatch(m)
	}
	if err != nil {
		return nil, refuse("a pattern that takes so long")
	}
	b.WriteString(string(runes[from:]))
	return b.String(), nil
}

// translate writes a Python pattern for regexp2. What the two read differently and
// is not rewritten here is refused.
func translate(pattern string) (string, error) {
	var b strings.Builder
	inClass := false
	for i := 0; i < len(pattern); i++ {
		c := pattern[i]
		switch {
		case c == '\\' && i+1 < len(pattern):
			i++
			s, err := translateEscape(pattern[i], inClass)
			if err != nil {
				return "", err
			}
			b.WriteString(s)
			continue
		case inClass && c == ']':
			inClass = false
		case inClass && c == '[':
			b.WriteString(`\[`)
			continue
		case inClass && strings.HasPrefix(pattern[i:], "-["):
			return "", refuse("the pattern -[ inside a class")
		case !inClass && c == '[':
			inClass = true
			b.WriteByte(c)
			if i+1 < len(pattern) && pattern[i+1] == '^' {
				i++
				b.WriteByte('^')
			}
			if i+1 < len(pattern) && pattern[i+1] == ']' {
				i++
				b.WriteString(`\]`)
			}
			continue
		case !inClass && strings.HasPrefix(pattern[i:], "{,"):
			return "", refuse("the pattern {,")
		case !inClass && strings.HasPrefix(pattern[i:], "(?"):
			known := false
			for _, p := range []string{"(?:", "(?=", "(?!", "(?<=", "(?<!"} {
				known = known || strings.HasPrefix(pattern[i:], p)
			}
			for _, p := range []string{"(?i)", "(?s)", "(?m)"} {
				known = known || i == 0 && strings.HasPrefix(pattern, p)
			}
			if !known {
				return "", refuse("the pattern %s", pattern[i:min(i+4, len(pattern))])
			}
		}
		b.WriteByte(c)
	}
	return b.String(), nil
}

func translateEscape(c byte, inClass bool) (string, error) {
	word := "[" + wordChars + "]"
	switch {
	case c == 'w' && inClass:
		return wordChars, nil
	case c == 'w':
		return word, nil
	case c == 's' && inClass:
		return spaceChars, nil
	case c == 's':
		return "[" + spaceChars + "]", nil
	case c == 'W' && !inClass:
		return "[^" + wordChars + "]", nil
	case c == 'S' && !inClass:
		return "[^" + spaceChars + "]", nil
	case c == 'b' && !inClass:
		return "(?:(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + "))", nil
	case c == 'B' && !inClass:
		return "(?:(?<=" + word + ")(?=" + word + ")|(?<!" + word + ")(?!" + word + "))", nil
	case c == 'Z' && !inClass:
		return `\z`, nil
	case strings.IndexByte("dDAnrtfv", c) >= 0, isDigit(c) && c != '0', c < 0x80 && wordLength(string(c)) == 0:
		return `\` + string(c), nil
	case c >= 0x80:
		return string([]byte{c}), nil
	}
	return "", refuse(`the escape \%c in a pattern`, c)
}

// replacementPart is literal text, or a group when it is not negative.
type replacementPart struct {
	text  string
	group int
}

// replacement reads the template of re.sub: \1, \g<1>, \g<name>, \n and the like.
func replacement(s string, re *regexp2.Regexp) ([]replacementPart, error) {
	var parts []replacementPart
	add := func(text string) { parts = append(parts, replacementPart{text, -1}) }
	for s != "" {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			add(s)
			break
		}
		add(s[:i])
		s = s[i+1:]
		end := 1
		switch {
		case s == "":
			return nil, fmt.Errorf("the replacement ends with a backslash")
		case s[0] == '\\':
			add(`\`)
		case strings.IndexByte("nrt", s[0]) >= 0:
			add(simpleEscapes[s[0]])
		case isDigit(s[0]) && s[0] != '0' && (len(s) < 2 || !isDigit(s[1])):
			group := int(s[0] - '0')
			if re.GroupNameFromNumber(group) == "" {
				return nil, fmt.Errorf("the replacement names group %d, which is not there", group)
			}
			parts = append(parts, replacementPart{group: group})
		case strings.HasPrefix(s, "g<"):
			if end = strings.IndexByte(s, '>') + 1; end == 0 {
				return nil, fmt.Errorf("the replacement has no > after \\g<")
			}
			group, err := strconv.Atoi(s[2 : end-1])
			if err != nil {
				group = re.GroupNumberFromName(s[2 : end-1])
			}
			if group < 0 || re.GroupNameFromNumber(group) == "" {
				return nil, fmt.Errorf("the replacement names group %q, which is not there", s[2:end-1])
			}
			parts = append(parts, replacementPart{group: group})
		default:
			return nil, refuse(`the escape \%c in a replacement`, s[0])
		}
		s = s[end:]
	}
	return parts, nil
}
