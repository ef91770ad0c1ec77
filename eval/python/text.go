package python

import (
	"errors"
	"math"
	"math/big"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// IsSpace reports what str.isspace, strip and split take for white space: Unicode's,
// and the four separators U+001C to U+001F.
func IsSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

// IsWord reports whether the regular expression \w matches r: letters, whatever has
// a numeric value (also ① and Ⅷ), and the underscore.
func IsWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

// Runs counts the runs of characters for which in holds.
func Runs(s string, in func(rune) bool) int {
	n, inside := 0, false
	for _, r := range s {
		is := in(r)
		if is && !inside {
			n++
		}
		inside = is
	}
	return n
}

// Strip returns s without white space at its ends.
func Strip(s string) string { return strings.TrimFunc(s, IsSpace) }

// LStrip returns s without white space at its start.
func LStrip(s string) string { return strings.TrimLeftFunc(s, IsSpace) }

// RStrip returns s without white space at its end.
func RStrip(s string) string { return strings.TrimRightFunc(s, IsSpace) }

// Split returns the pieces of s between runs of white space, none of them empty.
func Split(s string) []string { return strings.FieldsFunc(s, IsSpace) }

// Len returns the number of code points.
func Len(s string) int { return utf8.RuneCountInString(s) }

// Lower returns str.lower: Unicode's full mapping, with the final sigma.
func Lower(s string) string {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return lowerFull(s, "")
		}
	}
	return strings.ToLower(s)
}

// lowerFull lowers s, of which before is the text in front, for the sake of sigma.
func lowerFull(s, before string) string {
	var b strings.Builder
	for i, r := range s {
		switch r {
		case 0x130:
			b.WriteString("i\u0307")
		case 'Σ':
			if finalSigma(before+s[:i], s[i+len("Σ"):]) {
				b.WriteRune('ς')
			} else {
				b.WriteRune('σ')
			}
		default:
			b.WriteRune(unicode.ToLower(r))
		}
	}
	return b.String()
}

// finalSigma says whether a sigma between the two texts ends a word (Unicode 3.13,
// Final_Sigma): a cased letter before it and none after, not counting what is
// ignored in between.
func finalSigma(before, after string) bool {
	for before != "" {
		r, n := utf8.DecodeLastRuneInString(before)
		if before = before[:len(before)-n]; caseIgnorable(r) {
			continue
		}
		if !cased(r) {
			return false
		}
		for _, r := range after {
			if !caseIgnorable(r) {
				return !cased(r)
			}
		}
		return true
	}
	return false
}

func cased(r rune) bool {
	return unicode.In(r, unicode.Lu, unicode.Ll, unicode.Lt, unicode.Other_Lowercase, unicode.Other_Uppercase)
}

func caseIgnorable(r rune) bool {
	// Word_Break MidLetter, MidNumLet and Single_Quote (UAX 29), then categories.
	return strings.ContainsRune("'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a", r) ||
		unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf, unicode.Lm, unicode.Sk)
}

// Upper returns str.upper: Unicode's full mapping, ß to SS among them.
func Upper(s string) string { return cases.Upper(language.Und).String(s) }

// Capitalize returns str.capitalize: the first character in title case, the rest in
// lower case.
func Capitalize(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	first := string(unicode.ToTitle(r))
	if up := Upper(s[:n]); utf8.RuneCountInString(up) > 1 { // ß is Ss, ﬁ is Fi; Greek keeps its iota below
		first = cases.Title(language.Und).String(s[:n])
	}
	return first + lowerFull(s[n:], s[:n])
}

var errNumber = errors.New("not a number")

// Float returns float(s) of a text: decimal notation, inf, nan, single underscores
// between digits, white space around it.
func Float(s string) (float64, error) {
	s, ok := numeral(s)
	if !ok || strings.ContainsAny(s, "xXpP") {
		return 0, errNumber
	}
	if strings.EqualFold(strings.TrimLeft(s, "+-"), "nan") && len(s) <= 4 {
		return math.NaN(), nil
	}
	switch x, err := strconv.ParseFloat(s, 64); {
	case errors.Is(err, strconv.ErrRange): // infinite, or as small as it gets
		return x, nil
	case err != nil:
		return 0, errNumber
	default:
		return x, nil
	}
}

// Int returns int(s) of a text.
func Int(s string) (*big.Int, error) {
	s, ok := numeral(s)
	if !ok {
		return nil, errNumber
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" || strings.Trim(digits, "0123456789") != "" || len(digits) > 4300 {
		return nil, errNumber
	}
	n, ok := new(big.Int).SetString(s, 10)
	if !ok {
		return nil, errNumber
	}
	return n, nil
}

// numeral strips s, turns other decimal digits into ASCII ones and drops single
// underscores between digits.
func numeral(s string) (string, bool) {
	var b strings.Builder
	digit, underscore := false, false
	for _, r := range strings.TrimFunc(s, unicode.IsSpace) { // U+001C to U+001F are not taken for space here
		if r >= utf8.RuneSelf && unicode.Is(unicode.Nd, r) {
			r = '0' + decimal(r)
		}
		isDigit := r >= '0' && r <= '9'
		if r == '_' && !digit || underscore && !isDigit {
			return "", false
		}
		if digit, underscore = isDigit, r == '_'; !underscore {
			b.WriteRune(r)
		}
	}
	return b.String(), !underscore
}

// decimal returns the value of a decimal digit: they stand in runs of ten, which
// may touch.
func decimal(r rune) rune {
	start := r
	for unicode.Is(unicode.Nd, start-1) {
		start--
	}
	return (r - start) % 10
}
