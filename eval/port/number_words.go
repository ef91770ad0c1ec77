package port

import (
	"regexp"
	"slices"
	"strconv"

	"mergesearch/eval/python"
)

// englishNumbers finds numbers in English words, with the quirks of the original: six,
// seven, eight and nine are found inside a longer number only.
var englishNumbers = func() *regexp.Regexp {
	const (
		small = `zero|one|two|three|four|five|(?:twen|thir|for|fif|six|seven|nine)`
		large = `ten|eleven|twelve|fourteen|hundred|thousand|(?:m|b|tr)illion`
		blank = `[\t\x0b\x0c\x20\x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000}]`

		first  = small + `(?:teen|ty)|eight(?:|een|y)|` + large
		middle = small + `(?:|teen|ty)|eight(?:een|y)|` + large + `|` + blank + `|,|and|&`
		last   = small + `(?:teen|ty)|eight(?:een|y)|` + large
	)
	return regexp.MustCompile(`(?:(?:` + first + `)(?:` + middle + `)+)?(?:` + last + `)`)
}()

var numberWords = map[string]int64{
	"zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9,
	"ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16,
	"seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50,
	"sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90, "hundred": 100,
	"thousand": 1000, "million": 1_000_000, "billion": 1_000_000_000,
}

// numberOfWords reads a number as the Python package word2number 1.1 does; empty for
// what that refuses. Words that it does not know are skipped.
func numberOfWords(s string) string {
	var words []string
	for _, w := range python.Split(s) {
		if _, ok := numberWords[w]; ok {
			words = append(words, w)
		}
	}
	if len(words) == 0 {
		return ""
	}
	if len(words) == 1 {
		return strconv.FormatInt(numberWords[words[0]], 10)
	}
	var total int64
	rest := words
	for _, unit := range []string{"billion", "million", "thousand"} {
		i := slices.Index(rest, unit)
		if i < 0 {
			if slices.Contains(words, unit) { // after a smaller one
				return ""
			}
			continue
		}
		n, ok := belowThousand(rest[:i])
		if !ok {
			return ""
		}
		total += n * numberWords[unit]
		if rest = rest[i+1:]; slices.Contains(rest, unit) {
			return ""
		}
	}
	if len(rest) > 0 {
		n, ok := belowThousand(rest)
		if !ok {
			return ""
		}
		total += n
	}
	return strconv.FormatInt(total, 10)
}

// belowThousand reads up to four words; of more than four, the first.
func belowThousand(words []string) (n int64, ok bool) {
	var w []int64
	for _, word := range words {
		w = append(w, numberWords[word])
	}
	switch len(w) {
	case 0:
		return 0, false
	case 2:
		if slices.Contains(w, 100) {
			return w[0] * w[1], true
		}
		return w[0] + w[1], true
	case 3:
		return w[0]*w[1] + w[2], true
	case 4:
		return w[0]*w[1] + w[2] + w[3], true
	}
	return w[0], true
}
