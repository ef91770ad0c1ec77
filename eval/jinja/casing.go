package jinja

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Python's upper and lower case are Unicode's full ones: one letter may become
// several, and a capital sigma at the end of a word becomes a final one.

func upper(s string) string { return casing(s, upperRune) }

func upperRune(b *strings.Builder, r rune) {
	if severalCapitals(r) {
		b.WriteString(cases.Upper(language.Und).String(string(r)))
		return
	}
	b.WriteRune(unicode.ToUpper(r))
}

func titleRune(b *strings.Builder, r rune) {
	if severalCapitals(r) {
		b.WriteString(cases.Title(language.Und, cases.NoLower).String(string(r)))
		return
	}
	b.WriteRune(unicode.ToTitle(r))
}

// severalCapitals covers the letters whose upper case has more than one, such as ß.
func severalCapitals(r rune) bool {
	return r == 0xdf || r == 0x149 || r == 0x1f0 || r == 0x390 || r == 0x3b0 || r == 0x587 ||
		r >= 0x1e96 && r <= 0x1e9a || r >= 0x1f50 && r <= 0x1fff || r >= 0xfb00 && r <= 0xfb17
}

func casing(s string, f func(*strings.Builder, rune)) string {
	var b strings.Builder
	for _, r := range s {
		f(&b, r)
	}
	return b.String()
}

func lower(s string) string {
	var b strings.Builder
	for i, r := range s {
		lowerRune(&b, s, i, r)
	}
	return b.String()
}

// lowerRune writes the lower case of r, which is at byte i of s.
func lowerRune(b *strings.Builder, s string, i int, r rune) {
	switch {
	case r == 'Σ' && finalSigma(s, i):
		b.WriteRune('ς')
	case r == 'İ':
		b.WriteString("i\u0307")
	default:
		b.WriteRune(unicode.ToLower(r))
	}
}

// finalSigma is Unicode's condition Final_Sigma: a cased letter before, none after,
// apart from marks and the like.
func finalSigma(s string, i int) bool {
	before := strings.TrimRightFunc(s[:i], caseIgnorable)
	after := strings.TrimLeftFunc(s[i+len("Σ"):], caseIgnorable)
	last, _ := utf8.DecodeLastRuneInString(before)
	next, _ := utf8.DecodeRuneInString(after)
	return before != "" && cased(last) && (after == "" || !cased(next))
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

func caseIgnorable(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk) ||
		strings.ContainsRune("'.:·\u0387\u055f\u05f4‘’․‧\ufe13\ufe52\ufe55＇．：", r)
}

// capitalize raises the first letter and lowers the rest, as Python does.
func capitalize(s string) string {
	var b strings.Builder
	for i, r := range s {
		if i == 0 {
			titleRune(&b, r)
		} else {
			lowerRune(&b, s, i, r)
		}
	}
	return b.String()
}

// title is str.title: letters after what has no case are raised, others lowered.
func title(s string) string {
	var b strings.Builder
	inWord := false
	for i, r := range s {
		if inWord {
			lowerRune(&b, s, i, r)
		} else {
			titleRune(&b, r)
		}
		inWord = cased(r)
	}
	return b.String()
}

// titleWords is Jinja's filter title, which knows other ends of words.
func titleWords(s string) string {
	var b strings.Builder
	for s != "" {
		end := strings.IndexFunc(s, wordEnd)
		if end < 0 {
			end = len(s)
		}
		if end > 0 {
			_, n := utf8.DecodeRuneInString(s)
			b.WriteString(upper(s[:n]) + lower(s[n:end]))
		}
		rest := strings.TrimLeftFunc(s[end:], wordEnd)
		b.WriteString(s[end : len(s)-len(rest)])
		s = rest
	}
	return b.String()
}

func wordEnd(r rune) bool { return IsSpace(r) || strings.ContainsRune("-({[<", r) }

// oneCase reports whether a text has cased letters and all of them satisfy ok.
func oneCase(s string, ok func(rune) bool) bool {
	found := false
	for _, r := range s {
		if cased(r) {
			if !ok(r) {
				return false
			}
			found = true
		}
	}
	return found
}

func isLower(r rune) bool { return unicode.In(r, unicode.Ll, unicode.Other_Lowercase) }
func isUpper(r rune) bool { return unicode.In(r, unicode.Lu, unicode.Other_Uppercase) }

// digits outside ASCII that are not decimal ones, such as superscripts.
var digitTable = &unicode.RangeTable{
	R16: []unicode.Range16{
		{0x00b2, 0x00b3, 1},
		{0x00b9, 0x00b9, 1},
		{0x1369, 0x1371, 1},
		{0x19da, 0x19da, 1},
		{0x2070, 0x2070, 1},
		{0x2074, 0x2079, 1},
		{0x2080, 0x2089, 1},
		{0x2460, 0x2468, 1},
		{0x2474, 0x247c, 1},
		{0x2488, 0x2490, 1},
		{0x24ea, 0x24ea, 1},
		{0x24f5, 0x24fd, 1},
		{0x24ff, 0x24ff, 1},
		{0x2776, 0x277e, 1},
		{0x2780, 0x2788, 1},
		{0x278a, 0x2792, 1},
	},
	R32: []unicode.Range32{
		{0x10a40, 0x10a43, 1}, {0x10e60, 0x10e68, 1}, {0x11052, 0x1105a, 1}, {0x1f100, 0x1f10a, 1},
	},
}

func isDigitRune(r rune) bool { return unicode.Is(unicode.Nd, r) || unicode.Is(digitTable, r) }
