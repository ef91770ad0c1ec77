package metric

import (
	"strings"
	"unicode"

	"mergesearch/eval/python"
)

// Normalizer is what exact_match does to an answer and to each target before it
// compares them, in the order of the fields.
type Normalizer struct {
	Ignore            []*python.Regex // regexes_to_ignore: what matches is deleted, one after the other
	IgnoreCase        bool            // lower case
	IgnorePunctuation bool            // ASCII's punctuation is deleted
	IgnoreNumbers     bool            // the digits 0 to 9 are deleted
	IgnoreMarks       bool            // all of Unicode's punctuation is deleted, as the filters for choices do
}

const (
	punctuation = "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"
	asciiDigits = "0123456789"
)

// Normal returns s normalised; an error wraps python.ErrTimeout.
func (n Normalizer) Normal(s string) (string, error) {
	for _, r := range n.Ignore {
		var err error
		if s, err = r.Sub("", s); err != nil {
			return "", err
		}
	}
	if n.IgnoreCase {
		s = python.Lower(s)
	}
	if n.IgnorePunctuation {
		s = without(s, punctuation)
	}
	if n.IgnoreNumbers {
		s = without(s, asciiDigits)
	}
	if n.IgnoreMarks {
		s = strings.Map(func(r rune) rune {
			if unicode.IsPunct(r) {
				return -1
			}
			return r
		}, s)
	}
	return s, nil
}

func without(s, set string) string {
	return strings.Map(func(r rune) rune {
		if strings.ContainsRune(set, r) {
			return -1
		}
		return r
	}, s)
}

// Matches reports whether the answer equals one of the targets once both are normal.
func (n Normalizer) Matches(answer string, targets []string) (bool, error) {
	a, err := n.Normal(answer)
	if err != nil {
		return false, err
	}
	for _, t := range targets {
		b, err := n.Normal(t)
		if err != nil {
			return false, err
		}
		if a == b {
			return true, nil
		}
	}
	return false, nil
}

// MajorityVote returns the most frequent answer, of equally frequent ones the first.
func MajorityVote(answers []string) string {
	some(len(answers))
	counts := map[string]int{}
	for _, a := range answers {
		counts[a]++
	}
	best := answers[0]
	for _, a := range answers {
		if counts[a] > counts[best] {
			best = a
		}
	}
	return best
}
