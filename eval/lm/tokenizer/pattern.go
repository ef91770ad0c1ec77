package tokenizer

import (
	"strings"
	"unicode/utf8"

	"github.com/dlclark/regexp2"
)

// patternFile is what Split and Replace search for: a regular expression or a
// plain string.
type patternFile struct {
	String *string `json:"String"`
	Regex  *string `json:"Regex"`
}

// pattern calls found for each match, in order, with byte offsets.
type pattern func(text string, found func(from, to int))

func (f patternFile) compile(field string) (pattern, error) {
	switch {
	case f.Regex != nil && f.String == nil:
		re, err := regexp2.Compile(*f.Regex, regexp2.Unicode)
		if err != nil {
			return nil, problem(field, "regular expression: "+err.Error())
		}
		return regexPattern(re), nil
	case f.String != nil && f.Regex == nil:
		if *f.String == "" {
			return nil, problem(field, "is empty")
		}
		return stringPattern(*f.String), nil
	}
	return nil, problem(field, "must be {\"String\": ...} or {\"Regex\": ...}")
}

func stringPattern(s string) pattern {
	return func(text string, found func(from, to int)) {
		for at := 0; ; {
			i := strings.Index(text[at:], s)
			if i < 0 {
				return
			}
			found(at+i, at+i+len(s))
			at += i + len(s)
		}
	}
}

// regexPattern turns regexp2's offsets, which count runes, into bytes.
func regexPattern(re *regexp2.Regexp) pattern {
	return func(text string, found func(from, to int)) {
		runes, at, bytes := 0, 0, 0 // bytes is the offset of rune number runes
		advance := func(to int) int {
			for ; runes < to && bytes < len(text); runes++ {
				_, n := utf8.DecodeRuneInString(text[bytes:])
				bytes += n
			}
			return bytes
		}
		m, err := re.FindStringMatch(text)
		for ; err == nil && m != nil; m, err = re.FindNextMatch(m) {
			if m.Length == 0 {
				continue
			}
			from := advance(m.Index)
			to := advance(m.Index + m.Length)
			if from >= at {
				found(from, to)
				at = to
			}
		}
	}
}

// replace returns text with every match replaced.
func (p pattern) replace(text, by string) string {
	var b strings.Builder
	done := 0
	p(text, func(from, to int) {
		b.WriteString(text[done:from])
		b.WriteString(by)
		done = to
	})
	if done == 0 {
		return text
	}
	b.WriteString(text[done:])
	return b.String()
}
